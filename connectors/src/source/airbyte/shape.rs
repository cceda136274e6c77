//! Streams of Airbyte as streams of tidegate's: JSON schemas as columns, keys, cursors.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use protocol::{CursorCandidate, Result, Stream, StreamKind};

use crate::json::{self, Value};

/// The stream of that name. `cursor` is the field that the source itself goes by.
pub(crate) fn stream(
    name: &str,
    json_schema: &Value,
    primary_key: &[String],
    cursor: Option<&str>,
    options: json::Options,
) -> Result<Stream> {
    let mut schema =
        json::arrow_schema(json_schema, options).map_err(|error| error.context("stream", name.to_owned()))?;
    if let Some(cursor) = cursor.filter(|cursor| schema.field_with_name(cursor).is_err()) {
        // Schemas often forget what the cursor goes by.
        let mut fields = schema.fields().to_vec();
        fields.push(Arc::new(Field::new(cursor, DataType::Utf8, true)));
        schema = Schema::new(fields);
    }
    // A key within an object is no column.
    let is_column = |column: &String| schema.field_with_name(column).is_ok();
    let primary_key = if primary_key.iter().all(is_column) { primary_key.to_vec() } else { Vec::new() };
    let cursors = cursor.map(|field| CursorCandidate {
        field: field.to_owned(),
        indexed: None,
        note: None,
        mode: Some("source_defined".to_owned()),
    });
    Ok(Stream {
        name: name.to_owned(),
        kind: StreamKind::Endpoint,
        schema: Arc::new(schema),
        primary_key,
        comment: None,
        estimated_rows: None,
        estimated_bytes: None,
        cursors: cursors.into_iter().collect(),
    })
}

/// Where a state stands, for people: the value of its cursor, where it has one.
pub(crate) fn position(state: &serde_json::Value) -> Option<String> {
    let object = state.as_object()?;
    // Streams of many partitions have one for all, too.
    let object = object.get("state").and_then(serde_json::Value::as_object).unwrap_or(object);
    let mut values = object.iter().filter(|(key, _)| !key.starts_with("__ab_"));
    match (values.next(), values.next()) {
        (Some((_, serde_json::Value::String(text))), None) => Some(text.clone()),
        (Some((_, serde_json::Value::Number(number))), None) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_of_one_cursor_has_a_position() {
        for (state, expected) in [
            (json!({ "updated_at": "2024-01-01" }), Some("2024-01-01")),
            (json!({ "id": 7 }), Some("7")),
            (json!({ "states": [], "state": { "at": "x" }, "use_global_cursor": false }), Some("x")),
            (json!({ "__ab_no_cursor_state_message": true }), None),
            (json!({ "a": 1, "b": 2 }), None),
            (json!({}), None),
        ] {
            assert_eq!(position(&state).as_deref(), expected, "{state}");
        }
    }
}
