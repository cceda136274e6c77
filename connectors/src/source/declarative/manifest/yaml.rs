//! YAML by the rules of version 1.1, as the reference's parser has them: `yes` and `on` are true, `010` is eight,
//! `12:30` is a number, `<<` merges, the last of equal keys counts. Dates stay text.

use std::collections::HashMap;

use num_bigint::BigInt;
use protocol::{Error, Result};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{DEPTH, MOST_VALUES};
use crate::source::declarative::number;
use crate::source::declarative::value::{Map, Value};

/// A list or an object whose end has not been seen.
struct Open {
    anchor: usize,
    items: Vec<Value>,
    map: Option<Map>,
    key: Option<Key>,
    /// What `<<` brought in: it comes first and counts less.
    merged: Map,
}

enum Key {
    Text(String),
    Merge,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
    root: Option<Value>,
    documents: usize,
}

/// Reads the one document of `text`.
pub(super) fn parse(text: &str) -> Result<Value> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, marks) = event.map_err(|error| {
            let (line, column) = (error.marker().line().max(1), error.marker().col() + 1);
            Error::config(format!("the manifest is not YAML: {}", error.info()))
                .context("place", format!("line {line}, column {column}"))
        })?;
        builder.take(event).map_err(|what| {
            let (line, column) = (marks.start.line().max(1), marks.start.col() + 1);
            Error::config(what).context("place", format!("line {line}, column {column}"))
        })?;
    }
    Ok(builder.root.unwrap_or_default())
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err("a second document begins here: only one is allowed".to_owned());
                }
                Ok(())
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, None),
            Event::MappingStart(anchor, _) => self.begin(anchor, Some(Map::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref()),
            Event::Alias(anchor) => {
                let Some((value, values)) = self.anchors.get(&anchor).cloned() else {
                    return Err("this alias stands for a value that it is a part of".to_owned());
                };
                self.count(values)?;
                self.place(value, 0, values)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn count(&mut self, values: usize) -> Result<(), String> {
        self.values += values;
        if self.values > MOST_VALUES {
            return Err(format!("the manifest has more than {MOST_VALUES} values, aliases counted in full"));
        }
        Ok(())
    }

    fn begin(&mut self, anchor: usize, map: Option<Map>) -> Result<(), String> {
        self.count(1)?;
        if self.open.len() >= DEPTH {
            return Err(format!("the manifest is nested deeper than {DEPTH} levels"));
        }
        self.open.push(Open { anchor, items: Vec::new(), map, key: None, merged: Map::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.map {
            None => Value::List(open.items),
            Some(map) if open.merged.is_empty() => Value::Map(map),
            Some(map) => {
                let mut merged = open.merged;
                for (key, value) in map {
                    merged.insert(key, value);
                }
                Value::Map(merged)
            }
        };
        let values = if open.anchor > 0 { count(&value) } else { 0 };
        self.place(value, open.anchor, values)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), String> {
        self.count(1)?;
        let is_plain = style == ScalarStyle::Plain;
        let value = match tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str()) {
            Some("str") => Value::Text(text.to_owned()),
            Some(kind @ ("int" | "float" | "bool" | "null")) => {
                let value = plain(text);
                let fits = matches!(
                    (kind, &value),
                    ("int", Value::Int(_) | Value::Big(_))
                        | ("float", Value::Float(_))
                        | ("bool", Value::Bool(_))
                        | ("null", Value::None)
                );
                match (kind, value) {
                    (_, value) if fits => value,
                    #[expect(clippy::cast_precision_loss, reason = "the tag asks for it")]
                    ("float", Value::Int(number)) => Value::Float(number as f64),
                    _ => return Err(format!("this is no {kind}")),
                }
            }
            Some(other) => return Err(format!("the tag {other:?} means nothing here")),
            None if is_plain => plain(text),
            None => Value::Text(text.to_owned()),
        };
        if is_plain
            && text == "<<"
            && let Some(open) = self.open.last_mut()
            && open.map.is_some()
            && open.key.is_none()
        {
            open.key = Some(Key::Merge);
            return Ok(());
        }
        self.place(value, anchor, 1)
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, value: Value, anchor: usize, values: usize) -> Result<(), String> {
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), values.max(1)));
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(value);
            return Ok(());
        };
        let Some(map) = &mut open.map else {
            open.items.push(value);
            return Ok(());
        };
        match open.key.take() {
            None => open.key = Some(Key::Text(key(value)?)),
            Some(Key::Text(key)) => {
                map.insert(key, value);
            }
            Some(Key::Merge) => merge(&mut open.merged, value)?,
        }
        Ok(())
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// Keys are texts here; a number or a truth value is written as Python writes it.
fn key(value: Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text),
        Value::List(_) | Value::Map(_) => Err("a key must be a text or a number".to_owned()),
        other => {
            let object = crate::source::declarative::template::Object::from(&other);
            object.text().map(std::borrow::Cow::into_owned).map_err(|_| "a key can't be written".to_owned())
        }
    }
}

/// What `<<` names: an object or a list of such, of which the first counts most and stands last.
fn merge(into: &mut Map, value: Value) -> Result<(), String> {
    match value {
        Value::Map(map) => {
            for (key, value) in map {
                into.insert(key, value);
            }
            Ok(())
        }
        Value::List(items) if items.iter().all(|item| item.as_map().is_some()) => {
            items.into_iter().rev().try_for_each(|item| merge(into, item))
        }
        _ => Err("`<<` merges objects alone".to_owned()),
    }
}

/// The value of a scalar without quotes.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::None,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Value::Text(text.to_owned());
    }
    integer(text).or_else(|| float(text)).unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn signed(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn integer(text: &str) -> Option<Value> {
    let (negative, body) = signed(text);
    let all = |text: &str, is_digit: fn(u8) -> bool| {
        !text.is_empty() && text.bytes().all(|b| is_digit(b) || b == b'_')
    };
    let (radix, digits) = if let Some(digits) =
        body.strip_prefix("0b").filter(|text| all(text, |b| matches!(b, b'0' | b'1')))
    {
        (2, digits)
    } else if let Some(digits) = body.strip_prefix("0x").filter(|text| all(text, |b| b.is_ascii_hexdigit())) {
        (16, digits)
    } else if body == "0" {
        (10, body)
    } else if body.starts_with('0') && all(&body[1..], |b| matches!(b, b'0'..=b'7')) {
        (8, &body[1..])
    } else if body.starts_with(|c: char| matches!(c, '1'..='9')) && all(body, |b| b.is_ascii_digit()) {
        (10, body)
    } else {
        return sixties(body).map(|number| Value::Int(if negative { -number } else { number }));
    };
    let digits = digits.replace('_', "");
    let number =
        if digits.is_empty() { BigInt::default() } else { BigInt::parse_bytes(digits.as_bytes(), radix)? };
    if digits.len() > number::MOST_DIGITS {
        return None;
    }
    Some(Value::integer(if negative { -number } else { number }))
}

/// `1:30:00`: digits to the base of sixty.
fn sixties(body: &str) -> Option<i64> {
    let (first, rest) = body.split_once(':')?;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let first = first.replace('_', "");
    if !first.starts_with(|c: char| matches!(c, '1'..='9')) || !is_digits(&first) {
        return None;
    }
    rest.split(':').try_fold(first.parse().ok()?, |number: i64, part| {
        let part = Some(part).filter(|part| is_digits(part) && part.len() <= 2)?.parse::<i64>().ok()?;
        (part < 60).then(|| number.checked_mul(60)?.checked_add(part)).flatten()
    })
}

fn float(text: &str) -> Option<Value> {
    let (negative, body) = signed(text);
    let sign = if negative { -1.0 } else { 1.0 };
    match body {
        ".inf" | ".Inf" | ".INF" => return Some(Value::Float(sign * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if text == body => return Some(Value::Float(f64::NAN)),
        _ => {}
    }
    // An exponent needs its sign, and there must be a point: `1e5` is text.
    let (digits, exponent) =
        body.find(['e', 'E']).map_or((body, ""), |place| (&body[..place], &body[place + 1..]));
    let (whole, part) = digits.split_once('.')?;
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let has_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let fits = is_digits(part)
        && if whole.is_empty() {
            has_digit(part) && text == body
        } else {
            has_digit(whole) && is_digits(whole)
        };
    let exponent_fits = (exponent.is_empty() && digits == body)
        || (exponent.len() > 1
            && exponent.starts_with(['+', '-'])
            && exponent[1..].bytes().all(|b| b.is_ascii_digit()));
    if !fits || !exponent_fits {
        return None;
    }
    text.replace('_', "").parse().ok().map(Value::Float)
}
