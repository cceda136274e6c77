//! Compares what the destination holds with what the source has, row by row, and marks what was deleted.
//!
//! ```text
//!  head, list of files ──▶ image: per key the latest version          (1, the destination, once per pass)
//!                             │
//!  one snapshot ──batches──▶ look up ──▶ equal, pending, missing, differing   (2, the source)
//!                             │
//!                          not asked for: deleted at the source ──▶ tombstones, one commit   (3)
//! ```
//!
//! Keys are looked up by hash: each side is read once, in whatever order it has. Where the keys do not
//! fit into memory, a pass covers a range of hashes and there are several.
//!
//! # Why nothing is called wrong that is not
//!
//! - The files are listed before the snapshot is taken. So a row that the source lacks was there and is
//!   deleted.
//! - A row that differs or is missing is wrong only where the source's state says that it accounts for the
//!   row's cursor value ([`Source::covered`](protocol::Source::covered)). What is newer is pending.
//! - Tombstones are committed as the next commit after the one that was compared, or not at all. So no
//!   sync that saw the row again can come before them.

mod columns;
mod digest;
mod image;
mod judge;
mod key;
mod report;
mod source;
mod target;
mod tombstone;

use std::sync::{Arc, Mutex};

use protocol::{
    ByteSize, CommittedFile, ConfiguredStream, Error, ErrorKind, Head, Prepared, Result, WriteMode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::clock::{self, Watch};
use crate::panic::caught;
use crate::retry::{Attempts, retrying};
use crate::stream::Context;
use crate::{Count, ErrorReport, Sync};

use columns::Columns;
use digest::Digests;
use image::Image;
use judge::{Counts, Promise};
pub use report::{
    KeyOf, RECONCILE_VERSION, ReconcileOutcome, ReconcileReport, StreamReconciliation, WrongKeys,
};
use source::{Findings, Reader};
use target::Target;
use tombstone::Tombstones;

/// Exit code where rows are wrong: the data is not what was agreed on.
const WRONG: u8 = 65;
/// Memory where the connection has none of its own: keys that don't fit are read again and again.
const MEMORY: ByteSize = ByteSize::mib(256);

/// Which columns are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// Those of the key, the cursor and `soft_delete`.
    #[default]
    Key,
    /// All that are synced.
    All,
}

/// What [`Sync::reconcile`] is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reconcile {
    /// Which columns are compared.
    pub columns: Compared,
    /// Whether rows that were deleted at the source are marked so at the destination.
    pub apply: bool,
    /// Whether that may be most rows of a target.
    pub force: bool,
    /// How many keys of each kind the report shows. Keys are values of rows.
    pub show_keys: usize,
}

/// A stream and where its target stood before the source was looked at.
struct Task {
    stream: ConfiguredStream,
    head: Head,
    files: Vec<CommittedFile>,
    /// The target, where it is written to.
    prepared: Option<Prepared>,
}

impl Sync {
    /// Compares all streams, one after the other. Never fails: what failed is in the report.
    pub async fn reconcile(&self, asked: &Reconcile) -> ReconcileReport {
        let watch = Watch::start();
        let (streams, error) = match caught("the source's description", self.streams()).await {
            Ok(streams) => (self.reconcile_streams(streams, asked).await, None),
            Err(error) => {
                tracing::error!(kind = error.kind().name(), "{error:#}");
                (Vec::new(), Some(error))
            }
        };
        self.context.source.close().await;
        let outcome = match &error {
            Some(_) => ReconcileOutcome::Failed,
            None => streams.iter().map(|stream| stream.outcome).max().unwrap_or(ReconcileOutcome::Clean),
        };
        ReconcileReport {
            version: RECONCILE_VERSION,
            connection: self.connection.clone(),
            outcome,
            exit_code: error.as_ref().map_or_else(|| exit_code(&streams), |error| error.kind().exit_code()),
            started_at: self.context.started_at,
            seconds: watch.seconds(),
            streams,
            error: error.as_ref().map(ErrorReport::from),
        }
    }

    async fn reconcile_streams(
        &self,
        streams: Vec<ConfiguredStream>,
        asked: &Reconcile,
    ) -> Vec<StreamReconciliation> {
        // All targets before any snapshot: a source may read several streams in the same.
        let mut tasks = Vec::new();
        for stream in streams {
            let blank = StreamReconciliation::blank(&stream);
            tasks.push((blank, look(&self.context, stream, asked).await));
        }
        let mut reports = Vec::new();
        for (mut report, task) in tasks {
            let watch = Watch::start();
            tracing::info!(stream = report.stream, "comparing");
            let result = match task {
                Ok(task) => {
                    caught("the comparison", Box::pin(compare(&self.context, task, asked, &mut report))).await
                }
                Err(error) => Err(error),
            };
            report.seconds = watch.seconds();
            report.keys.sort();
            conclude(&mut report, result);
            reports.push(report);
        }
        reports
    }
}

fn conclude(report: &mut StreamReconciliation, result: Result<()>) {
    match result {
        Ok(()) if report.wrong() == 0 => report.outcome = ReconcileOutcome::Clean,
        Ok(()) => (report.outcome, report.exit_code) = (ReconcileOutcome::Different, WRONG),
        Err(error) => {
            let error = error.context("stream", report.stream.clone());
            tracing::error!(stream = report.stream, kind = error.kind().name(), "{error:#}");
            report.outcome = ReconcileOutcome::Failed;
            report.exit_code = error.kind().exit_code();
            report.error = Some(ErrorReport::from(&error));
        }
    }
}

/// A failure that needs a person counts most, then one that a retry may mend, then what differs.
fn exit_code(streams: &[StreamReconciliation]) -> u8 {
    let retry = ErrorKind::Transient.exit_code();
    let failed = || streams.iter().filter(|stream| stream.error.is_some()).map(|stream| stream.exit_code);
    let lasting = failed().find(|code| *code != retry);
    let differs = || streams.iter().map(|stream| stream.exit_code).find(|code| *code != 0);
    lasting.or_else(|| failed().next()).or_else(differs).unwrap_or(0)
}

/// Where the target stands, and what it holds.
async fn look(context: &Context, stream: ConfiguredStream, asked: &Reconcile) -> Result<Task> {
    let (destination, retries) = (&context.destination, Count::default());
    let patience = context.config.patience();
    let head = retrying(patience, &context.stop, &retries, || destination.head(&stream.target)).await?;
    if let Some(owner) = head.connection.as_ref().filter(|owner| **owner != stream.connection) {
        return Err(Error::config(format!("target {:?} belongs to connection {owner:?}", stream.target)));
    }
    let prepared = match &head.schema {
        Some(schema) if asked.apply && stream.write_mode == WriteMode::Append => {
            Some(tombstone::prepare(context, &stream, schema).await?)
        }
        _ => None,
    };
    let head = prepared.as_ref().map_or(head, |prepared| prepared.head.clone());
    // Listed after the head: rows of a commit in between are known, and not promised.
    let files = retrying(patience, &context.stop, &retries, || destination.visible(&stream.target)).await?;
    Ok(Task { stream, head, files, prepared })
}

async fn compare(
    context: &Context,
    task: Task,
    asked: &Reconcile,
    report: &mut StreamReconciliation,
) -> Result<()> {
    let Task { stream, head, files, prepared } = task;
    report.sequence = head.id.map(|_| head.sequence);
    let state = head.state.source.as_ref();
    report.position = state.and_then(|state| context.source.position(state));
    let schema = head.schema.clone().unwrap_or_else(|| Arc::clone(&stream.schema));
    let columns = Columns::of(&stream, &schema, asked.columns)?;
    report.columns = columns.names();
    if !columns.unknown.is_empty() {
        let names = columns.unknown.join(", ");
        report.notes.push(format!("columns that the target does not have yet are not compared: {names}"));
    }
    let promise = match state.map(|state| context.source.covered(state)) {
        None => Promise::Nothing,
        // Parts were read at different times: what moved between them is still to come.
        Some(_) if state.is_some_and(|state| !context.source.is_settled(state)) => Promise::Nothing,
        Some(Some(covered)) if stream.cursor.as_ref() == Some(&covered.column) => Promise::Covered(covered),
        Some(_) => Promise::Everything,
    };
    // Half for the image, the rest for rows on their way.
    let memory = context.config.memory.unwrap_or(MEMORY).get();
    let budget = Budget::new(memory / 2, Arc::default());
    let share = budget.share(context.config.parallelism(), 0, 0);
    let target = Target {
        destination: context.destination.as_ref(),
        name: &stream.target,
        sequence: head.sequence,
        files: &files,
    };
    let mut tombstones =
        prepared.map(|prepared| Tombstones::new(context, &stream, prepared, share, clock::now()));
    let reader = Arc::new(Reader {
        source: Arc::clone(&context.source),
        stream: columns.source(&stream),
        columns,
        digests: Digests::default(),
        promise,
        state: head.state.source.clone(),
        shown: asked.show_keys,
        budget,
        share,
    });
    let image = Image::new(memory / 2, files.iter().map(|file| file.sequence).collect());
    protocol::point!("reconcile.begun");
    let passed = passes(context, &reader, &target, image, tombstones.as_mut(), report).await;
    protocol::point!("reconcile.compared");
    let applied = match (passed, &mut tombstones) {
        (Ok(()), Some(tombstones)) => match refuse_most(report, asked) {
            Ok(()) => tombstones.commit(context, &stream).await,
            refused => refused.map(|()| None),
        },
        (passed, _) => passed.map(|()| None),
    };
    if let Ok(Some(sequence)) = &applied {
        report.sequence = Some(*sequence);
        report.marked = tombstones.as_ref().map_or(0, |tombstones| tombstones.rows);
    }
    if let Some(tombstones) = tombstones {
        tombstones.end().await;
    }
    advise(report, &stream, &reader.promise, asked);
    applied.map(drop)
}

/// A table that lost most of its rows is rather another one: a copy of the database that is empty, a role
/// that may see less.
fn refuse_most(report: &StreamReconciliation, asked: &Reconcile) -> Result<()> {
    const MANY: u64 = 1000;
    if asked.force || report.extra < MANY || report.extra * 2 <= report.target_rows {
        return Ok(());
    }
    Err(Error::config(format!(
        "{} of {} rows would be marked as deleted: is this the right source?",
        report.extra, report.target_rows
    ))
    .hint("check where the connection leads and what its role may see; `--force` marks them all the same"))
}

/// Reads both sides as often as it takes to cover all keys.
async fn passes(
    context: &Context,
    reader: &Arc<Reader>,
    target: &Target<'_>,
    mut image: Image,
    mut tombstones: Option<&mut Tombstones>,
    report: &mut StreamReconciliation,
) -> Result<()> {
    let mut counts = Counts::default();
    loop {
        target.read_into(&mut image, &reader.columns, &reader.digests).await?;
        report.passes += 1;
        report.target_rows += image.living();
        let findings = look_up(context, reader, image).await?;
        image = findings.image;
        counts.merge(findings.counts);
        for (all, new) in [
            (&mut report.keys.missing, findings.keys.missing),
            (&mut report.keys.differing, findings.keys.differing),
        ] {
            all.extend(new);
            all.truncate(reader.shown);
        }
        let extra = image.unmet();
        report.extra += extra.len() as u64;
        let wanted = reader.shown.saturating_sub(report.keys.extra.len()).min(extra.len());
        let names: Vec<&str> = reader.columns.target();
        let shown = &mut report.keys.extra;
        target
            .rows(&extra[..wanted], Some(&names), async |rows| {
                let joined = reader.columns.join(&rows)?;
                for row in 0..joined.num_rows() {
                    shown.push(key::shown(reader.columns.key(&joined), row)?);
                }
                Ok(())
            })
            .await?;
        if let Some(tombstones) = tombstones.as_deref_mut() {
            tombstones.bury(target, &extra).await?;
        }
        if !image.advance() {
            break;
        }
    }
    report.counted(counts);
    Ok(())
}

/// Reads the source, again and from another snapshot where that may help.
async fn look_up(context: &Context, reader: &Arc<Reader>, image: Image) -> Result<Findings> {
    let findings = Arc::new(Mutex::new(Findings::new(image)));
    let (mut attempts, retries) = (Attempts::new(context.config.patience()), Count::default());
    while let Err(error) = reader.read(&findings).await {
        if error.kind() == ErrorKind::Stale {
            attempts.wait(error, &context.stop, &retries).await?;
        } else {
            attempts.again(error, &context.stop, &retries).await?;
        }
    }
    let lost = || Error::internal("a lane outlived the read of its stream");
    let findings = Arc::into_inner(findings).ok_or_else(lost)?;
    Ok(findings.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Says what cures what is wrong, as far as this run did not.
fn advise(
    report: &mut StreamReconciliation,
    stream: &ConfiguredStream,
    promise: &Promise,
    asked: &Reconcile,
) {
    let is_different = report.missing + report.differing > 0;
    let mut notes = Vec::new();
    if report.wrong() > 0 && stream.write_mode == WriteMode::Overwrite {
        notes.push("the next sync replaces all rows, and with them what is wrong");
    } else if is_different && *promise == Promise::Everything {
        notes.push(
            "what changed since the last sync can't be told from what is wrong: sync, and compare while nobody writes",
        );
    } else if is_different {
        notes.push(
            "no later sync brings what is missing or differs, unless its cursor value changes: to read all rows \
             once more, `tidegate state reset` the stream",
        );
    }
    if report.extra > 0 && !asked.apply && stream.write_mode == WriteMode::Append {
        notes.push("`--apply` marks extra rows as deleted");
    }
    report.notes.extend(notes.into_iter().map(str::to_owned));
}
