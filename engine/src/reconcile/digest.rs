//! What a row holds, in a few bytes: digests with a key of their own for each run, so that nobody can
//! write rows that are taken for each other.

use std::hash::{BuildHasher, RandomState};

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, ListArray, MapArray, StringArray,
    StructArray,
};
use arrow_schema::DataType;
use protocol::{Error, Result};

use super::image::Key;

/// The keys of one run.
#[derive(Debug, Default)]
pub(super) struct Digests {
    keys: [RandomState; 2],
    content: RandomState,
}

impl Digests {
    /// Digest of a key, as [`Row::bytes`] writes it.
    pub(super) fn key(&self, bytes: &[u8]) -> Key {
        let [high, low] = &self.keys;
        Key(u128::from(high.hash_one(bytes)) << 64 | u128::from(low.hash_one(bytes)))
    }

    /// Digest of other columns.
    pub(super) fn content(&self, bytes: &[u8]) -> u64 {
        self.content.hash_one(bytes)
    }
}

/// Columns whose rows are written as bytes: different rows as different bytes.
pub(super) struct Row<'a>(Vec<Column<'a>>);

impl<'a> Row<'a> {
    /// Fails with [`protocol::ErrorKind::Unsupported`] where a type can't be compared.
    pub(super) fn of(columns: impl IntoIterator<Item = (&'a str, &'a ArrayRef)>) -> Result<Self> {
        let column = |(name, array): (&str, &'a ArrayRef)| {
            Column::of(array.as_ref()).ok_or_else(|| {
                Error::unsupported(format!("column {name:?} of type {} can't be compared", array.data_type()))
                    .context("column", name)
            })
        };
        columns.into_iter().map(column).collect::<Result<_>>().map(Self)
    }

    /// Writes one row into `out`, in place of what is there.
    pub(super) fn bytes(&self, row: usize, out: &mut Vec<u8>) {
        out.clear();
        self.0.iter().for_each(|column| column.write(row, out));
    }
}

/// A column and where its bytes are.
struct Column<'a> {
    array: &'a dyn Array,
    values: Values<'a>,
}

enum Values<'a> {
    Boolean(&'a BooleanArray),
    /// Values of so many bytes each.
    Fixed(&'a [u8], usize),
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    Sized(&'a FixedSizeBinaryArray),
    List(&'a ListArray, Box<Column<'a>>),
    Map(&'a MapArray, Box<Column<'a>>),
    Struct(Vec<Column<'a>>),
}

impl<'a> Column<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        use arrow_array::types as of;
        macro_rules! fixed {
            ($type:ty) => {
                fixed(array.as_primitive::<$type>().values().inner().as_slice(), array.len())
            };
        }
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int16 => fixed!(of::Int16Type),
            DataType::Int32 => fixed!(of::Int32Type),
            DataType::Int64 => fixed!(of::Int64Type),
            DataType::UInt32 => fixed!(of::UInt32Type),
            DataType::Float32 => fixed!(of::Float32Type),
            DataType::Float64 => fixed!(of::Float64Type),
            DataType::Decimal128(..) => fixed!(Decimal128Type),
            DataType::Decimal256(..) => fixed!(Decimal256Type),
            DataType::Date32 => fixed!(of::Date32Type),
            DataType::Time64(arrow_schema::TimeUnit::Microsecond) => fixed!(of::Time64MicrosecondType),
            DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, _) => {
                fixed!(of::TimestampMicrosecondType)
            }
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Binary => Values::Binary(array.as_binary()),
            DataType::FixedSizeBinary(_) => Values::Sized(array.as_fixed_size_binary()),
            DataType::List(_) => {
                let list: &ListArray = array.as_list();
                Values::List(list, Box::new(Self::of(list.values().as_ref())?))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                Values::Map(map, Box::new(Self::of(map.entries())?))
            }
            DataType::Struct(_) => {
                let fields: &StructArray = array.as_struct();
                let columns: Option<_> =
                    fields.columns().iter().map(|field| Self::of(field.as_ref())).collect();
                Values::Struct(columns?)
            }
            _ => return None,
        };
        Some(Self { array, values })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.array.is_null(row) {
            return out.push(0);
        }
        out.push(1);
        match &self.values {
            Values::Boolean(flags) => out.push(u8::from(flags.value(row))),
            Values::Fixed(bytes, width) => out.extend_from_slice(&bytes[row * width..][..*width]),
            Values::Text(texts) => sized(texts.value(row).as_bytes(), out),
            Values::Binary(values) => sized(values.value(row), out),
            Values::Sized(values) => out.extend_from_slice(values.value(row)),
            Values::List(list, items) => items.write_all(list.value_offsets(), row, out),
            Values::Map(map, entries) => entries.write_all(map.value_offsets(), row, out),
            Values::Struct(columns) => columns.iter().for_each(|column| column.write(row, out)),
        }
    }

    /// Writes the items of one row of a list.
    fn write_all(&self, offsets: &[i32], row: usize, out: &mut Vec<u8>) {
        let at = |row: usize| usize::try_from(offsets[row]).expect("offsets are never negative");
        let items = at(row)..at(row + 1);
        out.extend_from_slice(&items.len().to_le_bytes());
        items.for_each(|item| self.write(item, out));
    }
}

/// Bytes with their number before them: where a text ends can't be read from its bytes.
fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&bytes.len().to_le_bytes());
    out.extend_from_slice(bytes);
}

fn fixed(bytes: &[u8], rows: usize) -> Values<'_> {
    Values::Fixed(bytes, bytes.len().checked_div(rows).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{Decimal128Array, Float64Array, Int16Array, Int32Array};
    use arrow_schema::Field;

    use super::*;

    fn bytes(columns: &[ArrayRef]) -> Vec<Vec<u8>> {
        let row = Row::of(columns.iter().map(|column| ("c", column))).unwrap();
        (0..columns[0].len())
            .map(|at| {
                let mut out = vec![9; 3];
                row.bytes(at, &mut out);
                out
            })
            .collect()
    }

    #[test]
    fn different_rows_are_different_bytes() {
        let one: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("ab"), None, Some("")]));
        let two: ArrayRef = Arc::new(StringArray::from(vec![Some("bc"), Some("c"), Some(""), None]));
        let rows = bytes(&[one, two]);
        assert_eq!(rows.iter().collect::<HashSet<_>>().len(), 4);
    }

    #[test]
    fn a_part_of_a_column_is_read_as_the_whole_of_it() {
        let mut lists = ListBuilder::new(Int32Builder::new());
        lists.append_value([Some(1), None]);
        lists.append_null();
        lists.append_value([]);
        lists.append_value([Some(1), None]);
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for row in 0..4 {
            maps.keys().append_value("k");
            maps.values().append_value(row % 3);
            maps.append(true).unwrap();
        }
        let number: ArrayRef = Arc::new(Int16Array::from(vec![Some(1), None, Some(-1), Some(1)]));
        let nested =
            StructArray::from(vec![(Arc::new(Field::new("n", DataType::Int16, true)), number.clone())]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(lists.finish()),
            Arc::new(maps.finish()),
            number,
            Arc::new(nested),
            Arc::new(BooleanArray::from(vec![true, false, true, true])),
            Arc::new(Decimal128Array::from(vec![7, 8, 9, 7])),
            Arc::new(Float64Array::from(vec![0.5, 1.0, f64::NAN, 0.5])),
            Arc::new(BinaryArray::from(vec![b"x".as_slice(), b"", b"y", b"x"])),
        ];
        let whole = bytes(&columns);
        assert_eq!(whole[0], whole[3]);
        assert_eq!(whole.iter().collect::<HashSet<_>>().len(), 3);
        let part: Vec<ArrayRef> = columns.iter().map(|column| column.slice(2, 2)).collect();
        assert_eq!(bytes(&part), whole[2..]);
    }

    #[test]
    fn digests_differ_from_run_to_run() {
        let (one, two) = (Digests::default(), Digests::default());
        assert_eq!(one.key(b"a"), one.key(b"a"));
        assert_ne!(one.key(b"a"), two.key(b"a"));
        assert_ne!(one.content(b"a"), one.content(b"b"));
    }

    #[test]
    fn a_type_that_can_t_be_compared_is_named() {
        let days: ArrayRef = Arc::new(arrow_array::Date64Array::from(vec![0]));
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![0]));
        let error = Row::of([("n", &numbers), ("d", &days)]).err().unwrap();
        assert!(error.message().contains("\"d\""), "{error}");
    }
}
