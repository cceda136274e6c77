//! What each part of a sync takes by itself, on a stream as it is: draining it, decoding it, encoding it,
//! uploading as much, and all of it at once.
//!
//! One [`Sync::measure`] measures one part, so that a process of its own tells its CPU time and its
//! greatest memory. Nothing is committed: files are staged for a target of the bench alone and discarded, and
//! the targets and states of the connection are not looked at.

mod apart;
mod judge;
mod portion;
mod process;
mod read;
mod report;
mod upload;
mod write;

use std::num::NonZeroUsize;
use std::sync::Arc;

use protocol::{ConfiguredStream, Error, Lifetime, Result, SyncMode, WriteMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Sync;
use crate::clock::Watch;
use crate::retry::interrupted;
use apart::Apart;
pub use apart::Nowhere;
pub use judge::{Advice, Judgement, Knob, Wall};
use portion::Portion;
pub use report::{BENCH_VERSION, BenchReport, PartReport, StreamBench};

/// The target that files are staged for.
const TARGET: &str = "tidegate_bench";

/// A part of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The source's bytes, read and thrown away.
    Drain,
    /// The same, decoded into columns.
    Decode,
    /// The same, encoded into files that go nowhere.
    Encode,
    /// As many bytes as those files have, staged at the destination without reading anything.
    Upload,
    /// All of it: read, decoded, encoded, staged at the destination. Only the commit is left out.
    Whole,
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct Task {
    /// Which part.
    pub part: Part,
    /// Partitions that are read, or files that are uploaded, at once.
    pub connections: NonZeroUsize,
    /// About how many rows to read; `None` for all.
    pub rows: Option<u64>,
    /// Bytes to upload.
    pub bytes: u64,
}

/// What one measurement of one part gave.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// From the first connection to the last row: connecting and planning included.
    pub seconds: f64,
    /// Of these, before the first row was asked for.
    pub plan_seconds: f64,
    /// CPU time of the process, all of it.
    pub cpu_seconds: f64,
    /// The most memory that the process ever had; absent where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes: as the source sent them (drain), of columns in memory (decode), or of files.
    pub bytes: u64,
    /// Files that were written.
    pub files: u64,
    /// Partitions that were read; 0 for an upload.
    pub partitions: u64,
    /// Partitions or files that were really worked on at once, as far as `memory` and their number allow.
    pub lanes: u64,
}

/// A stream that can be measured.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name.
    pub stream: String,
    /// Rows it is thought to have.
    pub estimated_rows: Option<u64>,
    /// Rows that are thought to be read of it.
    pub chosen_rows: Option<u64>,
    /// Partitions that are read at once, at most.
    pub connections: NonZeroUsize,
}

impl Sync {
    /// What there is to measure, when about `rows` of each stream are read. Reads nothing yet.
    pub async fn subjects(&self, rows: Option<u64>) -> Result<Vec<Subject>> {
        let mut subjects = Vec::new();
        for stream in self.streams().await? {
            let name = stream.name.clone();
            let subject = self.subject(stream, rows).await;
            subjects.push(subject.map_err(|error| error.context("stream", name))?);
        }
        Ok(subjects)
    }

    async fn subject(&self, stream: ConfiguredStream, rows: Option<u64>) -> Result<Subject> {
        let parallelism = self.context.config.parallelism();
        let source = Portion::new(Arc::clone(&self.context.source), parallelism, parallelism, rows);
        let stream = as_measured(stream);
        let (plan, estimated_rows) = source.choose(&stream, Lifetime::Session).await?;
        let partitions = NonZeroUsize::new(plan.partitions.len()).unwrap_or(NonZeroUsize::MIN);
        let endured = plan.max_in_flight.unwrap_or(parallelism);
        Ok(Subject {
            stream: stream.name,
            estimated_rows,
            chosen_rows: plan.partitions.iter().map(|planned| planned.rows).sum(),
            connections: parallelism.min(endured).min(partitions),
        })
    }

    /// Measures one part, of the only stream. Where it is asked to stop it leaves nothing behind, and
    /// fails with [`ErrorKind::Interrupted`](protocol::ErrorKind::Interrupted).
    pub async fn measure(&self, task: &Task) -> Result<Sample> {
        let watch = Watch::start();
        let mut streams = self.streams().await?;
        let stream = match (streams.pop(), streams.is_empty()) {
            (Some(stream), true) => as_measured(stream),
            _ => return Err(Error::config("one stream is measured at a time")),
        };
        let name = stream.name.clone();
        let measured = self.apart(task).part(task.part, stream, watch).await;
        self.context.source.close().await;
        let sample = measured.map_err(|error| error.context("stream", name))?;
        Ok(Sample {
            cpu_seconds: process::cpu_seconds(),
            peak_rss_bytes: process::peak_rss_bytes(),
            ..sample
        })
    }

    /// The same connection, with a portion of its source and a destination that commits nothing.
    fn apart(&self, task: &Task) -> Apartment {
        let mut config = self.context.config.clone();
        // What fails is to be told, not hidden in the time.
        config.retries = 0;
        let parallelism = config.parallelism();
        let source = Portion::new(Arc::clone(&self.context.source), parallelism, task.connections, task.rows);
        let destination = Apart::new(Arc::clone(&self.context.destination), task.part == Part::Encode);
        let mut sync = Self::new(&self.connection, config, Arc::new(source), Arc::new(destination));
        sync.context.stop = self.context.stop.clone();
        Apartment { sync, task: task.clone() }
    }
}

/// A sync that leaves nothing.
struct Apartment {
    sync: Sync,
    task: Task,
}

impl Apartment {
    async fn part(&self, part: Part, stream: ConfiguredStream, watch: Watch) -> Result<Sample> {
        match part {
            // Nothing is left by what is dropped in the middle of reading.
            Part::Drain | Part::Decode => tokio::select! {
                read = self.read(part, stream, watch) => read,
                () = self.sync.context.stop.requested() => Err(interrupted()),
            },
            Part::Encode | Part::Whole => self.write(stream, watch).await,
            Part::Upload => self.upload(stream, watch).await,
        }
    }
}

/// The stream with all that it has, whatever a sync would read of it now.
fn as_measured(stream: ConfiguredStream) -> ConfiguredStream {
    ConfiguredStream {
        target: TARGET.to_owned(),
        sync_mode: SyncMode::FullRefresh,
        write_mode: WriteMode::Overwrite,
        cursor: None,
        soft_delete: None,
        ..stream
    }
}
