//! `COPY … (FORMAT binary)` bytes decoded straight into Arrow builders: no row object, no string
//! in between.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use protocol::{Adjustment, Error, Result, UnfitPolicy};

use super::types::Column;

/// Decodes COPY binary bytes, however they are cut into chunks, into record batches.
#[derive(Debug)]
pub struct Decoder {
    schema: SchemaRef,
}

impl Decoder {
    /// A decoder of rows of `columns`, which are those of `schema` in order. Batches end at
    /// `batch_bytes` of Arrow memory.
    ///
    /// Fails with [`ErrorKind::Config`](protocol::ErrorKind::Config) when `policy` makes NULL of
    /// values of a column that is not nullable.
    pub fn new(
        columns: &[Column],
        schema: SchemaRef,
        policy: UnfitPolicy,
        batch_bytes: usize,
    ) -> Result<Self> {
        let _ = (columns, policy, batch_bytes);
        Ok(Self { schema })
    }

    /// Decodes from the front of `input` until it ends or a batch is full; returns how many bytes
    /// were taken. Less than all only when [`is_full`](Self::is_full).
    pub fn decode(&mut self, input: &[u8]) -> Result<usize> {
        let _ = input;
        Err(Error::internal("not written yet"))
    }

    /// Whether [`take_batch`](Self::take_batch) must be called before more is decoded.
    #[must_use]
    pub fn is_full(&self) -> bool {
        false
    }

    /// The rows decoded since the last call; `None` when there are none.
    pub fn take_batch(&mut self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    /// Values that were changed since the last call because they did not fit.
    pub fn take_adjustments(&mut self) -> Vec<Adjustment> {
        Vec::new()
    }

    /// Checks that the end was seen and returns the number of rows. Call it after the last
    /// [`take_batch`](Self::take_batch).
    pub fn finish(self) -> Result<u64> {
        drop(self.schema);
        Err(Error::internal("not written yet"))
    }
}
