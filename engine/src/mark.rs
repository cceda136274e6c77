//! Which rows a column calls deleted: those in which it is true, or a time that is not NULL.

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

/// Whether `column` calls `row` deleted.
pub(crate) fn is_marked(column: &dyn Array, row: usize) -> bool {
    column.is_valid(row)
        && match column.data_type() {
            DataType::Boolean => column.as_boolean().value(row),
            _ => true,
        }
}

/// How many rows `column` calls deleted. A column that is not there is the conform's to refuse.
pub(crate) fn count(batch: &RecordBatch, column: &str) -> u64 {
    let Some(column) = batch.column_by_name(column) else { return 0 };
    let marked = match column.data_type() {
        DataType::Boolean => column.as_boolean().true_count(),
        _ => column.len() - column.null_count(),
    };
    marked as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BooleanArray, Date32Array};

    use super::*;

    #[test]
    fn true_and_times_mark_and_null_and_false_do_not() {
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), None, None]));
        let marks = |column: &ArrayRef| (0..3).map(|row| is_marked(column, row)).collect::<Vec<_>>();
        assert_eq!((marks(&flags), marks(&dates)), (vec![true, false, false], vec![true, false, false]));
        let batch = RecordBatch::try_from_iter([("flag", flags), ("date", dates)]).unwrap();
        assert_eq!((count(&batch, "flag"), count(&batch, "date"), count(&batch, "gone")), (1, 1, 0));
    }
}
