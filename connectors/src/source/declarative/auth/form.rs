//! Forms and queries as Python's `requests` writes them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::source::declarative::template::text_of;
use crate::source::declarative::value::{Map, Value};

/// What `quote_plus` leaves as it is, but for the space.
const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');

/// Names and values: a list repeats its name, `None` is left out.
pub(super) fn encode(fields: &Map) -> String {
    let mut out = String::new();
    for (name, value) in fields.iter() {
        match value {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                for item in items {
                    append(&mut out, name, item);
                }
            }
            Value::Map(map) => map.keys().for_each(|key| append(&mut out, name, &Value::from(key))),
            one => append(&mut out, name, one),
        }
    }
    out
}

fn append(out: &mut String, name: &str, value: &Value) {
    if value.is_none() {
        return;
    }
    if !out.is_empty() {
        out.push('&');
    }
    out.push_str(&quote(name));
    out.push('=');
    out.push_str(&quote(&text_of(value)));
}

fn quote(text: &str) -> String {
    utf8_percent_encode(text, &KEPT).to_string().replace(' ', "+")
}
