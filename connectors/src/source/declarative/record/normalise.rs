//! `schema_normalization: Default`: values as the schema names them, by Python's `str`, `float`, `int` and `bool`.

use protocol::Result;

use super::super::number;
use super::super::template::Object;
use super::super::value::{Map, Value};

/// Schemas nested deeper are left alone.
const DEPTH: usize = 200;

/// Changes the values of a record to what `schema` says.
pub(super) fn normalise(record: &mut Value, schema: &Value) -> Result<()> {
    descend(record, schema, schema, 0)
}

fn descend(value: &mut Value, schema: &Value, root: &Value, depth: usize) -> Result<()> {
    let Some(map) = schema.as_map().filter(|_| depth < DEPTH) else { return Ok(()) };
    // In the order of the schema, as the reference does.
    for (keyword, argument) in map.iter() {
        match (keyword, argument) {
            ("properties", Value::Map(properties)) => object(value, properties, root, depth)?,
            ("items", Value::Map(_)) => {
                let Value::List(items) = &mut *value else { continue };
                for item in items.iter_mut() {
                    convert(item, argument)?;
                }
                for item in items {
                    descend(item, argument, root, depth + 1)?;
                }
            }
            ("$ref", Value::Text(reference)) => {
                if let Some(found) = resolve(root, reference) {
                    descend(value, found, root, depth + 1)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn object(value: &mut Value, properties: &Map, root: &Value, depth: usize) -> Result<()> {
    let Value::Map(record) = value else { return Ok(()) };
    for (name, property) in properties.iter() {
        if let Some(value) = record.get_mut(name) {
            convert(value, property)?;
            descend(value, property, root, depth + 1)?;
        }
    }
    Ok(())
}

/// What `#/a/b` is.
fn resolve<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let path = reference.strip_prefix('#')?;
    path.split('/').skip(1).try_fold(root, |value, key| value.get(&key.replace("~1", "/").replace("~0", "~")))
}

/// One value, where the schema names one type beside null.
fn convert(value: &mut Value, schema: &Value) -> Result<()> {
    let Some(schema) = schema.as_map() else { return Ok(()) };
    let target = match schema.get("type") {
        Some(Value::Text(name)) => {
            if value.is_none() && name.contains("null") {
                return Ok(());
            }
            name.as_str()
        }
        Some(Value::List(names)) => {
            let mut others = names.iter().filter_map(Value::as_text).filter(|name| *name != "null");
            let has_null = names.iter().any(|name| name.as_text() == Some("null"));
            match (others.next(), others.next()) {
                _ if value.is_none() && has_null => return Ok(()),
                (Some(name), None) => name,
                _ => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    let converted = match target {
        "string" if matches!(value, Value::Text(_)) => None,
        "string" => Some(Value::Text(super::text_of(value)?)),
        "number" => float(value),
        "integer" => integer(value),
        "boolean" => boolean(value),
        "array" => wrapped(value, schema),
        _ => None,
    };
    if let Some(converted) = converted {
        *value = converted;
    }
    Ok(())
}

fn float(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(truth) => Some(Value::Float(f64::from(u8::from(*truth)))),
        #[expect(clippy::cast_precision_loss, reason = "as `float` rounds")]
        Value::Int(number) => Some(Value::Float(*number as f64)),
        Value::Big(number) => number::to_float(number).map(Value::Float),
        Value::Text(text) => number::parse_float(text).map(Value::Float),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(truth) => Some(Value::Int(i64::from(*truth))),
        Value::Float(number) if number.is_finite() => number::truncate(*number).map(Value::integer),
        Value::Text(text) => number::parse_int(text, 10).map(Value::integer),
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => None,
        Value::Text(text) => match number::trimmed(&text.to_lowercase()) {
            "y" | "yes" | "t" | "true" | "on" | "1" => Some(Value::Bool(true)),
            "n" | "no" | "f" | "false" | "off" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        other => Some(Value::Bool(Object::from(other).is_true())),
    }
}

/// A single value as a list of it, where the items are simple.
fn wrapped(value: &Value, schema: &Map) -> Option<Value> {
    const SIMPLE: [&str; 5] = ["string", "number", "integer", "boolean", "null"];
    let is_simple = match schema.get("items") {
        None => true,
        Some(Value::Map(items)) => match items.get("type") {
            None => true,
            Some(Value::List(names)) => {
                names.iter().all(|name| name.as_text().is_some_and(|name| SIMPLE.contains(&name)))
            }
            // The reference takes the letters of a single name for types.
            Some(Value::Text(name)) => name.is_empty(),
            Some(_) => false,
        },
        Some(_) => false,
    };
    let is_scalar = !matches!(value, Value::Map(_) | Value::List(_) | Value::Dict(_) | Value::Tuple(_));
    (is_simple && is_scalar).then(|| Value::List(vec![value.clone()]))
}
