//! What was written, in numbers that anybody can compute again from the files: a hash per row, summed,
//! so that neither order nor division into files matters, and rows that are there twice count twice.
//!
//! # The hash, version 1
//!
//! `X(seed, bytes)` is XXH3 with 64 bits; all sums but the last are modulo 2^64; `mix` is the finaliser
//! of splitmix64, with its increment. Integers become bytes little-endian.
//!
//! - Column `c` of kind `k` has the seed `X(X(0, c), k)`: names are bound, their order is not.
//! - A value `v` of it has the hash `X(seed, bytes(v))` as the table says. NULL adds nothing: a column
//!   that a file does not have reads as NULL.
//! - A row's hash is `mix(sum of its values' hashes)`; the content of a file is the sum of its rows'
//!   hashes modulo 2^128.
//!
//! | Arrow | kind | bytes |
//! |---|---|---|
//! | Boolean | `boolean` | one, 0 or 1 |
//! | integers | `integer` | 8, as a signed number; beyond it 16 |
//! | Float32, Float64 | `float` | 8, the bits of the value as Float64 |
//! | Decimal128, Decimal256 of scale s | `decimal:s` | 16, the unscaled number; beyond it 32 |
//! | Utf8, `LargeUtf8`, `Utf8View` | `text` | UTF-8 |
//! | Binary and kin, `FixedSizeBinary` | `bytes` | as they are |
//! | Date32 | `date` | 8, days |
//! | Time32, Time64 of unit u | `time:u` | 8 |
//! | Timestamp of unit u | `timestamp:u`, with a zone `timestamp:u:zoned` | 8 |
//! | List and kin | `list` | see below |
//! | Struct | `struct` | see below |
//! | Map | `map` | see below |
//!
//! So a column that is widened (Int32 to Int64) keeps its hash. Nested values have seeds of their own:
//! `X(X(seed, name), k)`, where `name` is that of the field of a struct, `item`, `key` or `value`. A
//! struct is `mix(seed + sum of its fields' hashes)`. A list begins with `mix(seed + its length)` and
//! goes on, item by item, with `mix(h ^ item's hash)`, where a NULL item is 0; a map is the list of its
//! entries in their order, each `mix(seed + key's hash + value's hash)`.

mod column;
mod file;
mod short;
#[cfg(test)]
mod tests;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use protocol::Digest;

use column::Column;
pub(crate) use file::{ColumnSums, FileReceipt};

/// Hashes the rows of batches of one schema. Of a few columns only, it is a hash of these.
#[derive(Debug, Clone)]
pub(crate) struct RowHasher {
    columns: Vec<Hashed>,
    /// Names of those that tidegate adds and the schema has.
    added: Vec<String>,
}

#[derive(Debug, Clone)]
struct Hashed {
    index: usize,
    column: Column,
    is_added: bool,
}

impl RowHasher {
    /// `None` where the schema has a type that the hash does not know. `added` are columns that are not
    /// the source's.
    pub(crate) fn new(schema: &Schema, added: &[String]) -> Option<Self> {
        let columns: Option<Vec<Hashed>> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(index, field)| {
                let column = Column::of(field.name(), field.data_type())?;
                Some(Hashed { index, column, is_added: added.contains(field.name()) })
            })
            .collect();
        let mut columns = columns?;
        // The source's first: their sum is taken before the others are added.
        columns.sort_by_key(|column| column.is_added);
        let is_there = |name: &&String| schema.index_of(name).is_ok();
        Some(Self { columns, added: added.iter().filter(is_there).cloned().collect() })
    }

    /// Adds the hashes of one column's values to those of the rows. `None` where the schema lacks it.
    pub(crate) fn add_column(&self, index: usize, values: &dyn arrow_array::Array, rows: &mut [u64]) {
        if let Some(hashed) = self.columns.iter().find(|hashed| hashed.index == index) {
            hashed.column.add(values, rows);
        }
    }

    /// Whether the column is not the source's.
    pub(crate) fn is_added(&self, index: usize) -> bool {
        self.columns.iter().any(|hashed| hashed.index == index && hashed.is_added)
    }

    /// The hash of each row, of the source's columns alone.
    pub(crate) fn rows(&self, batch: &RecordBatch) -> Vec<u64> {
        let mut rows = vec![0; batch.num_rows()];
        for hashed in self.columns.iter().filter(|hashed| !hashed.is_added) {
            hashed.column.add(batch.column(hashed.index), &mut rows);
        }
        for row in &mut rows {
            *row = mix(*row);
        }
        rows
    }
}

/// The content of rows as receipts have it, all columns taken for the source's; `None` where a type has
/// no hash.
#[must_use]
pub fn content_of(batch: &RecordBatch) -> Option<Digest> {
    let rows = RowHasher::new(batch.schema_ref(), &[])?.rows(batch);
    Some(Digest::new(rows.into_iter().map(u128::from).sum()))
}

/// The finaliser of splitmix64, after its increment.
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The sum over rows, from the sums of their values' hashes.
pub(crate) fn content(rows: &[u64]) -> Digest {
    // A block's sum fits: 2^64 rows do not exist.
    Digest::new(rows.iter().map(|row| u128::from(mix(*row))).sum())
}
