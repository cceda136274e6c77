//! Values of types that a target's files can't hold, as text: UUIDs with hyphens, times of day, decimals
//! of more digits than the target has, and nested values as JSON.

use std::io::Write as _;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, ListArray, MapArray,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};
use chrono::DateTime;

/// Most digits of a number that readers of JSON keep.
const DECIMAL_DIGITS: u8 = 38;
const EXTENSION: &str = "ARROW:extension:name";

/// Whether `field` is written as text by this module rather than by a cast.
pub(super) fn is_spelled(field: &Field, to: &DataType) -> bool {
    *to == DataType::Utf8
        && (is_uuid(field) || matches!(field.data_type(), DataType::Binary) || is_nested(field.data_type()))
}

fn is_uuid(field: &Field) -> bool {
    *field.data_type() == DataType::FixedSizeBinary(16) && extension(field) == Some("arrow.uuid")
}

fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::Struct(_) | DataType::Map(..))
}

fn extension(field: &Field) -> Option<&str> {
    field.metadata().get(EXTENSION).map(String::as_str)
}

/// A column as text; NULL stays NULL.
pub(super) fn spell(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    let writer = Spelling::new(column.as_ref(), field)?;
    let mut texts = StringBuilder::with_capacity(column.len(), column.len() * 36);
    let mut text = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            texts.append_null();
            continue;
        }
        text.clear();
        match &writer {
            // Not as JSON has it: without quotes.
            Spelling::Uuid(ids) => text.extend_from_slice(hyphenated(ids.value(row), &mut [0; 36])),
            Spelling::Hex(bytes) => hex(bytes.value(row), &mut text),
            nested => nested.write(row, &mut text)?,
        }
        let spelled = std::str::from_utf8(&text)
            .map_err(|error| ArrowError::CastError(format!("not UTF-8: {error}")))?;
        texts.append_value(spelled);
    }
    Ok(Arc::new(texts.finish()))
}

/// How values of one column are written as JSON.
enum Spelling<'a> {
    /// As the formatter has them: whole numbers, decimals, booleans.
    Bare(ArrayFormatter<'a>),
    /// The same in quotes: dates, times, decimals of many digits.
    Quoted(ArrayFormatter<'a>),
    /// In UTC, which the formatter does not know by its name.
    Instant(&'a TimestampMicrosecondArray),
    Single(&'a Float32Array),
    Double(&'a Float64Array),
    Text(&'a StringArray),
    /// Text that is JSON already.
    Json(&'a StringArray),
    Uuid(&'a FixedSizeBinaryArray),
    Hex(&'a BinaryArray),
    List(&'a ListArray, Box<Spelling<'a>>),
    Struct(&'a StructArray, Vec<(Vec<u8>, Spelling<'a>)>),
    Map(&'a MapArray, Box<Spelling<'a>>, Box<Spelling<'a>>),
}

impl<'a> Spelling<'a> {
    fn new(array: &'a dyn Array, field: &Field) -> Result<Self, ArrowError> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_display_error(false);
        Ok(match field.data_type() {
            DataType::Utf8 if extension(field) == Some("arrow.json") => Self::Json(array.as_string()),
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Float32 => Self::Single(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>()),
            DataType::Binary => Self::Hex(array.as_binary()),
            _ if is_uuid(field) => Self::Uuid(array.as_fixed_size_binary()),
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                Self::Instant(array.as_primitive::<TimestampMicrosecondType>())
            }
            DataType::List(item) => {
                let list = array.as_list();
                Self::List(list, Box::new(Self::new(list.values().as_ref(), item)?))
            }
            DataType::Struct(fields) => {
                let group = array.as_struct();
                let members = fields.iter().zip(group.columns()).map(|(member, column)| {
                    let mut name = Vec::new();
                    quote(member.name(), &mut name)?;
                    Ok::<_, ArrowError>((name, Self::new(column.as_ref(), member)?))
                });
                Self::Struct(group, members.collect::<Result<_, _>>()?)
            }
            DataType::Map(entries, _) => {
                let map = array.as_map();
                let DataType::Struct(pair) = entries.data_type() else {
                    return Err(ArrowError::SchemaError("a map has no pairs".to_owned()));
                };
                let keys = Self::new(map.keys().as_ref(), &pair[0])?;
                let values = Self::new(map.values().as_ref(), &pair[1])?;
                Self::Map(map, Box::new(keys), Box::new(values))
            }
            DataType::Decimal128(digits, _) | DataType::Decimal256(digits, _) if *digits > DECIMAL_DIGITS => {
                Self::Quoted(ArrayFormatter::try_new(array, &OPTIONS)?)
            }
            data_type if data_type.is_numeric() || *data_type == DataType::Boolean => {
                Self::Bare(ArrayFormatter::try_new(array, &OPTIONS)?)
            }
            _ => Self::Quoted(ArrayFormatter::try_new(array, &OPTIONS)?),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            // They write nothing for NULL, and no value of theirs is nothing.
            Self::Bare(formatter) | Self::Quoted(formatter) => {
                formatter.value(row).try_to_string().is_ok_and(|text| text.is_empty())
            }
            Self::Instant(array) => array.is_null(row),
            Self::Single(array) => array.is_null(row),
            Self::Double(array) => array.is_null(row),
            Self::Text(array) | Self::Json(array) => array.is_null(row),
            Self::Uuid(array) => array.is_null(row),
            Self::Hex(array) => array.is_null(row),
            Self::List(array, _) => array.is_null(row),
            Self::Struct(array, _) => array.is_null(row),
            Self::Map(array, ..) => array.is_null(row),
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Bare(formatter) => write!(out, "{}", formatter.value(row))?,
            Self::Quoted(formatter) => quote(&formatter.value(row).try_to_string()?, out)?,
            Self::Instant(array) => {
                let at = DateTime::from_timestamp_micros(array.value(row))
                    .ok_or_else(|| ArrowError::CastError("an instant has a year beyond 262142".to_owned()))?;
                write!(out, "\"{}\"", at.format("%Y-%m-%dT%H:%M:%S%.fZ"))?;
            }
            Self::Single(array) => {
                let value = array.value(row);
                number(value.is_finite(), f64::from(value), format_args!("{value:?}"), out)?;
            }
            Self::Double(array) => {
                let value = array.value(row);
                number(value.is_finite(), value, format_args!("{value:?}"), out)?;
            }
            Self::Text(array) => quote(array.value(row), out)?,
            Self::Json(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Self::Uuid(array) => {
                out.push(b'"');
                out.extend_from_slice(hyphenated(array.value(row), &mut [0; 36]));
                out.push(b'"');
            }
            Self::Hex(array) => {
                out.push(b'"');
                hex(array.value(row), out);
                out.push(b'"');
            }
            Self::List(list, item) => {
                let range = ends(list.value_offsets(), row);
                out.push(b'[');
                for (nth, at) in range.enumerate() {
                    comma(nth, out);
                    item.write(at, out)?;
                }
                out.push(b']');
            }
            Self::Struct(_, members) => {
                out.push(b'{');
                for (nth, (name, member)) in members.iter().enumerate() {
                    comma(nth, out);
                    out.extend_from_slice(name);
                    out.push(b':');
                    member.write(row, out)?;
                }
                out.push(b'}');
            }
            Self::Map(map, keys, values) => {
                out.push(b'{');
                for (nth, at) in ends(map.value_offsets(), row).enumerate() {
                    comma(nth, out);
                    keys.write(at, out)?;
                    out.push(b':');
                    values.write(at, out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

fn ends(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    let at = |row: usize| usize::try_from(offsets[row]).expect("offsets are not negative");
    at(row)..at(row + 1)
}

fn comma(nth: usize, out: &mut Vec<u8>) {
    if nth > 0 {
        out.push(b',');
    }
}

fn quote(text: &str, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    serde_json::to_writer(out, text).map_err(|error| ArrowError::ExternalError(Box::new(error)))
}

/// JSON has no word for what is no number.
fn number(
    is_finite: bool,
    value: f64,
    text: std::fmt::Arguments<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ArrowError> {
    match value {
        _ if is_finite => write!(out, "{text}")?,
        _ if value.is_nan() => out.extend_from_slice(b"\"NaN\""),
        _ if value > 0.0 => out.extend_from_slice(b"\"Infinity\""),
        _ => out.extend_from_slice(b"\"-Infinity\""),
    }
    Ok(())
}

fn hyphenated<'a>(bytes: &[u8], buffer: &'a mut [u8; 36]) -> &'a [u8] {
    let id: [u8; 16] = bytes.try_into().expect("the type says 16 bytes");
    uuid::Uuid::from_bytes(id).hyphenated().encode_lower(buffer).as_bytes()
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
mod tests;
