//! What makes staged files and a new state current, and what stands after it.

use std::fmt;

use arrow_schema::SchemaRef;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Digest, Receipt, StreamState, WriteMode};

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] Uuid);

        impl $name {
            /// A fresh one: random, and sorted by the time it was made (UUID version 7, RFC 9562).
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default that differs each time would surprise")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

random_id! {
    /// Identifies one commit: fresh for each, kept when a commit is repeated because its outcome is
    /// unknown.
    CommitId
}
random_id! {
    /// Identifies one sync of one stream, over all its commits and attempts.
    SyncId
}

/// A file that was written aside and that nobody sees yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Where it will be once it is visible, relative to the stream's place: `000007-0192f….parquet`.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Encoded bytes.
    pub bytes: u64,
    /// What the destination needs to make it visible (an upload id and its parts, a temporary name).
    /// The engine carries it and never looks inside.
    pub placement: Value,
    /// What its rows are, as the engine computed it while it wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// Makes `files` visible and `state` current, both or neither.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Commit {
    /// Fresh for each commit, kept when it is repeated.
    pub id: CommitId,
    /// The head's sequence plus one.
    pub sequence: u64,
    /// The sync that it belongs to.
    pub sync: SyncId,
    /// The connection that the target belongs to from now on.
    pub connection: String,
    /// May be empty: a sync without new rows still moves the state.
    pub files: Vec<StagedFile>,
    /// What is left to do after this commit.
    pub state: StreamState,
    /// Schema of the target after this commit: of `files` and of all that came before.
    pub schema: SchemaRef,
    /// Whether the files of this sync are added or take the place of all before.
    pub write_mode: WriteMode,
    /// An overwrite becomes visible with the last commit of its sync.
    pub ends_sync: bool,
    /// When it was made, by the engine's clock: for people, decides nothing.
    pub at: DateTime<Utc>,
}

/// The last commit of a stream; before the first, sequence 0 and an empty state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last commit.
    pub sequence: u64,
    /// Its id; `None` before the first.
    pub id: Option<CommitId>,
    /// The connection that owns the target.
    pub connection: Option<String>,
    /// What was stored with it.
    pub state: StreamState,
    /// Schema of the target; `None` before the first commit.
    pub schema: Option<SchemaRef>,
    /// When it was made.
    pub at: Option<DateTime<Utc>>,
    /// What the target holds.
    pub totals: Totals,
}

/// What a target holds, counted from its commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Visible files.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Their encoded bytes.
    pub bytes: u64,
    /// Sum of the rows' hashes, of the source's columns; `None` where a file has no receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Digest>,
}

impl Totals {
    /// Adds `files`.
    pub fn add(&mut self, files: &[StagedFile]) {
        for file in files {
            let before = if self.files == 0 { Some(Digest::default()) } else { self.content };
            let receipt = file.receipt.as_ref().filter(|receipt| receipt.version == Receipt::VERSION);
            self.content = before.zip(receipt).map(|(before, receipt)| before + receipt.content);
            self.files += 1;
            self.rows += file.rows;
            self.bytes += file.bytes;
        }
    }
}
