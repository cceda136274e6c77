//! How patient the client is.

use std::time::Duration;

/// Waits, and how often something is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The shortest wait before a request is sent again.
    pub(super) first: Duration,
    /// The longest.
    pub(super) longest: Duration,
    /// The longest that a server may ask for.
    pub(super) longest_wait: Duration,
    /// How often a request is sent.
    pub(super) tries: usize,
    /// The longest between two signs of life.
    pub(super) heartbeat: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        // Tests of the binary need not wait it out.
        let cut = |wait: Duration| wait.min(protocol::longest_wait().unwrap_or(Duration::MAX));
        Self {
            first: cut(Duration::from_secs(1)),
            longest: cut(Duration::from_secs(16)),
            longest_wait: Duration::from_mins(1),
            tries: 7,
            heartbeat: Duration::from_hours(1),
        }
    }
}

impl Pace {
    /// The waits between so many tries.
    pub(super) fn delays(&self, tries: usize) -> Delays {
        Delays { first: self.first, longest: self.longest, last: self.first, left: tries.saturating_sub(1) }
    }

    /// How long to wait before asking for the n-th time whether a statement is done, if the server does
    /// not hold the question until it is.
    pub(super) fn poll(&self, asked: usize) -> Duration {
        /// In halves of `first`.
        const WAITS: [u32; 7] = [1, 1, 2, 3, 4, 8, 10];
        self.first / 2 * WAITS[asked.min(WAITS.len() - 1)]
    }
}

/// Decorrelated jitter: each wait is drawn between the shortest and three times the last, so that clients
/// that failed together do not come back together.
#[derive(Debug)]
pub(super) struct Delays {
    first: Duration,
    longest: Duration,
    last: Duration,
    left: usize,
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let most = (self.last * 3).min(self.longest).max(self.first);
        self.last = self.first + most.saturating_sub(self.first).mul_f64(fastrand::f64());
        Some(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_as_many_as_tries_but_one_and_within_bounds() {
        let pace = Pace::default();
        for _ in 0..100 {
            let waits: Vec<Duration> = pace.delays(7).collect();
            assert_eq!(waits.len(), 6);
            assert!(waits.iter().all(|wait| (pace.first..=pace.longest).contains(wait)), "{waits:?}");
        }
        assert_eq!(pace.delays(1).count(), 0);
    }

    #[test]
    fn questions_become_rarer() {
        let pace = Pace::default();
        let waits: Vec<u128> = (0..8).map(|asked| pace.poll(asked).as_millis()).collect();
        assert_eq!(waits, [500, 500, 1000, 1500, 2000, 4000, 5000, 5000]);
    }
}
