//! Any Airbyte source connector as a source: a command that prints messages.
//!
//! Each stream is one partition and one process. What a connector says about where it stands is kept as it is, and
//! given back to it.

mod config;
pub(crate) mod filler;
mod message;
mod process;
pub(crate) mod settings;
pub(crate) mod shape;
mod state;

use std::num::NonZeroUsize;

use bytes::Bytes;
use protocol::{
    Catalog, ConfiguredStream, Emitter, Error, Grain, Plan, PlanRequest, Planned, Result, Source, Stream,
    StreamFilter, SyncMode,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use self::filler::Filler;
use self::message::{Failure, Message, full_name};
use self::process::{Program, Run};
use self::settings::Settings;
use self::state::Messages;
use super::declarative::Value as Given;
use super::declarative::config::Mask;
use super::manifest::config::{Nested, Undeclared};
use crate::json::{Options, Page};

pub use config::Config;

/// Octets of records that become columns at once.
const PAGE: usize = 256 << 10;

/// A connector.
pub struct Airbyte {
    program: Program,
    settings: Settings,
    mask: Mask,
    options: Options,
    processes: Option<NonZeroUsize>,
    /// Streams as the connector describes them.
    catalog: OnceCell<Vec<Value>>,
}

/// What is to be read of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// What the connector goes on from.
    #[serde(default)]
    state: Messages,
}

/// Where a stream stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What the connector said last.
    #[serde(default)]
    messages: Messages,
}

impl Source for Airbyte {
    const NAME: &'static str = "airbyte";
    type Config = Config;
    type Partition = Partition;
    type State = State;
    type Seen = Option<Messages>;

    async fn open(config: Config) -> Result<Self> {
        if config.command.is_empty() {
            return Err(Error::config("`command` is empty"));
        }
        let settings = Settings::read(&config.config, config.config_file)?;
        let mask = Mask::new(&Given::None, settings.value());
        let program =
            Program { command: config.command, environment: config.environment.into_iter().collect() };
        let options = Options {
            nested: config.nested == Nested::Columns,
            drop_undeclared: config.undeclared == Undeclared::Drop,
        };
        Ok(Self { program, settings, mask, options, processes: config.processes, catalog: OnceCell::new() })
    }

    async fn check(&self) -> Result<Vec<String>> {
        let mut answer = None;
        let mut asked = self.ask("check", &[])?;
        while let Some(chunk) = asked.run.next().await? {
            for message in self.messages(&chunk, &mut asked.failure)? {
                answer = message.status.or(answer);
            }
        }
        match answer {
            Some(status) if status.status == "SUCCEEDED" => self.ended(asked).await.map(|()| Vec::new()),
            Some(status) => {
                let said = self.mask.apply(status.message.as_deref().unwrap_or("it gives no reason"));
                Err(Error::config(format!("the connector's check failed: {said}")))
            }
            None => {
                self.ended(asked).await?;
                Err(Error::data("the connector's `check` gave no answer"))
            }
        }
    }

    async fn discover(&self, filter: &StreamFilter) -> Result<Catalog> {
        let mut streams = Vec::new();
        for entry in self.entries().await? {
            let name = entry_name(entry);
            if filter.matches(&name) {
                streams.push(self.described(&name, entry)?);
            }
        }
        Ok(Catalog::new(streams))
    }

    async fn plan(&self, request: &PlanRequest<'_, State>) -> Result<Plan<Partition, State>> {
        let mut notes = Vec::new();
        if request.sweep {
            notes.push(
                "a connector can't be asked for rows that its cursor passes by: nothing is swept".to_owned(),
            );
        }
        let (state, mode) = match request.stream.sync_mode {
            SyncMode::Incremental => (request.state.messages.clone(), "incremental"),
            SyncMode::FullRefresh => (Messages::default(), "full_refresh"),
        };
        Ok(Plan {
            partitions: vec![Planned::new(Partition { state: state.clone() })],
            next: State { messages: state },
            max_in_flight: self.processes,
            grain: Grain::Partition,
            mode: mode.to_owned(),
            window: None,
            notes,
        })
    }

    fn advance(&self, state: &mut State, _: &Partition, seen: Option<Messages>) {
        if let Some(messages) = seen {
            state.messages = messages;
        }
    }

    async fn read(
        &self,
        stream: &ConfiguredStream,
        partition: Partition,
        out: &mut Emitter<'_, Self>,
    ) -> Result<Option<Messages>> {
        self.stream(stream, partition.state, out)
            .await
            .map_err(|error| error.context("stream", stream.name.clone()))
    }

    fn import_airbyte(_: &ConfiguredStream, state: &Value) -> Result<(State, Option<String>)> {
        let mut messages = Messages::default();
        messages.add(json!({ "type": "STREAM", "stream": state }));
        Ok((State { messages }, None))
    }

    fn export_airbyte(stream: &str, state: &State) -> Result<Option<Value>> {
        if state.messages.is_empty() {
            return Ok(None);
        }
        state.messages.stream().cloned().map(Some).ok_or_else(|| {
            Error::unsupported("the connector's state is not one of a single stream")
                .context("stream", stream.to_owned())
        })
    }

    fn position(state: &State) -> Option<String> {
        shape::position(state.messages.stream()?.get("stream_state")?)
    }
}

/// A command that was started, and what it said went wrong.
struct Asked {
    run: Run,
    failure: Option<Failure>,
    is_incomplete: bool,
}

impl Airbyte {
    fn ask(&self, verb: &str, files: &[(&str, &str)]) -> Result<Asked> {
        let config = self.settings.value().to_json();
        let mut all = vec![("config", config.as_str())];
        all.extend_from_slice(files);
        Ok(Asked { run: self.program.start(verb, &all)?, failure: None, is_incomplete: false })
    }

    /// The messages in some lines; log lines go to our log, failures are kept, changed configurations stored.
    fn messages<'c>(&self, chunk: &'c [u8], failure: &mut Option<Failure>) -> Result<Vec<Message<'c>>> {
        let mut messages = Vec::new();
        for line in chunk.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
        {
            let Ok(message) = serde_json::from_slice::<Message<'_>>(line) else {
                if message::is_torn(line) {
                    return Err(Error::transient("the connector printed a message that can't be read"));
                }
                let text = String::from_utf8_lossy(line);
                tracing::info!(target: "connectors::airbyte", "{}", self.mask.apply(&text));
                continue;
            };
            if let Some(log) = &message.log {
                self.log(&log.level, &log.message);
            }
            if let Some(error) = message.trace.as_ref().and_then(|trace| trace.error.clone()) {
                *failure = Some(error);
            }
            if let Some(config) =
                message.control.as_ref().and_then(|control| control.pointer("/connectorConfig/config"))
            {
                self.settings.keep(&Given::from_json(config.to_string().as_bytes())?)?;
            }
            messages.push(message);
        }
        Ok(messages)
    }

    fn log(&self, level: &str, message: &str) {
        let message = self.mask.apply(message);
        match level {
            "FATAL" | "ERROR" | "WARN" => tracing::warn!(target: "connectors::airbyte", "{message}"),
            "INFO" => tracing::info!(target: "connectors::airbyte", "{message}"),
            _ => tracing::debug!(target: "connectors::airbyte", "{message}"),
        }
    }

    /// Fails where the command did.
    async fn ended(&self, asked: Asked) -> Result<()> {
        let Asked { run, failure, is_incomplete } = asked;
        let (status, last) = run.end().await?;
        if status.success() && !is_incomplete {
            return Ok(());
        }
        if let Some(failure) = failure {
            return Err(failure.error(|text| self.mask.apply(text)));
        }
        let error = Error::transient(format!("the connector failed ({status})"));
        Err(if last.is_empty() { error } else { error.with_source(self.mask.apply(&last)) })
    }

    /// What the connector's `discover` lists.
    async fn entries(&self) -> Result<&[Value]> {
        let discovered = self.catalog.get_or_try_init(|| async {
            let mut found = None;
            let mut asked = self.ask("discover", &[])?;
            while let Some(chunk) = asked.run.next().await? {
                for message in self.messages(&chunk, &mut asked.failure)? {
                    found = message.catalog.or(found);
                }
            }
            self.ended(asked).await?;
            found
                .map(|catalog| catalog.streams)
                .ok_or_else(|| Error::data("the connector's `discover` printed no catalog"))
        });
        discovered.await.map(Vec::as_slice)
    }

    fn described(&self, name: &str, entry: &Value) -> Result<Stream> {
        let empty = json!({ "type": "object" });
        let schema = entry.get("json_schema").filter(|schema| schema.is_object()).unwrap_or(&empty);
        let schema = Given::from_json(schema.to_string().as_bytes())?;
        let key: Vec<Vec<String>> = entry
            .get("source_defined_primary_key")
            .and_then(|key| Deserialize::deserialize(key).ok())
            .unwrap_or_default();
        let key: Vec<String> = key.iter().map(|path| path.join(".")).collect();
        shape::stream(name, &schema, &key, default_cursor(entry), self.options)
    }

    /// Reads one stream: records until a state, then the state.
    async fn stream(
        &self,
        stream: &ConfiguredStream,
        state: Messages,
        out: &mut Emitter<'_, Self>,
    ) -> Result<Option<Messages>> {
        let entries = self.entries().await?;
        let entry = entries.iter().find(|entry| entry_name(entry) == stream.name);
        let entry = entry.ok_or_else(|| Error::config("the connector has no such stream any more"))?;
        let is_incremental = stream.sync_mode == SyncMode::Incremental;
        let catalog = configured(stream, entry).to_string();
        let given = state.file();
        let mut files = vec![("catalog", catalog.as_str())];
        if !state.is_empty() {
            files.push(("state", given.as_str()));
        }
        let mut asked = self.ask("read", &files)?;
        let mut reading =
            Reading { filler: Filler::new(stream, out)?, page: String::new(), state, name: &stream.name };
        while let Some(chunk) = asked.run.next().await? {
            for message in self.messages(&chunk, &mut asked.failure)? {
                let status = message.trace.as_ref().and_then(|trace| trace.stream_status.as_ref());
                asked.is_incomplete |= status.is_some_and(|status| status.status == "INCOMPLETE");
                reading.take(message, is_incremental).await?;
            }
        }
        reading.turn().await?;
        self.ended(asked).await?;
        reading.filler.flush().await?;
        Ok(is_incremental.then_some(reading.state))
    }
}

/// A stream that is being read.
struct Reading<'a, 'e> {
    filler: Filler<'a, 'e, Airbyte>,
    /// Records as the beginning of a JSON list.
    page: String,
    state: Messages,
    name: &'a str,
}

impl Reading<'_, '_> {
    async fn take(&mut self, message: Message<'_>, is_incremental: bool) -> Result<()> {
        match (&*message.kind, message.record, message.state) {
            ("RECORD", Some(record), _) => {
                let is_ours = match &record.namespace {
                    None => record.stream == self.name,
                    space => full_name(space.as_deref(), &record.stream) == self.name,
                };
                if is_ours {
                    self.page.push(if self.page.is_empty() { '[' } else { ',' });
                    self.page.push_str(record.data.get());
                }
                if self.page.len() >= PAGE { self.turn().await } else { Ok(()) }
            }
            ("STATE", _, Some(state)) if is_incremental => {
                self.turn().await?;
                self.state.add(state);
                if self.filler.is_due() {
                    let rest = Partition { state: self.state.clone() };
                    self.filler.checkpoint(&rest, Some(self.state.clone())).await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Turns the records so far into columns.
    async fn turn(&mut self) -> Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let mut page = std::mem::take(&mut self.page);
        page.push(']');
        match Page::new(&Bytes::from(page))?.records(&[])? {
            Some(records) => self.filler.add(&records).await,
            None => Err(Error::data("the connector's records are no JSON")),
        }
    }
}

fn entry_name(entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    full_name(text("namespace"), text("name").unwrap_or_default())
}

/// The field that a stream goes by where nobody chose another.
fn default_cursor(entry: &Value) -> Option<&str> {
    entry.get("default_cursor_field")?.as_array()?.first()?.as_str()
}

/// The catalog of one stream, as it is configured.
fn configured(stream: &ConfiguredStream, entry: &Value) -> Value {
    let mode = match stream.sync_mode {
        SyncMode::Incremental => "incremental",
        SyncMode::FullRefresh => "full_refresh",
    };
    let key: Vec<[&String; 1]> = stream.primary_key.iter().map(|column| [column]).collect();
    let cursor: Vec<&String> = stream.cursor.iter().collect();
    json!({ "streams": [{
        "stream": entry,
        "sync_mode": mode,
        "destination_sync_mode": "append",
        "cursor_field": cursor,
        "primary_key": key,
    }] })
}
