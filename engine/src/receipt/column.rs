//! The hash of a value, column by column: see the table in the module above.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayAccessor, GenericListArray, OffsetSizeTrait, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};
use twox_hash::XxHash3_64;

use super::{mix, short};

/// How values of one column are hashed.
#[derive(Debug, Clone)]
pub(super) struct Column {
    seed: u64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Boolean,
    Integer,
    Float,
    Decimal,
    Text,
    Bytes,
    /// Days and times, as the number that they are.
    Number,
    List(Box<Column>),
    Struct(Vec<Column>),
    Map(Box<Column>, Box<Column>),
}

fn hash(seed: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

impl Column {
    /// A column of the schema; `None` where the hash does not know its type.
    pub(super) fn of(name: &str, data_type: &DataType) -> Option<Self> {
        Self::within(0, name, data_type)
    }

    fn within(parent: u64, name: &str, data_type: &DataType) -> Option<Self> {
        let seed = hash(hash(parent, name.as_bytes()), kind_name(data_type)?.as_bytes());
        let kind = match data_type {
            DataType::Boolean => Kind::Boolean,
            data_type if data_type.is_integer() => Kind::Integer,
            DataType::Float32 | DataType::Float64 => Kind::Float,
            DataType::Decimal128(..) | DataType::Decimal256(..) => Kind::Decimal,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Kind::Bytes,
            DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..) => {
                Kind::Number
            }
            DataType::List(item) | DataType::LargeList(item) => {
                Kind::List(Box::new(Self::within(seed, "item", item.data_type())?))
            }
            DataType::Struct(fields) => {
                let fields = fields.iter().map(|field| Self::within(seed, field.name(), field.data_type()));
                Kind::Struct(fields.collect::<Option<_>>()?)
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else { return None };
                let part = |at: usize, name| Self::within(seed, name, fields.get(at)?.data_type());
                Kind::Map(Box::new(part(0, "key")?), Box::new(part(1, "value")?))
            }
            _ => return None,
        };
        Some(Self { seed, kind })
    }

    /// Adds the hash of each value to the sum of its row. The array has the type that the column was
    /// made for, or one of the same kind.
    pub(super) fn add(&self, values: &dyn Array, rows: &mut [u64]) {
        let seed = self.seed;
        match &self.kind {
            Kind::Boolean => {
                let known = [hash(seed, &[0]), hash(seed, &[1])];
                each(&values.as_boolean(), rows, |value| known[usize::from(value)]);
            }
            Kind::Integer => integers(seed, values, rows),
            Kind::Float => match values.as_primitive_opt::<Float32Type>() {
                Some(values) => primitive(values, rows, |value| number(seed, widened(value))),
                None => primitive(values.as_primitive::<Float64Type>(), rows, |value| {
                    number(seed, value.to_bits().cast_signed())
                }),
            },
            Kind::Decimal => match values.as_primitive_opt::<Decimal128Type>() {
                Some(values) => primitive(values, rows, |value| short::of_16(seed, value.cast_unsigned())),
                None => {
                    primitive(values.as_primitive::<Decimal256Type>(), rows, |value| match value.to_i128() {
                        Some(small) => short::of_16(seed, small.cast_unsigned()),
                        None => hash(seed, &value.to_le_bytes()),
                    });
                }
            },
            Kind::Text | Kind::Bytes => bytes(seed, values, rows),
            Kind::Number => numbers(seed, values, rows),
            Kind::List(item) => match values.as_list_opt::<i32>() {
                Some(list) => item.lists(seed, list, rows),
                None => item.lists(seed, values.as_list::<i64>(), rows),
            },
            Kind::Struct(fields) => {
                let values = values.as_struct();
                let mut sums = vec![seed; values.len()];
                for (field, column) in fields.iter().zip(values.columns()) {
                    field.add(column, &mut sums);
                }
                indexed(values, rows, |row| mix(sums[row]));
            }
            Kind::Map(key, value) => {
                let map = values.as_map();
                let (first, length) = used(map.offsets());
                let mut sums = vec![seed; length];
                key.add(&map.keys().slice(first, length), &mut sums);
                value.add(&map.values().slice(first, length), &mut sums);
                for sum in &mut sums {
                    *sum = mix(*sum);
                }
                lists(seed, map.offsets(), &sums, map, rows);
            }
        }
    }

    /// Adds the hash of each list of values of this column.
    fn lists<O: OffsetSizeTrait>(&self, seed: u64, list: &GenericListArray<O>, rows: &mut [u64]) {
        let (first, length) = used(list.offsets());
        // NULL stays 0.
        let mut items = vec![0; length];
        self.add(&list.values().slice(first, length), &mut items);
        lists(seed, list.offsets(), &items, list, rows);
    }
}

/// What stands for a type in its seed.
fn kind_name(data_type: &DataType) -> Option<String> {
    let unit = |unit: &TimeUnit| match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    };
    Some(match data_type {
        DataType::Boolean => "boolean".to_owned(),
        data_type if data_type.is_integer() => "integer".to_owned(),
        DataType::Float32 | DataType::Float64 => "float".to_owned(),
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => format!("decimal:{scale}"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "bytes".to_owned()
        }
        DataType::Date32 => "date".to_owned(),
        DataType::Time32(of) | DataType::Time64(of) => format!("time:{}", unit(of)),
        DataType::Timestamp(of, None) => format!("timestamp:{}", unit(of)),
        DataType::Timestamp(of, Some(_)) => format!("timestamp:{}:zoned", unit(of)),
        DataType::List(_) | DataType::LargeList(_) => "list".to_owned(),
        DataType::Struct(_) => "struct".to_owned(),
        DataType::Map(..) => "map".to_owned(),
        _ => return None,
    })
}

#[inline]
fn number(seed: u64, value: i64) -> u64 {
    short::of_8(seed, value.cast_unsigned())
}

/// The bits as Float64. Done by hand for NaN, whose other bits a cast need not keep.
fn widened(value: f32) -> i64 {
    let bits = if value.is_nan() {
        let bits = u64::from(value.to_bits());
        (bits >> 31 << 63) | (0x7ff << 52) | ((bits & 0x7f_ffff) << 29)
    } else {
        f64::from(value).to_bits()
    };
    bits.cast_signed()
}

fn integers(seed: u64, values: &dyn Array, rows: &mut [u64]) {
    fn of<T: ArrowPrimitiveType>(seed: u64, values: &dyn Array, rows: &mut [u64])
    where
        i64: From<T::Native>,
    {
        primitive(values.as_primitive::<T>(), rows, |value| number(seed, i64::from(value)));
    }
    match values.data_type() {
        DataType::Int8 => of::<Int8Type>(seed, values, rows),
        DataType::Int16 => of::<Int16Type>(seed, values, rows),
        DataType::Int32 => of::<Int32Type>(seed, values, rows),
        DataType::UInt8 => of::<UInt8Type>(seed, values, rows),
        DataType::UInt16 => of::<UInt16Type>(seed, values, rows),
        DataType::UInt32 => of::<UInt32Type>(seed, values, rows),
        DataType::UInt64 => {
            primitive(values.as_primitive::<UInt64Type>(), rows, |value| match i64::try_from(value) {
                Ok(small) => number(seed, small),
                Err(_) => hash(seed, &u128::from(value).to_le_bytes()),
            });
        }
        _ => of::<Int64Type>(seed, values, rows),
    }
}

fn numbers(seed: u64, values: &dyn Array, rows: &mut [u64]) {
    use arrow_array::types::{
        Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    };
    let narrow = |value: i32| number(seed, i64::from(value));
    let wide = |value: i64| number(seed, value);
    match values.data_type() {
        DataType::Date32 => primitive(values.as_primitive::<Date32Type>(), rows, narrow),
        DataType::Time32(TimeUnit::Second) => {
            primitive(values.as_primitive::<Time32SecondType>(), rows, narrow);
        }
        DataType::Time32(_) => primitive(values.as_primitive::<Time32MillisecondType>(), rows, narrow),
        DataType::Time64(TimeUnit::Nanosecond) => {
            primitive(values.as_primitive::<Time64NanosecondType>(), rows, wide);
        }
        DataType::Time64(_) => primitive(values.as_primitive::<Time64MicrosecondType>(), rows, wide),
        DataType::Timestamp(TimeUnit::Second, _) => {
            primitive(values.as_primitive::<TimestampSecondType>(), rows, wide);
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive(values.as_primitive::<TimestampMillisecondType>(), rows, wide);
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive(values.as_primitive::<TimestampNanosecondType>(), rows, wide);
        }
        _ => primitive(values.as_primitive::<TimestampMicrosecondType>(), rows, wide),
    }
}

fn bytes(seed: u64, values: &dyn Array, rows: &mut [u64]) {
    let text = |value: &str| short::of(seed, value.as_bytes());
    let raw = |value: &[u8]| short::of(seed, value);
    match values.data_type() {
        DataType::Utf8 => each(&values.as_string::<i32>(), rows, text),
        DataType::LargeUtf8 => each(&values.as_string::<i64>(), rows, text),
        DataType::Utf8View => each(&values.as_string_view(), rows, text),
        DataType::Binary => each(&values.as_binary::<i32>(), rows, raw),
        DataType::LargeBinary => each(&values.as_binary::<i64>(), rows, raw),
        DataType::BinaryView => each(&values.as_binary_view(), rows, raw),
        _ => each(&values.as_fixed_size_binary(), rows, raw),
    }
}

/// Adds `hash` of each value that is not NULL to its row.
fn each<A: ArrayAccessor>(values: &A, rows: &mut [u64], hash: impl Fn(A::Item) -> u64) {
    indexed(values, rows, |row| hash(values.value(row)));
}

/// As [`each`], over the numbers themselves.
fn primitive<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    rows: &mut [u64],
    hash: impl Fn(T::Native) -> u64,
) {
    if values.null_count() > 0 {
        return indexed(values, rows, |row| hash(values.values()[row]));
    }
    for (row, value) in rows.iter_mut().zip(values.values()) {
        *row = row.wrapping_add(hash(*value));
    }
}

/// Adds `hash` of each place that is not NULL to its row.
fn indexed(values: &dyn Array, rows: &mut [u64], hash: impl Fn(usize) -> u64) {
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (at, row) in rows.iter_mut().enumerate().take(values.len()) {
                *row = row.wrapping_add(hash(at));
            }
        }
        Some(nulls) => {
            for at in nulls.valid_indices() {
                rows[at] = rows[at].wrapping_add(hash(at));
            }
        }
    }
}

/// Where the items of a slice of lists begin among all there are, and how many it has.
fn used<O: OffsetSizeTrait>(offsets: &[O]) -> (usize, usize) {
    let first = offsets.first().map_or(0, |offset| offset.as_usize());
    (first, offsets.last().map_or(0, |offset| offset.as_usize()) - first)
}

/// Adds the hash of each list, of which `items` are the hashes of the items in use.
fn lists<O: OffsetSizeTrait>(seed: u64, offsets: &[O], items: &[u64], values: &dyn Array, rows: &mut [u64]) {
    let (first, _) = used(offsets);
    indexed(values, rows, |row| {
        let items = &items[offsets[row].as_usize() - first..offsets[row + 1].as_usize() - first];
        let length = mix(seed.wrapping_add(items.len() as u64));
        items.iter().fold(length, |sum, item| mix(sum ^ item))
    });
}
