//! From the batch that a source emits to the batch that is written: checked against the plan's
//! schema, widened to the target's or turned into what its files can hold, with the columns that tidegate
//! adds.

mod text;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Utc};
use protocol::{ConfiguredStream, Error, Result, Stream, SyncId};

use crate::MetadataColumns;

/// The zone that all instants are in.
const UTC: &str = "UTC";

/// What the engine writes for a stream: its columns and the ones that tidegate adds.
pub(crate) fn written_schema(stream: &ConfiguredStream, metadata: &MetadataColumns) -> Result<SchemaRef> {
    let mut fields = stream.schema.fields().to_vec();
    for (name, _, field) in metadata_fields(metadata) {
        if fields.iter().any(|other| other.name() == name) {
            return Err(Error::config(format!("metadata column {name:?} has the name of another column"))
                .context("stream", stream.name.clone())
                .hint("choose another name under `metadata`"));
        }
        fields.push(Arc::new(field));
    }
    Ok(Arc::new(Schema::new(fields)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Metadata {
    ExtractedAt,
    SyncId,
    RowId,
    DeletedAt,
}

/// The column that says since when a row is known to be deleted.
pub(crate) fn deleted_at_field(name: &str) -> Field {
    let mark = HashMap::from([(Stream::DELETED_AT.to_owned(), String::new())]);
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())), true).with_metadata(mark)
}

/// Whether `field` is made by [`deleted_at_field`].
pub(crate) fn is_deleted_at(field: &Field) -> bool {
    field.metadata().contains_key(Stream::DELETED_AT)
}

fn row_id_field(name: &str) -> Field {
    let uuid = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
    Field::new(name, DataType::FixedSizeBinary(16), false).with_metadata(uuid)
}

fn metadata_fields(metadata: &MetadataColumns) -> Vec<(&str, Metadata, Field)> {
    let mut fields = Vec::new();
    if let Some(name) = &metadata.extracted_at {
        let data_type = DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()));
        fields.push((name.as_str(), Metadata::ExtractedAt, Field::new(name, data_type, false)));
    }
    if let Some(name) = &metadata.sync_id {
        fields.push((name.as_str(), Metadata::SyncId, Field::new(name, DataType::Utf8, false)));
    }
    if let Some(name) = &metadata.row_id {
        fields.push((name.as_str(), Metadata::RowId, row_id_field(name)));
    }
    if let Some(name) = &metadata.deleted_at {
        fields.push((name.as_str(), Metadata::DeletedAt, deleted_at_field(name)));
    }
    fields
}

/// Whether a column of that name is one that tidegate adds.
pub(crate) fn is_added(metadata: &MetadataColumns, name: &str) -> bool {
    metadata_fields(metadata).iter().any(|(added, ..)| *added == name)
}

/// Where a column of the target comes from.
#[derive(Debug, Clone)]
enum Origin {
    Source(usize),
    Added(Metadata),
    /// Gone at the source: NULL from now on.
    Gone,
}

/// Turns batches of one stream into batches of its target.
#[derive(Debug, Clone)]
pub(crate) struct Conform {
    expected: SchemaRef,
    target: SchemaRef,
    origins: Vec<Origin>,
    sync: SyncId,
    extracted_at: DateTime<Utc>,
    /// Since when all rows are known to be deleted.
    deleted_at: Option<DateTime<Utc>>,
}

impl Conform {
    /// `target` is what [`protocol::Prepared`] says that files must have.
    pub(crate) fn new(
        stream: &ConfiguredStream,
        metadata: &MetadataColumns,
        target: SchemaRef,
        sync: SyncId,
        extracted_at: DateTime<Utc>,
    ) -> Self {
        let added = metadata_fields(metadata);
        let origins = target
            .fields()
            .iter()
            .map(|field| {
                let name = field.name().as_str();
                if is_deleted_at(field) {
                    return Origin::Added(Metadata::DeletedAt);
                }
                match (added.iter().find(|(added, ..)| *added == name), stream.schema.index_of(name)) {
                    (Some((_, metadata, _)), _) => Origin::Added(*metadata),
                    (None, Ok(index)) => Origin::Source(index),
                    (None, Err(_)) => Origin::Gone,
                }
            })
            .collect();
        Self { expected: stream.schema.clone(), target, origins, sync, extracted_at, deleted_at: None }
    }

    /// Marks all rows as deleted.
    pub(crate) fn deleted(self, at: DateTime<Utc>) -> Self {
        Self { deleted_at: Some(at), ..self }
    }

    /// The schema of what [`Conform::apply`] returns.
    pub(crate) fn target(&self) -> &SchemaRef {
        &self.target
    }

    /// Fails with [`protocol::ErrorKind::Schema`] or [`protocol::ErrorKind::Data`], naming the
    /// column, when the batch is not what was planned.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.check(batch)?;
        let rows = batch.num_rows();
        let columns = self
            .target
            .fields()
            .iter()
            .zip(&self.origins)
            .map(|(field, origin)| match origin {
                Origin::Source(index) => convert(batch.column(*index), self.expected.field(*index), field),
                Origin::Added(metadata) => self.added(*metadata, rows, field),
                Origin::Gone => Ok(new_null_array(field.data_type(), rows)),
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.target.clone(), columns, &options)
            .map_err(|error| Error::internal("a batch does not fit the target's schema").with_source(error))
    }

    fn check(&self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema_ref();
        if schema.fields().len() != self.expected.fields().len() {
            return Err(Error::schema(format!(
                "the source sent {} columns, {} were planned",
                schema.fields().len(),
                self.expected.fields().len()
            )));
        }
        for ((found, planned), column) in
            schema.fields().iter().zip(self.expected.fields()).zip(batch.columns())
        {
            if found.name() != planned.name() || found.data_type() != planned.data_type() {
                return Err(Error::schema(format!(
                    "the source sent column {:?} as {}, planned was {:?} as {}",
                    found.name(),
                    found.data_type(),
                    planned.name(),
                    planned.data_type()
                ))
                .context("column", planned.name().clone()));
            }
            if !planned.is_nullable() && column.null_count() > 0 {
                return Err(Error::data(format!("column {:?} is NULL and must not be", planned.name()))
                    .context("column", planned.name().clone()));
            }
        }
        Ok(())
    }

    fn added(&self, metadata: Metadata, rows: usize, field: &Field) -> Result<ArrayRef> {
        let column: ArrayRef = match metadata {
            Metadata::ExtractedAt => {
                let micros = self.extracted_at.timestamp_micros();
                Arc::new(TimestampMicrosecondArray::from(vec![micros; rows]).with_timezone(UTC))
            }
            Metadata::SyncId => {
                let id = self.sync.to_string();
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(id.as_str(), rows)))
            }
            Metadata::RowId => {
                let ids: Vec<u8> = (0..rows).flat_map(|_| uuid::Uuid::now_v7().into_bytes()).collect();
                Arc::new(FixedSizeBinaryArray::new(16, ids.into(), None))
            }
            Metadata::DeletedAt => {
                let micros = self.deleted_at.map(|at| at.timestamp_micros());
                Arc::new(TimestampMicrosecondArray::from(vec![micros; rows]).with_timezone(UTC))
            }
        };
        if metadata == Metadata::RowId {
            return convert(&column, &row_id_field(field.name()), field);
        }
        widen(&column, field)
    }
}

/// Files may hold other types than the source sends: see [`protocol::Prepared::schema`].
fn convert(column: &ArrayRef, from: &Field, to: &Field) -> Result<ArrayRef> {
    if from.data_type() == to.data_type() || !text::is_spelled(from, to.data_type()) {
        return widen(column, to);
    }
    text::spell(column, from).map_err(|error| {
        Error::data(format!("column {:?} can't be written as text", to.name()))
            .context("column", to.name().clone())
            .with_source(error)
    })
}

/// The target may hold a wider type than the source sends by now.
pub(crate) fn widen(column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if column.data_type() == field.data_type() {
        return Ok(column.clone());
    }
    // What does not fit is an error here; left to itself, `cast` makes it NULL.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, field.data_type(), &options).map_err(|error| {
        Error::schema(format!("column {:?} can't be widened to {}", field.name(), field.data_type()))
            .context("column", field.name().clone())
            .with_source(error)
    })
}

#[cfg(test)]
mod tests;
