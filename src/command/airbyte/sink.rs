//! Where the engine of manifests puts a stream's records and states: lines on stdout.

use connectors::source::declarative::record::Records;
use connectors::source::declarative::stream::{Level, Progress, Sink};
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::Result;

use super::messages::{Messages, StreamStatus};
use super::record::RecordLines;

/// Takes what one stream yields.
pub(super) struct StreamLines {
    messages: Messages,
    stream: String,
    is_verbose: bool,
    lines: RecordLines,
    records: u64,
}

impl StreamLines {
    pub(super) fn new(messages: &Messages, stream: &str, is_verbose: bool) -> Self {
        Self {
            messages: messages.clone(),
            stream: stream.to_owned(),
            is_verbose,
            lines: RecordLines::new(messages.clone(), stream),
            records: 0,
        }
    }

    /// How many records there were.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    fn write(&mut self, records: &Records) -> Result<()> {
        let count = records.len() as u64;
        if count == 0 {
            return Ok(());
        }
        if self.records == 0 {
            self.messages.log("INFO", &format!("Marking stream {} as RUNNING", self.stream));
            self.messages.status(&self.stream, StreamStatus::Running)?;
        }
        self.records += count;
        self.lines.stamp();
        self.lines.all(records)?;
        self.lines.finish()
    }
}

impl Sink for StreamLines {
    fn records(&mut self, records: Records) -> BoxFuture<'_, Result<()>> {
        let written = self.write(&records);
        async { written }.boxed()
    }

    fn state(&mut self, progress: Progress) -> BoxFuture<'_, Result<()>> {
        let written = self.messages.state(&self.stream, &progress.state.to_json());
        async { written }.boxed()
    }

    fn log(&mut self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
        };
        if level != "DEBUG" || self.is_verbose {
            self.messages.log(level, message);
        }
    }
}
