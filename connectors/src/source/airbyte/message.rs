//! Messages of Airbyte's protocol as a connector prints them. A record's data stays text.

use std::borrow::Cow;

use protocol::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A line of a connector's output.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) record: Option<Record<'a>>,
    #[serde(default)]
    pub(super) state: Option<Value>,
    #[serde(default)]
    pub(super) log: Option<Log>,
    #[serde(default)]
    pub(super) trace: Option<Trace>,
    #[serde(default)]
    pub(super) catalog: Option<Catalog>,
    #[serde(rename = "connectionStatus", default)]
    pub(super) status: Option<Status>,
    #[serde(default)]
    pub(super) control: Option<Value>,
}

#[derive(Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) stream: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) data: &'a RawValue,
}

#[derive(Deserialize)]
pub(super) struct Log {
    #[serde(default)]
    pub(super) level: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct Trace {
    #[serde(default)]
    pub(super) error: Option<Failure>,
    #[serde(default)]
    pub(super) stream_status: Option<StreamStatus>,
}

#[derive(Deserialize)]
pub(super) struct StreamStatus {
    pub(super) status: String,
}

/// Why something failed, as the connector says.
#[derive(Deserialize, Clone)]
pub(super) struct Failure {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    internal_message: Option<String>,
    #[serde(default, rename = "failure_type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) status: String,
    #[serde(default)]
    pub(super) message: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Catalog {
    pub(super) streams: Vec<Value>,
}

impl Failure {
    /// The failure as an error of ours. One that is neither the configuration's nor anything that is known may pass.
    pub(super) fn error(&self, mask: impl Fn(&str) -> String) -> Error {
        let kind = match self.kind.as_deref() {
            Some("config_error") => ErrorKind::Config,
            _ => ErrorKind::Transient,
        };
        let error = Error::new(kind, format!("the connector says: {}", mask(self.message.trim())));
        match self.internal_message.as_deref().map(str::trim).filter(|inner| !inner.is_empty()) {
            Some(inner) if inner != self.message.trim() => error.with_source(mask(inner)),
            _ => error,
        }
    }
}

/// Whether a line that is no message was to be one whose loss matters: half of one, or a record without data. What a
/// connector's libraries print is neither.
pub(super) fn is_torn(line: &[u8]) -> bool {
    const MATTERS: [&str; 4] = ["RECORD", "STATE", "CATALOG", "CONNECTION_STATUS"];
    line.starts_with(b"{")
        && serde_json::from_slice::<Value>(line).map_or(true, |value| {
            value.get("type").and_then(Value::as_str).is_some_and(|kind| MATTERS.contains(&kind))
        })
}

/// The name of a stream here: with its namespace, where it has one.
pub(super) fn full_name(namespace: Option<&str>, name: &str) -> String {
    match namespace.filter(|space| !space.is_empty()) {
        Some(space) => format!("{space}.{name}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_message_is_no_log_line() {
        for line in [
            r#"{"type":"RECORD","record":{"stream":"people","da"#,
            r#"{"type":"RECORD","record":{"stream":"people"}}"#,
            r#"{"type":"RECORD","record":{"stream":"people","data":{"x":NaN}}}"#,
        ] {
            assert!(serde_json::from_str::<Message<'_>>(line).is_err(), "{line}");
            assert!(is_torn(line.as_bytes()), "{line}");
        }
        for line in ["warning: a library is old", r#"{"level":"INFO","msg":"structured"}"#, "[1]"] {
            assert!(!is_torn(line.as_bytes()), "{line}");
        }
    }
}
