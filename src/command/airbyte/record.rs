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
    prefix: String,
    suffix: String,
    lines: String,
    count: u64,
}

/// Octets that are put together before they are handed on.
const CHUNK: usize = 64 << 10;

impl RecordLines {
    /// Records of `stream`.
    pub(crate) fn new(messages: Messages, stream: &str) -> Self {
        let name = serde_json::Value::from(stream);
        let prefix = format!(r#"{{"type":"RECORD","record":{{"stream":{name},"data":"#);
        let stream = stream.to_owned();
        Self { messages, stream, prefix, suffix: String::new(), lines: String::new(), count: 0 }
    }

    /// Takes the time for the records that follow.
    pub(crate) fn stamp(&mut self) {
        self.suffix = format!(",\"emitted_at\":{}}}}}\n", self.messages.millis());
    }

    /// Adds all records of a page.
    pub(crate) fn all(&mut self, records: &Records) -> Result<()> {
        for index in 0..records.len() {
            self.with(|line| {
                let start = line.len();
                records.write_json(index, line);
                without_nulls(line, start);
            })?;
        }
        Ok(())
    }

    /// Adds a record which `write` writes, without the fields that are null, on one line.
    pub(crate) fn with(&mut self, write: impl FnOnce(&mut String)) -> Result<()> {
        if self.suffix.is_empty() {
            self.stamp();
        }
        self.lines.push_str(&self.prefix);
        write(&mut self.lines);
        self.lines.push_str(&self.suffix);
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

/// Takes the fields that are null out of the object of JSON that stands in `line` from `start` on.
fn without_nulls(line: &mut String, start: usize) {
    if memchr::memmem::find(&line.as_bytes()[start..], b"null").is_none() {
        return;
    }
    let record = line.split_off(start);
    line.push('{');
    let mut is_first = true;
    for member in Members::of(&record).filter(|member| !member.is_null) {
        if !std::mem::take(&mut is_first) {
            line.push(',');
        }
        line.push_str(member.text);
    }
    line.push('}');
}

/// A key with its value.
struct Member<'r> {
    text: &'r str,
    is_null: bool,
}

/// The members of an object of JSON that is known to be sound.
struct Members<'r> {
    rest: &'r str,
}

impl<'r> Members<'r> {
    fn of(record: &'r str) -> Self {
        let inner = record.trim_ascii();
        Self { rest: inner.strip_prefix('{').unwrap_or(inner) }
    }
}

impl<'r> Iterator for Members<'r> {
    type Item = Member<'r>;

    fn next(&mut self) -> Option<Member<'r>> {
        let (mut depth, mut value, mut at) = (0_u32, None, 0);
        let octets = self.rest.as_bytes();
        while let Some(byte) = octets.get(at) {
            match byte {
                b'"' => at = past_text(octets, at),
                b'{' | b'[' => depth += 1,
                b':' if depth == 0 && value.is_none() => value = Some(at + 1),
                b',' | b'}' if depth == 0 => break,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        let text = self.rest.get(..at)?.trim_ascii();
        let is_null = value.is_some_and(|value| self.rest[value..at].trim_ascii() == "null");
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
        let mut line = "before".to_owned();
        line.push_str(record);
        without_nulls(&mut line, 6);
        line.strip_prefix("before").unwrap().to_owned()
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
    fn what_is_no_object_does_no_harm() {
        for text in ["", "null", "{", "{\"a\":null", "{\"a", "[null]", "}}"] {
            written(text);
        }
    }
}
