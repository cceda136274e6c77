//! What a verification found. Its JSON form is a public, versioned contract: fields are added, never
//! renamed.

use protocol::{Digest, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ErrorReport;

/// Version of the document.
pub const VERIFY_VERSION: u32 = 1;

/// What a verification of one connection found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VerifyReport {
    /// Version of this form: 1.
    pub version: u32,
    /// The connection.
    pub connection: String,
    /// The worst that was found of any stream.
    pub outcome: Verdict,
    /// Process exit code that goes with it: 65 where something differs.
    pub exit_code: u8,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// One entry per stream.
    pub streams: Vec<StreamVerdict>,
}

/// What is to be said of a stream, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything is what it was when it was written.
    Ok,
    /// Nothing differs, but there are files without a receipt.
    Unverified,
    /// Something differs.
    Different,
    /// It could not be found out.
    Failed,
}

/// What a verification of one stream found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StreamVerdict {
    /// Its name at the source.
    pub stream: String,
    /// Its name at the destination.
    pub target: String,
    /// The verdict.
    pub outcome: Verdict,
    /// Exit code that goes with it.
    pub exit_code: u8,
    /// Number of the last commit; 0 before the first.
    pub sequence: u64,
    /// Commits that were read: each whole, each made after the one before.
    pub commits: u64,
    /// Files that readers see.
    pub files: u64,
    /// Those of them that are what their receipts say.
    pub files_verified: u64,
    /// Those that can be read and have no receipt: an older version wrote them.
    pub files_unverified: u64,
    /// Rows that were read back.
    pub rows: u64,
    /// Encoded bytes of the files.
    pub bytes: u64,
    /// Sum of the hashes of the rows that were read back, of the source's columns.
    pub content: Option<Digest>,
    /// What is wrong, where.
    pub findings: Vec<Finding>,
    /// What a person should know besides.
    pub notes: Vec<String>,
    /// What a fresh read of the source says, where it was asked for and can be compared.
    pub source: Option<SourceVerdict>,
    /// Why it could not be found out.
    pub error: Option<ErrorReport>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is.
    pub problem: Problem,
    /// What is wrong, for people.
    pub message: String,
    /// The file, relative to the target's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The commit that made the file visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
    /// The row group, counted from 0, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_group: Option<usize>,
    /// The column, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// Kinds of what can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// A commit is damaged, missing, or not made after the one before it; totals do not add up.
    Commits,
    /// A file that a commit names is not there.
    Missing,
    /// A file that readers would take for data and no commit names.
    Unexpected,
    /// A file has another size than its commit says.
    Size,
    /// A file can't be read as Parquet.
    Unreadable,
    /// A file has more or fewer rows than its commit says.
    Rows,
    /// Values of a file are not those that were written.
    Content,
    /// Bytes of a file beside its values are not those that were written: its values are right.
    Bytes,
    /// The source has other rows.
    Source,
}

/// What a fresh read of the source says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceVerdict {
    /// Rows that were read.
    pub rows: u64,
    /// Sum of their hashes.
    pub content: Digest,
    /// Whether the target holds just these.
    pub is_equal: bool,
}

impl VerifyReport {
    /// JSON schema of this form.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

impl StreamVerdict {
    pub(super) fn of(stream: &str, target: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            target: target.to_owned(),
            outcome: Verdict::Failed,
            exit_code: 0,
            sequence: 0,
            commits: 0,
            files: 0,
            files_verified: 0,
            files_unverified: 0,
            rows: 0,
            bytes: 0,
            content: None,
            findings: Vec::new(),
            notes: Vec::new(),
            source: None,
            error: None,
        }
    }

    /// The verdict that follows from what was found.
    pub(super) fn conclude(&mut self) {
        self.outcome = if self.error.is_some() {
            Verdict::Failed
        } else if !self.findings.is_empty() {
            self.exit_code = ErrorKind::Data.exit_code();
            Verdict::Different
        } else if self.files_unverified > 0 {
            Verdict::Unverified
        } else {
            Verdict::Ok
        };
    }
}

impl Finding {
    pub(super) fn new(problem: Problem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into(), file: None, commit: None, row_group: None, column: None }
    }

    pub(super) fn at(self, row_group: usize, column: &str) -> Self {
        Self { row_group: Some(row_group), column: Some(column.to_owned()), ..self }
    }
}
