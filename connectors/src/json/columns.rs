//! Records into Arrow columns.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use protocol::{Adjustment, Result, UnfitPolicy};

use super::Records;

/// Columns that grow record by record.
pub struct Columns {}

impl Columns {
    /// Columns of an Arrow schema (of [`arrow_schema`](super::arrow_schema), or some of its columns): a field that has
    /// no column is left out, or goes to [`EXTRA`](super::EXTRA) where the schema has that.
    pub fn new(schema: SchemaRef, policy: UnfitPolicy) -> Result<Self> {
        let _ = (schema, policy);
        todo!()
    }

    /// Appends records. Fails with [`ErrorKind::Data`](protocol::ErrorKind::Data) where a value does not fit and the
    /// policy says so; the columns are of no use then.
    pub fn append(&mut self, records: &Records) -> Result<()> {
        let _ = records;
        todo!()
    }

    /// How many records are in them.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there is no record in them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// About how many bytes of Arrow memory they hold.
    #[must_use]
    pub fn bytes(&self) -> usize {
        todo!()
    }

    /// What is in them, as a batch; they are empty then.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        todo!()
    }

    /// What was changed since the last call.
    pub fn adjusted(&mut self) -> Vec<Adjustment> {
        todo!()
    }
}
