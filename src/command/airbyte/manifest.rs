//! Manifests, run as Airbyte's `source-declarative-manifest` runs them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connectors::http;
use connectors::source::declarative::config::{self, Mask};
use connectors::source::declarative::stream::{Engine, StreamInfo};
use connectors::source::declarative::{Clock, Map, Value, manifest};
use futures::StreamExt;
use protocol::{Error, Result};
use serde_json::json;

use super::input::{self, Catalog, States};
use super::messages::{Messages, StreamStatus};
use super::sink::StreamLines;
use super::{Outcome, config_path, tell, tell_failed};
use crate::args::{Airbyte, AirbyteRead, AirbyteSource};
use crate::command::Context;

/// Where a configuration may hold the manifest itself.
const INJECTED: &str = "__injected_declarative_manifest";
/// Settings that only Airbyte's own tests make, and that no specification knows.
const INTERNAL: [&str; 2] = ["_limit", "_page_size"];
/// Streams that are read at once; their slices share the source's concurrency.
const STREAMS_AT_ONCE: usize = 16;

/// Carries out a command for a manifest.
pub(super) async fn run(verb: &Airbyte, context: &Context, messages: &Messages) -> Outcome {
    match verb {
        Airbyte::Spec(which) => spec(which, context, messages),
        Airbyte::Check(which) => check(which, context, messages).await,
        Airbyte::Discover(which) => {
            let opened = Opened::of(which, context, messages, None)?;
            opened.validate()?;
            discover(&opened, messages).await
        }
        Airbyte::Read(read) => self::read(read, context, messages).await,
    }
}

/// A manifest with its configuration, read but not built.
struct Given {
    manifest: Value,
    config: Map,
    folder: Option<PathBuf>,
    envelope: Envelope,
}

/// What surrounds a configuration that is handed out: the manifest in it, if it came with one.
#[derive(Clone, Default)]
pub(super) struct Envelope {
    injected: Option<Arc<Value>>,
    is_verbose: bool,
}

impl Envelope {
    /// Says that the configuration has changed.
    pub(super) fn config_changed(&self, messages: &Messages, config: &Value) -> Result<()> {
        let mut config = config.clone();
        if let (Value::Map(map), Some(manifest)) = (&mut config, &self.injected) {
            map.insert(INJECTED, Value::clone(manifest));
        }
        messages.config_changed(&config.to_json())
    }
}

impl Given {
    fn read(which: &AirbyteSource, context: &Context) -> Result<Self> {
        let mut config = input::config(config_path(which, context)?)?;
        let injected = config.remove(INJECTED);
        let mut envelope = Envelope { injected: None, is_verbose: which.debug };
        let (manifest, folder) = match (&which.manifest_path, injected) {
            (Some(path), _) => (manifest::open(path)?, path.parent().map(Path::to_owned)),
            (None, Some(value)) => {
                if value.as_map().is_none() {
                    return Err(Error::config(format!(
                        "`{INJECTED}` must be an object, not {}",
                        value.kind()
                    )));
                }
                let manifest = manifest::resolve(value.clone())?;
                envelope.injected = Some(Arc::new(value));
                (manifest, None)
            }
            (None, None) => {
                return Err(Error::config(format!("the configuration has no `{INJECTED}`"))
                    .hint("give the manifest there, or by `--manifest-path`"));
            }
        };
        Ok(Self { manifest, config, folder, envelope })
    }
}

/// A source that was built.
struct Opened {
    engine: Arc<Engine>,
    specification: Value,
    config: Value,
    envelope: Envelope,
}

impl Opened {
    fn of(
        which: &AirbyteSource,
        context: &Context,
        messages: &Messages,
        catalog: Option<&Value>,
    ) -> Result<Self> {
        Self::open(Given::read(which, context)?, context, messages, catalog)
    }

    fn open(given: Given, context: &Context, messages: &Messages, catalog: Option<&Value>) -> Result<Self> {
        let specification = config::connection_specification(&given.manifest);
        let config = Value::Map(given.config);
        messages.mask(Mask::new(&specification, &config));
        let clock = clock(context);
        let options = http::Options::of_environment();
        let engine = Engine::open(given.manifest, config.clone(), clock, given.folder, &options)?;
        // It learns what comes while reading: tokens of sessions, refreshed ones.
        engine.mask().learn(&specification, &config);
        messages.mask(engine.mask().clone());
        if let Some(catalog) = catalog {
            engine.configure(catalog);
        }
        let (envelope, whom) = (given.envelope.clone(), messages.clone());
        engine.keep_config(Box::new(move |config| envelope.config_changed(&whom, config)));
        let config = match engine.migrated_config() {
            Some(migrated) => {
                given.envelope.config_changed(messages, migrated)?;
                migrated.clone()
            }
            None => config,
        };
        engine.mask().learn(&specification, &config);
        Ok(Self { engine: Arc::new(engine), specification, config, envelope: given.envelope })
    }

    /// Whether the configuration is what the specification asks for.
    fn validate(&self) -> Result<()> {
        if self.specification.as_map().is_none() {
            return Ok(());
        }
        let Value::Map(mut config) = self.config.clone() else { return Ok(()) };
        for key in INTERNAL {
            config.remove(key);
        }
        config::validate(&self.specification, &Value::Map(config))
            .map_err(|what| Error::config(format!("Config validation error: {what}")))
    }
}

fn clock(context: &Context) -> Clock {
    context.global.now.map_or_else(|| Clock::live(chrono::Utc::now), Clock::fixed)
}

/// Prints the manifest's specification; without a manifest, that of manifests in general.
fn spec(which: &AirbyteSource, context: &Context, messages: &Messages) -> Outcome {
    let manifest = match (&which.manifest_path, &context.global.config) {
        (Some(path), _) => Some(manifest::open(path)?),
        (None, Some(_)) => Given::read(which, context).ok().map(|given| given.manifest),
        (None, None) => None,
    };
    let Some(manifest) = manifest else {
        messages.send(&general_specification())?;
        return Ok(true);
    };
    let spec = manifest.get("spec").filter(|spec| spec.as_map().is_some());
    let spec = spec.ok_or_else(|| {
        Error::config("the manifest has no `spec`").hint("put the connector's `spec.yaml` beside it")
    })?;
    let field = |key: &str| spec.get(key).filter(|value| value.is_true());
    let mut members = vec![format!(
        r#""connectionSpecification":{}"#,
        config::connection_specification(&manifest).to_json()
    )];
    if let Some(url) = field("documentation_url") {
        members.push(format!(r#""documentationUrl":{}"#, url.to_json()));
    }
    members.push(r#""supportsNormalization":false,"supportsDBT":false"#.to_owned());
    if let Some(Value::Map(auth)) = field("advanced_auth") {
        let mut auth = auth.clone();
        // Not a part of the protocol.
        auth.remove("type");
        auth.remove("$parameters");
        members.push(format!(r#""advanced_auth":{}"#, Value::Map(auth).to_json()));
    }
    messages.line(&format!(r#"{{"type":"SPEC","spec":{{{}}}}}"#, members.join(",")))?;
    Ok(true)
}

fn general_specification() -> serde_json::Value {
    json!({ "type": "SPEC", "spec": {
        "connectionSpecification": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Source of a declarative manifest",
            "type": "object",
            "required": [INJECTED],
            "additionalProperties": true,
            "properties": { INJECTED: {
                "title": "Manifest",
                "type": "object",
                "description": "The manifest that describes the source.",
            } },
        },
        "supportsNormalization": false,
        "supportsDBT": false,
    } })
}

/// Says whether the configuration works. That it does not is an answer, no failure.
async fn check(which: &AirbyteSource, context: &Context, messages: &Messages) -> Outcome {
    let given = Given::read(which, context)?;
    let config = Value::Map(given.config.clone());
    messages.mask(Mask::new(&config::connection_specification(&given.manifest), &config));
    let prepared = config::prepare(&given.manifest, config, &clock(context));
    let checked = match prepared {
        Ok(_) => {
            let opened = Opened::open(given, context, messages, None)?;
            match opened.validate() {
                Ok(()) => opened.engine.check().await,
                invalid => invalid,
            }
        }
        Err(invalid) => Err(invalid),
    };
    let status = match checked {
        Ok(()) => json!({ "status": "SUCCEEDED" }),
        Err(error) => {
            messages.log("ERROR", &format!("check failed: {error:#}"));
            json!({ "status": "FAILED", "message": messages.masked(&format!("{error:#}")) })
        }
    };
    messages.send(&json!({ "type": "CONNECTION_STATUS", "connectionStatus": status }))?;
    Ok(true)
}

/// Prints the streams.
async fn discover(opened: &Opened, messages: &Messages) -> Outcome {
    let mut streams = Vec::new();
    for stream in opened.engine.streams().await? {
        match stream {
            Ok(info) => streams.push(described(&info)),
            Err((name, error)) => tell(messages, Some(&name), &error),
        }
    }
    messages.line(&format!(r#"{{"type":"CATALOG","catalog":{{"streams":[{}]}}}}"#, streams.join(",")))?;
    Ok(true)
}

/// A stream of a catalog, as JSON.
fn described(info: &StreamInfo) -> String {
    let name = json!(info.name);
    let schema = info.json_schema.to_json();
    let mut text =
        format!(r#"{{"name":{name},"json_schema":{schema},"supported_sync_modes":["full_refresh""#);
    match &info.cursor_field {
        Some(field) => {
            let field = json!(field);
            let defined = !info.chooses_cursor;
            text = format!(
                r#"{text},"incremental"],"source_defined_cursor":{defined},"default_cursor_field":[{field}]"#
            );
        }
        None => text.push(']'),
    }
    if !info.primary_key.is_empty() {
        let key: Vec<[&String; 1]> = info.primary_key.iter().map(|column| [column]).collect();
        text = format!(r#"{text},"source_defined_primary_key":{}"#, json!(key));
    }
    format!(r#"{text},"is_resumable":{},"is_file_based":false}}"#, info.cursor_field.is_some())
}

/// Reads the streams of a catalog.
async fn read(arguments: &AirbyteRead, context: &Context, messages: &Messages) -> Outcome {
    let catalog = Catalog::read(&arguments.catalog)?;
    let states = match &arguments.state {
        Some(path) => States::read(path)?,
        None => States::none(),
    };
    let opened = Opened::of(&arguments.source, context, messages, Some(&catalog.value))?;
    opened.validate()?;
    let known = opened.engine.names().await?;
    let mut names: Vec<&str> = Vec::new();
    for stream in &catalog.streams {
        if !known.contains(&stream.name) {
            messages
                .log("WARN", &format!("stream {} is in the catalog and not in the manifest", stream.name));
            messages.status(&stream.name, StreamStatus::Incomplete)?;
        } else if !names.contains(&stream.name.as_str()) {
            names.push(&stream.name);
        }
    }
    messages.log("INFO", "Starting syncing");
    let reads = names.into_iter().map(|name| {
        let (engine, is_verbose, messages) =
            (Arc::clone(&opened.engine), opened.envelope.is_verbose, messages.clone());
        let (name, state) = (name.to_owned(), states.of_stream(name).cloned());
        let of = name.clone();
        let read = async move { stream(&engine, &name, state.as_ref(), is_verbose, &messages).await };
        async move {
            // A bug in one stream is not the end of the others.
            let broken = |error| Error::internal("the stream's task broke off").with_source(error);
            (of, tokio::spawn(read).await.map_err(broken).and_then(|result| result))
        }
    });
    let mut reads = futures::stream::iter(reads).buffer_unordered(STREAMS_AT_ONCE);
    let mut failed = Vec::new();
    while let Some((name, result)) = reads.next().await {
        if let Err(error) = result {
            failed.push((name, error));
        }
        // Nobody reads any more.
        messages.flush()?;
    }
    messages.log("INFO", "Finished syncing");
    if !failed.is_empty() {
        tell_failed(messages, &failed);
    }
    Ok(failed.is_empty())
}

/// Reads one stream.
async fn stream(
    engine: &Engine,
    name: &str,
    state: Option<&Value>,
    is_verbose: bool,
    messages: &Messages,
) -> Result<()> {
    messages.log("INFO", &format!("Marking stream {name} as STARTED"));
    messages.status(name, StreamStatus::Started)?;
    let mut sink = StreamLines::new(messages, name, is_verbose);
    let result = engine.read(name, state, &mut sink).await;
    messages.log("INFO", &format!("Read {} records from {name} stream", sink.records()));
    match &result {
        Ok(()) => messages.status(name, StreamStatus::Complete)?,
        Err(error) => {
            tell(messages, Some(name), error);
            messages.status(name, StreamStatus::Incomplete)?;
        }
    }
    result
}
