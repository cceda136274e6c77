//! Batches that are the same in each run.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, ListBuilder, StringBuilder};
use arrow_array::types::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Float64Array, PrimitiveArray, RecordBatch, StringArray,
};

use crate::random::Random;

/// Rows of a batch.
pub const BATCH_ROWS: usize = 8192;

/// Columns of random values.
impl Random {
    fn numbers<T: ArrowPrimitiveType>(&mut self, limit: u32) -> PrimitiveArray<T>
    where
        T::Native: From<u32>,
    {
        PrimitiveArray::from_iter_values((0..BATCH_ROWS).map(|_| T::Native::from(self.below(limit))))
    }

    fn integers(&mut self, limit: u32) -> ArrayRef {
        let numbers = (0..BATCH_ROWS).map(|_| self.below(limit).cast_signed());
        Arc::new(PrimitiveArray::<Int32Type>::from_iter_values(numbers))
    }

    fn days(&mut self) -> ArrayRef {
        let days = (0..BATCH_ROWS).map(|_| 8_000 + self.below(2_500).cast_signed());
        Arc::new(PrimitiveArray::<Date32Type>::from_iter_values(days))
    }

    fn decimals(&mut self, limit: u32, precision: u8, scale: i8) -> ArrayRef {
        let numbers = self.numbers::<Decimal128Type>(limit);
        Arc::new(numbers.with_precision_and_scale(precision, scale).expect("it fits"))
    }

    fn times(&mut self) -> ArrayRef {
        let micros = (0..BATCH_ROWS).map(|_| 1_767_225_600_000_000 + i64::from(self.below(u32::MAX)) * 1_000);
        Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from_iter_values(micros).with_timezone("UTC"))
    }

    fn choices(&mut self, of: &[&str]) -> ArrayRef {
        let limit = u32::try_from(of.len()).expect("a few");
        Arc::new(StringArray::from_iter_values((0..BATCH_ROWS).map(|_| of[self.below(limit) as usize])))
    }

    fn texts(&mut self, length: usize) -> ArrayRef {
        let text = |random: &mut Self| {
            let words =
                ["quick", "ideas", "above", "the", "final", "deposits", "sleep", "furiously", "among"];
            let mut text = String::new();
            while text.len() < length {
                text.push_str(words[random.below(9) as usize]);
                text.push(' ');
            }
            text
        };
        Arc::new(StringArray::from_iter_values((0..BATCH_ROWS).map(|_| text(self))))
    }
}

/// Like TPC-H's widest table.
#[must_use]
pub fn lineitem_batch(random: &mut Random) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(random.numbers::<Int64Type>(6_000_000)),
        Arc::new(random.numbers::<Int64Type>(200_000)),
        Arc::new(random.numbers::<Int64Type>(10_000)),
        random.integers(8),
        random.decimals(5_000, 15, 2),
        random.decimals(10_000_000, 15, 2),
        random.decimals(11, 15, 2),
        random.decimals(9, 15, 2),
        random.choices(&["A", "N", "R"]),
        random.choices(&["F", "O"]),
        random.days(),
        random.days(),
        random.days(),
        random.choices(&["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]),
        random.choices(&["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"]),
        random.texts(27),
    ];
    named(columns)
}

/// Like a table of payments: identifiers, exact amounts, JSON, lists, times, NULLs.
///
/// # Panics
///
/// Never: its values have their types.
#[must_use]
pub fn payments_batch(random: &mut Random) -> RecordBatch {
    let mut keys = FixedSizeBinaryBuilder::new(16);
    let mut labels = ListBuilder::new(StringBuilder::new());
    let mut details = StringBuilder::new();
    for _ in 0..BATCH_ROWS {
        let (high, low) = (random.next().to_be_bytes(), random.next().to_be_bytes());
        keys.append_value([high, low].concat()).expect("it has 16 bytes");
        for _ in 0..random.below(3) {
            labels.values().append_value(["retail", "tier 2", "a \"b\""][random.below(3) as usize]);
        }
        labels.append(true);
        let (risk, order) = (random.below(1000), random.next());
        details
            .append_value(format!("{{\"risk\": {risk}, \"order\": \"o-{order:x}\", \"channel\": \"web\"}}"));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(random.numbers::<Int64Type>(3_000_000)),
        Arc::new(keys.finish()),
        random.integers(5_000),
        random.decimals(100_000_000, 18, 4),
        random.choices(&["EUR", "USD", "GBP", "JPY"]),
        random.choices(&["succeeded", "created", "pending", "failed", "refunded"]),
        random.times(),
        random.times(),
        Arc::new(details.finish()),
        Arc::new(labels.finish()),
        Arc::new((0..BATCH_ROWS).map(|_| Some(random.below(50) == 0)).collect::<BooleanArray>()),
        Arc::new(
            (0..BATCH_ROWS)
                .map(|_| Some(random.below(5)).filter(|n| *n > 0).map(|n| f64::from(n) * 12.5))
                .collect::<Float64Array>(),
        ),
    ];
    named(columns)
}

fn named(columns: Vec<ArrayRef>) -> RecordBatch {
    let named = columns.into_iter().enumerate().map(|(at, column)| (format!("c{at}"), column, true));
    RecordBatch::try_from_iter_with_nullable(named).expect("all have as many rows")
}
