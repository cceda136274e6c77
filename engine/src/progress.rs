//! What a running sync is doing, as numbers that anybody may read at any time.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A running sync. Cheap to read: the display asks ten times a second.
#[derive(Debug, Default)]
pub struct Progress {
    streams: Mutex<Vec<Arc<StreamProgress>>>,
    budget_total: AtomicU64,
    budget_used: AtomicU64,
}

/// A stream of a running sync.
#[derive(Debug)]
pub struct StreamProgress {
    /// Its name at the source.
    pub name: String,
    step: AtomicU8,
    /// Rows that were read, less those of attempts that failed.
    pub rows: Count,
    /// Bytes of Arrow memory that were read.
    pub bytes: Count,
    /// Encoded bytes that were staged.
    pub staged_bytes: Count,
    /// Partitions of the plan.
    pub partitions: Count,
    /// Partitions that are read.
    pub partitions_done: Count,
    /// Rows of the plan, estimated; 0 where nobody knows.
    pub estimated_rows: Count,
    /// Attempts that failed and were made again.
    pub retries: Count,
}

/// A number that many tasks change.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes `n` away.
    pub fn subtract(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// Sets it to `n`.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

/// What is being done for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// It waits for its turn.
    Waiting,
    /// The target is made ready and the source divides what is new.
    Planning,
    /// Partitions are read.
    Reading,
    /// Files become visible.
    Committing,
    /// It is done.
    Succeeded,
    /// It failed or was interrupted.
    Failed,
}

impl StreamProgress {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            step: AtomicU8::new(Step::Waiting as u8),
            rows: Count::default(),
            bytes: Count::default(),
            staged_bytes: Count::default(),
            partitions: Count::default(),
            partitions_done: Count::default(),
            estimated_rows: Count::default(),
            retries: Count::default(),
        }
    }

    /// What is being done.
    #[must_use]
    pub fn step(&self) -> Step {
        let steps =
            [Step::Waiting, Step::Planning, Step::Reading, Step::Committing, Step::Succeeded, Step::Failed];
        steps[usize::from(self.step.load(Ordering::Relaxed)).min(steps.len() - 1)]
    }

    pub(crate) fn enter(&self, step: Step) {
        self.step.store(step as u8, Ordering::Relaxed);
    }
}

impl Progress {
    /// The streams known by now.
    #[must_use]
    pub fn streams(&self) -> Vec<Arc<StreamProgress>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes of the budget that are spent, and all of them.
    #[must_use]
    pub fn budget(&self) -> (u64, u64) {
        let total = self.budget_total.load(Ordering::Relaxed);
        // Charges are rounded up.
        (self.budget_used.load(Ordering::Relaxed).min(total), total)
    }

    pub(crate) fn add_stream(&self, name: &str) -> Arc<StreamProgress> {
        let stream = Arc::new(StreamProgress::new(name));
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(stream.clone());
        stream
    }

    pub(crate) fn set_budget(&self, total: u64) {
        self.budget_total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn spend(&self, bytes: u64) {
        self.budget_used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn unspend(&self, bytes: u64) {
        self.budget_used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
