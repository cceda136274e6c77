//! The log on stderr: lines for people, or one JSON document per line.

use std::fmt;
use std::io::{self, Write};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::args::{Format, Global};
use crate::command::Messages;
use crate::failure::Failure;
use crate::human;
use crate::output::Output;

/// Starts the log. `is_live` tells that a progress view takes the place of what happens as expected.
pub(crate) fn start(global: &Global, output: &Output, is_live: bool) -> Result<(), Failure> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(global, is_live)?)
        .with_writer(Lines(output.clone()));
    let started = match global.log_format {
        Format::Json => builder.fmt_fields(Fields).event_format(JsonLine).try_init(),
        Format::Text => builder.event_format(TextLine { styled: output.is_styled() }).try_init(),
    };
    started.map_err(|error| Failure::usage(format!("the log can't be started: {error}")))
}

/// Starts the log as messages of Airbyte's protocol.
pub(crate) fn start_messages(global: &Global, debug: bool, messages: &Messages) -> Result<(), Failure> {
    let messages = messages.clone();
    let global = Global { verbose: global.verbose.max(u8::from(debug)), ..global.clone() };
    tracing_subscriber::fmt()
        .with_env_filter(filter(&global, false)?)
        .fmt_fields(Fields)
        .event_format(MessageLine(messages))
        .with_writer(io::sink)
        .try_init()
        .map_err(|error| Failure::usage(format!("the log can't be started: {error}")))
}

fn filter(global: &Global, is_live: bool) -> Result<EnvFilter, Failure> {
    if let Some(directives) = global.log.as_deref().filter(|_| global.verbose == 0 && !global.quiet) {
        return EnvFilter::try_new(directives).map_err(|_| Failure::Usage {
            message: format!("{directives:?} is no filter of the log"),
            hint: Some("write a level as in `debug`, or `warn,connectors=trace`".to_owned()),
        });
    }
    let (ours, others) = match global.verbose {
        _ if global.quiet => ("error", "error"),
        0 if is_live => ("warn", "warn"),
        0 => ("info", "warn"),
        1 => ("debug", "info"),
        _ => ("trace", "trace"),
    };
    let crates = ["tidegate", "engine", "connectors", "protocol"].map(|name| format!(",{name}={ours}"));
    Ok(EnvFilter::new(format!("{others}{}", crates.concat())))
}

/// Writes each line past the progress view.
struct Lines(Output);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

struct Line<'a>(&'a Output);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.log_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `2026-11-22T10:00:00.000000Z WARN  trying again error=…`
struct TextLine {
    styled: bool,
}

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        // The summary tells what failed, with hints: once is enough.
        if level == Level::ERROR && ["engine::stream", "engine::sync"].contains(&event.metadata().target()) {
            return Ok(());
        }
        let (start, end) = match level {
            _ if !self.styled => ("", ""),
            Level::ERROR => ("\x1b[31m", "\x1b[0m"),
            Level::WARN => ("\x1b[33m", "\x1b[0m"),
            Level::INFO => ("\x1b[32m", "\x1b[0m"),
            _ => ("\x1b[2m", "\x1b[0m"),
        };
        SystemTime.format_time(&mut writer)?;
        write!(writer, " {start}{level:<5}{end}")?;
        let mut line = Collected::default();
        event.record(&mut line);
        if let Some(message) = line.message() {
            write!(writer, " {}", human::plain(&message))?;
        }
        for (key, value) in &line.0 {
            match value {
                Value::String(text) if text.contains([' ', '"', '=']) || text.is_empty() => {
                    write!(writer, " {key}={text:?}")?;
                }
                Value::String(text) => write!(writer, " {key}={}", human::plain(text))?,
                value => write!(writer, " {key}={value}")?,
            }
        }
        writeln!(writer)
    }
}

/// `{"type":"LOG","log":{"level":"WARN","message":"trying again error=…"}}`, past the writer.
struct MessageLine(Messages);

impl<S, N> FormatEvent<S, N> for MessageLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, _: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Collected::default();
        event.record(&mut fields);
        let mut text = fields.message().unwrap_or_default();
        for (key, value) in &fields.0 {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            for part in [" ", key, "=", value.as_str()] {
                text.push_str(part);
            }
        }
        self.0.log(event.metadata().level().as_str(), &text);
        Ok(())
    }
}

/// `{"ts":"…","level":"warn","msg":"trying again","target":"engine::retry","error":"…"}`
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        let mut fields = Collected::default();
        event.record(&mut fields);
        let message = fields.message().unwrap_or_default();
        let own = [
            ("ts", time),
            ("level", metadata.level().as_str().to_lowercase()),
            ("msg", message),
            ("target", metadata.target().to_owned()),
        ];
        let mut line = Map::new();
        line.extend(own.into_iter().map(|(key, value)| (key.to_owned(), Value::String(value))));
        for (key, value) in fields.0 {
            line.entry(key).or_insert(value);
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Fields of spans are not shown: events carry their own.
struct Fields;

impl FormatFields<'_> for Fields {
    fn format_fields<R: tracing_subscriber::field::RecordFields>(&self, _: Writer<'_>, _: R) -> fmt::Result {
        Ok(())
    }
}

/// The fields of an event.
#[derive(Default)]
struct Collected(Vec<(&'static str, Value)>);

impl Collected {
    fn message(&mut self) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| *key == "message")?;
        match self.0.remove(at).1 {
            Value::String(message) => Some(message),
            other => Some(other.to_string()),
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        // Records of the `log` crate bring their origin along.
        if !field.name().starts_with("log.") {
            self.0.push((field.name(), value));
        }
    }
}

impl Visit for Collected {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        let value = u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from);
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}
