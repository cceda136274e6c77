//! JSON in and out, without losing a digit or the order of keys.
//!
//! Reads what Python's `json` reads: `NaN` and `Infinity` too, the last of equal keys wins, half of a surrogate pair
//! becomes U+FFFD (the one thing that text of ours can't hold). Writes compact JSON; numbers that JSON has no word for
//! become `null`, sets and tuples become arrays.

use std::borrow::Cow;
use std::fmt::Write as _;

use num_bigint::BigInt;
use protocol::{Error, Result};

use super::{Map, Value};
use crate::source::declarative::number;

/// Nesting beyond this is refused: nobody's data, and more than a thread's stack should bear.
const DEPTH: usize = 512;

impl Value {
    /// Reads one JSON document.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let text =
            std::str::from_utf8(text).map_err(|error| Error::data("JSON is not UTF-8").with_source(error))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
        let value = reader.value(0)?;
        reader.blank();
        if reader.at < reader.bytes.len() {
            return Err(reader.fault("more than one value"));
        }
        Ok(value)
    }

    /// Writes it as compact JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Appends it to `out` as compact JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Big(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Float(number) if number.is_finite() => out.push_str(&number::float_text(*number)),
            Self::None | Self::Ellipsis | Self::Float(_) => out.push_str("null"),
            Self::Text(text) => write_text(out, text),
            Self::Bytes(bytes) => write_text(out, &String::from_utf8_lossy(bytes)),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Map(map) => {
                write_entries(out, map.iter().map(|(key, value)| (Cow::Borrowed(key), value)));
            }
            Self::Dict(entries) => {
                write_entries(out, entries.iter().map(|(key, value)| (key_text(key), value)));
            }
        }
    }
}

/// A key of JSON for a key that is no text.
fn key_text(key: &Value) -> Cow<'_, str> {
    match key {
        Value::Text(text) => text.into(),
        other => other.to_json().into(),
    }
}

fn write_entries<'a>(out: &mut String, entries: impl Iterator<Item = (Cow<'a, str>, &'a Value)>) {
    out.push('{');
    for (place, (key, value)) in entries.enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_text(out, &key);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(place) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        out.push_str(&rest[..place]);
        match rest.as_bytes()[place] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &rest[place + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn fault(&self, what: &str) -> Error {
        Error::data(format!("JSON is malformed at byte {}: {what}", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH {
            return Err(self.fault(&format!("nested deeper than {DEPTH} levels")));
        }
        self.blank();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::None),
            Some(b'N') => self.word("NaN", Value::Float(f64::NAN)),
            Some(b'I') => self.word("Infinity", Value::Float(f64::INFINITY)),
            Some(b'-') if self.bytes.get(self.at + 1) == Some(&b'I') => {
                self.word("-Infinity", Value::Float(f64::NEG_INFINITY))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.fault("a value was expected")),
            None => Err(self.fault("it ends too early")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.fault("a value was expected"))
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        // Records have more fields than what is in them: growing twice for each costs more than the room.
        let mut map = if depth == 0 { Map::with_capacity(8) } else { Map::new() };
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(map));
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key was expected"));
            }
            let key = self.string()?;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.fault("a colon was expected"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(map));
                }
                _ => return Err(self.fault("a comma or the end of the object was expected")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(items));
                }
                _ => return Err(self.fault("a comma or the end of the list was expected")),
            }
        }
    }

    fn number(&mut self) -> Result<Value> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let first = self.at;
        let digits = self.digits();
        if digits == 0 || (digits > 1 && self.bytes[first] == b'0') {
            return Err(self.fault("a number was expected"));
        }
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_integer = false;
            if self.digits() == 0 {
                return Err(self.fault("a digit was expected"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            is_integer = false;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.fault("a digit was expected"));
            }
        }
        let text = &self.text[start..self.at];
        if !is_integer {
            return text.parse().map(Value::Float).map_err(|_| self.fault("a number was expected"));
        }
        if let Ok(number) = text.parse() {
            return Ok(Value::Int(number));
        }
        if text.len() > number::MOST_DIGITS {
            return Err(self.fault("an integer has too many digits"));
        }
        text.parse::<BigInt>().map(Value::integer).map_err(|_| self.fault("a number was expected"))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            let piece = &self.text[start..self.at];
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    if out.is_empty() {
                        return Ok(piece.to_owned());
                    }
                    out.push_str(piece);
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(piece);
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(_) => return Err(self.fault("a control character stands in text")),
                None => return Err(self.fault("it ends too early")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<()> {
        let Some(letter) = self.peek() else { return Err(self.fault("it ends too early")) };
        self.at += 1;
        out.push(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            _ => return Err(self.fault("an escape is unknown")),
        });
        Ok(())
    }

    fn unicode(&mut self) -> Result<char> {
        let high = self.hex()?;
        if (0xd800..0xdc00).contains(&high) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits =
            self.bytes.get(self.at..self.at + 4).filter(|four| four.iter().all(u8::is_ascii_hexdigit));
        let code = digits
            .and_then(|four| std::str::from_utf8(four).ok())
            .and_then(|four| u32::from_str_radix(four, 16).ok())
            .ok_or_else(|| self.fault("four hexadecimal digits were expected"))?;
        self.at += 4;
        Ok(code)
    }
}
