//! Bytes of COPY, and what decodes them.

use std::hint::black_box;
use std::sync::Arc;

use arrow_schema::{Field, Schema, SchemaRef};
use connectors::source::postgres::decode::Decoder;
use connectors::source::postgres::types::{Column, NativeType, arrow_field};
use protocol::UnfitPolicy;

use crate::kind::{
    BIGINT, BOOL, BPCHAR, DATE, FLOAT8, INT, JSON, JSONB, Kind, TEXT, TIMESTAMPTZ, TWO_TEXTS, UUID, VARCHAR,
    numeric, texts,
};
use crate::random::Random;
use crate::wire::Wire;

/// As the line is read.
const CHUNK_BYTES: usize = 256 << 10;
/// As the engine asks for by default.
const BATCH_BYTES: usize = 2 << 20;

/// A table as the server sends it.
pub struct Copied {
    columns: Vec<Column>,
    schema: SchemaRef,
    bytes: Vec<u8>,
    rows: usize,
}

impl Copied {
    /// Like TPC-H's widest table.
    #[must_use]
    pub fn lineitem(rows: usize) -> Self {
        let mut columns: Vec<NativeType> = vec![BIGINT.into(), BIGINT.into(), BIGINT.into(), INT.into()];
        columns.extend((0..4).map(|_| numeric(15, 2)));
        columns.extend([BPCHAR, BPCHAR, DATE, DATE, DATE, BPCHAR, BPCHAR, VARCHAR].map(NativeType::from));
        Self::of(&columns, rows, |row, random| {
            for limit in [6_000_000, 200_000, 10_000] {
                row.field(&random.long(limit).to_be_bytes());
            }
            row.field(&7_i32.to_be_bytes());
            row.numeric(random.long(50) * 100, 2);
            row.numeric(random.long(10_000_000), 2);
            row.numeric(random.long(10), 2);
            row.numeric(random.long(8), 2);
            row.field(b"N");
            row.field(b"O");
            for _ in 0..3 {
                row.field(&random.small(9000).to_be_bytes());
            }
            row.field(b"DELIVER IN PERSON        ");
            row.field(b"TRUCK     ");
            row.text(10 + random.small(33));
        })
    }

    /// Like a table of payments: identifiers, exact amounts, JSON, lists, times, NULLs.
    #[must_use]
    pub fn payments(rows: usize) -> Self {
        let mut columns: Vec<NativeType> = vec![BIGINT.into(), UUID.into(), INT.into(), numeric(18, 4)];
        columns.extend([BPCHAR, TEXT, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, JSONB].map(NativeType::from));
        columns.push(texts());
        columns.extend([BOOL, FLOAT8, DATE].map(NativeType::from));
        Self::of(&columns, rows, |row, random| {
            row.field(&random.long(3_000_000).to_be_bytes());
            row.field(&[7; 16]);
            row.field(&3_i32.to_be_bytes());
            row.numeric(random.long(100_000_000), 4);
            row.field(b"USD");
            row.field(b"succeeded");
            row.optional(random.below(10) == 0, b"declined: expired card");
            row.field(b"BNK0042");
            row.field(&random.long(1 << 50).to_be_bytes());
            row.field(&random.long(1 << 50).to_be_bytes());
            row.field(JSON);
            row.field(TWO_TEXTS);
            row.field(&[0]);
            row.field(&1.5_f64.to_be_bytes());
            row.optional(random.below(3) == 0, &[0, 0, 0x24, 0x11]);
        })
    }

    /// Ten columns of one type.
    #[must_use]
    pub fn ten(kind: Kind, rows: usize) -> Self {
        let columns: Vec<NativeType> = (0..10).map(|_| kind.native()).collect();
        Self::of(&columns, rows, |row, random| (0..10).for_each(|_| kind.write(row, random)))
    }

    fn of(natives: &[NativeType], rows: usize, fill: impl Fn(&mut Wire, &mut Random)) -> Self {
        let columns: Vec<Column> = natives
            .iter()
            .enumerate()
            .map(|(number, native)| (native, arrow_field(&format!("c{number}"), native, true)))
            .map(|(native, field)| Column::new(native, &field).expect("a default field can be read"))
            .collect();
        let fields: Vec<Field> = columns.iter().map(|column| column.field().clone()).collect();
        let bytes = Wire::of_rows(rows, columns.len(), fill);
        Self { columns, schema: Arc::new(Schema::new(fields)), bytes, rows }
    }

    /// Bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Decodes all rows into batches and drops them; returns how many there were.
    ///
    /// # Panics
    ///
    /// Where the decoder refuses the bytes, which are sound.
    #[must_use]
    pub fn decode(&self) -> u64 {
        let schema = Arc::clone(&self.schema);
        let mut decoder = Decoder::new(&self.columns, schema, UnfitPolicy::Error, BATCH_BYTES)
            .expect("columns and schema are of each other");
        for mut chunk in self.bytes.chunks(CHUNK_BYTES) {
            while !chunk.is_empty() {
                let taken = decoder.decode(chunk).expect("the bytes are sound");
                chunk = &chunk[taken..];
                if decoder.is_full() {
                    drop(black_box(decoder.take_batch().expect("the bytes are sound")));
                }
            }
        }
        drop(black_box(decoder.take_batch().expect("the bytes are sound")));
        let rows = decoder.finish().expect("the end was there");
        assert_eq!(usize::try_from(rows), Ok(self.rows), "all rows are decoded");
        rows
    }
}
