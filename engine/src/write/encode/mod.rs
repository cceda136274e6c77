//! From columns to Parquet: pages of values and of lists of values are made here, those of what is nested
//! further by the library.
//!
//! | module | owns |
//! |---|---|
//! | `chunk` | the pages of a column in a row group, and what the file says of them |
//! | `leaf` | what encodes values, and the dictionary that it may have |
//! | `number`, `physical` | values of a fixed width |
//! | `text`, `bounds` | values of any width, and their least and greatest |
//! | `flag` | values of a bit |
//! | `index` | the numbers of values in a dictionary |
//! | `levels` | which rows are NULL, and where lists begin |
//! | `bits`, `header`, `codec` | how pages are packed, what stands before them, how they are compressed |
//!
//! Pages are of version 1 and use no encoding that is not as old, so that everything reads them.

mod bits;
mod bounds;
mod chunk;
mod codec;
mod flag;
mod header;
mod index;
mod leaf;
mod levels;
mod number;
mod physical;
#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "any value will do"
)]
mod tests;
mod text;

use std::io::{Sink, Write, sink};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::types as arrow;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Type};
use parquet::errors::Result;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;

use bounds::Bounds;
use chunk::Column;
use codec::Codec;
use flag::Flags;
use leaf::Leaf;
use number::Numbers;
use physical::{load, load_sixteen};
use text::Texts;

pub(crate) use leaf::{DICTIONARY_BYTES, PAGE_BYTES};

/// A Parquet file that grows.
pub(crate) struct Encoder<W: Write + Send> {
    file: SerializedFileWriter<W>,
    schema: SchemaRef,
    codec: Codec,
    slots: Vec<Slot>,
    nested: Option<Nested>,
    rows: usize,
}

/// What encodes a column of the schema.
enum Slot {
    Flat(Box<Column>),
    /// The library: one writer for each leaf, made anew for each row group.
    Nested {
        leaves: usize,
        writers: Vec<ArrowColumnWriter>,
    },
}

/// What makes writers of nested columns.
struct Nested {
    factory: ArrowRowGroupWriterFactory,
    groups: usize,
}

impl<W: Write + Send> Encoder<W> {
    /// `compression` is that of the properties.
    pub(crate) fn new(
        out: W,
        schema: SchemaRef,
        properties: WriterProperties,
        compression: Compression,
    ) -> Result<Self> {
        let codec = Codec::new(compression)?;
        let (file, _) =
            ArrowWriter::try_new(out, schema.clone(), Some(properties.clone()))?.into_serialized_writer()?;
        let (mut slots, mut nested) = (Vec::new(), Vec::new());
        for (at, field) in schema.fields().iter().enumerate() {
            let descriptors = file.schema_descr();
            let leaves =
                (0..descriptors.num_columns()).filter(|leaf| descriptors.get_column_root_idx(*leaf) == at);
            let leaves: Vec<ColumnDescPtr> = leaves.map(|leaf| descriptors.column(leaf)).collect();
            if let Some(column) = column_of(field, &leaves) {
                slots.push(Slot::Flat(Box::new(column)));
            } else {
                nested.push(field.clone());
                slots.push(Slot::Nested { leaves: leaves.len(), writers: Vec::new() });
            }
        }
        let nested = Nested::of(Schema::new(nested), properties)?;
        Ok(Self { file, schema, codec, slots, nested, rows: 0 })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.rows == 0
            && let Some(nested) = &mut self.nested
        {
            nested.begin(&mut self.slots)?;
        }
        for ((slot, field), values) in self.slots.iter_mut().zip(self.schema.fields()).zip(batch.columns()) {
            match slot {
                Slot::Flat(column) => column.write(values, &mut self.codec)?,
                Slot::Nested { writers, .. } => {
                    for (leaf, writer) in compute_leaves(field, values)?.iter().zip(writers) {
                        writer.write(leaf)?;
                    }
                }
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }

    /// Ends the row group, if one has begun.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut group = self.file.next_row_group()?;
        for slot in &mut self.slots {
            match slot {
                Slot::Flat(column) => column.end(&mut group, &mut self.codec)?,
                Slot::Nested { writers, .. } => {
                    for writer in writers.drain(..) {
                        writer.close()?.append_to_row_group(&mut group)?;
                    }
                }
            }
        }
        group.close()?;
        Ok(())
    }

    /// Rows of the row group that has begun.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory that the open row group takes.
    pub(crate) fn memory(&self) -> usize {
        let slots = self.slots.iter().map(|slot| match slot {
            Slot::Flat(column) => column.memory(),
            Slot::Nested { writers, .. } => writers.iter().map(ArrowColumnWriter::memory_size).sum(),
        });
        self.codec.memory() + slots.sum::<usize>()
    }

    /// Bytes that the open row group will have, about.
    pub(crate) fn size(&self) -> usize {
        let slots = self.slots.iter().map(|slot| match slot {
            Slot::Flat(column) => column.size(),
            Slot::Nested { writers, .. } => {
                writers.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum()
            }
        });
        slots.sum()
    }

    pub(crate) fn out(&mut self) -> &mut W {
        self.file.inner_mut()
    }

    pub(crate) fn add_metadata(&mut self, pair: KeyValue) {
        self.file.append_key_value_metadata(pair);
    }

    /// Writes the footer.
    pub(crate) fn finish(&mut self) -> Result<ParquetMetaData> {
        self.flush()?;
        self.file.finish()
    }
}

impl Nested {
    /// `None` where the schema has no fields.
    fn of(schema: Schema, properties: WriterProperties) -> Result<Option<Self>> {
        if schema.fields().is_empty() {
            return Ok(None);
        }
        let schema = Arc::new(schema);
        let writer = ArrowWriter::<Sink>::try_new(sink(), schema, Some(properties))?;
        let (_, factory) = writer.into_serialized_writer()?;
        Ok(Some(Self { factory, groups: 0 }))
    }

    fn begin(&mut self, slots: &mut [Slot]) -> Result<()> {
        let mut writers = self.factory.create_column_writers(self.groups)?.into_iter();
        self.groups += 1;
        for slot in slots {
            if let Slot::Nested { leaves, writers: own } = slot {
                own.extend(writers.by_ref().take(*leaves));
            }
        }
        Ok(())
    }
}

/// What encodes a column of values or of lists of them; `None` where the library does.
fn column_of(field: &Field, leaves: &[ColumnDescPtr]) -> Option<Column> {
    let [descriptor] = leaves else { return None };
    let value = match field.data_type() {
        DataType::List(item) => item,
        _ => field,
    };
    let leaf = leaf_of(value, descriptor)?;
    Some(Column::new(descriptor.clone(), leaf, field.is_nullable()))
}

/// What encodes values; `None` where the library does.
fn leaf_of(field: &Field, descriptor: &ColumnDescPtr) -> Option<Box<dyn Leaf>> {
    use DataType as D;
    let width = usize::try_from(descriptor.type_length()).unwrap_or(0);
    Some(match (field.data_type(), descriptor.physical_type()) {
        (D::Boolean, Type::BOOLEAN) => Box::new(Flags::new()),
        (D::Int8, Type::INT32) => Box::new(Numbers::new(4, load::<arrow::Int8Type, i32>)),
        (D::Int16, Type::INT32) => Box::new(Numbers::new(4, load::<arrow::Int16Type, i32>)),
        (D::Int32, Type::INT32) => Box::new(Numbers::new(4, load::<arrow::Int32Type, i32>)),
        (D::Int64, Type::INT64) => Box::new(Numbers::new(8, load::<arrow::Int64Type, i64>)),
        (D::Float32, Type::FLOAT) => Box::new(Numbers::new(4, load::<arrow::Float32Type, f32>)),
        (D::Float64, Type::DOUBLE) => Box::new(Numbers::new(8, load::<arrow::Float64Type, f64>)),
        (D::Date32, Type::INT32) => Box::new(Numbers::new(4, load::<arrow::Date32Type, i32>)),
        (D::Time64(TimeUnit::Microsecond), Type::INT64) => {
            Box::new(Numbers::new(8, load::<arrow::Time64MicrosecondType, i64>))
        }
        (D::Timestamp(TimeUnit::Millisecond, _), Type::INT64) => {
            Box::new(Numbers::new(8, load::<arrow::TimestampMillisecondType, i64>))
        }
        (D::Timestamp(TimeUnit::Microsecond, _), Type::INT64) => {
            Box::new(Numbers::new(8, load::<arrow::TimestampMicrosecondType, i64>))
        }
        (D::Timestamp(TimeUnit::Nanosecond, _), Type::INT64) => {
            Box::new(Numbers::new(8, load::<arrow::TimestampNanosecondType, i64>))
        }
        (D::Decimal128(..), Type::INT32) => Box::new(Numbers::new(4, load::<arrow::Decimal128Type, i32>)),
        (D::Decimal128(..), Type::INT64) => Box::new(Numbers::new(8, load::<arrow::Decimal128Type, i64>)),
        (D::Decimal128(..), Type::FIXED_LEN_BYTE_ARRAY) if width <= 16 => {
            Box::new(Numbers::new(width, load::<arrow::Decimal128Type, physical::Wide>))
        }
        (D::FixedSizeBinary(16), Type::FIXED_LEN_BYTE_ARRAY) => Box::new(Numbers::new(16, load_sixteen)),
        (D::Utf8, Type::BYTE_ARRAY) => Box::new(Texts::<arrow::Utf8Type>::new(bounds_of(field))),
        (D::LargeUtf8, Type::BYTE_ARRAY) => Box::new(Texts::<arrow::LargeUtf8Type>::new(bounds_of(field))),
        (D::Binary, Type::BYTE_ARRAY) => Box::new(Texts::<arrow::BinaryType>::new(bounds_of(field))),
        (D::LargeBinary, Type::BYTE_ARRAY) => {
            Box::new(Texts::<arrow::LargeBinaryType>::new(bounds_of(field)))
        }
        _ => return None,
    })
}

/// JSON has none: nobody asks which document is the least.
fn bounds_of(field: &Field) -> Option<Bounds> {
    let is_json = field.extension_type_name() == Some("arrow.json");
    let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8);
    (!is_json).then(|| Bounds::new(is_text))
}
