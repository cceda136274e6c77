//! Rows as text, to be compared whatever batches they came in.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;

use super::Expected;

/// The rows of a batch: values as Arrow displays them, joined by ` | `, NULL as `∅`, instants in UTC
/// without their zone.
///
/// # Panics
///
/// When a column is of a type that Arrow can't display.
#[must_use]
pub fn render(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("∅");
    let columns: Vec<ArrayRef> = batch.columns().iter().map(without_zone).collect();
    let shown: Vec<_> = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).expect("the type can be displayed"))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> = shown.iter().map(|column| column.value(row).to_string()).collect();
            cells.join(" | ")
        })
        .collect()
}

/// Names of zones can't be displayed without their data base; instants are in UTC in any case.
fn without_zone(column: &ArrayRef) -> ArrayRef {
    let plain = plain_type(column.data_type());
    if plain == *column.data_type() {
        column.clone()
    } else {
        cast(column, &plain).expect("only the zone goes")
    }
}

fn plain_type(data_type: &DataType) -> DataType {
    let plain_field = |field: &arrow_schema::FieldRef| {
        let field = field.as_ref().clone();
        let plain = plain_type(field.data_type());
        std::sync::Arc::new(field.with_data_type(plain))
    };
    match data_type {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, None),
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

pub(super) fn sorted<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Vec<String> {
    let mut rows: Vec<String> = batches.into_iter().flat_map(render).collect();
    rows.sort_unstable();
    rows
}

/// Fails naming rows that are missing or too many, not all of them.
pub(super) fn assert_expected(found: &[String], expected: &Expected, what: &str) {
    match expected {
        Expected::Count(count) => assert_eq!(found.len(), *count, "{what}: number of rows"),
        Expected::Rows(rows) => {
            let mut rows = rows.clone();
            rows.sort_unstable();
            assert_same(found, &rows, what);
        }
    }
}

/// As [`assert_expected`], both sorted.
pub(super) fn assert_same(found: &[String], expected: &[String], what: &str) {
    let (lost, surplus) = (difference(expected, found), difference(found, expected));
    assert!(
        lost.is_empty() && surplus.is_empty(),
        "{what}: {} rows lost, such as {:?}; {} too many or other, such as {:?}",
        lost.len(),
        &lost[..lost.len().min(3)],
        surplus.len(),
        &surplus[..surplus.len().min(3)],
    );
}

/// What `one` has more of than `other`, both sorted.
fn difference<'a>(one: &'a [String], other: &[String]) -> Vec<&'a String> {
    let mut other = other.iter().peekable();
    one.iter()
        .filter(|row| {
            while other.next_if(|candidate| candidate < row).is_some() {}
            other.next_if_eq(row).is_none()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&str]) -> Vec<String> {
        rows.iter().map(|row| (*row).to_owned()).collect()
    }

    #[test]
    fn finds_what_is_lost_and_what_is_doubled() {
        let (one, other) = (rows(&["a", "b", "b", "d"]), rows(&["b", "c", "d", "d"]));
        assert_eq!(difference(&one, &other), [&"a".to_owned(), &"b".to_owned()]);
        assert_eq!(difference(&other, &one), [&"c".to_owned(), &"d".to_owned()]);
    }
}
