//! The one way to wait, and the clock that goes with it.
//!
//! In builds for tests (feature `killpoints` of `protocol`) the variable `TIDEGATE_WAITS` holds the most milliseconds
//! that a wait takes. What is cut off counts as passed: [`Moment`] goes on by it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What cut waits left out, in milliseconds.
static SKIPPED: AtomicU64 = AtomicU64::new(0);

/// Waits: for a retry, a budget, a job.
pub async fn pause(wait: Duration) {
    let longest = protocol::longest_wait().unwrap_or(Duration::MAX);
    let real = wait.min(longest);
    let cut = wait.saturating_sub(real);
    if !cut.is_zero() {
        let skipped = u64::try_from(cut.as_millis()).unwrap_or(u64::MAX >> 1);
        SKIPPED.fetch_add(skipped, Ordering::Relaxed);
    }
    tokio::time::sleep(real).await;
}

/// A point in time on a clock that never goes back, by which waits are reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Moment {
    /// Now, waits that were cut included.
    #[must_use]
    pub fn now() -> Self {
        Self(tokio::time::Instant::now().into_std() + Duration::from_millis(SKIPPED.load(Ordering::Relaxed)))
    }

    /// How long ago it was; zero for what is to come.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    /// How long after `earlier` it is; zero where it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// So much later; far away where that can't be told.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        const FAR: Duration = Duration::from_hours(24 * 365 * 10);
        Self(self.0 + duration.min(FAR))
    }
}

/// What time it is, waits that were cut included: to reckon with dates that servers name.
pub(super) fn wall() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now() + chrono::TimeDelta::milliseconds(SKIPPED.load(Ordering::Relaxed).cast_signed())
}
