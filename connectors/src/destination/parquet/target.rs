//! What one process knows of one target, between its calls.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Error, ErrorKind, Head, Result, StagedFile};
use tokio::sync::Mutex as AsyncMutex;

use super::claim::Claim;
use super::layout::Layout;
use super::manifest::Manifest;
use super::store::Run;

/// One target in one process.
pub(super) struct Target {
    pub(super) layout: Layout,
    /// Where this process stages its files.
    pub(super) run: Run,
    known: Mutex<Option<Known>>,
    /// The last commit that this process knows to be another's.
    overtaken: AtomicU64,
    /// Paths of files whose commit had no answer.
    in_doubt: Mutex<HashSet<String>>,
    /// Whether this sync has made sure that no other is at work.
    pub(super) claim: AsyncMutex<Claim>,
    /// Whether others left something that may be garbage after the next commit.
    pub(super) others: AtomicBool,
}

/// The last commit, as far as this process knows: another may have made one since.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// `None` before the first.
    pub(super) head: Option<Arc<Manifest>>,
    /// Whether all that it promises is done: its files visible, those it makes void gone.
    pub(super) finished: bool,
}

impl Known {
    /// Number of the last commit.
    pub(super) fn sequence(&self) -> u64 {
        self.head.as_ref().map_or(0, |head| head.sequence)
    }

    /// What the engine and `state` are told.
    pub(super) fn head(&self) -> Head {
        self.head.as_ref().map(|manifest| manifest.head()).unwrap_or_default()
    }

    /// Fails with `Config` when the target belongs to another connection.
    pub(super) fn check_owner(&self, connection: &str) -> Result<()> {
        match &self.head {
            Some(head) if head.connection != connection => Err(Error::config(format!(
                "target {:?} belongs to connection {:?}, not to {connection:?}",
                head.target, head.connection
            ))
            .hint("give the stream a `target` of its own")),
            _ => Ok(()),
        }
    }
}

impl Target {
    pub(super) fn new(name: &str) -> Result<Self> {
        Ok(Self {
            layout: Layout::new(name)?,
            run: Run::default(),
            known: Mutex::default(),
            overtaken: AtomicU64::default(),
            in_doubt: Mutex::default(),
            claim: AsyncMutex::default(),
            others: AtomicBool::default(),
        })
    }

    pub(super) fn known(&self) -> Option<Known> {
        locked(&self.known).clone()
    }

    pub(super) fn learn(&self, known: Known) {
        if let Some(head) = known.head.as_ref().filter(|head| head.run != Some(self.run.id())) {
            self.overtaken.fetch_max(head.sequence, Ordering::Relaxed);
        }
        *locked(&self.known) = Some(known);
    }

    /// Makes the next call look for itself.
    pub(super) fn forget(&self) {
        *locked(&self.known) = None;
    }

    /// The commit that a file begun now can be part of at the earliest.
    pub(super) fn next_sequence(&self) -> u64 {
        locked(&self.known).as_ref().map_or(0, Known::sequence) + 1
    }

    /// Fails with `Stale` where another process has committed since one of the files was begun: it may
    /// have removed it.
    pub(super) fn refuse_overtaken(&self, files: &[StagedFile]) -> Result<()> {
        let last = self.overtaken.load(Ordering::Relaxed);
        let overtaken = |file: &&StagedFile| self.run.sequence(&file.path).is_some_and(|first| first <= last);
        match files.iter().find(overtaken) {
            Some(file) => Err(Error::new(
                ErrorKind::Stale,
                format!("another process has committed since file {:?} was staged", file.path),
            )
            .hint("its rows are read again")),
            None => Ok(()),
        }
    }

    /// Notes that a commit of `files` was sent.
    pub(super) fn doubt(&self, files: &[StagedFile]) {
        locked(&self.in_doubt).extend(files.iter().map(|file| file.path.clone()));
    }

    /// Notes that what became of a commit of `files` is known.
    pub(super) fn resolve(&self, files: &[StagedFile]) {
        let mut in_doubt = locked(&self.in_doubt);
        for file in files {
            in_doubt.remove(&file.path);
        }
    }

    /// Whether a commit of the file was sent and has no answer.
    pub(super) fn is_in_doubt(&self, file: &StagedFile) -> bool {
        self.is_doubted(&file.path)
    }

    /// Whether a commit of the file with that path was sent and has no answer.
    pub(super) fn is_doubted(&self, path: &str) -> bool {
        locked(&self.in_doubt).contains(path)
    }
}

/// Each value behind these locks is replaced whole: a panic leaves none half changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
