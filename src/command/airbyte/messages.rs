//! Messages of Airbyte's protocol on stdout, one JSON document per line.
//!
//! One place prints: records of several streams, the log and states pass through one buffer, which is handed on with
//! each state, and when it has waited for a while. Secrets are masked in all that is not data.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use connectors::source::declarative::config::Mask;
use protocol::{Error, ErrorKind, Result};
use serde_json::{Value, json};

/// Longest time that records wait in the buffer while others come.
const PATIENCE: Duration = Duration::from_millis(100);
/// Octets that are handed on at once.
const BUFFER: usize = 256 << 10;

/// Standard output. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Messages(Arc<Shared>);

struct Shared {
    lines: Mutex<Lines>,
    now: Option<DateTime<Utc>>,
}

struct Lines {
    out: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    flushed: Instant,
    /// Records of each stream since its last state.
    counts: HashMap<String, u64>,
    mask: Mask,
    /// Who reads has gone: nothing more is written.
    is_gone: bool,
}

/// How a stream fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamStatus {
    Started,
    Running,
    Complete,
    Incomplete,
}

impl StreamStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Incomplete => "INCOMPLETE",
        }
    }
}

impl Messages {
    /// Messages to `out`, stamped by the machine's clock or with `now`.
    pub(crate) fn new(out: impl Write + Send + 'static, now: Option<DateTime<Utc>>) -> Self {
        let lines = Lines {
            out: Box::new(out),
            buffer: Vec::with_capacity(BUFFER),
            flushed: Instant::now(),
            counts: HashMap::new(),
            mask: Mask::default(),
            is_gone: false,
        };
        Self(Arc::new(Shared { lines: Mutex::new(lines), now }))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(&self) -> i64 {
        self.0.now.unwrap_or_else(Utc::now).timestamp_millis()
    }

    /// Masks these secrets from now on.
    pub(crate) fn mask(&self, mask: Mask) {
        self.lines().mask = mask;
    }

    /// `text` without secrets.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.lines().mask.apply(text)
    }

    /// A line of the log.
    pub(crate) fn log(&self, level: &str, message: &str) {
        let message = self.masked(message);
        let line = json!({ "type": "LOG", "log": { "level": level, "message": message } });
        // Whoever reads no log need not be told that it is gone.
        let _ = self.send(&line);
    }

    /// A message that needs no masking: what it says is data.
    pub(crate) fn send(&self, message: &Value) -> Result<()> {
        let mut lines = self.lines();
        write_line(&mut lines.buffer, message);
        lines.flush()
    }

    /// A message that is JSON already.
    pub(crate) fn line(&self, message: &str) -> Result<()> {
        let mut lines = self.lines();
        lines.buffer.extend_from_slice(message.as_bytes());
        lines.buffer.push(b'\n');
        lines.flush()
    }

    /// How a stream fares.
    pub(crate) fn status(&self, stream: &str, status: StreamStatus) -> Result<()> {
        let millis = self.millis();
        self.send(&json!({ "type": "TRACE", "trace": {
            "type": "STREAM_STATUS",
            "emitted_at": millis,
            "stream_status": { "stream_descriptor": { "name": stream }, "status": status.name() },
        } }))
    }

    /// That something failed: the whole, or one stream.
    pub(crate) fn error(&self, stream: Option<&str>, message: &str, internal: &str, kind: ErrorKind) {
        let failure = match kind {
            ErrorKind::Config | ErrorKind::Auth | ErrorKind::Unsupported => "config_error",
            kind if kind.is_retryable() => "transient_error",
            _ => "system_error",
        };
        let mut error = json!({
            "message": self.masked(message),
            "internal_message": self.masked(internal),
            "failure_type": failure,
        });
        if let Some(stream) = stream {
            error["stream_descriptor"] = json!({ "name": stream });
        }
        let trace = json!({ "type": "ERROR", "emitted_at": self.millis(), "error": error });
        let _ = self.send(&json!({ "type": "TRACE", "trace": trace }));
    }

    /// Where a stream stands: an object, as JSON, which is not read again.
    pub(crate) fn state(&self, stream: &str, state: &str) -> Result<()> {
        let count = self.lines().counts.insert(stream.to_owned(), 0).unwrap_or_default();
        let name = Value::from(stream);
        // Counts are doubles in the protocol.
        self.line(&format!(
            r#"{{"type":"STATE","state":{{"type":"STREAM","stream":{{"stream_descriptor":{{"name":{name}}},"stream_state":{state}}},"sourceStats":{{"recordCount":{count}.0}}}}}}"#
        ))
    }

    /// That the configuration, an object as JSON, has changed and is to be kept.
    pub(crate) fn config_changed(&self, config: &str) -> Result<()> {
        let millis = self.millis();
        self.line(&format!(
            r#"{{"type":"CONTROL","control":{{"type":"CONNECTOR_CONFIG","emitted_at":{millis},"connectorConfig":{{"config":{config}}}}}}}"#
        ))
    }

    /// Lines of records of one stream, whole ones, each with its line feed. `lines` becomes empty.
    pub(crate) fn records(&self, stream: &str, count: u64, records: &mut String) -> Result<()> {
        let mut lines = self.lines();
        match lines.counts.get_mut(stream) {
            Some(known) => *known += count,
            None => drop(lines.counts.insert(stream.to_owned(), count)),
        }
        lines.buffer.extend_from_slice(records.as_bytes());
        records.clear();
        if lines.buffer.len() >= BUFFER || lines.flushed.elapsed() >= PATIENCE {
            lines.flush()?;
        }
        Ok(())
    }

    /// Hands on what waits.
    pub(crate) fn flush(&self) -> Result<()> {
        self.lines().flush()
    }
}

impl Lines {
    fn flush(&mut self) -> Result<()> {
        let written = if self.is_gone {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            self.out.write_all(&self.buffer).and_then(|()| self.out.flush())
        };
        self.buffer.clear();
        self.flushed = Instant::now();
        written.map_err(|error| {
            self.is_gone = true;
            Error::new(ErrorKind::Storage, "stdout can't be written").with_source(error)
        })
    }
}

fn write_line(buffer: &mut Vec<u8>, message: &Value) {
    serde_json::to_writer(&mut *buffer, message).expect("a value with text keys is written to memory");
    buffer.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(screen: &Screen) -> Vec<Value> {
        let bytes = screen.0.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(5).unwrap()
    }

    #[test]
    fn a_state_counts_the_records_since_the_one_before() {
        let screen = Screen::default();
        let messages = Messages::new(screen.clone(), Some(at()));
        let mut line = "{\"type\":\"RECORD\"}\n".to_owned();
        messages.records("a", 3, &mut line).unwrap();
        assert!(line.is_empty());
        messages.records("b", 1, &mut line).unwrap();
        messages.state("a", r#"{"at":1}"#).unwrap();
        messages.state("a", r#"{"at":2}"#).unwrap();
        let shown = shown(&screen);
        assert_eq!(
            shown[1],
            json!({ "type": "STATE", "state": {
                "type": "STREAM",
                "stream": { "stream_descriptor": { "name": "a" }, "stream_state": { "at": 1 } },
                "sourceStats": { "recordCount": 3.0 },
            } })
        );
        assert_eq!(shown[2]["state"]["sourceStats"]["recordCount"], json!(0.0));
    }

    #[test]
    fn secrets_are_masked_in_logs_and_errors_and_not_in_data() {
        let screen = Screen::default();
        let messages = Messages::new(screen.clone(), Some(at()));
        let value = |text: &str| connectors::source::declarative::Value::from_json(text.as_bytes()).unwrap();
        let spec = value(r#"{"properties":{"password":{"airbyte_secret":true}}}"#);
        messages.mask(Mask::new(&spec, &value(r#"{"password":"hunter2"}"#)));
        messages.log("INFO", "sent hunter2");
        messages.error(Some("s"), "hunter2 was refused", "by hunter2", ErrorKind::Auth);
        messages.config_changed(r#"{"password":"hunter2"}"#).unwrap();
        let shown = shown(&screen);
        assert_eq!(shown[0]["log"]["message"], "sent ****");
        assert_eq!(
            shown[1]["trace"],
            json!({ "type": "ERROR", "emitted_at": 5, "error": {
                "message": "**** was refused",
                "internal_message": "by ****",
                "failure_type": "config_error",
                "stream_descriptor": { "name": "s" },
            } })
        );
        assert_eq!(shown[2]["control"]["connectorConfig"]["config"]["password"], "hunter2");
    }

    #[test]
    fn who_has_gone_is_told_of_by_an_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let messages = Messages::new(Gone, None);
        assert_eq!(messages.status("s", StreamStatus::Started).unwrap_err().kind(), ErrorKind::Storage);
        assert!(messages.flush().is_err());
    }
}
