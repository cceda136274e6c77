//! Rows of Arrow columns as JSON objects, and Arrow schemas as JSON schemas.

use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::temporal_conversions::{
    date32_to_datetime, time64us_to_time, timestamp_ms_to_datetime, timestamp_ns_to_datetime,
    timestamp_s_to_datetime, timestamp_us_to_datetime,
};
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Number, Value, json};

/// Field metadata that names what a column's texts are.
const EXTENSION: &str = "ARROW:extension:name";

/// A batch whose rows can be written.
pub(crate) struct Rows {
    columns: Vec<Column>,
}

struct Column {
    /// `"name":`
    key: String,
    array: ArrayRef,
    /// Texts that are JSON already.
    is_json: bool,
}

impl Rows {
    pub(crate) fn new(batch: &RecordBatch) -> Self {
        let fields = batch.schema();
        let columns = fields.fields().iter().zip(batch.columns()).map(|(field, array)| Column {
            key: format!("{}:", Value::from(field.name().as_str())),
            array: array.clone(),
            is_json: is_json(field),
        });
        Self { columns: columns.collect() }
    }

    /// Writes a row as an object, without the columns that are null.
    pub(crate) fn write(&self, row: usize, out: &mut String) {
        out.push('{');
        let mut is_first = true;
        for column in self.columns.iter().filter(|column| column.array.is_valid(row)) {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            out.push_str(&column.key);
            if column.is_json {
                write_json(column.array.as_ref(), row, out);
            } else {
                write_value(column.array.as_ref(), row, out);
            }
        }
        out.push('}');
    }
}

fn is_json(field: &Field) -> bool {
    field.metadata().get(EXTENSION).is_some_and(|name| name == "arrow.json")
}

/// A text that holds JSON; one that does not stays text.
fn write_json(array: &dyn Array, row: usize, out: &mut String) {
    let Some(texts) = array.as_string_opt::<i32>() else { return write_value(array, row, out) };
    let text = texts.value(row);
    match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(_) => out.push_str(&text.replace(['\n', '\r'], " ")),
        Err(_) => write_text(text, out),
    }
}

fn write_text(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        out.push_str(&Value::from(text).to_string());
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// What JSON has no number for becomes null.
fn write_number(number: Option<Number>, out: &mut String) {
    match number {
        Some(number) => {
            let _ = write!(out, "{number}");
        }
        None => out.push_str("null"),
    }
}

fn write_quoted(shown: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, "\"{shown}\"");
}

fn write_value(array: &dyn Array, row: usize, out: &mut String) {
    macro_rules! plain {
        ($type:ty) => {{
            let _ = write!(out, "{}", array.as_primitive::<$type>().value(row));
        }};
    }
    if array.is_null(row) {
        return out.push_str("null");
    }
    match array.data_type() {
        DataType::Boolean => {
            let _ = write!(out, "{}", array.as_boolean().value(row));
        }
        DataType::Int8 => plain!(Int8Type),
        DataType::Int16 => plain!(Int16Type),
        DataType::Int32 => plain!(Int32Type),
        DataType::Int64 => plain!(Int64Type),
        DataType::UInt8 => plain!(UInt8Type),
        DataType::UInt16 => plain!(UInt16Type),
        DataType::UInt32 => plain!(UInt32Type),
        DataType::UInt64 => plain!(UInt64Type),
        // Through its own digits: 0.1 is not 0.10000000149011612.
        DataType::Float32 => {
            let number = array.as_primitive::<Float32Type>().value(row);
            write_number(number.to_string().parse().ok(), out);
        }
        DataType::Float64 => {
            write_number(Number::from_f64(array.as_primitive::<Float64Type>().value(row)), out);
        }
        DataType::Decimal128(..) => {
            out.push_str(&array.as_primitive::<Decimal128Type>().value_as_string(row));
        }
        DataType::Decimal256(..) => {
            out.push_str(&array.as_primitive::<Decimal256Type>().value_as_string(row));
        }
        DataType::Utf8 => write_text(array.as_string::<i32>().value(row), out),
        DataType::LargeUtf8 => write_text(array.as_string::<i64>().value(row), out),
        DataType::Utf8View => write_text(array.as_string_view().value(row), out),
        DataType::Binary => write_quoted(BASE64_STANDARD.encode(array.as_binary::<i32>().value(row)), out),
        DataType::LargeBinary => {
            write_quoted(BASE64_STANDARD.encode(array.as_binary::<i64>().value(row)), out);
        }
        DataType::FixedSizeBinary(size) => {
            let octets = array.as_fixed_size_binary().value(row);
            if *size == 16 {
                write_uuid(octets, out);
            } else {
                write_quoted(BASE64_STANDARD.encode(octets), out);
            }
        }
        DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..) => write_time(array, row, out),
        DataType::List(_) => write_list(array.as_list::<i32>().value(row).as_ref(), out),
        DataType::LargeList(_) => write_list(array.as_list::<i64>().value(row).as_ref(), out),
        DataType::Struct(_) => write_struct(array, row, out),
        DataType::Map(..) => write_map(array, row, out),
        _ => out.push_str("null"),
    }
}

fn write_time(array: &dyn Array, row: usize, out: &mut String) {
    let time = match array.data_type() {
        DataType::Date32 => {
            let date = date32_to_datetime(array.as_primitive::<Date32Type>().value(row));
            return match date {
                Some(date) => write_quoted(date.format("%Y-%m-%d"), out),
                None => out.push_str("null"),
            };
        }
        DataType::Time64(_) => {
            let time = time64us_to_time(array.as_primitive::<Time64MicrosecondType>().value(row));
            return match time {
                Some(time) => write_quoted(time.format("%H:%M:%S%.6f"), out),
                // 24:00:00 is a time of PostgreSQL's.
                None => write_quoted("24:00:00.000000", out),
            };
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            timestamp_s_to_datetime(array.as_primitive::<TimestampSecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            timestamp_ms_to_datetime(array.as_primitive::<TimestampMillisecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            timestamp_us_to_datetime(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        _ => timestamp_ns_to_datetime(array.as_primitive::<TimestampNanosecondType>().value(row)),
    };
    let zone = if matches!(array.data_type(), DataType::Timestamp(_, Some(_))) { "Z" } else { "" };
    match time {
        Some(time) => write_quoted(format_args!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.6f")), out),
        None => out.push_str("null"),
    }
}

fn write_uuid(octets: &[u8], out: &mut String) {
    let mut text = String::with_capacity(36);
    for (at, octet) in octets.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{octet:02x}");
    }
    write_quoted(text, out);
}

fn write_list(items: &dyn Array, out: &mut String) {
    out.push('[');
    for at in 0..items.len() {
        if at > 0 {
            out.push(',');
        }
        write_value(items, at, out);
    }
    out.push(']');
}

fn write_struct(array: &dyn Array, row: usize, out: &mut String) {
    let fields = array.as_struct();
    out.push('{');
    for (at, (field, values)) in fields.fields().iter().zip(fields.columns()).enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_text(field.name(), out);
        out.push(':');
        write_value(values.as_ref(), row, out);
    }
    out.push('}');
}

fn write_map(array: &dyn Array, row: usize, out: &mut String) {
    let entries = array.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    out.push('{');
    for at in 0..entries.len() {
        if at > 0 {
            out.push(',');
        }
        match keys.as_string_opt::<i32>() {
            Some(keys) => write_text(keys.value(at), out),
            None => write_quoted(at, out),
        }
        out.push(':');
        write_value(values.as_ref(), at, out);
    }
    out.push('}');
}

/// The JSON schema of records of `schema`.
pub(crate) fn json_schema(schema: &Schema) -> Value {
    let property = |field: &Field| {
        let mut property = if is_json(field) { json!({}) } else { of(field.data_type()) };
        if field.is_nullable()
            && let Some(name @ Value::String(_)) = property.get("type").cloned()
        {
            property["type"] = json!(["null", name]);
        }
        property
    };
    let properties: Map<String, Value> =
        schema.fields().iter().map(|field| (field.name().clone(), property(field))).collect();
    json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": properties })
}

fn of(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => json!({ "type": "boolean" }),
        kind if kind.is_integer() => json!({ "type": "integer" }),
        kind if kind.is_numeric() => json!({ "type": "number" }),
        DataType::Date32 => json!({ "type": "string", "format": "date" }),
        DataType::Time64(_) => {
            json!({ "type": "string", "format": "time", "airbyte_type": "time_without_timezone" })
        }
        DataType::Timestamp(_, zone) => {
            let kind = if zone.is_some() { "timestamp_with_timezone" } else { "timestamp_without_timezone" };
            json!({ "type": "string", "format": "date-time", "airbyte_type": kind })
        }
        DataType::Binary | DataType::LargeBinary => json!({ "type": "string", "contentEncoding": "base64" }),
        DataType::List(item) | DataType::LargeList(item) => {
            json!({ "type": "array", "items": of(item.data_type()) })
        }
        DataType::Struct(fields) => {
            let properties: Map<String, Value> =
                fields.iter().map(|field| (field.name().clone(), of(field.data_type()))).collect();
            json!({ "type": "object", "properties": properties })
        }
        DataType::Map(..) => json!({ "type": "object" }),
        _ => json!({ "type": "string" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow_array::{
        BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array, Int64Array,
        StringArray, TimestampMicrosecondArray,
    };

    fn sample() -> RecordBatch {
        let json: HashMap<_, _> = [(EXTENSION.to_owned(), "arrow.json".to_owned())].into();
        let fields = vec![
            Field::new("id", DataType::Int64, false),
            Field::new("na\"me", DataType::Utf8, true),
            Field::new("ok", DataType::Boolean, true),
            Field::new("price", DataType::Decimal128(10, 2), true),
            Field::new("ratio", DataType::Float64, true),
            Field::new("day", DataType::Date32, true),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true),
            Field::new("doc", DataType::Utf8, true).with_metadata(json),
            Field::new("uid", DataType::FixedSizeBinary(16), true),
        ];
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![i64::MIN, 2])),
            Arc::new(StringArray::from(vec![Some("a\"\n"), None])),
            Arc::new(BooleanArray::from(vec![Some(true), None])),
            Arc::new(Decimal128Array::from(vec![Some(-105), None]).with_precision_and_scale(10, 2).unwrap()),
            Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(0.5)])),
            Arc::new(Date32Array::from(vec![Some(0), None])),
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
            Arc::new(StringArray::from(vec![Some("{\"a\":\n1}"), Some("{broken")])),
            Arc::new(FixedSizeBinaryArray::try_from_iter([[0xab_u8; 16], [0; 16]].iter()).unwrap()),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    #[test]
    fn rows_are_objects_without_nulls() {
        let batch = sample();
        let rows = Rows::new(&batch);
        let written = |row| {
            let mut out = String::new();
            rows.write(row, &mut out);
            out
        };
        assert_eq!(
            written(0),
            r#"{"id":-9223372036854775808,"na\"me":"a\"\n","ok":true,"price":-1.05,"ratio":null,"day":"1970-01-01","at":"1970-01-01T00:00:00.000001Z","doc":{"a": 1},"uid":"abababab-abab-abab-abab-abababababab"}"#
        );
        assert_eq!(
            written(1),
            r#"{"id":2,"ratio":0.5,"doc":"{broken","uid":"00000000-0000-0000-0000-000000000000"}"#
        );
    }

    #[test]
    fn schemas_say_what_rows_hold() {
        let schema = json_schema(&sample().schema());
        let of = |name: &str| schema["properties"][name].clone();
        assert_eq!(of("id"), json!({ "type": "integer" }));
        assert_eq!(of("price"), json!({ "type": ["null", "number"] }));
        assert_eq!(of("doc"), json!({}));
        assert_eq!(
            of("at"),
            json!({ "type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone" })
        );
    }
}
