//! Keys as people read them.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use protocol::{Error, Result};

use super::report::KeyOf;

/// The key of one row, as text.
pub(super) fn shown<'a>(columns: impl Iterator<Item = (&'a str, &'a ArrayRef)>, row: usize) -> Result<KeyOf> {
    columns.map(|(name, column)| Ok((name.to_owned(), text(column.as_ref(), row)?))).collect()
}

fn text(column: &dyn Array, row: usize) -> Result<String> {
    if let DataType::FixedSizeBinary(16) = column.data_type()
        && let Ok(id) = uuid::Uuid::from_slice(column.as_fixed_size_binary().value(row))
    {
        return Ok(id.to_string());
    }
    let failed = |error: arrow_schema::ArrowError| Error::internal("a key can't be shown").with_source(error);
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).map_err(failed)?;
    formatter.value(row).try_to_string().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{FixedSizeBinaryArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn keys_are_shown_as_they_are_written() {
        let id = uuid::Uuid::from_u128(7);
        let ids = FixedSizeBinaryArray::new(16, id.as_bytes().as_slice().to_vec().into(), None);
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(ids)),
            ("number", Arc::new(Int64Array::from(vec![-5]))),
            ("text", Arc::new(StringArray::from(vec!["a b"]))),
        ];
        let key = shown(columns.iter().map(|(name, column)| (*name, column)), 0).unwrap();
        assert_eq!(key["id"], "00000000-0000-0000-0000-000000000007");
        assert_eq!((key["number"].as_str(), key["text"].as_str()), ("-5", "a b"));
    }
}
