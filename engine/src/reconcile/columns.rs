//! Which columns are compared, and rows of both sides brought to the same columns and types.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};
use protocol::{ConfiguredStream, DriftPolicy, Error, Result, SyncMode};

use super::digest::{Digests, Row};
use super::image::{Key, Place, Version};
use crate::Compared;
use crate::conform::{is_deleted_at, widen};
use crate::mark::is_marked;

/// The columns that are compared, as both sides have them.
#[derive(Debug)]
pub(super) struct Columns {
    /// Compared columns in the stream's order, each of the type that holds the values of both sides.
    schema: SchemaRef,
    key: Vec<usize>,
    cursor: Option<usize>,
    soft_delete: Option<usize>,
    /// What makes rows with the same key equal.
    content: Vec<usize>,
    /// Names of the target's columns that mark deleted rows.
    marks: Vec<String>,
    /// The source's columns that the target does not have.
    pub(super) unknown: Vec<String>,
}

/// A row of one side.
pub(super) struct Print {
    pub(super) key: Key,
    pub(super) content: u64,
    pub(super) cursor: Option<i64>,
    pub(super) is_deleted: bool,
}

impl Columns {
    /// Fails with [`protocol::ErrorKind::Config`] where the stream has no key to compare by, and with
    /// [`protocol::ErrorKind::Schema`] where both sides mean different things by a column.
    pub(super) fn of(stream: &ConfiguredStream, target: &Schema, compared: Compared) -> Result<Self> {
        if stream.primary_key.is_empty() {
            return Err(Error::config("the stream has no key to compare rows by")
                .hint("set `primary_key` of the stream to columns that identify a row and are never NULL"));
        }
        let needed = stream.primary_key.iter().chain(&stream.cursor).chain(&stream.soft_delete);
        for column in needed.clone() {
            if stream.schema.field_with_name(column).is_err() {
                return Err(Error::config(format!("column {column:?} is needed to compare, and not read"))
                    .context("column", column)
                    .hint("leave it in `columns`, and out of `exclude`"));
            }
            if target.field_with_name(column).is_err() {
                return Err(Error::config(format!("the target has no column {column:?} yet"))
                    .context("column", column)
                    .hint("sync the stream first"));
            }
        }
        let is_compared =
            |name: &String| compared == Compared::All || needed.clone().any(|column| column == name);
        let fields = stream.schema.fields().iter().filter(|field| is_compared(field.name()));
        let (known, unknown): (Vec<_>, Vec<_>) =
            fields.partition(|field| target.field_with_name(field.name()).is_ok());
        let both = known.iter().filter_map(|field| target.field_with_name(field.name()).ok().cloned());
        let wanted = Schema::new(known.iter().map(|field| Arc::clone(field)).collect::<Vec<_>>());
        let (schema, _) =
            protocol::reconcile(&Schema::new(both.collect::<Vec<_>>()), &wanted, DriftPolicy::Evolve)?;
        let index = |name: &String| schema.index_of(name).ok();
        let key: Vec<usize> = stream.primary_key.iter().filter_map(index).collect();
        let soft_delete = stream.soft_delete.as_ref().and_then(index);
        let content = (0..schema.fields().len()).filter(|at| !key.contains(at)).collect();
        Ok(Self {
            key,
            cursor: stream.cursor.as_ref().and_then(index),
            soft_delete,
            content,
            marks: deleted_at_columns(target),
            unknown: unknown.iter().map(|field| field.name().clone()).collect(),
            schema,
        })
    }

    /// The stream as it is read: all of it, these columns only.
    pub(super) fn source(&self, stream: &ConfiguredStream) -> ConfiguredStream {
        let fields = self.schema.fields().iter().filter_map(|field| {
            stream.schema.index_of(field.name()).ok().map(|at| Arc::clone(&stream.schema.fields()[at]))
        });
        ConfiguredStream {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            sync_mode: SyncMode::FullRefresh,
            cursor: None,
            ..stream.clone()
        }
    }

    /// Names of the columns to read from a file of the target.
    pub(super) fn target(&self) -> Vec<&str> {
        let names = self.schema.fields().iter().map(|field| field.name().as_str());
        names.chain(self.marks.iter().map(String::as_str)).collect()
    }

    /// Names of all compared columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The key columns of a batch that [`Columns::join`] made, with their names.
    pub(super) fn key<'a>(
        &'a self,
        joined: &'a RecordBatch,
    ) -> impl Iterator<Item = (&'a str, &'a ArrayRef)> {
        self.key.iter().map(|at| (self.schema.field(*at).name().as_str(), joined.column(*at)))
    }

    /// A batch of either side with these columns and types; columns that a file is older than are NULL.
    pub(super) fn join(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let column = |field: &Arc<arrow_schema::Field>| match batch.column_by_name(field.name()) {
            Some(column) => widen(column, field),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        // Whether a value may be NULL is not what is compared.
        let lenient = self.schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        RecordBatch::try_new(Arc::new(Schema::new(lenient.collect::<Vec<_>>())), columns)
            .map_err(|error| Error::internal("rows can't be brought to one schema").with_source(error))
    }

    /// What each row of a batch that [`Columns::join`] made is compared by.
    pub(super) fn prints(&self, joined: &RecordBatch, digests: &Digests) -> Result<Vec<Print>> {
        for (name, column) in self.key(joined) {
            if column.null_count() > 0 {
                return Err(Error::data(format!("key column {name:?} is NULL in some rows"))
                    .context("column", name)
                    .hint("set `primary_key` of the stream to columns that are never NULL"));
            }
        }
        let row = |at: &usize| (self.schema.field(*at).name().as_str(), joined.column(*at));
        let key = Row::of(self.key(joined))?;
        let content = Row::of(self.content.iter().map(row))?;
        let cursor = self.cursor.map(|at| joined.column(at));
        let mark = self.soft_delete.map(|at| joined.column(at));
        let mut bytes = Vec::new();
        let print = |at| {
            key.bytes(at, &mut bytes);
            let key = digests.key(&bytes);
            content.bytes(at, &mut bytes);
            Print {
                key,
                content: digests.content(&bytes),
                cursor: cursor.and_then(|cursor| number(cursor, at)),
                is_deleted: mark.is_some_and(|mark| is_marked(mark, at)),
            }
        };
        Ok((0..joined.num_rows()).map(print).collect())
    }

    /// The rows of a batch of file number `file`, whose first row is number `first` of the file.
    pub(super) fn versions(
        &self,
        batch: &RecordBatch,
        digests: &Digests,
        file: u32,
        first: u32,
    ) -> Result<Vec<Version>> {
        let prints = self.prints(&self.join(batch)?, digests)?;
        let marks: Vec<&ArrayRef> = self.marks.iter().filter_map(|name| batch.column_by_name(name)).collect();
        let version = |(at, print): (usize, Print)| Version {
            key: print.key,
            content: print.content,
            cursor: print.cursor.unwrap_or(i64::MIN),
            place: Place { file, row: first.saturating_add(u32::try_from(at).unwrap_or(u32::MAX)) },
            is_deleted: print.is_deleted || marks.iter().any(|mark| is_marked(mark, at)),
        };
        Ok(prints.into_iter().enumerate().map(version).collect())
    }
}

/// Names of the columns that mark deleted rows.
pub(super) fn deleted_at_columns(target: &Schema) -> Vec<String> {
    let marks = target.fields().iter().filter(|field| is_deleted_at(field));
    marks.map(|field| field.name().clone()).collect()
}

/// A cursor as a number, of types whose values have one.
fn number(column: &dyn Array, row: usize) -> Option<i64> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).into(),
        DataType::Date32 => column.as_primitive::<Date32Type>().value(row).into(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().value(row)
        }
        _ => return None,
    })
}
