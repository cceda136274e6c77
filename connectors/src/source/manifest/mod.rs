//! HTTP APIs by their Airbyte manifests, as a source.
//!
//! A stream is one partition: the engine of manifests divides it further, and its state says how far it came. That state
//! is Airbyte's own, so that a connection can move in both directions.

pub(crate) mod config;
mod sink;

use std::path::Path;

use protocol::{
    Catalog, ConfiguredStream, Emitter, Error, Grain, Plan, PlanRequest, Planned, Result, Source,
    StreamFilter, SyncMode,
};
use serde::{Deserialize, Serialize};

use self::config::{Nested, Repeated, Undeclared};
use self::sink::Rows;
use super::airbyte::settings::Settings;
use super::airbyte::shape;
use super::declarative::config::{connection_specification, validate};
use super::declarative::stream::{Engine, Memory, Recall};
use super::declarative::{Clock, Value, manifest};
use crate::json::Options;

pub use config::Config;

/// An API that a manifest describes.
pub struct Manifest {
    engine: Engine,
    options: Options,
    repeated: Repeated,
    streams_at_once: Option<std::num::NonZeroUsize>,
}

/// What is to be read of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Airbyte's state to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<serde_json::Value>,
    /// Records that this gives again.
    #[serde(default, skip_serializing_if = "Memory::is_empty")]
    memory: Memory,
}

/// Where a stream stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The stream's state in Airbyte's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    airbyte: Option<serde_json::Value>,
    /// Records that a read from there gives again.
    #[serde(default, skip_serializing_if = "Memory::is_empty")]
    memory: Memory,
}

impl Source for Manifest {
    const NAME: &'static str = "manifest";
    type Config = Config;
    type Partition = Partition;
    type State = State;
    /// Where the stream stands now; `None` where it can't be gone on from.
    type Seen = Option<State>;

    async fn open(config: Config) -> Result<Self> {
        let shown = config.path.display().to_string();
        let manifest = manifest::open(&config.path)?;
        let settings = Settings::read(&config.config, config.config_file)?;
        if replaces_tokens(&manifest) && !settings.is_kept() {
            return Err(Error::config(
                "the API may replace its refresh token, and there is no place to keep it",
            )
            .context("manifest", shown)
            .hint("set `config_file` to a path for a JSON file: it is made, and read before `config`"));
        }
        let clock = config.now.map_or_else(|| Clock::live(chrono::Utc::now), Clock::fixed);
        let folder = config.path.parent().map(Path::to_owned);
        let specification = connection_specification(&manifest);
        let engine = Engine::open(manifest, settings.value().clone(), clock, folder, &config.http)?;
        let given = engine.migrated_config().unwrap_or(settings.value());
        validate(&specification, given).map_err(|what| {
            let what = engine.mask().apply(&what);
            Error::config(format!("the source's `config` is not what the manifest asks for: {what}"))
                .context("manifest", shown)
        })?;
        // Said before anything is read: a token that is lost locks the source out.
        if settings.is_kept() {
            let settings = settings.clone();
            engine.keep_config(Box::new(move |config| settings.keep(config)));
        }
        let options = Options {
            nested: config.nested == Nested::Columns,
            drop_undeclared: config.undeclared == Undeclared::Drop,
        };
        Ok(Self { engine, options, repeated: config.repeated, streams_at_once: config.streams_at_once })
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.engine.check().await.map_err(|error| self.engine.mask().error(&error))?;
        Ok(Vec::new())
    }

    async fn discover(&self, filter: &StreamFilter) -> Result<Catalog> {
        let mut streams = Vec::new();
        let found = self.engine.streams().await.map_err(|error| self.engine.mask().error(&error))?;
        for found in found {
            match found {
                Ok(info) if filter.matches(&info.name) => streams.push(shape::stream(
                    &info.name,
                    &info.json_schema,
                    &info.primary_key,
                    info.cursor_field.as_deref(),
                    self.options,
                )?),
                Ok(_) => {}
                // One that is asked for by its name fails the command; others only are not there.
                Err((name, error)) if filter.patterns.contains(&name) => {
                    return Err(self.engine.mask().error(&error).context("stream", name));
                }
                Err((name, error)) => {
                    if filter.matches(&name) {
                        tracing::warn!(
                            stream = name,
                            error = format!("{error:#}"),
                            "the stream can't be read"
                        );
                    }
                }
            }
        }
        Ok(Catalog::new(streams))
    }

    async fn plan(&self, request: &PlanRequest<'_, State>) -> Result<Plan<Partition, State>> {
        let mut notes = Vec::new();
        if request.sweep {
            notes.push(
                "an API can't be asked for rows that its cursor passes by: nothing is swept".to_owned(),
            );
        }
        let (next, mode) = match request.stream.sync_mode {
            SyncMode::Incremental => (request.state.clone(), "incremental"),
            SyncMode::FullRefresh => (State::default(), "full_refresh"),
        };
        let State { airbyte: state, memory } = next.clone();
        Ok(Plan {
            partitions: vec![Planned::new(Partition { state, memory })],
            next,
            max_in_flight: self.streams_at_once,
            grain: Grain::Partition,
            mode: mode.to_owned(),
            window: None,
            notes,
        })
    }

    fn advance(&self, state: &mut State, _: &Partition, seen: Option<State>) {
        if let Some(seen) = seen {
            *state = seen;
        }
    }

    async fn read(
        &self,
        stream: &ConfiguredStream,
        partition: Partition,
        out: &mut Emitter<'_, Self>,
    ) -> Result<Option<State>> {
        let state =
            partition.state.map(|state| Value::from_json(state.to_string().as_bytes())).transpose()?;
        let is_incremental = stream.sync_mode == SyncMode::Incremental;
        let recall =
            (is_incremental && self.repeated == Repeated::Skip).then(|| Recall::new(&partition.memory));
        let mut rows = Rows::new(stream, out, self.engine.mask(), is_incremental, recall)?;
        let read = self.engine.read(&stream.name, state.as_ref(), &mut rows).await;
        read.map_err(|error| self.engine.mask().error(&error).context("stream", stream.name.clone()))?;
        rows.finish().await
    }

    fn import_airbyte(
        stream: &ConfiguredStream,
        state: &serde_json::Value,
    ) -> Result<(State, Option<String>)> {
        let advice = (stream.sync_mode == SyncMode::FullRefresh).then(|| {
            "the stream is a full refresh, which begins at the beginning whatever its state".to_owned()
        });
        let airbyte = state.get("stream_state").filter(|state| !state.is_null()).cloned();
        Ok((State { airbyte, memory: Memory::default() }, advice))
    }

    fn export_airbyte(stream: &str, state: &State) -> Result<Option<serde_json::Value>> {
        Ok(state.airbyte.as_ref().map(
            |state| serde_json::json!({ "stream_descriptor": { "name": stream }, "stream_state": state }),
        ))
    }

    fn position(state: &State) -> Option<String> {
        shape::position(state.airbyte.as_ref()?)
    }
}

/// Whether a component of the manifest writes a changed refresh token back.
fn replaces_tokens(value: &Value) -> bool {
    match value {
        Value::Map(map) => {
            let is_kept = map.get("type").and_then(Value::as_text) == Some("OAuthAuthenticator")
                && map.get("refresh_token_updater").is_some_and(|updater| !updater.is_none());
            is_kept || map.iter().any(|(key, value)| key != "definitions" && replaces_tokens(value))
        }
        Value::List(items) => items.iter().any(replaces_tokens),
        _ => false,
    }
}
