//! One stream at its destination, read commit by commit while syncs add more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::account::{Account, Promise};
use super::table::{Mode, Stream, Table};
use super::truth::Truth;
use crate::support::{Files, Lake};

/// A stream, what of its output was read, and the account of that.
pub(super) struct Follow {
    pub(super) stream: Stream,
    pub(super) account: Account,
    lake: Lake,
    /// Number of the first commit that was not read.
    next: u64,
    /// The files of those that were.
    files: Files,
    /// What was not read yet was read at the source after this moment.
    since: Instant,
    /// How often its output was held against the truth.
    judged: u64,
}

impl Follow {
    pub(super) fn new(stream: Stream, lake: Lake, truth: &Arc<Truth>) -> Self {
        Self {
            stream,
            account: Account::new(stream.table, truth),
            lake,
            next: 1,
            files: Files::new(),
            since: Instant::now(),
            judged: 0,
        }
    }

    /// Reads the commits that are new, up to the first whose files are not all there: a process that
    /// was killed has left them to the next.
    pub(super) async fn read(&mut self) {
        while let Some(commit) = self.lake.commit(self.next).await {
            assert_eq!(commit["sequence"], self.next, "{commit:#}");
            let files = files(&commit);
            let mut versions = Vec::new();
            for path in files.keys() {
                let Some(rows) = self.lake.rows_in(path, ["version"]).await else { return };
                versions.extend(rows.into_iter().map(|[version]| version));
            }
            self.account.take(self.next, self.since, versions);
            self.files.extend(files);
            self.next += 1;
        }
    }

    /// Number of the last commit that stands.
    pub(super) async fn head(&self) -> u64 {
        let mut head = self.next - 1;
        while self.has(head + 1).await {
            head += 1;
        }
        head
    }

    /// Whether that commit stands.
    pub(super) async fn has(&self, sequence: u64) -> bool {
        self.lake.commit(sequence).await.is_some()
    }

    /// Whether a commit stands some of whose files nobody can see.
    pub(super) async fn is_undone(&self) -> bool {
        let Some(commit) = self.lake.commit(self.head().await).await else { return false };
        let seen = self.lake.files().await;
        files(&commit).keys().any(|path| !seen.contains_key(path))
    }

    /// Whatever has just happened, nobody who lists the files sees one that is not committed.
    pub(super) async fn shows_committed_only(&self) {
        // First the files, then the commits: what was seen must be committed already.
        let mut seen = self.lake.files().await;
        seen.retain(|path, bytes| self.files.get(path) != Some(bytes));
        let mut sequence = self.next;
        while !seen.is_empty() {
            let commit = self.lake.commit(sequence).await;
            let commit = commit.unwrap_or_else(|| panic!("{}: not committed: {seen:?}", self.stream.name));
            let committed = files(&commit);
            seen.retain(|path, bytes| committed.get(path) != Some(bytes));
            sequence += 1;
        }
    }

    /// Those who follow the commits and those who list the files see the same, and nothing is left that
    /// a process may still finish: from here on all is read at the source after `now`.
    pub(super) async fn agree(&mut self, now: Instant) {
        assert_eq!(self.lake.commit(self.next).await, None, "{}: its files are missing", self.stream.name);
        assert_eq!(
            self.lake.files().await,
            self.files,
            "{}: the files and the commits differ",
            self.stream.name
        );
        self.since = now;
    }

    /// A sync of the stream has succeeded that ran between these moments.
    pub(super) fn succeed(&mut self, report: &Value, begin: Instant, end: Instant) {
        let sequence = report["sequence"].as_u64().expect("a stream that succeeded has a commit");
        assert!(sequence < self.next, "{}: commit {sequence} can't be read", self.stream.name);
        assert_eq!(report["mode"], self.stream.mode.name(), "{report:#}");
        if let Some(promise) = self.promise(report) {
            self.account.settle(promise, begin, end);
            self.judged += 1;
        }
    }

    /// What a success promises; nothing yet where nothing was settled.
    fn promise(&self, report: &Value) -> Option<Promise> {
        if self.stream.mode != Mode::SettledWindow {
            return Some(Promise::Snapshot);
        }
        let after = report["cursor"]["after"].as_str()?;
        let damaged = |_| -> i64 { panic!("{after} is no position of {}", self.stream.name) };
        Some(if self.stream.table == Table::Number {
            Promise::UpTo(after.parse().unwrap_or_else(damaged))
        } else {
            let time = chrono::DateTime::parse_from_rfc3339(after);
            Promise::Below(time.unwrap_or_else(|error| panic!("{after}: {error}")).timestamp_micros())
        })
    }

    /// Nobody writes any more, and a last sync has succeeded: the account is closed, against what the
    /// table holds by its own word.
    pub(super) async fn close(&mut self, current: &BTreeSet<i64>) {
        let is_exact = self.stream.mode != Mode::SettledWindow;
        self.account.close(if is_exact { Promise::Snapshot } else { Promise::Finite });
        // Once more, as somebody reads who knows of no commits.
        let listed: Vec<i64> =
            self.lake.rows(["version"]).await.into_iter().map(|[version]| version).collect();
        let mut output: Vec<i64> = self.account.output().keys().copied().collect();
        output.sort_unstable();
        assert!(listed == output, "{}: {}", self.stream.name, super::differences(&listed, &output));
        if self.stream.table.is_insert_only() && is_exact {
            let current: Vec<i64> = current.iter().copied().collect();
            assert!(output == current, "{}: {}", self.stream.name, super::differences(&output, &current));
        }
        self.lake.is_tidy().await;
    }

    /// One line for people.
    pub(super) fn summary(&self) -> String {
        let faults = self.account.faults();
        format!(
            "{:<17} {:<14} {:>6} versions in {:>4} commits and {:>4} files, judged {:>4} times: \
             lost {}, doubled {}, phantom {}",
            self.stream.name,
            self.stream.mode.name(),
            self.account.output().len(),
            self.next - 1,
            self.files.len(),
            self.judged,
            faults.lost.len(),
            faults.doubled.len(),
            faults.phantom.len()
        )
    }
}

/// The files that a commit names, with their bytes.
fn files(commit: &Value) -> Files {
    let files = commit["files"].as_array().expect("a commit lists its files");
    let file = |file: &Value| Some((file["path"].as_str()?.to_owned(), file["bytes"].as_u64()?));
    files.iter().map(|one| file(one).expect("a file has a path and a size")).collect()
}
