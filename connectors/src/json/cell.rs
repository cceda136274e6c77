//! One value on its way into a column.

use super::Value;
use super::scan::unescape_into;

/// A value of JSON, borrowed from a page's text or from a value.
#[derive(Clone, Copy)]
pub(super) enum Cell<'c> {
    Null,
    Bool(bool),
    /// A number as it was written.
    Number(&'c str),
    Int(i64),
    Float(f64),
    Text(&'c str),
    /// An object or a list as it was written.
    Nested(&'c str),
    /// Any other value.
    Value(&'c Value),
}

impl<'c> Cell<'c> {
    /// Of text that has been checked. `scratch` takes a text whose escapes are to be replaced; `is_mended` tells that
    /// half of a surrogate pair was, by U+FFFD.
    pub(super) fn of_text(raw: &'c str, scratch: &'c mut String, is_mended: &mut bool) -> Self {
        match raw.as_bytes().first() {
            Some(b'"') => {
                let inner = &raw[1..raw.len() - 1];
                if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                    return Self::Text(inner);
                }
                scratch.clear();
                *is_mended = unescape_into(inner, scratch);
                Self::Text(scratch)
            }
            Some(b'{' | b'[') => Self::Nested(raw),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'N') => Self::Float(f64::NAN),
            Some(b'I') => Self::Float(f64::INFINITY),
            Some(b'-') if raw.len() > 1 && raw.as_bytes()[1] == b'I' => Self::Float(f64::NEG_INFINITY),
            Some(b'-' | b'0'..=b'9') => Self::Number(raw),
            _ => Self::Null,
        }
    }

    pub(super) fn of_value(value: &'c Value) -> Self {
        match value {
            Value::None | Value::Ellipsis => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Int(*number),
            Value::Float(number) => Self::Float(*number),
            Value::Text(text) => Self::Text(text),
            other => Self::Value(other),
        }
    }

    /// What it is, for counts and messages.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) | Self::Int(_) | Self::Float(_) | Self::Value(Value::Big(_)) => "number",
            Self::Text(_) | Self::Value(Value::Bytes(_)) => "text",
            Self::Nested(raw) if raw.starts_with('{') => "object",
            Self::Value(Value::Map(_) | Value::Dict(_)) => "object",
            Self::Nested(_) | Self::Value(_) => "list",
        }
    }

    /// Appends it as JSON.
    pub(super) fn write_json(self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
            Self::Number(raw) => out.push_str(raw),
            Self::Int(number) => Value::Int(number).write_json(out),
            Self::Float(number) => Value::Float(number).write_json(out),
            Self::Text(text) => Value::from(text).write_json(out),
            Self::Nested(raw) => super::records::write_compact(raw, out),
            Self::Value(value) => value.write_json(out),
        }
    }
}
