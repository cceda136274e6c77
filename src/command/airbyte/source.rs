//! Any source of tidegate's, run where an Airbyte source is expected.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::Schema;
use connectors::registry;
use connectors::source::declarative::Value as Given;
use connectors::source::declarative::config::Mask;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use protocol::{
    ConfiguredStream, Done, DriftPolicy, DynSource, Error, Event, Grain, Lifetime, Outlet, Result, Stream,
    StreamFilter, StreamState, SyncId, SyncMode, Unfinished, UnfitPolicy, WriteMode,
};
use serde_json::{Value, json};

use super::input::{self, Catalog, Configured, States};
use super::messages::{Messages, StreamStatus};
use super::record::RecordLines;
use super::row::{Rows, json_schema};
use super::{Outcome, config_path, tell, tell_failed};
use crate::args::{Airbyte, AirbyteRead, AirbyteSource};
use crate::command::Context;
use crate::command::session::pick;
use crate::config::{Kind, timed};

/// The member of a stream's state that is ours.
const STATE: &str = "tidegate";
/// Octets of a batch.
const BATCH: usize = 1 << 20;
/// Partitions that are read at once, unless the source endures fewer.
const PARALLEL: usize = 2;

/// Carries out a command for a source of tidegate's.
pub(super) async fn run(verb: &Airbyte, context: &Context, messages: &Messages) -> Outcome {
    match verb {
        Airbyte::Spec(which) => spec(which, messages),
        Airbyte::Check(which) => check(which, context, messages).await,
        Airbyte::Discover(which) => {
            let source = open(which, context, messages).await?;
            let found = source.discover(&StreamFilter::all()).await;
            source.close().await;
            let streams: Vec<Value> = found?.streams.iter().map(described).collect();
            messages.send(&json!({ "type": "CATALOG", "catalog": { "streams": streams } }))?;
            Ok(true)
        }
        Airbyte::Read(arguments) => {
            let catalog = Catalog::read(&arguments.catalog)?;
            let source = open(&arguments.source, context, messages).await?;
            let outcome = read(source.as_ref(), arguments, &catalog, messages).await;
            source.close().await;
            outcome
        }
    }
}

/// The schema of a connector's settings, its secrets marked as Airbyte marks them.
fn settings(connector: &str) -> Result<Value> {
    let factory = registry::source(connector).ok_or_else(|| {
        let names: Vec<&str> = registry::sources().iter().map(|factory| factory.name).collect();
        Error::config(format!("there is no source {connector:?}"))
            .hint(format!("there are: {}", names.join(", ")))
    })?;
    let mut schema = (factory.schema)().to_value();
    mark_secrets(&mut schema);
    Ok(schema)
}

fn mark_secrets(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("format").is_some_and(|format| format == "password") {
                map.insert("airbyte_secret".to_owned(), true.into());
            }
            map.values_mut().for_each(mark_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(mark_secrets),
        _ => {}
    }
}

fn spec(which: &AirbyteSource, messages: &Messages) -> Outcome {
    let schema = match &which.connector {
        Some(connector) => settings(connector)?,
        // Of a configured source there is nothing left to be configured.
        None => json!({ "type": "object", "properties": {} }),
    };
    messages.send(&json!({ "type": "SPEC", "spec": {
        "connectionSpecification": schema,
        "supportsIncremental": true,
    } }))?;
    Ok(true)
}

async fn open(which: &AirbyteSource, context: &Context, messages: &Messages) -> Result<Box<dyn DynSource>> {
    let said = |failure: crate::failure::Failure| match failure {
        crate::failure::Failure::Error(error) => error,
        other => {
            let report = other.report();
            Error::config(
                report.causes.into_iter().fold(report.message, |text, cause| format!("{text}: {cause}")),
            )
        }
    };
    if let Some(connector) = &which.connector {
        let schema = settings(connector)?;
        let given = Given::Map(input::config(config_path(which, context)?)?);
        let schema_of_secrets = Given::from_json(schema.to_string().as_bytes())?;
        messages.mask(Mask::new(&schema_of_secrets, &given));
        let value = serde_json::from_str(&given.to_json())
            .map_err(|error| Error::config("the configuration is no JSON").with_source(error))?;
        let factory = registry::source(connector).expect("it has a schema");
        let opened = (factory.configure)(timed(value, &schema, context.global.now));
        return opened.map_err(|invalid| Error::config(invalid.to_string()))?().await;
    }
    let config = context.config().map_err(said)?;
    let section = pick(&config, Kind::Source, which.source.as_deref()).map_err(said)?;
    let setup = config.source(section).map_err(|error| said(error.into()))?;
    (setup.open)().await
}

async fn check(which: &AirbyteSource, context: &Context, messages: &Messages) -> Outcome {
    let checked = async {
        let source = open(which, context, messages).await?;
        let checked = source.check().await;
        source.close().await;
        checked
    };
    let status = match checked.await {
        Ok(facts) => {
            for fact in facts {
                messages.log("INFO", &fact);
            }
            json!({ "status": "SUCCEEDED" })
        }
        Err(error) => json!({ "status": "FAILED", "message": messages.masked(&format!("{error:#}")) }),
    };
    messages.send(&json!({ "type": "CONNECTION_STATUS", "connectionStatus": status }))?;
    Ok(true)
}

/// A stream of a catalog.
fn described(stream: &Stream) -> Value {
    let mut described = json!({
        "name": stream.name,
        "json_schema": json_schema(&stream.schema),
        "supported_sync_modes": ["full_refresh"],
        "is_resumable": !stream.cursors.is_empty(),
    });
    if let Some(best) = stream.cursors.first() {
        described["supported_sync_modes"] = json!(["full_refresh", "incremental"]);
        described["default_cursor_field"] = json!([best.field]);
        described["source_defined_cursor"] = json!(false);
    }
    if !stream.primary_key.is_empty() {
        let key: Vec<[&String; 1]> = stream.primary_key.iter().map(|column| [column]).collect();
        described["source_defined_primary_key"] = json!(key);
    }
    described
}

async fn read(
    source: &dyn DynSource,
    arguments: &AirbyteRead,
    catalog: &Catalog,
    messages: &Messages,
) -> Outcome {
    let states = match &arguments.state {
        Some(path) => States::read(path)?,
        None => States::none(),
    };
    let patterns = catalog.streams.iter().map(|stream| stream.name.clone()).collect();
    let found = source.discover(&StreamFilter { patterns }).await?;
    let mut failed = Vec::new();
    for configured in &catalog.streams {
        let name = &configured.name;
        let Some(stream) = found.stream(name) else {
            messages.status(name, StreamStatus::Incomplete)?;
            continue;
        };
        messages.status(name, StreamStatus::Started)?;
        let result = one(source, stream, configured, states.of_stream(name), messages).await;
        match result {
            Ok(()) => messages.status(name, StreamStatus::Complete)?,
            Err(error) => {
                tell(messages, Some(name), &error);
                messages.status(name, StreamStatus::Incomplete)?;
                failed.push((name.clone(), error));
            }
        }
    }
    if !failed.is_empty() {
        tell_failed(messages, &failed);
    }
    Ok(failed.is_empty())
}

/// The stream as the catalog wants it: columns, mode, cursor, key.
fn configure(stream: &Stream, configured: &Configured) -> Result<ConfiguredStream> {
    let name = &configured.name;
    let wanted = configured.json_schema.get("properties").and_then(Given::as_map);
    let fields = stream.schema.fields().iter();
    let fields: Vec<_> = fields
        .filter(|field| wanted.is_none_or(|wanted| wanted.is_empty() || wanted.contains(field.name())))
        // What does not fit becomes NULL, whatever the column says.
        .map(|field| Arc::new(field.as_ref().clone().with_nullable(true)))
        .collect();
    let single = |path: &[String]| match path {
        [column] => Ok(column.clone()),
        _ => Err(Error::config("columns within columns can be neither cursor nor key")
            .context("stream", name.clone())),
    };
    let cursor = match (&configured.cursor_field[..], stream.cursors.first()) {
        _ if !configured.is_incremental => None,
        ([], Some(best)) => Some(best.field.clone()),
        ([], None) => {
            return Err(Error::config("no column can be a cursor").context("stream", name.clone()));
        }
        (path, _) => Some(single(path)?),
    };
    let primary_key = if configured.primary_key.is_empty() {
        stream.primary_key.clone()
    } else {
        configured.primary_key.iter().map(|path| single(path)).collect::<Result<_>>()?
    };
    Ok(ConfiguredStream {
        connection: "airbyte".to_owned(),
        name: name.clone(),
        target: name.clone(),
        schema: Arc::new(Schema::new(fields)),
        primary_key,
        sync_mode: if configured.is_incremental { SyncMode::Incremental } else { SyncMode::FullRefresh },
        write_mode: match configured.destination_mode.as_str() {
            "overwrite" => WriteMode::Overwrite,
            "append_dedup" => WriteMode::Merge,
            _ => WriteMode::Append,
        },
        cursor,
        soft_delete: None,
        lag: None,
        filter: None,
        on_unfit: UnfitPolicy::Null,
        on_drift: DriftPolicy::Evolve,
        options: BTreeMap::new(),
    })
}

/// Reads one stream, and says where it stands: after each partition where that can be gone on from.
async fn one(
    source: &dyn DynSource,
    stream: &Stream,
    configured: &Configured,
    state: Option<&Given>,
    messages: &Messages,
) -> Result<()> {
    let stream = configure(stream, configured)?;
    let before = match state.and_then(|state| state.get(STATE)) {
        Some(ours) => serde_json::from_str::<StreamState>(&ours.to_json())
            .map_err(|error| Error::config("the state can't be read").with_source(error))?,
        None => StreamState::default(),
    };
    let left = before.unfinished.filter(|left| left.fingerprint == stream.fingerprint());
    let (left, is_resumable) = if let Some(left) = left {
        (left, true)
    } else {
        let parallelism = NonZeroUsize::new(PARALLEL).expect("it is not 0");
        let plan =
            source.plan(&stream, before.source.as_ref(), parallelism, Lifetime::Session, false).await?;
        plan.notes.iter().for_each(|note| messages.log("WARN", note));
        let remaining = plan.partitions.into_iter().map(|planned| planned.partition).collect();
        let left = Unfinished {
            sync: SyncId::new(),
            fingerprint: stream.fingerprint(),
            mode: plan.mode,
            next: plan.next,
            max_in_flight: plan.max_in_flight,
            remaining,
        };
        (left, plan.grain == Grain::Partition)
    };
    let most = left.max_in_flight.map_or(PARALLEL, |most| most.get().min(PARALLEL));
    let partitions = left.remaining.clone();
    let progress = Progress {
        source,
        before: before.source,
        left: Mutex::new(left),
        is_resumable,
        messages,
        name: &stream.name,
        is_running: Mutex::new(false),
    };
    futures::stream::iter(partitions)
        .map(|partition| partition_of(&progress, &stream, partition))
        .buffer_unordered(most)
        .try_collect::<()>()
        .await?;
    progress.tell()
}

/// How far a stream has come.
struct Progress<'a> {
    source: &'a dyn DynSource,
    before: Option<protocol::Versioned>,
    left: Mutex<Unfinished>,
    is_resumable: bool,
    messages: &'a Messages,
    name: &'a str,
    is_running: Mutex<bool>,
}

impl Progress<'_> {
    fn settle(&self, done: Done) -> Result<()> {
        let advance = |state: &mut protocol::Versioned, partition: &Value, seen| {
            self.source.advance(state, partition, seen)
        };
        self.left.lock().unwrap_or_else(PoisonError::into_inner).settle(&[done], advance)
    }

    /// Prints the state that goes with the records so far.
    fn tell(&self) -> Result<()> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let state = left.into_state(self.before.clone());
        self.messages.state(self.name, &json!({ STATE: state }).to_string())
    }

    /// Says once that records come.
    fn run(&self) -> Result<()> {
        let was_running =
            std::mem::replace(&mut *self.is_running.lock().unwrap_or_else(PoisonError::into_inner), true);
        if was_running { Ok(()) } else { self.messages.status(self.name, StreamStatus::Running) }
    }
}

async fn partition_of(progress: &Progress<'_>, stream: &ConfiguredStream, partition: Value) -> Result<()> {
    let lines = RecordLines::new(progress.messages.clone(), progress.name);
    let mut lane = Lane { progress, lines, partition: partition.clone() };
    let seen = progress.source.read(stream, partition, &mut lane).await?;
    let partition = lane.partition;
    progress.settle(Done { partition, rest: None, seen: vec![seen] })?;
    let is_last = progress.left.lock().unwrap_or_else(PoisonError::into_inner).remaining.is_empty();
    if progress.is_resumable && !is_last { progress.tell() } else { Ok(()) }
}

/// Takes the rows of one partition.
struct Lane<'a> {
    progress: &'a Progress<'a>,
    lines: RecordLines,
    /// What is left of it.
    partition: Value,
}

impl Lane<'_> {
    fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Batch(batch) => {
                if batch.num_rows() > 0 {
                    self.progress.run()?;
                }
                let rows = Rows::new(&batch);
                self.lines.stamp();
                for row in 0..batch.num_rows() {
                    self.lines.with(|line| rows.write(row, line))?;
                }
                self.lines.finish()
            }
            Event::Checkpoint { rest, seen } => {
                let partition = std::mem::replace(&mut self.partition, rest.clone());
                self.progress.settle(Done { partition, rest: Some(rest), seen: vec![seen] })?;
                if self.progress.is_resumable { self.progress.tell() } else { Ok(()) }
            }
            Event::Adjusted(adjustment) => {
                let (values, column, reason) = (adjustment.values, adjustment.column, adjustment.reason);
                let note = format!(
                    "stream {}: {values} values of {column} did not fit ({reason})",
                    self.progress.name
                );
                self.progress.messages.log("WARN", &note);
                Ok(())
            }
        }
    }
}

impl Outlet for Lane<'_> {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        let taken = self.take(event);
        async { taken }.boxed()
    }

    fn batch_bytes(&self) -> usize {
        BATCH
    }
}
