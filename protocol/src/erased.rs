//! The object-safe twins of the traits, for the engine: partitions, states and what was seen as JSON.

use std::fmt;
use std::num::NonZeroUsize;

use arrow_schema::SchemaRef;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use schemars::Schema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Audit, Catalog, Commit, CommittedFile, ConfiguredStream, Covered, Destination, Drained, Emitter, Error,
    FileReader, Head, Lifetime, Outlet, Plan, PlanRequest, Planned, Prepared, Repair, Result, Source, Spent,
    StreamFilter, Versioned,
};

/// A plan whose partitions and state are JSON.
pub type DynPlan = Plan<Value, Versioned>;

/// [`Source`] without its types. Every source is one through a blanket implementation.
pub trait DynSource: Send + Sync {
    /// [`Source::NAME`].
    fn name(&self) -> &'static str;
    /// [`Source::check`].
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>>;
    /// [`Source::discover`].
    fn discover<'a>(&'a self, filter: &'a StreamFilter) -> BoxFuture<'a, Result<Catalog>>;
    /// [`Source::plan`]. `state` is `None` before the first sync. Fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when another source or a newer version wrote it.
    fn plan<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        state: Option<&'a Versioned>,
        parallelism: NonZeroUsize,
        lifetime: Lifetime,
        sweep: bool,
    ) -> BoxFuture<'a, Result<DynPlan>>;
    /// [`Source::advance`].
    fn advance(&self, state: &mut Versioned, partition: &Value, seen: Value) -> Result<()>;
    /// [`Source::read`].
    fn read<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        partition: Value,
        outlet: &'a mut dyn Outlet,
    ) -> BoxFuture<'a, Result<Value>>;
    /// [`Source::drain`].
    fn drain<'a>(&'a self, stream: &'a ConfiguredStream, partition: Value) -> BoxFuture<'a, Result<Drained>>;
    /// [`Source::make_samples`].
    fn make_samples(&self, scale: f64) -> BoxFuture<'_, Result<Vec<String>>>;
    /// [`Source::drop_samples`].
    fn drop_samples(&self) -> BoxFuture<'_, Result<()>>;
    /// [`Source::position`].
    fn position(&self, state: &Versioned) -> Option<String>;
    /// [`Source::late_rows`].
    fn late_rows(&self, state: &Versioned) -> Option<u64>;
    /// [`Source::covered`].
    fn covered(&self, state: &Versioned) -> Option<Covered>;
    /// [`Source::is_settled`]; a state that can't be read is settled.
    fn is_settled(&self, state: &Versioned) -> bool;
    /// [`Source::import_airbyte`].
    fn import_airbyte(&self, stream: &ConfiguredStream, state: &Value)
    -> Result<(Versioned, Option<String>)>;
    /// [`Source::export_airbyte`].
    fn export_airbyte(&self, stream: &str, state: &Versioned) -> Result<Option<Value>>;
    /// [`Source::close`].
    fn close(&self) -> BoxFuture<'_, ()>;
}

fn encode<T: Serialize>(what: &str, value: &T) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::internal(format!("{what} does not serialise")).with_source(error))
}

fn decode<T: DeserializeOwned>(what: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|error| {
        Error::config(format!("{what} can't be read"))
            .with_source(error)
            .hint("it was written by another version or edited")
    })
}

fn decode_state<S: Source>(state: &Versioned) -> Result<S::State> {
    if state.source != S::NAME {
        return Err(Error::config(format!(
            "the state was written by source {:?}, not by {:?}",
            state.source,
            S::NAME
        ))
        .hint("export and reset the state, or give the stream a new `target`"));
    }
    if state.version > S::STATE_VERSION {
        return Err(Error::config(format!(
            "the state has version {}, and this program reads up to {}",
            state.version,
            S::STATE_VERSION
        ))
        .hint("a newer tidegate wrote it: use that version"));
    }
    if state.version < S::STATE_VERSION {
        return S::migrate(state.version, state.value.clone());
    }
    decode("the state", state.value.clone())
}

fn encode_state<S: Source>(state: &S::State) -> Result<Versioned> {
    Ok(Versioned {
        source: S::NAME.to_owned(),
        version: S::STATE_VERSION,
        value: encode("the state", state)?,
    })
}

impl<S: Source> DynSource for S {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Source::check(self).boxed()
    }

    fn discover<'a>(&'a self, filter: &'a StreamFilter) -> BoxFuture<'a, Result<Catalog>> {
        Source::discover(self, filter).boxed()
    }

    fn plan<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        state: Option<&'a Versioned>,
        parallelism: NonZeroUsize,
        lifetime: Lifetime,
        sweep: bool,
    ) -> BoxFuture<'a, Result<DynPlan>> {
        async move {
            let state = state.map(decode_state::<S>).transpose()?.unwrap_or_default();
            let request = PlanRequest { stream, state: &state, parallelism, lifetime, sweep };
            let plan = Source::plan(self, &request).await?;
            let partitions = plan
                .partitions
                .into_iter()
                .map(|planned| {
                    let partition = encode("a partition", &planned.partition)?;
                    Ok(Planned { partition, rows: planned.rows, bytes: planned.bytes })
                })
                .collect::<Result<_>>()?;
            Ok(Plan {
                partitions,
                next: encode_state::<S>(&plan.next)?,
                max_in_flight: plan.max_in_flight,
                grain: plan.grain,
                mode: plan.mode,
                window: plan.window,
                notes: plan.notes,
            })
        }
        .boxed()
    }

    fn advance(&self, state: &mut Versioned, partition: &Value, seen: Value) -> Result<()> {
        let mut typed = decode_state::<S>(state)?;
        let partition = decode("a partition", partition.clone())?;
        Source::advance(self, &mut typed, &partition, decode("what was seen", seen)?);
        *state = encode_state::<S>(&typed)?;
        Ok(())
    }

    fn read<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        partition: Value,
        outlet: &'a mut dyn Outlet,
    ) -> BoxFuture<'a, Result<Value>> {
        async move {
            let partition = decode("a partition", partition)?;
            let seen = Source::read(self, stream, partition, &mut Emitter::new(outlet)).await?;
            encode("what was seen", &seen)
        }
        .boxed()
    }

    fn drain<'a>(&'a self, stream: &'a ConfiguredStream, partition: Value) -> BoxFuture<'a, Result<Drained>> {
        async move { Source::drain(self, stream, decode("a partition", partition)?).await }.boxed()
    }

    fn make_samples(&self, scale: f64) -> BoxFuture<'_, Result<Vec<String>>> {
        Source::make_samples(self, scale).boxed()
    }

    fn drop_samples(&self) -> BoxFuture<'_, Result<()>> {
        Source::drop_samples(self).boxed()
    }

    fn position(&self, state: &Versioned) -> Option<String> {
        S::position(&decode_state::<S>(state).ok()?)
    }

    fn late_rows(&self, state: &Versioned) -> Option<u64> {
        S::late_rows(&decode_state::<S>(state).ok()?)
    }

    fn covered(&self, state: &Versioned) -> Option<Covered> {
        S::covered(&decode_state::<S>(state).ok()?)
    }

    fn is_settled(&self, state: &Versioned) -> bool {
        decode_state::<S>(state).map_or(true, |state| S::is_settled(&state))
    }

    fn import_airbyte(
        &self,
        stream: &ConfiguredStream,
        state: &Value,
    ) -> Result<(Versioned, Option<String>)> {
        let (state, advice) = S::import_airbyte(stream, state)?;
        Ok((encode_state::<S>(&state)?, advice))
    }

    fn export_airbyte(&self, stream: &str, state: &Versioned) -> Result<Option<Value>> {
        S::export_airbyte(stream, &decode_state::<S>(state)?)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Source::close(self).boxed()
    }
}

/// [`Destination`] without its configuration type. Every destination is one through a blanket
/// implementation.
pub trait DynDestination: Send + Sync {
    /// [`Destination::NAME`].
    fn name(&self) -> &'static str;
    /// [`Destination::check`].
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>>;
    /// [`Destination::head`].
    fn head<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Head>>;
    /// [`Destination::prepare`].
    fn prepare<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        schema: &'a SchemaRef,
    ) -> BoxFuture<'a, Result<Prepared>>;
    /// [`Destination::repair`].
    fn repair<'a>(
        &'a self,
        target: &'a str,
        apply: bool,
        at: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<Repair>>>;
    /// [`Destination::commit`].
    fn commit<'a>(&'a self, target: &'a str, commit: &'a Commit) -> BoxFuture<'a, Result<Head>>;
    /// [`Destination::spent`].
    fn spent(&self) -> Option<Spent>;
    /// [`Destination::close`].
    fn close(&self) -> BoxFuture<'_, ()>;
    /// [`Destination::visible`].
    fn visible<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Vec<CommittedFile>>>;
    /// [`Destination::audit`].
    fn audit<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Audit>>;
    /// [`Destination::open_file`].
    fn open_file<'a>(
        &'a self,
        target: &'a str,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn FileReader>>>>;
}

impl<D: Destination> DynDestination for D {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Destination::check(self).boxed()
    }

    fn head<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Head>> {
        Destination::head(self, target).boxed()
    }

    fn prepare<'a>(
        &'a self,
        stream: &'a ConfiguredStream,
        schema: &'a SchemaRef,
    ) -> BoxFuture<'a, Result<Prepared>> {
        Destination::prepare(self, stream, schema).boxed()
    }

    fn repair<'a>(
        &'a self,
        target: &'a str,
        apply: bool,
        at: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<Repair>>> {
        Destination::repair(self, target, apply, at).boxed()
    }

    fn commit<'a>(&'a self, target: &'a str, commit: &'a Commit) -> BoxFuture<'a, Result<Head>> {
        Destination::commit(self, target, commit).boxed()
    }

    fn spent(&self) -> Option<Spent> {
        Destination::spent(self)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Destination::close(self).boxed()
    }

    fn visible<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Vec<CommittedFile>>> {
        Destination::visible(self, target).boxed()
    }

    fn audit<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Audit>> {
        Destination::audit(self, target).boxed()
    }

    fn open_file<'a>(
        &'a self,
        target: &'a str,
        path: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<dyn FileReader>>>> {
        Destination::open_file(self, target, path).boxed()
    }
}

/// A setting that is wrong, and where: the configuration's reader turns the path into a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfig {
    /// Keys and indexes from the connector's configuration down, joined by dots: `tls.mode`.
    pub path: String,
    /// What is wrong, as the parser says it.
    pub message: String,
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Opens a source whose configuration was found right.
pub type OpenSource = Box<dyn FnOnce() -> BoxFuture<'static, Result<Box<dyn DynSource>>> + Send>;
/// Opens a destination whose configuration was found right.
pub type OpenDestination = Box<dyn FnOnce() -> BoxFuture<'static, Result<Box<dyn DynDestination>>> + Send>;

/// One line of the registry: how to make a source from its configuration.
#[derive(Clone, Copy)]
pub struct SourceFactory {
    /// [`Source::NAME`].
    pub name: &'static str,
    /// JSON schema of the configuration.
    pub schema: fn() -> Schema,
    /// Reads the configuration; nothing is opened until the result is called.
    pub configure: fn(Value) -> Result<OpenSource, InvalidConfig>,
}

impl SourceFactory {
    /// The factory of `S`.
    #[must_use]
    pub fn of<S: Source>() -> Self {
        Self {
            name: S::NAME,
            schema: || schemars::schema_for!(S::Config),
            configure: |value| {
                let config: S::Config = configure(value)?;
                Ok(Box::new(|| async { Ok(Box::new(S::open(config).await?) as Box<dyn DynSource>) }.boxed()))
            },
        }
    }
}

/// One line of the registry: how to make a destination from its configuration.
#[derive(Clone, Copy)]
pub struct DestinationFactory {
    /// [`Destination::NAME`].
    pub name: &'static str,
    /// JSON schema of the configuration.
    pub schema: fn() -> Schema,
    /// [`Destination::GRANTS`].
    pub grants: Option<&'static str>,
    /// Reads the configuration; nothing is opened until the result is called.
    pub configure: fn(Value) -> Result<OpenDestination, InvalidConfig>,
}

impl DestinationFactory {
    /// The factory of `D`.
    #[must_use]
    pub fn of<D: Destination>() -> Self {
        Self {
            name: D::NAME,
            schema: || schemars::schema_for!(D::Config),
            grants: D::GRANTS,
            configure: |value| {
                let config: D::Config = configure(value)?;
                Ok(Box::new(|| {
                    async { Ok(Box::new(D::open(config).await?) as Box<dyn DynDestination>) }.boxed()
                }))
            },
        }
    }
}

fn configure<T: DeserializeOwned>(value: Value) -> Result<T, InvalidConfig> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| InvalidConfig { path: error.path().to_string(), message: error.inner().to_string() })
}
