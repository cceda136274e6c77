//! What a sync did: one document for people and schedulers. Its JSON form is a public, versioned
//! contract: fields are added, never renamed.

use chrono::{DateTime, Utc};
use protocol::{
    Adjustment, Change, ConfiguredStream, Digest, DynSource, Error, ErrorKind, Head, Period, Prepared, Spent,
    Staged, SyncId, SyncMode, Window, WriteMode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::StreamPlan;
use crate::committer::Committed;

/// Version of the report's form.
pub const REPORT_VERSION: u32 = 1;

/// What a sync of one connection did.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this form: 1.
    pub version: u32,
    /// The connection.
    pub connection: String,
    /// The worst that happened to any stream, or to the sync as a whole.
    pub outcome: Outcome,
    /// Process exit code that goes with it.
    pub exit_code: u8,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Sums over all streams.
    pub totals: ReportTotals,
    /// One entry per stream, in the order of the configuration.
    pub streams: Vec<StreamReport>,
    /// What the destination had to do, where that costs money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
    /// What failed before any stream could be told apart: configuration, connection.
    pub error: Option<ErrorReport>,
}

/// How a sync or a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All that was to be committed is committed.
    Succeeded,
    /// Stopped by a signal; what is committed is committed, the rest comes with the next sync.
    Interrupted,
    /// Failed; the state is as the last commit left it.
    Failed,
}

/// Sums over all streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportTotals {
    /// Streams that succeeded.
    pub streams_succeeded: usize,
    /// Streams that failed or were interrupted.
    pub streams_failed: usize,
    /// Rows that were read.
    pub rows_read: u64,
    /// Rows in committed files.
    pub rows_written: u64,
    /// Bytes of Arrow memory that were read.
    pub bytes_read: u64,
    /// Encoded bytes of committed files.
    pub bytes_written: u64,
    /// Committed files.
    pub files: u64,
    /// Attempts that failed and were made again.
    pub retries: u64,
}

/// What a sync did to one stream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StreamReport {
    /// Its name at the source.
    pub stream: String,
    /// Its name at the destination.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Exit code of its failure; 0 where there is none.
    pub exit_code: u8,
    /// Everything or what is new.
    pub sync_mode: SyncMode,
    /// Added or in place of.
    pub write_mode: WriteMode,
    /// How the source made sure that nothing is lost: `full_refresh`, `seen_set`, `settled_window`.
    pub mode: Option<String>,
    /// The sync's id.
    pub sync: Option<SyncId>,
    /// Whether it went on with what an interrupted sync left.
    pub resumed: bool,
    /// Where the stream stood and stands.
    pub cursor: CursorReport,
    /// Rows that were read.
    pub rows_read: u64,
    /// Rows in committed files.
    pub rows_written: u64,
    /// Bytes of Arrow memory that were read.
    pub bytes_read: u64,
    /// Encoded bytes of committed files.
    pub bytes_written: u64,
    /// Committed files.
    pub files: u64,
    /// Receipt of the rows that were written: the sum of their hashes, of the source's columns, in any
    /// order; nothing where no file was written. `tidegate verify` computes it again from the files.
    #[serde(default)]
    pub content: Option<Digest>,
    /// Partitions of the plan.
    pub partitions: u64,
    /// Commits that were made.
    pub commits: u64,
    /// Number of the last commit.
    pub sequence: Option<u64>,
    /// Attempts that failed and were made again.
    pub retries: u64,
    /// Rows of those read that the stream's `soft_delete` column calls deleted; null without one.
    #[serde(default)]
    pub soft_deleted: Option<u64>,
    /// Rows of those read that lay where the cursor would not have led to them; null where only the
    /// cursor was followed, or the source does not know.
    #[serde(default)]
    pub late_rows: Option<u64>,
    /// Values that were changed because they did not fit.
    pub adjusted: Vec<Adjustment>,
    /// What changed in the target's schema.
    pub schema_changes: Vec<Change>,
    /// What the person should know.
    pub notes: Vec<String>,
    /// Where the time went.
    pub seconds: SecondsReport,
    /// Why it failed.
    pub error: Option<ErrorReport>,
}

/// Where a stream stood before the sync and stands after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CursorReport {
    /// The cursor column.
    pub field: Option<String>,
    /// The position before.
    pub before: Option<String>,
    /// The position after; the one before, where nothing was committed.
    pub after: Option<String>,
    /// The range of cursor values that was read.
    pub window: Option<Window>,
}

/// Seconds of wall time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SecondsReport {
    /// To prepare the target and to plan.
    pub plan: f64,
    /// To read, encode and stage.
    pub read: f64,
    /// To commit.
    pub commit: f64,
    /// All of it.
    pub total: f64,
}

/// A failure, for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// Class of the failure: `auth`, `schema`, `transient`.
    pub kind: String,
    /// Whether a later run may succeed without any change.
    pub retryable: bool,
    /// What failed.
    pub message: String,
    /// Its causes, outermost first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where: stream, column, partition.
    pub context: std::collections::BTreeMap<String, String>,
    /// How long the other side asks us to wait.
    pub retry_after: Option<Period>,
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> Self {
        let kind = error.kind();
        let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
        let retry_after = match kind {
            ErrorKind::RateLimited { retry_after } => retry_after.map(Period::from),
            _ => None,
        };
        Self {
            kind: kind.name().to_owned(),
            retryable: kind.exit_code() == ErrorKind::Transient.exit_code(),
            message: error.message().to_owned(),
            causes: causes.map(ToString::to_string).collect(),
            hint: error.advice().map(str::to_owned),
            context: error
                .context_pairs()
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect(),
            retry_after,
        }
    }
}

/// The report of a stream of which nothing is known yet.
pub(crate) fn blank_stream_report(stream: &ConfiguredStream) -> StreamReport {
    StreamReport {
        stream: stream.name.clone(),
        target: stream.target.clone(),
        outcome: Outcome::Failed,
        exit_code: 0,
        sync_mode: stream.sync_mode,
        write_mode: stream.write_mode,
        mode: None,
        sync: None,
        resumed: false,
        cursor: CursorReport { field: stream.cursor.clone(), ..CursorReport::default() },
        rows_read: 0,
        rows_written: 0,
        bytes_read: 0,
        bytes_written: 0,
        files: 0,
        content: None,
        partitions: 0,
        commits: 0,
        sequence: None,
        retries: 0,
        soft_deleted: stream.soft_delete.as_ref().map(|_| 0),
        late_rows: None,
        adjusted: Vec::new(),
        schema_changes: Vec::new(),
        notes: Vec::new(),
        seconds: SecondsReport::default(),
        error: None,
    }
}

impl StreamReport {
    /// Takes over what the plan says.
    pub(crate) fn planned(&mut self, plan: &StreamPlan, prepared: &Prepared) {
        self.mode = Some(plan.unfinished.mode.clone());
        self.sync = Some(plan.sync);
        self.resumed = plan.resumed;
        self.partitions = plan.partitions.len() as u64;
        self.sequence = prepared.head.id.map(|_| prepared.head.sequence);
        self.cursor.before.clone_from(&plan.cursor_before);
        self.cursor.after.clone_from(&plan.cursor_before);
        self.cursor.window.clone_from(&plan.window);
        self.schema_changes.clone_from(&prepared.changes);
        self.notes.clone_from(&plan.notes);
    }

    /// Adds what one more round of the same sync did: a sync goes on until it has read all that was there
    /// when it began.
    pub(crate) fn follow(&mut self, round: Self) {
        if self.sync.is_none() {
            self.resumed = round.resumed;
            self.cursor = round.cursor;
        } else {
            self.cursor.after = round.cursor.after;
            self.cursor.window = match (self.cursor.window.take(), round.cursor.window) {
                (Some(first), Some(last)) => Some(Window { since: first.since, until: last.until }),
                (first, last) => last.or(first),
            };
        }
        self.mode = round.mode.or(self.mode.take());
        self.sync = round.sync.or(self.sync);
        self.sequence = round.sequence.or(self.sequence);
        self.content = match (self.files, round.files) {
            (0, _) => round.content,
            (_, 0) => self.content,
            _ => self.content.zip(round.content).map(|(before, more)| before + more),
        };
        self.late_rows = match (self.late_rows, round.late_rows) {
            (Some(before), Some(more)) => Some(before + more),
            (before, more) => before.or(more),
        };
        self.rows_read += round.rows_read;
        self.rows_written += round.rows_written;
        self.bytes_read += round.bytes_read;
        self.bytes_written += round.bytes_written;
        self.files += round.files;
        self.partitions += round.partitions;
        self.commits += round.commits;
        self.seconds.plan += round.seconds.plan;
        self.seconds.read += round.seconds.read;
        self.seconds.commit += round.seconds.commit;
        self.schema_changes.extend(round.schema_changes);
        self.notes
            .extend(round.notes.into_iter().filter(|note| !self.notes.contains(note)).collect::<Vec<_>>());
        let mut adjusted = Staged { adjusted: std::mem::take(&mut self.adjusted), ..Staged::default() };
        adjusted.adjust(round.adjusted);
        self.adjusted = adjusted.adjusted;
        self.soft_deleted =
            self.soft_deleted.map(|soft_deleted| soft_deleted + round.soft_deleted.unwrap_or(0));
    }

    /// Takes over what the lanes read, of which only what they handed over counts.
    pub(crate) fn read(&mut self, read: &Staged) {
        self.rows_read = read.rows;
        self.bytes_read = read.bytes;
        self.adjusted.clone_from(&read.adjusted);
        self.soft_deleted = self.soft_deleted.map(|_| read.soft_deleted);
    }

    /// Takes over what was committed.
    pub(crate) fn committed(&mut self, committed: Committed, head: &Head, source: &dyn DynSource) {
        self.rows_written = committed.sum.rows;
        self.bytes_written = committed.sum.bytes;
        self.files = committed.sum.files;
        self.content = committed.sum.content;
        self.commits = committed.commits;
        self.seconds.commit = committed.seconds;
        if committed.kept {
            self.notes
                .push("nothing new: where the stream stands is committed with the next rows".to_owned());
        }
        if committed.commits > 0 {
            self.sequence = Some(head.sequence);
            self.cursor.after = head.state.source.as_ref().and_then(|state| source.position(state));
            self.late(head, source);
        }
    }
}

impl StreamReport {
    /// Takes over what a sync that has ended found where the cursor would not have led to it.
    fn late(&mut self, head: &Head, source: &dyn DynSource) {
        let ended = head.state.source.as_ref().filter(|_| head.state.unfinished.is_none());
        self.late_rows = ended.and_then(|state| source.late_rows(state));
        if let Some(late @ 1..) = self.late_rows {
            let rows = if late == 1 { "row was" } else { "rows were" };
            self.notes.push(format!(
                "{late} {rows} written with old values of the cursor, or changed without a new one: it is not \
                 what it should be, and only a sync that looks at all rows finds such ones"
            ));
        }
    }
}

impl Report {
    /// JSON schema of this form.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}
