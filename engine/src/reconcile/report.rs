//! What a reconciliation found: one document for people and schedulers, like a sync's report.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use protocol::ConfiguredStream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Counts;
use crate::ErrorReport;

/// Version of the report's form.
pub const RECONCILE_VERSION: u32 = 1;

/// Values of key columns as text, by column.
pub type KeyOf = BTreeMap<String, String>;

/// How source and destination of one connection compare.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReconcileReport {
    /// Version of this form: 1.
    pub version: u32,
    /// The connection.
    pub connection: String,
    /// The worst of any stream, or of the reconciliation as a whole.
    pub outcome: ReconcileOutcome,
    /// Process exit code that goes with it.
    pub exit_code: u8,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// One entry per stream, in the order of the configuration.
    pub streams: Vec<StreamReconciliation>,
    /// What failed before any stream could be told apart: configuration, connection.
    pub error: Option<ErrorReport>,
}

/// How a comparison ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReconcileOutcome {
    /// The destination has what it must have; rows that are pending come with a later sync.
    Clean,
    /// Rows are wrong at the destination, and were not put right.
    Different,
    /// It failed, and nothing was changed.
    Failed,
}

/// How the source and the destination of one stream compare.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StreamReconciliation {
    /// Its name at the source.
    pub stream: String,
    /// Its name at the destination.
    pub target: String,
    /// How it ended.
    pub outcome: ReconcileOutcome,
    /// Exit code: 0 where it is clean, 65 where it is different, else that of its failure.
    pub exit_code: u8,
    /// The columns that identify a row.
    pub key: Vec<String>,
    /// The columns that were compared, the key among them.
    pub columns: Vec<String>,
    /// Number of the commit that was compared; null before the first.
    pub sequence: Option<u64>,
    /// Up to where the destination had been synced, for people.
    pub position: Option<String>,
    /// Rows that the source has.
    pub source_rows: u64,
    /// Rows that the destination has, by their latest versions and without those that are deleted.
    pub target_rows: u64,
    /// Rows that are the same on both sides.
    pub equal: u64,
    /// Rows of the source that a later sync brings: they changed since the last one.
    pub pending: u64,
    /// Rows of the source that the destination lacks, and no later sync brings.
    pub missing: u64,
    /// Rows that differ, and no later sync mends.
    pub differing: u64,
    /// Rows of the destination that the source does not have any more: deleted there.
    pub extra: u64,
    /// Of those, how many were marked as deleted by this run.
    pub marked: u64,
    /// Rows of the source that its `soft_delete` column calls deleted, as the destination does.
    pub soft_deleted: u64,
    /// Some of the keys that are wrong, where they were asked for.
    pub keys: WrongKeys,
    /// How often both sides were read: more than once where the keys did not fit into memory.
    pub passes: u64,
    /// What the person should know.
    pub notes: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Why it failed.
    pub error: Option<ErrorReport>,
}

/// Keys of rows that are wrong, as many as were asked for of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrongKeys {
    /// The destination lacks them.
    pub missing: Vec<KeyOf>,
    /// They differ.
    pub differing: Vec<KeyOf>,
    /// The source does not have them any more.
    pub extra: Vec<KeyOf>,
}

impl WrongKeys {
    /// In the order of their values, so that a report reads the same twice.
    pub(super) fn sort(&mut self) {
        for keys in [&mut self.missing, &mut self.differing, &mut self.extra] {
            keys.sort();
        }
    }
}

impl StreamReconciliation {
    /// Of a stream of which nothing is known yet.
    pub(super) fn blank(stream: &ConfiguredStream) -> Self {
        Self {
            stream: stream.name.clone(),
            target: stream.target.clone(),
            outcome: ReconcileOutcome::Failed,
            exit_code: 0,
            key: stream.primary_key.clone(),
            columns: Vec::new(),
            sequence: None,
            position: None,
            source_rows: 0,
            target_rows: 0,
            equal: 0,
            pending: 0,
            missing: 0,
            differing: 0,
            extra: 0,
            marked: 0,
            soft_deleted: 0,
            keys: WrongKeys::default(),
            passes: 0,
            notes: Vec::new(),
            seconds: 0.0,
            error: None,
        }
    }

    /// Takes over the counts of all passes.
    pub(super) fn counted(&mut self, counts: Counts) {
        self.source_rows = counts.source;
        self.equal = counts.equal;
        self.pending = counts.pending;
        self.missing = counts.missing;
        self.differing = counts.differing;
        self.soft_deleted = counts.deleted;
    }

    /// Rows that are wrong and were left so.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.missing + self.differing + self.extra.saturating_sub(self.marked)
    }
}

impl ReconcileReport {
    /// JSON schema of this form.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}
