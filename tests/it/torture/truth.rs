//! What the database has committed, told by those who wrote it: every row version, from when on it could
//! be seen, and until when.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::stamp::Stamp;
use super::table::Table;

/// A row version that a transaction has written and not replaced itself.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// No two row versions of any table share it.
    pub(super) version: i64,
    pub(super) table: Table,
    pub(super) stamp: Stamp,
    /// See [`Table::position`].
    pub(super) position: Option<i64>,
}

/// What a transaction changes when it commits.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    pub(super) written: Vec<Written>,
    /// Versions of earlier transactions that it replaced or deleted.
    pub(super) replaced: Vec<i64>,
}

impl Work {
    /// A statement has put `new` in place of `old`.
    pub(super) fn put(&mut self, old: Option<i64>, new: Option<Written>) {
        if let Some(old) = old {
            match self.written.iter().position(|own| own.version == old) {
                // Nobody will ever see what a transaction replaces before it commits.
                Some(own) => drop(self.written.remove(own)),
                None => self.replaced.push(old),
            }
        }
        self.written.extend(new);
    }
}

/// When a commit happened: between these two moments.
#[derive(Clone, Copy, Debug)]
struct Commit {
    /// Of all that were asked for.
    number: u64,
    asked: Instant,
    /// None until the server has said so.
    acknowledged: Option<Instant>,
}

/// A row version that was committed.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) written: Written,
    made: Commit,
    /// By what it was replaced or deleted.
    gone: Option<Commit>,
}

impl Version {
    /// Whether every snapshot taken between the two moments shows it.
    pub(super) fn is_seen_throughout(&self, begin: Instant, end: Instant) -> bool {
        let made = self.made.acknowledged.is_some_and(|made| made < begin);
        made && self.gone.is_none_or(|gone| gone.asked > end)
    }

    /// Whether no snapshot taken at that moment or later shows it.
    pub(super) fn is_gone_at(&self, moment: Instant) -> bool {
        self.gone.and_then(|gone| gone.acknowledged).is_some_and(|gone| gone < moment)
    }

    /// Whether it is in its table, now that nobody writes.
    pub(super) fn is_current(&self) -> bool {
        self.gone.is_none()
    }
}

/// All that was committed.
#[derive(Default)]
pub(super) struct Truth {
    versions: Mutex<BTreeMap<i64, Version>>,
    asked: AtomicU64,
}

impl Truth {
    /// A transaction is about to be committed: from now on its versions may be seen. Returns its number.
    pub(super) fn ask(&self, work: &Work) -> u64 {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let commit = Commit { number, asked: Instant::now(), acknowledged: None };
        let mut versions = self.versions.lock().expect("nobody panics with the lock held");
        for written in &work.written {
            let version = Version { written: written.clone(), made: commit, gone: None };
            let before = versions.insert(written.version, version);
            assert!(before.is_none(), "the test has given a number twice: {before:?}");
        }
        for replaced in &work.replaced {
            let version = versions.get_mut(replaced).expect("a version that is replaced was committed");
            // Who finds a version current that another one has asked to replace knows before him that a
            // crash has undone it.
            let is_current = version.gone.is_none_or(|gone| gone.acknowledged.is_none());
            assert!(is_current, "replaced twice, by the test's account: {version:?}");
            version.gone = Some(commit);
        }
        number
    }

    /// It is known by now whether it stands.
    pub(super) fn settle(&self, number: u64, work: &Work, stands: bool) {
        if stands {
            self.acknowledge(number, work);
        } else {
            self.revoke(number, work);
        }
    }

    /// The server has said that it is committed.
    pub(super) fn acknowledge(&self, number: u64, work: &Work) {
        let now = Some(Instant::now());
        let mut versions = self.versions.lock().expect("nobody panics with the lock held");
        for written in &work.written {
            let version = versions.get_mut(&written.version).expect("it was asked for");
            version.made.acknowledged = now;
            version.written.position = written.position;
        }
        for replaced in &work.replaced {
            let gone = &mut versions.get_mut(replaced).expect("it was asked for").gone;
            let gone = gone.as_mut().expect("it was asked for");
            assert_eq!(gone.number, number, "{replaced} was replaced by two");
            gone.acknowledged = now;
        }
    }

    /// A crash of the server has undone it, or come before it.
    pub(super) fn revoke(&self, number: u64, work: &Work) {
        let mut versions = self.versions.lock().expect("nobody panics with the lock held");
        for written in &work.written {
            versions.remove(&written.version);
        }
        for replaced in &work.replaced {
            // It may be gone by now with the transaction that wrote it, or be replaced by another one.
            let version = versions.get_mut(replaced);
            if let Some(version) =
                version.filter(|version| version.gone.is_some_and(|gone| gone.number == number))
            {
                version.gone = None;
            }
        }
    }

    /// The version of that number, if it was ever committed.
    pub(super) fn version(&self, number: i64) -> Option<Version> {
        self.versions.lock().expect("nobody panics with the lock held").get(&number).cloned()
    }

    /// The versions of a table that fit.
    pub(super) fn select(&self, table: Table, fits: impl Fn(&Version) -> bool) -> Vec<Version> {
        let versions = self.versions.lock().expect("nobody panics with the lock held");
        versions.values().filter(|version| version.written.table == table && fits(version)).cloned().collect()
    }

    /// How many versions were committed.
    pub(super) fn count(&self) -> usize {
        self.versions.lock().expect("nobody panics with the lock held").len()
    }
}
