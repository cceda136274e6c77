//! Where `read` puts what it found.

use std::fmt;
use std::marker::PhantomData;

use arrow_array::RecordBatch;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Result, Source};

/// What a read says, in order.
#[derive(Debug)]
pub enum Event {
    /// Rows in the stream's schema.
    Batch(RecordBatch),
    /// All rows of the partition but those of `rest` have been emitted.
    Checkpoint {
        /// The partition that is left.
        rest: Value,
        /// What was seen since the checkpoint before.
        seen: Value,
    },
    /// Values that did not fit and were changed as the stream's policy says.
    Adjusted(Adjustment),
}

/// Values of one column that did not fit and were changed as the stream's policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Adjustment {
    /// The column.
    pub column: String,
    /// What they were: `infinity`, `nan`, `out_of_range`, `nul_character`.
    pub reason: String,
    /// How many values.
    pub values: u64,
}

/// The engine's side of an [`Emitter`]: takes events and waits while there is no room.
pub trait Outlet: Send {
    /// Hands over one event. Fails when the engine wants the read to end.
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>>;
    /// Bytes of Arrow memory that a batch should have: cut there.
    fn batch_bytes(&self) -> usize;
}

/// Where [`Source::read`] puts what it found. Each call waits while the engine is full: backpressure.
pub struct Emitter<'a, S> {
    outlet: &'a mut dyn Outlet,
    source: PhantomData<fn(S)>,
}

impl<S> fmt::Debug for Emitter<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("batch_bytes", &self.batch_bytes()).finish()
    }
}

impl<'a, S> Emitter<'a, S> {
    /// Wraps the engine's side. Called by the erased twin of a source and by tests.
    pub fn new(outlet: &'a mut dyn Outlet) -> Self {
        Self { outlet, source: PhantomData }
    }

    /// Bytes of Arrow memory that a batch should have. A batch may be larger only by its last row.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        self.outlet.batch_bytes()
    }

    /// Emits rows in the stream's schema, in any order. The engine joins and cuts them into files.
    pub async fn batch(&mut self, batch: RecordBatch) -> Result<()> {
        self.outlet.send(Event::Batch(batch)).await
    }

    /// Says that `values` values of `column` did not fit and were changed as the policy says.
    pub async fn adjusted(&mut self, column: &str, reason: &str, values: u64) -> Result<()> {
        let adjustment = Adjustment { column: column.to_owned(), reason: reason.to_owned(), values };
        self.outlet.send(Event::Adjusted(adjustment)).await
    }
}

impl<S: Source> Emitter<'_, S> {
    /// Declares all rows of the partition but those of `rest` emitted, and what was seen in them.
    /// An interrupted read starts over with `rest`. Optional: without it the partition starts over
    /// whole. Never call it for rows that were not emitted yet.
    pub async fn checkpoint(&mut self, rest: &S::Partition, seen: S::Seen) -> Result<()> {
        let encode =
            |error: serde_json::Error| Error::internal("a checkpoint does not serialise").with_source(error);
        let rest = serde_json::to_value(rest).map_err(encode)?;
        let seen = serde_json::to_value(seen).map_err(encode)?;
        self.outlet.send(Event::Checkpoint { rest, seen }).await
    }
}
