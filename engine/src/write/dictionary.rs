//! Which columns of a file get a dictionary: those whose values come again.
//!
//! The encoder gives a dictionary up once it is full, and has then looked up each value in a table that
//! grew all the time. It does so anew in each row group.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use parquet::schema::types::ColumnPath;

use crate::receipt::RowHasher;

/// A dictionary that grows beyond is given up. Large ones are looked up outside of the processor's
/// nearest caches, and make files larger than compressed values do.
pub(super) const BYTES: usize = 128 << 10;

/// Values that are looked at.
const SAMPLE: usize = 4096;
/// Fewer tell nothing.
const LEAST: usize = 1024;

/// The columns without a hope: nine of ten values are seen once. So many different ones of 8 bytes fill a
/// dictionary. Of nested columns nothing is known.
pub(super) fn hopeless(hasher: &RowHasher, first: &RecordBatch) -> Vec<ColumnPath> {
    let rows = first.num_rows().min(SAMPLE);
    if rows < LEAST {
        return Vec::new();
    }
    let mut marks = vec![0; rows];
    let mut paths = Vec::new();
    for (index, field) in first.schema_ref().fields().iter().enumerate() {
        if field.data_type().is_nested() {
            continue;
        }
        let values = first.column(index).slice(0, rows);
        marks.fill(0);
        hasher.add_column(index, &values, &mut marks);
        let different = marks.iter().collect::<HashSet<_>>().len();
        // All NULLs count as one value.
        if different * 10 > (rows - values.null_count()) * 9 && values.null_count() * 2 < rows {
            paths.push(ColumnPath::new(vec![field.name().clone()]));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn names(batch: &RecordBatch) -> Vec<String> {
        let hasher = RowHasher::new(batch.schema_ref(), &[]).unwrap();
        hopeless(&hasher, batch).iter().map(|path| path.parts().join("|")).collect()
    }

    fn batch(rows: i64) -> RecordBatch {
        let numbers = |number: fn(i64) -> Option<i64>| -> ArrayRef {
            Arc::new((0..rows).map(number).collect::<Int64Array>())
        };
        let texts: StringArray = (0..rows).map(|row| Some(format!("text {row}"))).collect();
        let columns = [
            ("key", numbers(Some)),
            ("kind", numbers(|row| Some(row % 7))),
            ("each twice", numbers(|row| Some(row / 2))),
            ("mostly NULL", numbers(|row| (row % 3 == 0).then_some(row))),
            ("some NULL", numbers(|row| (row % 3 > 0).then_some(row))),
            ("a.text", Arc::new(texts) as ArrayRef),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn values_that_come_once_get_no_dictionary() {
        assert_eq!(names(&batch(3000)), ["key", "some NULL", "a.text"]);
    }

    #[test]
    fn a_few_rows_tell_nothing() {
        assert!(names(&batch(100)).is_empty());
    }
}
