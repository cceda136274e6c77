//! The time that manifests ask for, handed in: nothing below reads the system's clock by itself.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};

/// Gives the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    Fixed(DateTime<Utc>),
    Live(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>),
}

impl Clock {
    /// A clock that stands: for tests, replays and backfills.
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Kind::Fixed(at))
    }

    /// A clock that goes, by whatever `now` reads.
    pub fn live(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Kind::Live(Arc::new(now)))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Kind::Fixed(at) => *at,
            Kind::Live(now) => now(),
        }
    }

    /// Whether it stands.
    pub(crate) fn stands(&self) -> bool {
        matches!(self.0, Kind::Fixed(_))
    }

    /// What time it is in UTC, to the microsecond.
    pub(crate) fn wall(&self) -> NaiveDateTime {
        use chrono::{DurationRound, TimeDelta};
        let now = self.now().naive_utc();
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }
}
