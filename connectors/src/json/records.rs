//! Records of a page.

use std::ops::Range;

use bytes::Bytes;
use protocol::{Error, Result};

use super::locate::locate;
use super::scan::{Fault, Quoted, Scanner, Span};
use super::text::Text;
use super::{Map, Value};

/// A whole JSON text.
#[derive(Clone)]
pub struct Page {
    text: Text,
}

impl Page {
    /// Takes the text; it is read where records are asked for. What is not UTF-8 is refused.
    pub fn new(text: &Bytes) -> Result<Self> {
        Ok(Self { text: Text::new(text)? })
    }

    /// Whether there is nothing but white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text.as_str().trim_ascii().is_empty()
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.text.as_str().trim_ascii() == "null"
    }

    /// The whole value.
    pub fn value(&self) -> Result<Value> {
        Value::from_json(self.text.as_str().as_bytes())
    }

    /// The records at `path`: the items of a list, or the object there; nothing where there is nothing. Items of a root
    /// list are looked at one by one. `None` where a list is in the way of the path.
    pub fn records(&self, path: &[&str]) -> Result<Option<Records>> {
        if self.is_blank() {
            return Ok(Some(Records::default()));
        }
        let located = locate(self.text.as_str(), path).map_err(Fault::error)?;
        Ok(located.map(|located| {
            Records::of(Raw { text: self.text.clone(), spans: located.spans }, located.is_odd)
        }))
    }

    /// The values of lines that are not blank, as records.
    pub fn lines(&self) -> Result<Records> {
        let text = self.text.as_str();
        let (mut spans, mut start, mut is_odd) = (Vec::new(), 0, false);
        for line in text.split_inclusive('\n') {
            let end = start + line.len();
            if !line.trim_ascii().is_empty() {
                let mut scanner = Scanner::new(&text[..end], start);
                spans.push(scanner.value().map_err(Fault::error)?);
                scanner.end().map_err(Fault::error)?;
                is_odd |= scanner.is_odd;
            }
            start = end;
        }
        Ok(Records::of(Raw { text: self.text.clone(), spans }, is_odd))
    }

    /// The items of the list at `path`, of which every key must lead through objects; `item` leads through a list.
    pub fn items(&self, path: &[&str]) -> Result<Records> {
        let text = self.text.as_str();
        let mut scanner = Scanner::new(text, 0);
        let mut spans = Vec::new();
        items(&mut scanner, path, &mut spans).and_then(|()| scanner.end()).map_err(Fault::error)?;
        Ok(Records::of(Raw { text: self.text.clone(), spans }, scanner.is_odd))
    }

    /// The first body (the first item of a root list, else all of it), with an empty list where the value at `path`
    /// is. `None` where there is no body.
    pub fn rest(&self, path: &[&str]) -> Result<Option<Value>> {
        let text = self.text.as_str();
        let mut scanner = Scanner::new(text, 0);
        scanner.blank();
        match scanner.peek() {
            None => Ok(None),
            Some(b'[') => {
                scanner.step();
                if scanner.peek() == Some(b']') { Ok(None) } else { rest(text, &mut scanner, path).map(Some) }
            }
            Some(_) => rest(text, &mut scanner, path).map(Some),
        }
    }
}

fn items(scanner: &mut Scanner<'_>, path: &[&str], spans: &mut Vec<Span>) -> std::result::Result<(), Fault> {
    scanner.blank();
    match (scanner.peek(), path.split_first()) {
        (Some(b'['), None) => scanner.array(|scanner| {
            spans.push(scanner.value()?);
            Ok(())
        }),
        (Some(b'['), Some((&"item", rest))) => scanner.array(|scanner| items(scanner, rest, spans)),
        (Some(b'{'), Some((first, rest))) => scanner.object(|scanner, key| {
            if key.is(first) { items(scanner, rest, spans) } else { scanner.value().map(drop) }
        }),
        _ => scanner.value().map(drop),
    }
}

/// The value that begins here, without what is at `path`.
fn rest(text: &str, scanner: &mut Scanner<'_>, path: &[&str]) -> Result<Value> {
    scanner.blank();
    let Some((first, more)) = path.split_first() else {
        scanner.value().map_err(Fault::error)?;
        return Ok(Value::List(Vec::new()));
    };
    if scanner.peek() != Some(b'{') {
        return Value::from_json(scanner.value().map_err(Fault::error)?.of(text).as_bytes());
    }
    let (mut map, mut failure) = (Map::new(), None);
    scanner
        .object(|scanner, key| {
            let value = if key.is(first) {
                rest(text, scanner, more)
            } else {
                let span = scanner.value()?;
                Value::from_json(span.of(text).as_bytes())
            };
            match value {
                Ok(value) => {
                    map.insert(key.text(), value);
                    Ok(())
                }
                Err(error) => {
                    failure = Some(error);
                    Err(scanner.stop())
                }
            }
        })
        .map_err(|fault| failure.take().unwrap_or_else(|| fault.error()))?;
    Ok(Value::Map(map))
}

/// Records of one page: spans of its text, or values where something had to look inside.
#[derive(Default)]
pub struct Records(Kind);

enum Kind {
    /// As they came.
    Raw(Raw),
    /// With numbers in them that JSON does not know: they go through values wherever they are written.
    Odd(Raw),
    Values(Vec<Value>),
}

impl Default for Kind {
    fn default() -> Self {
        Self::Values(Vec::new())
    }
}

struct Raw {
    text: Text,
    spans: Vec<Span>,
}

impl Raw {
    fn piece(&self, index: usize) -> &str {
        self.spans[index].of(self.text.as_str())
    }
}

/// One record, as it is.
pub(crate) enum Record<'r> {
    /// Its text, which has been checked.
    Raw(&'r str),
    Value(&'r Value),
}

impl Records {
    fn of(raw: Raw, is_odd: bool) -> Self {
        Self(if is_odd { Kind::Odd(raw) } else { Kind::Raw(raw) })
    }

    /// Of values.
    #[must_use]
    pub fn from_values(values: Vec<Value>) -> Self {
        Self(Kind::Values(values))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Raw(raw) | Kind::Odd(raw) => raw.spans.len(),
            Kind::Values(values) => values.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are numbers in them that JSON does not know.
    pub(crate) fn is_odd(&self) -> bool {
        matches!(self.0, Kind::Odd(_))
    }

    /// The record at `index`.
    pub(crate) fn record(&self, index: usize) -> Record<'_> {
        match &self.0 {
            Kind::Raw(raw) | Kind::Odd(raw) => Record::Raw(raw.piece(index)),
            Kind::Values(values) => Record::Value(&values[index]),
        }
    }

    /// The record at `index`, whole.
    pub fn value(&self, index: usize) -> Result<Value> {
        match self.record(index) {
            Record::Raw(text) => Value::from_json(text.as_bytes()),
            Record::Value(value) => Ok(value.clone()),
        }
    }

    /// The last one, whole.
    pub fn last(&self) -> Result<Option<Value>> {
        self.len().checked_sub(1).map(|last| self.value(last)).transpose()
    }

    /// The field of the record at `index`, by a plain key; the rest of the record is not looked at.
    pub fn field(&self, index: usize, key: &str) -> Result<Option<Value>> {
        match self.record(index) {
            Record::Raw(text) => field(text, key),
            Record::Value(value) => Ok(value.get(key).cloned()),
        }
    }

    /// Those fields of the record at `index`, as an object: for an expression that looks at no others.
    pub(crate) fn some(&self, index: usize, keys: &[String]) -> Result<Value> {
        let Record::Raw(text) = self.record(index) else { return self.value(index) };
        let mut spans: Vec<Option<Span>> = vec![None; keys.len()];
        if !text.starts_with('{') {
            return Value::from_json(text.as_bytes());
        }
        Scanner::new(text, 0)
            .object(|scanner, key| {
                let span = scanner.value()?;
                if let Some(place) = keys.iter().position(|wanted| key.is(wanted)) {
                    spans[place] = Some(span);
                }
                Ok(())
            })
            .map_err(Fault::error)?;
        let mut map = Map::new();
        for (key, span) in keys.iter().zip(spans) {
            if let Some(span) = span {
                map.insert(key.as_str(), Value::from_json(span.of(text).as_bytes())?);
            }
        }
        Ok(Value::Map(map))
    }

    /// All of them, whole.
    pub fn into_values(self) -> Result<Vec<Value>> {
        match self.0 {
            Kind::Values(values) => Ok(values),
            Kind::Raw(raw) | Kind::Odd(raw) => {
                (0..raw.spans.len()).map(|index| Value::from_json(raw.piece(index).as_bytes())).collect()
            }
        }
    }

    /// Keeps those of which `keep` says so, by their index.
    pub fn retain(&mut self, mut keep: impl FnMut(&Self, usize) -> Result<bool>) -> Result<()> {
        let kept: Vec<bool> = (0..self.len()).map(|index| keep(self, index)).collect::<Result<_>>()?;
        let mut kept = kept.into_iter();
        let mut next = || kept.next().unwrap_or(true);
        match &mut self.0 {
            Kind::Raw(raw) | Kind::Odd(raw) => raw.spans.retain(|_| next()),
            Kind::Values(values) => values.retain(|_| next()),
        }
        Ok(())
    }

    /// Only those of a range: pages are handed over in parts where they are large.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self(match &self.0 {
            Kind::Raw(raw) => Kind::Raw(Raw { text: raw.text.clone(), spans: raw.spans[range].to_vec() }),
            Kind::Odd(raw) => Kind::Odd(Raw { text: raw.text.clone(), spans: raw.spans[range].to_vec() }),
            Kind::Values(values) => Kind::Values(values[range].to_vec()),
        })
    }

    /// Whether each of them is an object, so that extracting them by no path changes nothing but that empty ones go.
    pub(crate) fn are_objects(&self) -> bool {
        (0..self.len()).all(|index| match self.record(index) {
            Record::Raw(text) => text.starts_with('{'),
            Record::Value(value) => value.as_map().is_some(),
        })
    }

    /// Whether the record at `index` is an object with nothing in it.
    pub(crate) fn is_hollow(&self, index: usize) -> bool {
        match self.record(index) {
            Record::Raw(text) => text.strip_prefix('{').is_some_and(|rest| rest.trim_ascii_start() == "}"),
            Record::Value(value) => value.as_map().is_some_and(Map::is_empty),
        }
    }

    /// That each of them is an object, as records are.
    pub(crate) fn check(&self) -> Result<()> {
        for index in 0..self.len() {
            let kind = match self.record(index) {
                Record::Raw(text) if text.starts_with('{') => continue,
                Record::Value(Value::Map(_) | Value::Dict(_)) => continue,
                Record::Raw(text) => Value::from_json(text.as_bytes())?.kind(),
                Record::Value(value) => value.kind(),
            };
            return Err(Error::data(format!("a record is {kind}, not an object"))
                .hint("see that `field_path` of the extractor leads to a list of objects"));
        }
        Ok(())
    }

    /// About how many bytes of memory the records take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Kind::Raw(raw) | Kind::Odd(raw) => raw.text.as_str().len() + raw.spans.len() * 8,
            Kind::Values(values) => values.iter().map(weight).sum(),
        }
    }

    /// Appends the record at `index` to `out` as JSON in one line.
    pub fn write_json(&self, index: usize, out: &mut String) {
        match &self.0 {
            Kind::Raw(raw) => write_line(raw.piece(index), out),
            Kind::Odd(raw) => match Value::from_json(raw.piece(index).as_bytes()) {
                Ok(value) => value.write_json(out),
                // It has been checked: this can't be.
                Err(_) => write_line(raw.piece(index), out),
            },
            Kind::Values(values) => values[index].write_json(out),
        }
    }

    /// Appends all of them to `out`, a line each.
    pub fn write_json_lines(&self, out: &mut String) {
        for index in 0..self.len() {
            self.write_json(index, out);
            out.push('\n');
        }
    }
}

impl FromIterator<Value> for Records {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Self::from_values(values.into_iter().collect())
    }
}

/// The last field of that key in an object's text.
fn field(text: &str, key: &str) -> Result<Option<Value>> {
    if !text.starts_with('{') {
        return Ok(None);
    }
    let mut found = None;
    Scanner::new(text, 0)
        .object(|scanner, name: Quoted<'_>| {
            let span = scanner.value()?;
            if name.is(key) {
                found = Some(span);
            }
            Ok(())
        })
        .map_err(Fault::error)?;
    found.map(|span| Value::from_json(span.of(text).as_bytes())).transpose()
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    let inner = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + 32 + weight(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + inner
}

/// JSON text in one line: line breaks stand between its parts alone.
fn write_line(text: &str, out: &mut String) {
    if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() {
        out.push_str(text);
    } else {
        write_compact(text, out);
    }
}

/// JSON text without the white space between its parts.
pub(super) fn write_compact(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(place) = rest.find(['"', '\n', '\r', ' ', '\t']) {
        out.push_str(&rest[..place]);
        if rest.as_bytes()[place] == b'"' {
            let mut scanner = Scanner::new(rest, place);
            // It has been checked: the text ends.
            let end = scanner.string().map_or(rest.len(), |_| scanner.place());
            out.push_str(&rest[place..end]);
            rest = &rest[end..];
        } else {
            rest = &rest[place + 1..];
        }
    }
    out.push_str(rest);
}
