//! The one interface of this folder: a manifest with its configuration, ready to be described, checked and read.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use protocol::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::definition::{self, Definition};
use super::family::Family;
use super::plain::{Origin, Stream};
use super::read::Limits;
use super::room::Room;
use super::sink::{Progress, Sink};
use super::{delegate, dynamic};
use crate::http;
use crate::source::declarative::auth::Keeper;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::component::Component;
use crate::source::declarative::config;
use crate::source::declarative::fault;
use crate::source::declarative::job;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::Context;
use crate::source::declarative::value::{Map, Value};

/// Slices that are read at once where the manifest does not say how many.
const AT_ONCE: usize = 2;
/// Slices that are read at once at most, whatever the manifest says.
const MOST_AT_ONCE: i64 = 1000;

/// A manifest with its configuration.
pub struct Engine {
    manifest: Arc<Value>,
    family: Family,
    migrated: Option<Value>,
    limits: Limits,
    /// The streams of the manifest itself, once they were asked for.
    fixed: OnceLock<Vec<Definition>>,
    /// What dynamic streams there are, once they were asked for.
    made: OnceCell<Vec<Definition>>,
    /// What the user chose of the catalog, by stream.
    catalog: OnceLock<BTreeMap<String, Chosen>>,
    groups: BTreeMap<String, Arc<Mutex<()>>>,
}

/// What the user chose of a stream.
#[derive(Default)]
struct Chosen {
    cursor: Option<String>,
    properties: HashSet<String>,
}

/// What a catalog says of a stream.
#[derive(Debug, Clone)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// Its JSON schema.
    pub json_schema: Value,
    /// The columns of its primary key; empty without one.
    pub primary_key: Vec<String>,
    /// The cursor's field, where the stream is incremental.
    pub cursor_field: Option<String>,
    /// Whether the user may choose the cursor's field.
    pub chooses_cursor: bool,
}

impl Engine {
    /// Builds the source. `manifest` comes from [`manifest::load`](crate::source::declarative::manifest::load) or
    /// [`manifest::resolve`](crate::source::declarative::manifest::resolve). Sends no request. Streams that can't be
    /// built fail alone, when they are used.
    pub fn open(
        manifest: Value,
        config: Value,
        clock: Clock,
        folder: Option<PathBuf>,
        options: &http::Options,
    ) -> Result<Self> {
        let prepared = config::prepare(&manifest, config, &clock)?;
        let mut client = http::Client::new(options)?;
        if let Some(budget) = Component::new(&manifest, "")?.child("api_budget")? {
            let budget = fault::budget(&budget, &Context::new(&clock, &prepared.config))?;
            client = client.with_budget(Arc::new(budget));
        }
        let scope = Scope::new(prepared.config, clock, client, folder);
        scope.vault().mask().learn(&config::connection_specification(&manifest), scope.config());
        Self::of(Arc::new(manifest), scope, prepared.migrated)
    }

    fn of(manifest: Arc<Value>, scope: Scope, migrated: Option<Value>) -> Result<Self> {
        let root = Component::new(&manifest, "")?;
        scope.vault().limit_jobs(job::at_once(&root, &scope));
        scope.vault().mask().learn(&config::connection_specification(&manifest), scope.config());
        let slices = Arc::new(Semaphore::new(concurrency(&root, &scope)?));
        let groups =
            definition::groups(&root).into_iter().map(|(_, group)| (group, Arc::default())).collect();
        Ok(Self {
            family: Family::new(scope),
            migrated,
            limits: Limits { slices, room: Room::default() },
            fixed: OnceLock::new(),
            made: OnceCell::new(),
            catalog: OnceLock::new(),
            groups,
            manifest,
        })
    }

    /// The same source with another configuration.
    pub(super) fn with_config(&self, overrides: &Map) -> Result<Self> {
        let scope = self.family.scope();
        let mut config = scope.config().as_map().cloned().unwrap_or_default();
        for (key, value) in overrides.iter() {
            config.insert(key, value.clone());
        }
        let scope =
            Scope::new(config.into(), scope.clock().clone(), scope.client().clone(), scope.folder().cloned());
        Self::of(self.manifest.clone(), scope, None)
    }

    /// Who keeps a configuration in which a refresh token was used up. Say so before anything is read.
    pub fn keep_config(&self, keeper: Keeper) {
        self.family.scope().vault().set_keeper(keeper);
    }

    /// The configuration after the manifest's migrations, where they changed it: keep it for the next run.
    #[must_use]
    pub fn migrated_config(&self) -> Option<&Value> {
        self.migrated.as_ref()
    }

    /// Knows the secrets of the configuration and those that come while reading: for whoever shows texts of this source.
    #[must_use]
    pub fn mask(&self) -> &config::Mask {
        self.family.scope().vault().mask()
    }

    /// The configuration as components see it.
    #[must_use]
    pub fn config(&self) -> &Value {
        self.family.scope().config()
    }

    /// Hands in what the user chose of the catalog (a `ConfiguredAirbyteCatalog`): cursor fields and properties. Say so
    /// before streams are read; without it all properties are read.
    pub fn configure(&self, catalog: &Value) {
        let streams = catalog.get("streams").and_then(Value::as_list).unwrap_or_default();
        let chosen = streams.iter().filter_map(|configured| {
            let stream = configured.get("stream")?;
            let name = stream.get("name")?.as_text()?.to_owned();
            let cursor = match configured.get("cursor_field").and_then(Value::as_list) {
                Some([only]) => only.as_text().filter(|field| !field.is_empty()).map(str::to_owned),
                _ => None,
            };
            let properties = stream
                .get("json_schema")
                .and_then(|schema| schema.get("properties"))
                .and_then(Value::as_map)
                .map(|properties| properties.keys().map(str::to_owned).collect())
                .unwrap_or_default();
            Some((name, Chosen { cursor, properties }))
        });
        let _ = self.catalog.set(chosen.collect());
    }

    /// The names of all streams, dynamic ones included, for which requests may be sent; not for schemas.
    pub async fn names(&self) -> Result<Vec<String>> {
        Ok(self.definitions().await?.into_iter().map(|definition| definition.name).collect())
    }

    /// All streams, dynamic ones included: what a catalog says of them, or the name of one and why it can't be read.
    pub async fn streams(&self) -> Result<Vec<Result<StreamInfo, (String, Error)>>> {
        let mut streams = Vec::new();
        for definition in self.definitions().await? {
            streams.push(self.describe(&definition).await.map_err(|error| (definition.name.clone(), error)));
        }
        Ok(streams)
    }

    /// What a catalog says of one stream.
    pub async fn stream(&self, name: &str) -> Result<StreamInfo> {
        self.describe(&self.definition(name).await?).await
    }

    async fn describe(&self, definition: &Definition) -> Result<StreamInfo> {
        let describe = async {
            let (stream, _) = self.build(definition, None)?;
            let schema = stream.json_schema().await?.clone();
            Ok(StreamInfo {
                name: stream.name().to_owned(),
                json_schema: schema,
                primary_key: stream.primary_key().to_vec(),
                cursor_field: stream.slicing().cursor().field().map(str::to_owned),
                chooses_cursor: chooses_cursor(&definition.stream),
            })
        };
        describe.await.map_err(|error: Error| error.context("stream", definition.name.clone()))
    }

    /// Reads one stream from `state` (Airbyte's form) on. Can be called for several streams at once: slices of all of
    /// them share the source's concurrency. A failed slice fails the stream at its end; others are read all the same.
    pub async fn read(&self, stream: &str, state: Option<&Value>, sink: &mut dyn Sink) -> Result<()> {
        let read = async {
            let definition = self.definition(stream).await?;
            let mut turns = Vec::new();
            for group in self.turns(&definition) {
                turns.push(group.lock_owned().await);
            }
            let (stream, forgets) = self.build(&definition, state)?;
            if forgets {
                sink.state(Progress { state: Map::new().into() }).await?;
            }
            Arc::new(stream).read(&self.limits, sink).await
        };
        read.await.map_err(|error| error.context("stream", stream))
    }

    /// The groups whose turn a stream waits for: its own and those of its ancestors. In one order for all.
    fn turns(&self, definition: &Definition) -> Vec<Arc<Mutex<()>>> {
        if self.groups.is_empty() {
            return Vec::new();
        }
        let mut names = BTreeSet::from([definition.name.clone()]);
        definition::ancestors(&definition.stream, &mut names);
        let Ok(manifest) = self.manifest() else { return Vec::new() };
        let wanted: BTreeSet<String> = definition::groups(&manifest)
            .into_iter()
            .filter(|(stream, _)| names.contains(stream))
            .map(|(_, group)| group)
            .collect();
        wanted.iter().filter_map(|group| self.groups.get(group).cloned()).collect()
    }

    pub(super) fn manifest(&self) -> Result<Component<'_>> {
        Component::new(&self.manifest, "")
    }

    /// Whether the manifest has a `DynamicDeclarativeStream` of this name.
    pub(super) fn makes(&self, name: &str) -> Result<bool> {
        for (index, definition) in self.manifest()?.children("dynamic_streams")?.iter().enumerate() {
            if definition.text("name")?.unwrap_or_else(|| format!("dynamic_stream_{index}")) == name {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The streams of the manifest itself.
    pub(super) fn fixed_definitions(&self) -> Result<&[Definition]> {
        if let Some(fixed) = self.fixed.get() {
            return Ok(fixed);
        }
        let fixed = definition::of_manifest(&self.manifest()?, self.family.scope())?;
        Ok(self.fixed.get_or_init(|| fixed))
    }

    /// All streams, those that come of templates at the end.
    pub(super) async fn definitions(&self) -> Result<Vec<Definition>> {
        let mut definitions = self.fixed_definitions()?.to_vec();
        let manifest = self.manifest()?;
        let made = self
            .made
            .get_or_try_init(|| async {
                let made = Box::pin(dynamic::make_all(&manifest, &self.family)).await?;
                Ok::<_, Error>(made.into_iter().map(Definition::made).collect())
            })
            .await?;
        definitions.extend(made.iter().cloned());
        Ok(definitions)
    }

    async fn definition(&self, name: &str) -> Result<Definition> {
        let fixed = self.fixed_definitions()?;
        let all = if self.made.get().is_none() && fixed.iter().any(|definition| definition.name == name) {
            fixed.to_vec()
        } else {
            self.definitions().await?
        };
        all.into_iter().rev().find(|definition| definition.name == name).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the manifest has no such stream").context("stream", name)
        })
    }

    /// Builds a stream that goes on from `state`. Tells whether that state is to be forgotten.
    pub(super) fn build(&self, definition: &Definition, state: Option<&Value>) -> Result<(Stream, bool)> {
        let chosen = self.catalog.get().and_then(|catalog| catalog.get(&definition.name));
        let known = self.fixed_definitions()?.iter().chain(self.made.get().into_iter().flatten());
        let origin = Origin {
            state,
            chosen: chosen.and_then(|chosen| chosen.cursor.as_deref()),
            keeps: definition::is_parent(&definition.name, known),
            properties: chosen.map(|chosen| &chosen.properties),
        };
        let component = definition.component()?;
        match component.kind() {
            "StateDelegatingStream" => delegate::choose(&component, &self.family, &origin),
            _ => Ok((Stream::build(&component, &self.family, &origin)?, false)),
        }
    }
}

/// Whether the user may choose the cursor's field of a stream.
fn chooses_cursor(stream: &Value) -> bool {
    let field = |stream: &Value| {
        stream
            .get("incremental_sync")
            .and_then(|sync| sync.get("allow_catalog_defined_cursor_field"))
            .is_some_and(Value::is_true)
    };
    field(stream) || stream.get("full_refresh_stream").is_some_and(field)
}

/// How many slices are read at once.
fn concurrency(manifest: &Component<'_>, scope: &Scope) -> Result<usize> {
    let Some(level) = manifest.child("concurrency_level")? else { return Ok(AT_ONCE) };
    let parameters = level.parameters();
    let wanted = match level.value("default_concurrency") {
        Some(Value::Int(number)) => *number,
        Some(_) => {
            let value = level.required_template("default_concurrency")?.eval(&scope.context(&parameters))?;
            let wanted = value
                .as_int()
                .ok_or_else(|| level.fail("`default_concurrency` does not evaluate to an integer"))?;
            match level.int("max_concurrency")? {
                Some(most) if most != 0 => wanted.min(most),
                _ => wanted,
            }
        }
        None => return Ok(AT_ONCE),
    };
    Ok(usize::try_from(wanted.clamp(1, MOST_AT_ONCE)).unwrap_or(AT_ONCE))
}
