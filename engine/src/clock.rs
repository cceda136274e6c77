//! The one reader of the clock. For reports and names of folders; decides nothing else.

use std::time::Instant;

use chrono::{DateTime, Utc};

/// Now, by the machine's clock.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Measures a span of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    pub(crate) fn elapsed(self) -> std::time::Duration {
        self.0.elapsed()
    }
}
