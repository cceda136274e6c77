//! What a lane wrote since its last clean cut: files and the partitions in them, which stand or
//! fall together.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use protocol::{Done, Result, Staged};
use serde_json::Value;

use super::Reading;
use crate::write::FileWriter;

#[derive(Default)]
pub(super) struct Chain {
    /// Open files by folder.
    open: BTreeMap<Option<String>, FileWriter>,
    /// Finished files and partitions. Files may end in the middle of a partition, when they are full.
    pub(super) staged: Staged,
    /// The partitions as they were when this chain began with them.
    begun: Vec<Value>,
    /// The one that is being read: as the state keeps it, and what was seen of it.
    current: Option<Current>,
}

struct Current {
    partition: Value,
    rest: Option<Value>,
    seen: Vec<Value>,
    /// Rows since the last checkpoint.
    torn: bool,
}

impl Chain {
    pub(super) fn begin(&mut self, partition: Value) {
        self.begun.push(partition.clone());
        self.current = Some(Current { partition, rest: None, seen: Vec::new(), torn: false });
    }

    pub(super) fn checkpoint(&mut self, rest: Value, seen: Value) {
        if let Some(current) = &mut self.current {
            current.rest = Some(rest);
            current.seen.push(seen);
            current.torn = false;
        }
    }

    pub(super) fn finish(&mut self, seen: Value) {
        if let Some(mut current) = self.current.take() {
            current.seen.push(seen);
            self.staged.done.push(Done { partition: current.partition, rest: None, seen: current.seen });
        }
    }

    /// Whether there are rows whose partition is neither finished nor at a checkpoint.
    pub(super) fn is_torn(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.torn)
    }

    /// Encoded bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        let finished: u64 = self.staged.files.iter().map(|file| file.bytes).sum();
        finished + self.open.values().map(FileWriter::bytes).sum::<u64>()
    }

    pub(super) async fn write(
        &mut self,
        reading: &Reading,
        folder: Option<String>,
        batch: &RecordBatch,
    ) -> Result<()> {
        if let Some(current) = &mut self.current {
            current.torn = true;
        }
        let mut file = if let Some(file) = self.open.remove(&folder) {
            file
        } else {
            let stage = reading.stage.as_ref();
            FileWriter::create(&reading.settings, stage, folder.as_deref()).await?
        };
        let written = file.write(batch).await;
        if written.is_ok() && file.bytes() >= reading.stage.options().target_bytes {
            self.close(reading, file).await?;
        } else {
            // Also a file that failed is kept: it is thrown away with the others.
            self.open.insert(folder, file);
        }
        written?;
        self.save_memory(reading).await
    }

    pub(super) fn count(&mut self, reading: &Reading, rows: u64, bytes: u64) {
        self.staged.rows += rows;
        self.staged.bytes += bytes;
        reading.progress.rows.add(rows);
        reading.progress.bytes.add(bytes);
    }

    /// Many folders mean many open files: the largest are closed when they take more than the lane has.
    async fn save_memory(&mut self, reading: &Reading) -> Result<()> {
        let stage = reading.stage.buffer_bytes();
        let memory = |file: &FileWriter| {
            file.memory() + stage.min(usize::try_from(file.bytes()).unwrap_or(usize::MAX))
        };
        let limit =
            usize::try_from(reading.share.row_group_bytes * 2).unwrap_or(usize::MAX).saturating_add(stage);
        while self.open.len() > 1 && self.open.values().map(memory).sum::<usize>() > limit {
            let largest =
                self.open.iter().max_by_key(|(_, file)| memory(file)).map(|(folder, _)| folder.clone());
            match largest.and_then(|folder| self.open.remove(&folder)) {
                Some(file) => self.close(reading, file).await?,
                None => break,
            }
        }
        Ok(())
    }

    async fn close(&mut self, reading: &Reading, file: FileWriter) -> Result<()> {
        let file = file.finish().await?;
        reading.progress.staged_bytes.add(file.bytes);
        self.staged.files.push(file);
        Ok(())
    }

    /// Ends all open files and returns everything since the last cut. Only where nothing is torn.
    pub(super) async fn cut(&mut self, reading: &Reading) -> Result<Staged> {
        while let Some((_, file)) = self.open.pop_first() {
            self.close(reading, file).await?;
        }
        self.begun.clear();
        if let Some(current) = &mut self.current {
            if let Some(rest) = current.rest.take() {
                // The rest stands in the state from now on, in place of the partition.
                let partition = std::mem::replace(&mut current.partition, rest.clone());
                let seen = std::mem::take(&mut current.seen);
                self.staged.done.push(Done { partition, rest: Some(rest), seen });
            }
            self.begun.push(current.partition.clone());
        }
        Ok(std::mem::take(&mut self.staged))
    }

    /// Throws everything since the last cut away and returns the partitions that it was read from, the
    /// one that was being read first: what others are read again for shall fail soon or not at all.
    pub(super) async fn discard(&mut self, reading: &Reading) -> Vec<Value> {
        let abandoned = std::mem::take(&mut self.open).into_values().map(FileWriter::abandon);
        let staged = std::mem::take(&mut self.staged);
        let progress = &reading.progress;
        // What ended at a checkpoint was never counted as a partition.
        let done = staged.done.iter().filter(|done| done.rest.is_none()).count() as u64;
        progress.rows.subtract(staged.rows);
        progress.bytes.subtract(staged.bytes);
        progress.staged_bytes.subtract(staged.files.iter().map(|file| file.bytes).sum());
        progress.partitions_done.subtract(done);
        let mut results = futures::future::join_all(abandoned).await;
        if !staged.files.is_empty() {
            results.push(reading.stage.discard(&staged.files).await);
        }
        for error in results.into_iter().filter_map(Result::err) {
            // Nothing that was left aside is ever visible; a later clean-up finds it.
            tracing::warn!(error = format!("{error:#}"), "staged files could not be removed");
        }
        let mut partitions = std::mem::take(&mut self.begun);
        if self.current.take().is_some() {
            partitions.rotate_right(1);
        }
        partitions
    }
}
