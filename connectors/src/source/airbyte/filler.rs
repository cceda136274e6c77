//! Records of an Airbyte source on their way into columns: batches of the size that the engine wants, checkpoints
//! where there is something to account for.

use std::time::{Duration, Instant};

use protocol::{Adjustment, ConfiguredStream, Emitter, Result, Source};

use crate::json::{Columns, Records};

/// Rows after which a state becomes a checkpoint: files that are cut at each of ten thousand slices help nobody.
const ROWS: u64 = 20_000;
/// Time after which it becomes one all the same.
const PATIENCE: Duration = Duration::from_secs(30);

/// Columns that are filled, and the engine behind them.
pub(crate) struct Filler<'a, 'e, S> {
    out: &'a mut Emitter<'e, S>,
    columns: Columns,
    rows: u64,
    since: Instant,
}

impl<'a, 'e, S: Source> Filler<'a, 'e, S> {
    pub(crate) fn new(stream: &ConfiguredStream, out: &'a mut Emitter<'e, S>) -> Result<Self> {
        let columns = Columns::new(stream.schema.clone(), stream.on_unfit)?;
        Ok(Self { out, columns, rows: 0, since: Instant::now() })
    }

    /// Adds records.
    pub(crate) async fn add(&mut self, records: &Records) -> Result<()> {
        self.columns.append(records)?;
        self.rows += records.len() as u64;
        if self.columns.bytes() >= self.out.batch_bytes() { self.flush().await } else { Ok(()) }
    }

    /// Hands on what is there.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        if !self.columns.is_empty() {
            let batch = self.columns.finish()?;
            self.out.batch(batch).await?;
        }
        for Adjustment { column, reason, values } in self.columns.adjusted() {
            self.out.adjusted(&column, &reason, values).await?;
        }
        Ok(())
    }

    /// Whether a checkpoint is worth it now.
    pub(crate) fn is_due(&self) -> bool {
        self.rows >= ROWS || (self.rows > 0 && self.since.elapsed() >= PATIENCE)
    }

    /// Declares all that was added accounted for, but for `rest`.
    pub(crate) async fn checkpoint(&mut self, rest: &S::Partition, seen: S::Seen) -> Result<()> {
        self.flush().await?;
        (self.rows, self.since) = (0, Instant::now());
        self.out.checkpoint(rest, seen).await
    }
}
