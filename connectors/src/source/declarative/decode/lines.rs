//! `IterableDecoder`: lines as records.

use bytes::Bytes;

use super::super::value::{Map, Value};

/// Each line as `{"record": line}`.
pub(super) fn records(body: &Bytes) -> Vec<Value> {
    let text = String::from_utf8_lossy(body);
    let mut lines: Vec<&str> = Vec::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        lines.push(&rest[..end]);
        let width = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = rest.get(end + width..).unwrap_or_default();
    }
    lines.into_iter().map(|line| Map::from_iter([("record", Value::from(line))]).into()).collect()
}
