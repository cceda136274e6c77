//! XML as objects: attributes get an `@`, text beside them is `#text`, elements of one name become a list.

use protocol::{Error, Result};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::super::number;
use super::super::value::{Map, Value};

/// Elements nested deeper are refused.
const DEPTH: usize = 512;

/// The document as one object; `{}` where there is nothing.
pub(super) fn parse(text: &str) -> Result<Vec<Value>> {
    if text.trim().is_empty() {
        return Ok(vec![Map::new().into()]);
    }
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    reader.config_mut().expand_empty_elements = true;
    let (mut stack, mut root): (Vec<Element>, Option<Map>) = (Vec::new(), None);
    loop {
        match reader.read_event().map_err(|error| malformed().with_source(error))? {
            Event::Start(start) => {
                if stack.len() >= DEPTH {
                    return Err(Error::data("XML in an answer is nested deeper than 512 levels"));
                }
                if stack.is_empty() && root.is_some() {
                    return Err(malformed());
                }
                stack.push(Element::open(&start)?);
            }
            Event::End(_) => {
                let element = stack.pop().ok_or_else(malformed)?;
                let (name, value) = element.close();
                match stack.last_mut() {
                    Some(parent) => push(&mut parent.fields, name, value),
                    None => root = Some(Map::from_iter([(name, value)])),
                }
            }
            Event::Text(piece) => {
                let piece = piece.decode().map_err(|error| malformed().with_source(error))?;
                match stack.last_mut() {
                    Some(element) => element.text.push_str(&piece),
                    None if piece.trim().is_empty() => {}
                    None => return Err(malformed()),
                }
            }
            Event::CData(piece) => {
                let piece = piece.decode().map_err(|error| malformed().with_source(error))?;
                stack.last_mut().ok_or_else(malformed)?.text.push_str(&piece);
            }
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|error| malformed().with_source(error))?;
                let element = stack.last_mut().ok_or_else(malformed)?;
                element.text.push_str(&entity(&name).ok_or_else(malformed)?);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match root {
        Some(root) if stack.is_empty() => Ok(vec![root.into()]),
        _ => Err(malformed()),
    }
}

fn malformed() -> Error {
    Error::data("XML in an answer is malformed")
}

fn entity(name: &str) -> Option<String> {
    let letter = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        other => {
            let code = other.strip_prefix('#')?;
            let code = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => code.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some(letter.to_string())
}

/// An element that is open.
struct Element {
    name: String,
    fields: Map,
    text: String,
}

impl Element {
    fn open(start: &BytesStart<'_>) -> Result<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut fields = Map::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| malformed().with_source(error))?;
            let value = unescaped(&text(&attribute.value)).ok_or_else(malformed)?;
            fields.insert(format!("@{}", text(attribute.key.as_ref())), value);
        }
        Ok(Self { name: text(start.name().as_ref()), fields, text: String::new() })
    }

    fn close(mut self) -> (String, Value) {
        let text = number::trimmed(&self.text);
        let value = match (self.fields.is_empty(), text.is_empty()) {
            (true, true) => Value::None,
            (true, false) => Value::from(text),
            (false, true) => self.fields.into(),
            (false, false) => {
                let text = Value::from(text);
                push(&mut self.fields, "#text".to_owned(), text);
                self.fields.into()
            }
        };
        (self.name, value)
    }
}

/// The value of an attribute.
fn unescaped(raw: &str) -> Option<String> {
    let (mut out, mut rest) = (String::new(), raw);
    while let Some(place) = rest.find('&') {
        out.push_str(&rest[..place]);
        let end = place + rest[place..].find(';')?;
        out.push_str(&entity(&rest[place + 1..end])?);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Some(out.replace(['\n', '\t', '\r'], " "))
}

fn push(fields: &mut Map, name: String, value: Value) {
    match fields.get_mut(&name) {
        Some(Value::List(items)) => items.push(value),
        Some(first) => {
            let before = std::mem::take(first);
            *first = Value::List(vec![before, value]);
        }
        None => {
            fields.insert(name, value);
        }
    }
}
