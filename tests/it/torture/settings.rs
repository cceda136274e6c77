//! How long the test runs and what it draws from: constants for CI, variables for everybody else.

use std::time::Duration;

/// Long enough for every kind of round to come up several times.
const SECONDS: u64 = 90;

/// What one run of the test is set to.
pub(super) struct Settings {
    /// How long is written and synced; what follows is the judgement.
    pub(super) length: Duration,
    /// What writers and killers decide derives from it.
    pub(super) seed: u64,
}

impl Settings {
    pub(super) fn from_environment() -> Self {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is no whole number")))
        };
        Self {
            length: Duration::from_secs(number("TIDEGATE_TORTURE_SECONDS").unwrap_or(SECONDS)),
            seed: number("TIDEGATE_TORTURE_SEED").unwrap_or_else(|| fastrand::u64(..)),
        }
    }

    /// Random decisions of one part, which do not depend on those of others.
    pub(super) fn random(&self, part: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_mul(1_000_003).wrapping_add(part))
    }
}
