//! Tests of the decoder as a whole: rows, cuts, batches, policies; and the server's own word on values.

mod golden;
mod properties;
mod rows;
mod values;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use protocol::{Result, UnfitPolicy};

use super::Decoder;
use crate::source::postgres::types::{Column, NativeType, TypeKind, arrow_field};

/// A type without modifier.
fn native(oid: u32, name: &str, kind: TypeKind) -> NativeType {
    let (name, display) = (name.to_owned(), name.to_owned());
    NativeType { oid, schema: "pg_catalog".to_owned(), name, display, modifier: -1, kind }
}

fn base(oid: u32, name: &str) -> NativeType {
    native(oid, name, TypeKind::Base)
}

fn array_of(element: NativeType) -> NativeType {
    let name = format!("_{}", element.name);
    native(0, &name, TypeKind::Array(Box::new(element)))
}

fn numeric(precision: i32, scale: i32) -> NativeType {
    let modifier = ((precision << 16) | (scale & 0x7ff)) + 4;
    NativeType { modifier, display: format!("numeric({precision},{scale})"), ..base(1700, "numeric") }
}

/// A nullable column of the type, as it is delivered by default.
fn column(name: &str, native: &NativeType) -> Column {
    Column::new(native, &arrow_field(name, native, true)).unwrap()
}

fn decoder(columns: &[Column], policy: UnfitPolicy, batch_bytes: usize) -> Result<Decoder> {
    let fields: Vec<Field> = columns.iter().map(|column| column.field().clone()).collect();
    Decoder::new(columns, Arc::new(Schema::new(fields)), policy, batch_bytes)
}

/// What the server would send.
struct Wire(Vec<u8>);

impl Wire {
    fn new() -> Self {
        Self(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec())
    }

    fn row(mut self, fields: &[Option<&[u8]>]) -> Self {
        self.0.extend(i16::try_from(fields.len()).unwrap().to_be_bytes());
        for field in fields {
            match field {
                Some(bytes) => {
                    self.0.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
                    self.0.extend(*bytes);
                }
                None => self.0.extend((-1_i32).to_be_bytes()),
            }
        }
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend((-1_i16).to_be_bytes());
        self.0
    }
}

/// Feeds chunk by chunk, as the reader of a COPY does.
fn batches<'a>(
    decoder: &mut Decoder,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for chunk in chunks {
        let mut rest = chunk;
        while !rest.is_empty() {
            let taken = decoder.decode(rest)?;
            assert!(taken == rest.len() || decoder.is_full(), "the decoder stopped without a reason");
            rest = &rest[taken..];
            if decoder.is_full() {
                batches.extend(decoder.take_batch()?);
            }
        }
    }
    batches.extend(decoder.take_batch()?);
    Ok(batches)
}

/// One batch of one column.
fn one(native: &NativeType, values: &[Option<&[u8]>], policy: UnfitPolicy) -> Result<arrow_array::ArrayRef> {
    let columns = [column("c", native)];
    let mut decoder = decoder(&columns, policy, usize::MAX)?;
    let wire = values.iter().fold(Wire::new(), |wire, value| wire.row(&[*value])).end();
    let batches = batches(&mut decoder, [&wire[..]])?;
    assert_eq!(decoder.finish()?, values.len() as u64);
    Ok(Arc::clone(batches[0].column(0)))
}
