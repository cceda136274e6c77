//! JSON schemas as Arrow schemas.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};
use protocol::{Error, Result};

use super::{Map, Value};

/// The column of fields that the schema does not declare: a JSON object, NULL where there are none.
pub const EXTRA: &str = "_extra";

/// The metadata that says of a text column that JSON is in it.
const EXTENSION: (&str, &str) = ("ARROW:extension:name", "arrow.json");
/// Schemas nested deeper are JSON text.
const DEPTH: usize = 16;

/// How JSON becomes columns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Objects and lists become structs and lists of Arrow, as far as the schema says what is in them; else JSON text.
    pub nested: bool,
    /// Fields that the schema does not declare are left out (and counted) instead of kept in [`EXTRA`].
    pub drop_undeclared: bool,
}

/// The Arrow schema for records of a JSON schema. Every column may be NULL: what APIs declare is no promise.
pub fn arrow_schema(schema: &Value, options: Options) -> Result<Schema> {
    let properties = match schema {
        Value::Map(map) => map.get("properties"),
        Value::None => None,
        other => return Err(Error::schema(format!("a JSON schema is {}, not an object", other.kind()))),
    };
    let mut fields = Vec::new();
    for (name, property) in properties.and_then(Value::as_map).into_iter().flat_map(Map::iter) {
        fields.push(field(name, property, options, 0));
    }
    if !options.drop_undeclared && !fields.iter().any(|field: &Field| field.name() == EXTRA) {
        fields.push(json_field(EXTRA));
    }
    Ok(Schema::new(fields))
}

/// Whether JSON text is in a column.
pub(super) fn is_json(field: &Field) -> bool {
    field.metadata().get(EXTENSION.0).is_some_and(|name| name == EXTENSION.1)
}

fn json_field(name: &str) -> Field {
    let metadata = HashMap::from([(EXTENSION.0.to_owned(), EXTENSION.1.to_owned())]);
    Field::new(name, DataType::Utf8, true).with_metadata(metadata)
}

fn field(name: &str, property: &Value, options: Options, depth: usize) -> Field {
    match data_type(property, options, depth) {
        Some(data_type) => Field::new(name, data_type, true),
        None => json_field(name),
    }
}

/// The one type of a property; `None` where only JSON text holds all that it may be.
fn data_type(property: &Value, options: Options, depth: usize) -> Option<DataType> {
    let map = property.as_map().filter(|_| depth < DEPTH)?;
    let named = names(map);
    let text = |key: &str| map.get(key).and_then(Value::as_text).unwrap_or_default();
    let airbyte_type = text("airbyte_type");
    match named.as_slice() {
        [] => alternatives(map, options, depth),
        ["string"] => Some(match (text("format"), airbyte_type) {
            ("date-time" | "", "timestamp_without_timezone") => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            ("date-time", _) | ("", "timestamp_with_timezone") => {
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
            }
            ("date", _) => DataType::Date32,
            // Arrow has no time of day with a zone.
            ("time", airbyte_type) if airbyte_type != "time_with_timezone" => {
                DataType::Time64(TimeUnit::Microsecond)
            }
            ("", "time_without_timezone") => DataType::Time64(TimeUnit::Microsecond),
            (_, "big_integer") => DataType::Decimal128(38, 0),
            _ => DataType::Utf8,
        }),
        ["boolean"] => Some(DataType::Boolean),
        ["integer"] if airbyte_type == "big_integer" => Some(DataType::Decimal128(38, 0)),
        ["integer"] => Some(DataType::Int64),
        ["number"] if airbyte_type == "integer" => Some(DataType::Int64),
        // How many digits it has is not said: text keeps all of them.
        ["number"] if airbyte_type == "big_number" => Some(DataType::Utf8),
        ["number"] | ["integer", "number"] | ["number", "integer"] => Some(DataType::Float64),
        ["object"] if options.nested => {
            let properties = map.get("properties").and_then(Value::as_map).filter(|map| !map.is_empty())?;
            let fields: Vec<Field> =
                properties.iter().map(|(name, property)| field(name, property, options, depth + 1)).collect();
            Some(DataType::Struct(fields.into()))
        }
        ["array"] if options.nested => {
            let items = map.get("items").filter(|items| items.as_map().is_some_and(|map| !map.is_empty()))?;
            Some(DataType::List(Arc::new(field("item", items, options, depth + 1))))
        }
        _ => None,
    }
}

/// The types that a schema names, without `null`.
fn names(map: &Map) -> Vec<&str> {
    let mut names: Vec<&str> = match map.get("type") {
        Some(Value::Text(name)) => vec![name],
        Some(Value::List(items)) => items.iter().filter_map(Value::as_text).collect(),
        _ => Vec::new(),
    };
    names.retain(|name| *name != "null");
    names.dedup();
    if names.is_empty() && map.contains("properties") {
        names.push("object");
    }
    names
}

/// The type of `oneOf` and `anyOf` where all that are not `null` agree.
fn alternatives(map: &Map, options: Options, depth: usize) -> Option<DataType> {
    let several = map.get("oneOf").or_else(|| map.get("anyOf"))?.as_list()?;
    let mut types = several
        .iter()
        .filter(|one| one.get("type").and_then(Value::as_text) != Some("null"))
        .map(|one| data_type(one, options, depth + 1));
    let first = types.next()??;
    types.all(|other| other.as_ref() == Some(&first)).then_some(first)
}
