//! What the streams of one source share: tokens, and the configuration in which single-use tokens are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use protocol::Result;
use tokio::sync::Semaphore;

use super::rotation::Rotation;
use crate::http::{Moment, auth};
use crate::source::declarative::clock::Clock;
use crate::source::declarative::config::Mask;
use crate::source::declarative::config::place;
use crate::source::declarative::value::Value;

/// Who keeps a configuration that has changed. Called before the token in it is used; an error stops the stream.
pub type Keeper = Box<dyn Fn(&Value) -> Result<()> + Send + Sync>;

/// Tokens of one source, and the configuration that changes with them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Vault(Arc<Shared>);

#[derive(Default)]
struct Shared {
    keeper: OnceLock<Keeper>,
    mask: Mask,
    /// The configuration with the tokens of this run, from the first change on.
    config: Mutex<Option<Value>>,
    tokens: Mutex<HashMap<String, auth::Keeper>>,
    began: OnceLock<(DateTime<Utc>, Moment)>,
    jobs: OnceLock<Arc<Semaphore>>,
    rotations: Mutex<HashMap<String, Arc<Rotation>>>,
}

impl Vault {
    /// Says who keeps changed configurations. The first one counts.
    pub fn set_keeper(&self, keeper: Keeper) {
        let _ = self.0.keeper.set(keeper);
    }

    /// What keeps secrets out of messages. Learns every token that is given.
    #[must_use]
    pub fn mask(&self) -> &Mask {
        &self.0.mask
    }

    /// Says how many reports may be in the making at once. The first word counts; without one it is one.
    pub fn limit_jobs(&self, most: usize) {
        let _ = self.0.jobs.set(Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS))));
    }

    /// Who may have a report made.
    pub(in crate::source::declarative) fn jobs(&self) -> Arc<Semaphore> {
        Arc::clone(self.0.jobs.get_or_init(|| Arc::new(Semaphore::new(1))))
    }

    /// The token of that key, for all who name the same one.
    pub(super) fn token(&self, key: String, make: impl FnOnce() -> auth::Keeper) -> auth::Keeper {
        let mut tokens = self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.entry(key).or_insert_with(make).clone()
    }

    /// Tokens that take turns, for all who name the same ones.
    pub(super) fn rotation(&self, key: String, make: impl FnOnce() -> Rotation) -> Arc<Rotation> {
        let mut rotations = self.0.rotations.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rotations.entry(key).or_insert_with(|| Arc::new(make())))
    }

    /// A text of the configuration as it stands now; empty where there is none.
    pub(super) fn read(&self, config: &Value, path: &[String]) -> Value {
        let current = self.0.config.lock().unwrap_or_else(PoisonError::into_inner);
        let found = place::get(current.as_ref().unwrap_or(config), path);
        found.cloned().unwrap_or_else(|| Value::from(""))
    }

    /// Changes the configuration and has it kept.
    pub(super) fn write(&self, config: &Value, changes: Vec<(&[String], Value)>) -> Result<()> {
        let mut current = self.0.config.lock().unwrap_or_else(PoisonError::into_inner);
        let config = current.get_or_insert_with(|| config.clone());
        for (path, value) in changes {
            place::set(config, path, value)?;
        }
        match self.0.keeper.get() {
            Some(keeper) => keeper(config),
            None => Ok(()),
        }
    }

    /// An expiry by [`Self::now`], as it is told: by a clock that stands it has not come closer since.
    pub(super) fn told(&self, clock: &Clock, expires: DateTime<Utc>) -> DateTime<Utc> {
        if !clock.stands() {
            return expires;
        }
        let passed = self.now(clock) - clock.now();
        expires.checked_sub_signed(passed).map_or(expires, |told| told.round_subsecs(0))
    }

    /// The time by which tokens run out: it passes even where the run's clock stands, because the server's does.
    pub(super) fn now(&self, clock: &Clock) -> DateTime<Utc> {
        let now = clock.now();
        let (start, began) = self.0.began.get_or_init(|| (now, Moment::now()));
        let passed = TimeDelta::from_std(began.elapsed()).unwrap_or_default();
        start.checked_add_signed(passed).map_or(now, |passed| passed.max(now))
    }
}
