//! `json.dumps`.

use std::fmt::Write as _;

use super::super::fault::{Fault, Outcome};
use super::super::object::Object;
use super::sequence::sorted_by_keys;
use crate::source::declarative::number;

const DEPTH: usize = 100;

/// How JSON is written.
#[derive(Clone, Copy, Default)]
pub(super) struct Style {
    pub(super) sorted: bool,
    pub(super) indent: Option<usize>,
}

/// The JSON of a value; a `TypeError` where it has none.
pub(super) fn dumps(value: &Object<'_>, style: Style) -> Outcome<String> {
    let mut out = String::new();
    write(value, style, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Object<'_>, style: Style, depth: usize, out: &mut String) -> Outcome<()> {
    if depth > DEPTH {
        return Err(Fault::Limit(format!("a value is nested deeper than {DEPTH} levels")));
    }
    match value {
        Object::None => out.push_str("null"),
        Object::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Object::Int(_) | Object::Big(_) => value.write(out)?,
        Object::Float(number) => out.push_str(&float(*number)),
        Object::Text(text) => quote(out, text),
        Object::Markup(text) => quote(out, text),
        Object::Slice(_) => return Err(unserializable(value)),
        _ if value.is_mapping() => {
            let mut entries = value.entries().unwrap_or_default();
            if style.sorted {
                entries = sorted_by_keys(entries)?;
            }
            let keyed = entries.into_iter().map(|(key, value)| Ok((Some(key_text(&key)?), value)));
            items('{', '}', keyed.collect::<Outcome<Vec<_>>>()?, style, depth, out)?;
        }
        _ if matches!(value.kind(), "list" | "tuple") => {
            let plain = value.items()?.into_iter().map(|item| (None, item)).collect();
            items('[', ']', plain, style, depth, out)?;
        }
        other => return Err(unserializable(other)),
    }
    Ok(())
}

fn unserializable(value: &Object<'_>) -> Fault {
    Fault::kind(format!("Object of type {} is not JSON serializable", value.kind()))
}

fn float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        number::float_text(number)
    }
}

fn key_text(key: &Object<'_>) -> Outcome<String> {
    Ok(match key {
        Object::None => "null".to_owned(),
        Object::Bool(truth) => truth.to_string(),
        Object::Float(number) => float(*number),
        Object::Text(_) | Object::Markup(_) | Object::Int(_) | Object::Big(_) => key.text()?.into_owned(),
        other => {
            return Err(Fault::kind(format!(
                "keys must be str, int, float, bool or None, not {}",
                other.kind()
            )));
        }
    })
}

fn items(
    open: char,
    close: char,
    items: Vec<(Option<String>, Object<'_>)>,
    style: Style,
    depth: usize,
    out: &mut String,
) -> Outcome<()> {
    out.push(open);
    let is_empty = items.is_empty();
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = style.indent {
            out.push('\n');
            out.push_str(&" ".repeat(indent * depth));
        }
    };
    for (place, (key, item)) in items.into_iter().enumerate() {
        if place > 0 {
            out.push_str(if style.indent.is_some() { "," } else { ", " });
        }
        line(out, depth + 1);
        if let Some(key) = key {
            quote(out, &key);
            out.push_str(": ");
        }
        write(&item, style, depth + 1, out)?;
    }
    if !is_empty {
        line(out, depth);
    }
    out.push(close);
    Ok(())
}

/// Text in quotes, in ASCII alone.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}
