//! The types of fixed width that files know, and how Arrow's become them.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrowPrimitiveType, FixedSizeBinaryArray};
use parquet::data_type::FixedLenByteArray;
use parquet::file::statistics::Statistics;

use super::index::Key;

/// A value as files have it.
pub(super) trait Physical: Copy + Default + Send + 'static {
    type Key: Key;

    fn key(self) -> Self::Key;
    fn of(key: Self::Key) -> Self;

    /// Appends values of `width` bytes each.
    fn put(values: &[Self], width: usize, out: &mut Vec<u8>);

    /// The least and the greatest, of `bounds` too.
    fn widen(bounds: Option<(Self, Self)>, values: &[Self]) -> Option<(Self, Self)>;

    fn statistics(bounds: Option<(Self, Self)>, width: usize, nulls: u64) -> Statistics;
}

/// A decimal of more than 18 digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide(i128);

/// 16 bytes that are not a number, a UUID for one: the first is the most significant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sixteen(u128);

fn put_each<P: Copy, const N: usize>(values: &[P], out: &mut Vec<u8>, bytes: impl Fn(P) -> [u8; N]) {
    let start = out.len();
    out.resize(start + values.len() * N, 0);
    let (places, _) = out[start..].as_chunks_mut::<N>();
    for (place, value) in places.iter_mut().zip(values) {
        *place = bytes(*value);
    }
}

fn widen<P: Copy + Ord>(bounds: Option<(P, P)>, values: &[P]) -> Option<(P, P)> {
    let first = bounds.or_else(|| values.first().map(|first| (*first, *first)))?;
    Some(values.iter().fold(first, |(min, max), value| (min.min(*value), max.max(*value))))
}

macro_rules! integer {
    ($of:ty, $unsigned:ty, $statistics:ident) => {
        impl Physical for $of {
            type Key = u64;

            fn key(self) -> u64 {
                u64::from(self.cast_unsigned())
            }

            #[expect(clippy::allow_attributes, reason = "of one of the two types")]
            #[allow(clippy::cast_possible_truncation, reason = "it was made of so many bits")]
            fn of(key: u64) -> Self {
                (key as $unsigned).cast_signed()
            }

            fn put(values: &[Self], _: usize, out: &mut Vec<u8>) {
                put_each(values, out, Self::to_le_bytes);
            }

            fn widen(bounds: Option<(Self, Self)>, values: &[Self]) -> Option<(Self, Self)> {
                widen(bounds, values)
            }

            fn statistics(bounds: Option<(Self, Self)>, _: usize, nulls: u64) -> Statistics {
                let (min, max) = bounds.unzip();
                Statistics::$statistics(min, max, None, Some(nulls), false)
            }
        }
    };
}
integer!(i32, u32, int32);
integer!(i64, u64, int64);

macro_rules! float {
    ($of:ty, $bits:ty, $statistics:ident) => {
        impl Physical for $of {
            type Key = u64;

            fn key(self) -> u64 {
                u64::from(self.to_bits())
            }

            #[expect(clippy::allow_attributes, reason = "of one of the two types")]
            #[allow(clippy::cast_possible_truncation, reason = "it was made of so many bits")]
            fn of(key: u64) -> Self {
                Self::from_bits(key as $bits)
            }

            fn put(values: &[Self], _: usize, out: &mut Vec<u8>) {
                put_each(values, out, Self::to_le_bytes);
            }

            /// NaN has no place among numbers that readers agree on: where there is one, there are no bounds.
            fn widen(bounds: Option<(Self, Self)>, values: &[Self]) -> Option<(Self, Self)> {
                let first = bounds.or_else(|| values.first().map(|first| (*first, *first)))?;
                let (mut min, mut max) = first;
                let mut is_any_nan = min.is_nan();
                for value in values {
                    is_any_nan |= value.is_nan();
                    min = if *value < min { *value } else { min };
                    max = if *value > max { *value } else { max };
                }
                Some(if is_any_nan { (Self::NAN, Self::NAN) } else { (min, max) })
            }

            fn statistics(bounds: Option<(Self, Self)>, _: usize, nulls: u64) -> Statistics {
                let bounds = bounds.filter(|(min, _)| !min.is_nan());
                // Either zero may stand for both.
                let (min, max) = bounds
                    .map(|(min, max)| {
                        (if min == 0.0 { -0.0 } else { min }, if max == 0.0 { 0.0 } else { max })
                    })
                    .unzip();
                Statistics::$statistics(min, max, None, Some(nulls), false)
            }
        }
    };
}
float!(f32, u32, float);
float!(f64, u64, double);

impl Physical for Wide {
    type Key = u128;

    fn key(self) -> u128 {
        self.0.cast_unsigned()
    }

    fn of(key: u128) -> Self {
        Self(key.cast_signed())
    }

    fn put(values: &[Self], width: usize, out: &mut Vec<u8>) {
        for value in values {
            out.extend_from_slice(&value.0.to_be_bytes()[16 - width..]);
        }
    }

    fn widen(bounds: Option<(Self, Self)>, values: &[Self]) -> Option<(Self, Self)> {
        widen(bounds, values)
    }

    fn statistics(bounds: Option<(Self, Self)>, width: usize, nulls: u64) -> Statistics {
        let bytes = |value: Self| FixedLenByteArray::from(value.0.to_be_bytes()[16 - width..].to_vec());
        let (min, max) = bounds.map(|(min, max)| (bytes(min), bytes(max))).unzip();
        Statistics::fixed_len_byte_array(min, max, None, Some(nulls), false)
    }
}

impl Physical for Sixteen {
    type Key = u128;

    fn key(self) -> u128 {
        self.0
    }

    fn of(key: u128) -> Self {
        Self(key)
    }

    fn put(values: &[Self], _: usize, out: &mut Vec<u8>) {
        put_each(values, out, |value| value.0.to_be_bytes());
    }

    fn widen(bounds: Option<(Self, Self)>, values: &[Self]) -> Option<(Self, Self)> {
        widen(bounds, values)
    }

    fn statistics(bounds: Option<(Self, Self)>, _: usize, nulls: u64) -> Statistics {
        let bytes = |value: Self| FixedLenByteArray::from(value.0.to_be_bytes().to_vec());
        let (min, max) = bounds.map(|(min, max)| (bytes(min), bytes(max))).unzip();
        Statistics::fixed_len_byte_array(min, max, None, Some(nulls), false)
    }
}

/// What an Arrow value is in a file.
pub(super) trait Stored<P> {
    fn stored(self) -> P;
}

macro_rules! stored {
    ($($from:ty => $to:ty: $how:expr;)*) => {
        $(impl Stored<$to> for $from {
            #[inline]
            fn stored(self) -> $to {
                $how(self)
            }
        })*
    };
}
stored! {
    i8 => i32: i32::from;
    i16 => i32: i32::from;
    i32 => i32: i32::from;
    i64 => i64: i64::from;
    f32 => f32: f32::from;
    f64 => f64: f64::from;
    i128 => i32: low_32;
    i128 => i64: low_64;
    i128 => Wide: Wide;
}

#[expect(clippy::cast_possible_truncation, reason = "a decimal of up to 9 digits")]
fn low_32(value: i128) -> i32 {
    value as i32
}

#[expect(clippy::cast_possible_truncation, reason = "a decimal of up to 18 digits")]
fn low_64(value: i128) -> i64 {
    value as i64
}

/// Takes what is not NULL of some rows of an array of `T`.
pub(super) fn load<T, P>(values: &dyn Array, rows: Range<usize>, out: &mut Vec<P>)
where
    T: ArrowPrimitiveType,
    T::Native: Stored<P>,
    P: Physical,
{
    let array = values.as_primitive::<T>();
    take(values, rows.clone(), out, array.values()[rows].iter().map(|value| value.stored()));
}

/// The same of an array of values of 16 bytes.
pub(super) fn load_sixteen(values: &dyn Array, rows: Range<usize>, out: &mut Vec<Sixteen>) {
    let array: &FixedSizeBinaryArray = values.as_fixed_size_binary();
    let (all, _) = array.value_data().as_chunks::<16>();
    take(values, rows.clone(), out, all[rows].iter().map(|bytes| Sixteen(u128::from_be_bytes(*bytes))));
}

/// Takes those of `stored`, which are the values of `rows`, that are not NULL.
fn take<P: Physical>(
    values: &dyn Array,
    rows: Range<usize>,
    out: &mut Vec<P>,
    stored: impl ExactSizeIterator<Item = P>,
) {
    out.clear();
    let Some(nulls) = values.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return out.extend(stored);
    };
    // Each is put where the next one belongs, which overwrites it if it is NULL.
    out.resize(rows.len() + 1, P::default());
    let mut taken = 0;
    for (row, value) in rows.zip(stored) {
        out[taken] = value;
        taken += usize::from(nulls.is_valid(row));
    }
    out.truncate(taken);
}
