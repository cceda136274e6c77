//! What one process knows of one target, between its calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{ConfiguredStream, Result};
use tokio::sync::Mutex as AsyncMutex;

use super::name::{Name, Places};
use super::record::Standing;
use super::stage::Run;

/// One target in one process.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) table: Name,
    /// What names of our own objects of it are made of.
    pub(super) key: String,
    pub(super) run: Arc<Run>,
    /// Held while a commit is made.
    pub(super) turn: AsyncMutex<()>,
    standing: Mutex<Option<Standing>>,
    stream: Mutex<Option<Arc<ConfiguredStream>>>,
    has_committed: AtomicBool,
    /// Whether this process has seen that the table is as it has to be.
    is_seen: AtomicBool,
    /// Transactions that killed processes may have left open.
    left: Mutex<Vec<u64>>,
}

impl Target {
    pub(super) fn new(name: &str, places: &Places) -> Result<Self> {
        let table = places.table(name)?;
        Ok(Self {
            name: name.to_owned(),
            key: table.key(),
            table,
            run: Arc::new(Run::new(0)),
            turn: AsyncMutex::default(),
            standing: Mutex::default(),
            stream: Mutex::default(),
            has_committed: AtomicBool::default(),
            is_seen: AtomicBool::default(),
            left: Mutex::default(),
        })
    }

    /// Where it stands, as far as this process knows.
    pub(super) fn known(&self) -> Option<Standing> {
        locked(&self.standing).clone()
    }

    pub(super) fn learn(&self, standing: &Standing) {
        self.run.reached(standing.sequence);
        *locked(&self.standing) = Some(standing.clone());
    }

    /// Makes the next call look for itself.
    pub(super) fn forget(&self) {
        *locked(&self.standing) = None;
    }

    /// The stream that it was prepared for.
    pub(super) fn stream(&self) -> Option<Arc<ConfiguredStream>> {
        locked(&self.stream).clone()
    }

    pub(super) fn prepared_for(&self, stream: &ConfiguredStream) {
        *locked(&self.stream) = Some(Arc::new(stream.clone()));
    }

    pub(super) fn found_left(&self, transactions: Vec<u64>) {
        *locked(&self.left) = transactions;
    }

    pub(super) fn left(&self) -> Vec<u64> {
        locked(&self.left).clone()
    }

    pub(super) fn saw_table(&self) {
        self.is_seen.store(true, Ordering::Relaxed);
    }

    /// Whether this process has seen that the table is as it has to be.
    pub(super) fn is_seen(&self) -> bool {
        self.is_seen.load(Ordering::Relaxed)
    }

    pub(super) fn committed(&self) {
        self.has_committed.store(true, Ordering::Relaxed);
    }

    /// Whether this process has committed since this was asked last.
    pub(super) fn take_committed(&self) -> bool {
        self.has_committed.swap(false, Ordering::Relaxed)
    }
}

/// Each value behind these locks is replaced whole: a panic leaves none half changed.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
