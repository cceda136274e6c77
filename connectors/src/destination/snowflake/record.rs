//! What a target's row of state holds: the head, and what an unfinished overwrite has waiting.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{Commit, CommitId, Error, Head, Result, SyncId, Totals, WriteMode};
use serde::{Deserialize, Serialize};

use super::column::logical;
use super::name::Name;

/// Version of the record's form.
const FORMAT: u32 = 1;
/// Commits that are recognised when they are repeated.
const RECENT: usize = 64;
/// Program and version, for people.
const WRITTEN_BY: &str = concat!("tidegate ", env!("CARGO_PKG_VERSION"));

/// One target after its last commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) format: u32,
    pub(super) target: String,
    pub(super) table: Name,
    pub(super) head: Head,
    /// The sync that made the last commit, and how.
    pub(super) sync: SyncId,
    pub(super) write_mode: WriteMode,
    /// How often all rows were replaced.
    #[serde(default)]
    pub(super) generation: u64,
    /// Rows of an overwrite that has not ended: nobody sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Pending>,
    /// The last commits, latest last.
    #[serde(default)]
    pub(super) recent: Vec<(u64, CommitId)>,
    pub(super) written_by: String,
}

/// What waits for the end of an overwrite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) sync: SyncId,
    /// Where it waits.
    pub(super) table: Name,
    pub(super) totals: Totals,
}

/// Where a target stands. Before the first commit there is no record.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub(super) sequence: u64,
    pub(super) record: Option<Arc<Record>>,
}

impl Standing {
    pub(super) fn head(&self) -> Head {
        self.record.as_ref().map(|record| record.head.clone()).unwrap_or_default()
    }

    /// Whether that very commit stands.
    pub(super) fn holds(&self, commit: &Commit) -> bool {
        let is_it = |made: &(u64, CommitId)| *made == (commit.sequence, commit.id);
        self.record.as_ref().is_some_and(|record| record.recent.iter().any(is_it))
    }

    /// Fails with `Config` where the table belongs to another connection or to another target.
    pub(super) fn check_owner(&self, connection: &str, target: &str) -> Result<()> {
        let Some(record) = &self.record else { return Ok(()) };
        if record.target != target {
            return Err(both(&record.target, target, &record.table));
        }
        match &record.head.connection {
            Some(owner) if owner != connection => Err(Error::config(format!(
                "target {target:?} belongs to connection {owner:?}, not to {connection:?}"
            ))
            .hint("give the stream a `target` of its own")),
            _ => Ok(()),
        }
    }

    /// When `commit` is made: later than the one before, also where a clock was set back. Models ask for what is later than
    /// their last row.
    pub(super) fn moment(&self, commit: &Commit) -> DateTime<Utc> {
        let last = self.record.as_ref().and_then(|record| record.head.at);
        last.map_or(commit.at, |last| commit.at.max(last + TimeDelta::microseconds(1)))
    }

    /// What waits for the end of that sync.
    pub(super) fn pending(&self, sync: SyncId) -> Option<&Pending> {
        self.record.as_ref()?.pending.as_ref().filter(|pending| pending.sync == sync)
    }
}

/// Two targets can't be one table.
pub(super) fn both(one: &str, other: &str, table: &Name) -> Error {
    Error::config(format!("targets {one:?} and {other:?} would both be table {table}"))
        .hint("give one of the streams a `target` of its own, or set `schemas: namespace`")
}

/// What statements told, which the next record counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) inserted: u64,
    pub(super) deleted: u64,
}

impl Record {
    /// What stands once `commit` does. `waiting` is where rows of an overwrite wait that goes on.
    pub(super) fn after(
        before: &Standing,
        table: &Name,
        target: &str,
        commit: &Commit,
        waiting: Option<Name>,
        moved: Moved,
    ) -> Result<Self> {
        let last = before.record.as_deref();
        let mut totals = last.map(|record| record.head.totals).unwrap_or_default();
        let held = before.pending(commit.sync);
        let replaces = commit.write_mode == WriteMode::Overwrite && commit.ends_sync;
        let pending = waiting.map(|table| {
            let mut totals = held.map(|pending| pending.totals).unwrap_or_default();
            totals.add(&commit.files);
            Pending { sync: commit.sync, table, totals }
        });
        if replaces {
            totals = held.map(|pending| pending.totals).unwrap_or_default();
            totals.add(&commit.files);
        } else if commit.write_mode == WriteMode::Merge {
            let rows = (totals.rows + moved.inserted).saturating_sub(moved.deleted);
            totals.add(&commit.files);
            totals = Totals { rows, content: None, ..totals };
        } else if pending.is_none() {
            if let Some(held) = held {
                totals = joined(totals, held.totals);
            }
            totals.add(&commit.files);
        }
        let mut recent = last.map(|record| record.recent.clone()).unwrap_or_default();
        recent.push((commit.sequence, commit.id));
        recent.drain(..recent.len().saturating_sub(RECENT));
        Ok(Self {
            format: FORMAT,
            target: target.to_owned(),
            table: table.clone(),
            head: Head {
                sequence: commit.sequence,
                id: Some(commit.id),
                connection: Some(commit.connection.clone()),
                state: commit.state.clone(),
                schema: Some(logical(&commit.schema)?),
                at: Some(before.moment(commit)),
                totals,
            },
            sync: commit.sync,
            write_mode: commit.write_mode,
            generation: last.map_or(0, |record| record.generation) + u64::from(replaces),
            pending,
            recent,
            written_by: WRITTEN_BY.to_owned(),
        })
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a record serialises")
    }

    /// Reads what `text` wrote. Fails with `Unsupported` for what a later version wrote.
    pub(super) fn read(text: &str, place: &str) -> Result<Self> {
        let damaged = || Error::data(format!("the record in {place} can't be read"));
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| damaged().with_source(error))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {
                serde_json::from_value(value).map_err(|error| damaged().with_source(error))
            }
            Some(format) => Err(Error::unsupported(format!("the record in {place} has format {format}"))
                .hint("a later version of tidegate wrote it: use that one")),
            None => Err(damaged()),
        }
    }
}

fn joined(one: Totals, other: Totals) -> Totals {
    Totals {
        files: one.files + other.files,
        rows: one.rows + other.rows,
        bytes: one.bytes + other.bytes,
        content: match (one.files, other.files) {
            (0, _) => other.content,
            (_, 0) => one.content,
            _ => one.content.zip(other.content).map(|(one, other)| one + other),
        },
    }
}
