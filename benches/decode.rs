//! How fast COPY bytes become Arrow batches, without a server and without a network:
//! `cargo bench --bench decode`. Times are of one thread.

use std::sync::Arc;

use arrow_schema::{Field, Schema};
use connectors::source::postgres::decode::Decoder;
use connectors::source::postgres::types::{Column, NativeType, TypeKind, arrow_field};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use protocol::UnfitPolicy;

/// Enough to leave every cache.
const ROWS: usize = 100_000;
/// As the line is read.
const CHUNK_BYTES: usize = 256 << 10;
/// As the engine asks for by default.
const BATCH_BYTES: usize = 2 << 20;

fn main() {
    divan::main();
}

#[divan::bench]
fn lineitem(bencher: Bencher) {
    let mut columns: Vec<NativeType> = vec![BIGINT.into(), BIGINT.into(), BIGINT.into(), INT.into()];
    columns.extend((0..4).map(|_| numeric(15, 2)));
    columns.extend([BPCHAR, BPCHAR, DATE, DATE, DATE, BPCHAR, BPCHAR, VARCHAR].map(NativeType::from));
    run(bencher, &columns, |row, random| {
        for limit in [6_000_000, 200_000, 10_000] {
            row.field(&random.below(limit).to_be_bytes());
        }
        row.field(&7_i32.to_be_bytes());
        row.numeric(random.below(50) * 100, 2);
        row.numeric(random.below(10_000_000), 2);
        row.numeric(random.below(10), 2);
        row.numeric(random.below(8), 2);
        row.field(b"N");
        row.field(b"O");
        for _ in 0..3 {
            row.field(&random.small(9000).to_be_bytes());
        }
        row.field(b"DELIVER IN PERSON        ");
        row.field(b"TRUCK     ");
        row.text(10 + random.small(33));
    });
}

#[divan::bench]
fn payments(bencher: Bencher) {
    let texts = NativeType { kind: TypeKind::Array(Box::new(TEXT.into())), ..Named("_text", 1009).into() };
    let mut columns: Vec<NativeType> = vec![BIGINT.into(), UUID.into(), INT.into(), numeric(18, 4)];
    columns.extend([BPCHAR, TEXT, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ, JSONB].map(NativeType::from));
    columns.push(texts);
    columns.extend([BOOL, FLOAT8, DATE].map(NativeType::from));
    run(bencher, &columns, |row, random| {
        row.field(&random.below(3_000_000).to_be_bytes());
        row.field(&[7; 16]);
        row.field(&3_i32.to_be_bytes());
        row.numeric(random.below(100_000_000), 4);
        row.field(b"USD");
        row.field(b"succeeded");
        row.optional(random.below(10) == 0, b"declined: expired card");
        row.field(b"BNK0042");
        row.field(&random.below(1 << 50).to_be_bytes());
        row.field(&random.below(1 << 50).to_be_bytes());
        row.field(JSON);
        row.field(b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x02\0\0\0\x01\0\0\0\x06retail\0\0\0\x06tier 1");
        row.field(&[0]);
        row.field(&1.5_f64.to_be_bytes());
        row.optional(random.below(3) == 0, &[0, 0, 0x24, 0x11]);
    });
}

#[divan::bench]
fn ten_bigints(bencher: Bencher) {
    run(bencher, &[(); 10].map(|()| BIGINT.into()), |row, random| {
        for _ in 0..10 {
            row.field(&random.below(1 << 40).to_be_bytes());
        }
    });
}

#[divan::bench(args = [2, 30])]
fn ten_numerics(bencher: Bencher, scale: i32) {
    run(bencher, &[(); 10].map(|()| numeric(38, scale)), |row, random| {
        for _ in 0..10 {
            row.numeric(random.below(1 << 40), usize::try_from(scale).expect("scales are small"));
        }
    });
}

#[divan::bench]
fn ten_unbounded_numerics(bencher: Bencher) {
    run(bencher, &[(); 10].map(|()| NUMERIC.into()), |row, random| {
        for _ in 0..10 {
            row.numeric(random.below(1 << 40), 4);
        }
    });
}

#[divan::bench]
fn ten_texts(bencher: Bencher) {
    run(bencher, &[(); 10].map(|()| TEXT.into()), |row, random| {
        for _ in 0..10 {
            row.text(random.small(20));
        }
    });
}

/// Decodes `ROWS` rows that `fill` writes, over and over.
fn run(bencher: Bencher, natives: &[NativeType], fill: impl Fn(&mut Wire, &mut Random)) {
    let columns: Vec<Column> = natives
        .iter()
        .enumerate()
        .map(|(number, native)| (native, arrow_field(&format!("c{number}"), native, true)))
        .map(|(native, field)| Column::new(native, &field).expect("a default field can be read"))
        .collect();
    let schema =
        Arc::new(Schema::new(columns.iter().map(|column| column.field().clone()).collect::<Vec<Field>>()));
    let wire = Wire::of_rows(columns.len(), fill);
    bencher.counter(ItemsCount::new(ROWS)).counter(BytesCount::new(wire.len())).bench(|| {
        let mut decoder = Decoder::new(&columns, Arc::clone(&schema), UnfitPolicy::Error, BATCH_BYTES)
            .expect("columns and schema are of each other");
        for mut chunk in wire.chunks(CHUNK_BYTES) {
            while !chunk.is_empty() {
                let taken = decoder.decode(chunk).expect("the bytes are sound");
                chunk = &chunk[taken..];
                if decoder.is_full() {
                    divan::black_box_drop(decoder.take_batch().expect("the bytes are sound"));
                }
            }
        }
        divan::black_box_drop(decoder.take_batch().expect("the bytes are sound"));
        decoder.finish().expect("the end was there")
    });
}

/// What the server would send.
struct Wire(Vec<u8>);

impl Wire {
    fn of_rows(columns: usize, fill: impl Fn(&mut Self, &mut Random)) -> Vec<u8> {
        let mut wire = Self(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec());
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for _ in 0..ROWS {
            wire.short(columns);
            fill(&mut wire, &mut random);
        }
        wire.0.extend((-1_i16).to_be_bytes());
        wire.0
    }

    fn short(&mut self, number: usize) {
        self.0.extend(u16::try_from(number).expect("there are few").to_be_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.extend(u32::try_from(bytes.len()).expect("values are short").to_be_bytes());
        self.0.extend(bytes);
    }

    fn optional(&mut self, is_there: bool, bytes: &[u8]) {
        if is_there { self.field(bytes) } else { self.0.extend((-1_i32).to_be_bytes()) }
    }

    fn text(&mut self, length: i32) {
        let length = usize::try_from(length).expect("lengths are not negative");
        self.field(&b"egular courts above the furiously final dependencies"[..length]);
    }

    /// `units * 10^-scale` as the server sends it.
    fn numeric(&mut self, units: i64, scale: usize) {
        let fraction = scale.div_ceil(4);
        let text = format!("{units}{}", "0".repeat(fraction * 4 - scale));
        let text = format!("{text:0>width$}", width = text.len().div_ceil(4).max(fraction) * 4);
        let digits: Vec<&[u8]> = text.as_bytes().chunks(4).collect();
        let zeros = digits.iter().take_while(|digit| **digit == b"0000").count();
        let end = digits.iter().rposition(|digit| *digit != b"0000").map_or(zeros, |last| last + 1);
        self.0.extend(u32::try_from(8 + 2 * (end - zeros)).expect("it is short").to_be_bytes());
        self.short(end - zeros);
        let weight = i16::try_from(digits.len() - zeros).expect("it is short")
            - i16::try_from(fraction).expect("it is short");
        self.0.extend((weight - 1).to_be_bytes());
        self.short(0);
        self.short(scale);
        for digit in &digits[zeros..end] {
            self.short(digit.iter().fold(0, |sum, byte| sum * 10 + usize::from(byte - b'0')));
        }
    }
}

const JSON: &[u8] = b"\x01{\"ip\": \"10.1.2.3\", \"3ds\": true, \"risk\": 12.34, \"order\": \"ord_0123456789abcdef01\", \
    \"address\": {\"zip\": \"01234\", \"city\": \"Jakarta\"}, \"session\": \"d41d8cd98f00b204e9800998ecf8427e\"}";

/// Numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 1).cast_signed() % limit
    }

    fn small(&mut self, limit: i32) -> i32 {
        i32::try_from(self.below(limit.into())).expect("it is below the limit")
    }
}

/// A type of `pg_catalog` without modifier.
#[derive(Clone, Copy)]
struct Named(&'static str, u32);

const BOOL: Named = Named("bool", 16);
const BIGINT: Named = Named("int8", 20);
const INT: Named = Named("int4", 23);
const TEXT: Named = Named("text", 25);
const FLOAT8: Named = Named("float8", 701);
const BPCHAR: Named = Named("bpchar", 1042);
const VARCHAR: Named = Named("varchar", 1043);
const DATE: Named = Named("date", 1082);
const TIMESTAMPTZ: Named = Named("timestamptz", 1184);
const NUMERIC: Named = Named("numeric", 1700);
const UUID: Named = Named("uuid", 2950);
const JSONB: Named = Named("jsonb", 3802);

impl From<Named> for NativeType {
    fn from(Named(name, oid): Named) -> Self {
        let (schema, name, display) = ("pg_catalog".to_owned(), name.to_owned(), name.to_owned());
        Self { oid, schema, name, display, modifier: -1, kind: TypeKind::Base }
    }
}

fn numeric(precision: i32, scale: i32) -> NativeType {
    NativeType { modifier: (precision << 16 | scale) + 4, ..NUMERIC.into() }
}
