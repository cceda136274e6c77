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

/// An open file of a target. Dropping it closes it.
pub trait FileReader: Send + Sync {
    /// Bytes that the file has, which may be others than its commit says.
    fn size(&self) -> u64;

    /// The bytes of `range`, all of them. Called at once for several ranges, all inside the file.
    ///
    /// Fails with [`ErrorKind::Data`](crate::ErrorKind::Data) where the file ends before the range.
    fn read(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>>;
}
