//! What one reader has put out, held against what was committed. tidegate and the careless readers are
//! judged by the same account.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::table::Table;
use super::truth::{Truth, Version};

/// What a reader promises to have put out once a sync has succeeded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Promise {
    /// All that its snapshot shows.
    Snapshot,
    /// What of it has a position below this one.
    Below(i64),
    /// The same, and what is at the position.
    UpTo(i64),
    /// What has a position at all.
    Finite,
}

impl Promise {
    fn covers(self, version: &Version) -> bool {
        let Some(position) = version.written.position else { return matches!(self, Self::Snapshot) };
        match self {
            Self::Snapshot => true,
            Self::Below(bound) => position < bound,
            Self::UpTo(bound) => position <= bound,
            Self::Finite => version.written.stamp.is_finite(),
        }
    }
}

/// What is wrong with a reader's output, version by version.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Visible in a snapshot that the reader has read, and not put out.
    pub(super) lost: Vec<String>,
    /// Put out twice.
    pub(super) doubled: Vec<String>,
    /// Put out, and committed by nobody; or gone before the reader looked.
    pub(super) phantom: Vec<String>,
}

/// The output of a reader of one table.
pub(super) struct Account {
    table: Table,
    truth: Arc<Truth>,
    /// Each version with the number of the commit that brought it.
    output: HashMap<i64, u64>,
    faults: Faults,
}

impl Account {
    pub(super) fn new(table: Table, truth: &Arc<Truth>) -> Self {
        Self { table, truth: Arc::clone(truth), output: HashMap::new(), faults: Faults::default() }
    }

    /// The reader has put these out, as its commit number `sequence`, and has not looked before `since`.
    pub(super) fn take(&mut self, sequence: u64, since: Instant, versions: impl IntoIterator<Item = i64>) {
        for number in versions {
            let version = self.truth.version(number);
            match &version {
                Some(version) if version.written.table != self.table => {
                    self.faults.phantom.push(format!("of another table, in {sequence}: {version:?}"));
                }
                Some(version) if version.is_gone_at(since) => {
                    self.faults.phantom.push(format!("gone before {since:?}, in {sequence}: {version:?}"));
                }
                Some(_) => {}
                None => self.faults.phantom.push(format!("never committed, in {sequence}: {number}")),
            }
            if let Some(before) = self.output.insert(number, sequence) {
                self.faults.doubled.push(format!("in {before} and in {sequence}: {number} {version:?}"));
            }
        }
    }

    /// The reader has succeeded, and its snapshot was taken between these moments.
    pub(super) fn settle(&mut self, promise: Promise, begin: Instant, end: Instant) {
        self.miss(promise, |version| version.is_seen_throughout(begin, end));
    }

    /// The reader has succeeded once more after all was written.
    pub(super) fn close(&mut self, promise: Promise) {
        self.miss(promise, Version::is_current);
    }

    fn miss(&mut self, promise: Promise, is_due: impl Fn(&Version) -> bool) {
        let is_missing = |version: &Version| {
            !self.output.contains_key(&version.written.version) && promise.covers(version) && is_due(version)
        };
        for version in self.truth.select(self.table, is_missing) {
            self.faults.lost.push(format!("{promise:?}: {version:?}"));
        }
    }

    /// Fails where anything is wrong, and shows some of it.
    pub(super) fn is_right(&self, when: impl Fn() -> String) {
        let Faults { lost, doubled, phantom } = &self.faults;
        let kinds = [("lost", lost), ("doubled", doubled), ("phantom", phantom)];
        let wrong: Vec<String> = kinds
            .into_iter()
            .filter(|(_, versions)| !versions.is_empty())
            .map(|(kind, versions)| {
                let shown = &versions[..versions.len().min(5)];
                format!("{} {kind}, such as\n  {}\n", versions.len(), shown.join("\n  "))
            })
            .collect();
        let (table, all) = (self.table.name(), self.output.len());
        assert!(wrong.is_empty(), "{table}, {all} put out: {}{}", wrong.concat(), when());
    }

    pub(super) fn output(&self) -> &HashMap<i64, u64> {
        &self.output
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }
}

#[cfg(test)]
mod tests {
    use super::super::stamp::Stamp;
    use super::super::truth::{Work, Written};
    use super::*;

    fn written(version: i64) -> Written {
        Written { version, table: Table::Event, stamp: Stamp::Begin, position: Some(version) }
    }

    /// Commits versions, in place of others.
    fn commit(truth: &Truth, versions: &[i64], replaced: &[i64]) {
        let work =
            Work { written: versions.iter().copied().map(written).collect(), replaced: replaced.to_vec() };
        let number = truth.ask(&work);
        truth.acknowledge(number, &work);
    }

    fn counts(account: &Account) -> [usize; 3] {
        let faults = account.faults();
        [faults.lost.len(), faults.doubled.len(), faults.phantom.len()]
    }

    #[test]
    fn what_was_committed_before_a_sync_and_is_not_there_after_it_is_lost() {
        let truth = Arc::new(Truth::default());
        commit(&truth, &[1, 2], &[]);
        let begin = Instant::now();
        commit(&truth, &[3], &[2]);
        let end = Instant::now();
        // 2 was replaced while it ran, 3 was committed then: both may be missing, 1 may not.
        let mut account = Account::new(Table::Event, &truth);
        account.settle(Promise::Snapshot, begin, end);
        assert_eq!(counts(&account), [1, 0, 0]);
        // A window that ends before it does not hold it.
        let mut account = Account::new(Table::Event, &truth);
        account.settle(Promise::Below(1), begin, end);
        assert_eq!(counts(&account), [0, 0, 0]);
        // In the end 1 and 3 are there.
        account.close(Promise::Snapshot);
        assert_eq!(counts(&account), [2, 0, 0]);
    }

    #[test]
    fn what_comes_twice_is_doubled() {
        let truth = Arc::new(Truth::default());
        let since = Instant::now();
        commit(&truth, &[1], &[]);
        let mut account = Account::new(Table::Event, &truth);
        account.take(1, since, [1]);
        account.take(2, since, [1]);
        account.close(Promise::Snapshot);
        assert_eq!(counts(&account), [0, 1, 0]);
    }

    #[test]
    fn what_was_rolled_back_or_was_gone_is_a_phantom() {
        let truth = Arc::new(Truth::default());
        commit(&truth, &[1], &[]);
        commit(&truth, &[2], &[1]);
        let mut account = Account::new(Table::Event, &truth);
        account.take(1, Instant::now(), [1, 2, 3]);
        account.close(Promise::Snapshot);
        assert_eq!(counts(&account), [0, 0, 2]);
    }

    #[test]
    fn what_a_transaction_replaces_itself_is_seen_by_nobody() {
        let mut work = Work::default();
        work.put(None, Some(written(1)));
        work.put(Some(1), Some(written(2)));
        work.put(Some(7), None);
        assert_eq!(work.written.iter().map(|written| written.version).collect::<Vec<_>>(), [2]);
        assert_eq!(work.replaced, [7]);
    }
}
