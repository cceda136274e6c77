//! What readers see of a target, and how it is read back.

use std::ops::Range;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{Receipt, Result, StagedFile};

/// A file that readers see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedFile {
    /// Where it is, relative to the target's place.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Encoded bytes.
    pub bytes: u64,
    /// The commit that made it visible.
    pub sequence: u64,
    /// What its rows were when it was written; `None` for files of versions that kept no receipts.
    pub receipt: Option<Receipt>,
}

impl CommittedFile {
    /// A staged file that commit `sequence` made visible.
    #[must_use]
    pub fn new(file: StagedFile, sequence: u64) -> Self {
        let StagedFile { path, rows, bytes, receipt, .. } = file;
        Self { path, rows, bytes, sequence, receipt }
    }
}

/// What a destination can say of a target without looking into its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Number of the last commit; 0 before the first.
    pub sequence: u64,
    /// Commits that were read, each of them whole and made after the one before.
    pub commits: u64,
    /// The files that readers see, in the order of their commits.
    pub files: Vec<CommittedFile>,
    /// Files that readers would take for data and that no commit names: path and bytes. `None` where
    /// the destination can't list what is there.
    pub unexpected: Option<Vec<(String, u64)>>,
    /// Whether all that the last commit promises is done. Where it is not, files of it may be missing
    /// and files that it makes void may still be there: the next sync sees to it.
    pub is_settled: bool,
    /// What is wrong with the commits, one line each: totals that do not add up.
    pub problems: Vec<String>,
}

/// An open file of a target. Dropping it closes it.
pub trait FileReader: Send + Sync {
    /// Bytes that the file has, which may be others than its commit says.
    fn size(&self) -> u64;

    /// The bytes of `range`, all of them. Called at once for several ranges, all inside the file.
    ///
    /// Fails with [`ErrorKind::Data`](crate::ErrorKind::Data) where the file ends before the range.
    fn read(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>>;
}
