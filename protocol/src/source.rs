//! A system that records are read from.

use std::num::NonZeroUsize;

use futures::Future;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Catalog, ConfiguredStream, Emitter, Error, Result, StreamFilter};

/// A system that records are read from. Implemented once per connector.
///
/// The engine opens one instance per sync and shares it between partitions. Another process may
/// open its own: `read` may rely on the configuration, the stream and the partition, never on what
/// `plan` left behind in `self`, unless the plan was asked for with [`Lifetime::Session`].
pub trait Source: Sized + Send + Sync + 'static {
    /// Name in configuration files, in `snake_case`: `postgres`.
    const NAME: &'static str;
    /// Version of [`Source::State`] as this code writes it; see [`Source::migrate`].
    const STATE_VERSION: u32 = 1;

    /// Configuration; its JSON schema is what `tidegate spec` prints.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;
    /// A part of a stream that can be read on its own: a time window, a key range, a file.
    /// Kept in the state and sent to other machines: add fields, never change their meaning.
    type Partition: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Where a stream stands between two syncs: a date cursor, a watermark with what was seen above
    /// it, a position per parent record.
    type State: Serialize + DeserializeOwned + Default + Send + Sync + 'static;
    /// What only reading a partition teaches, and the state needs: a greatest value, ids that were
    /// seen. `()` where the plan already knows the next state.
    type Seen: Serialize + DeserializeOwned + Default + Send + Sync + 'static;

    /// Builds the source: parses, connects lazily, reads no data. Called once per process.
    ///
    /// Fails with [`ErrorKind::Config`](crate::ErrorKind::Config) when the configuration can't ever
    /// work.
    fn open(config: Self::Config) -> impl Future<Output = Result<Self>> + Send;

    /// Proves reachability and rights with the cheapest request there is; returns what a person
    /// should know about the system (version, role, limits), one line each.
    fn check(&self) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Lists the streams that `filter` asks for, with their Arrow schemas, keys and cursor
    /// candidates. May list more: the engine filters again.
    fn discover(&self, filter: &StreamFilter) -> impl Future<Output = Result<Catalog>> + Send;

    /// Divides what is new in one stream since `request.state` into partitions which together cover
    /// it and do not overlap, and says what the state is once all of them are committed.
    ///
    /// A full refresh takes nothing from the state, but what it reads is not older than what the state
    /// accounts for: rows that are missing in it are deleted.
    ///
    /// Called once per stream and sync, for several streams at once; not at all while an earlier
    /// sync is unfinished, whose partitions are read first.
    fn plan(
        &self,
        request: &PlanRequest<'_, Self::State>,
    ) -> impl Future<Output = Result<Plan<Self::Partition, Self::State>>> + Send;

    /// Folds what was seen in one finished partition (or in the part of it before a checkpoint) into
    /// the state that the plan gave. Pure: called just before the commit that covers it.
    fn advance(&self, state: &mut Self::State, partition: &Self::Partition, seen: Self::Seen) {
        let _ = (state, partition, seen);
    }

    /// Reads one partition into `out`, then returns what was seen since the last checkpoint.
    ///
    /// Called for many partitions at once, up to [`Plan::max_in_flight`]. Called again, with what
    /// the last checkpoint left, after a retryable error or a crash. The engine may drop the future
    /// at any `.await`; whatever it holds must close on drop.
    fn read(
        &self,
        stream: &ConfiguredStream,
        partition: Self::Partition,
        out: &mut Emitter<'_, Self>,
    ) -> impl Future<Output = Result<Self::Seen>> + Send;

    /// Reads one partition as [`Source::read`] does and throws away what comes: what a bench holds the
    /// rest against. The default fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    fn drain(
        &self,
        stream: &ConfiguredStream,
        partition: Self::Partition,
    ) -> impl Future<Output = Result<Drained>> + Send {
        let _ = (stream, partition);
        async { Err(Error::unsupported(format!("source {:?} can't be drained", Self::NAME))) }
    }

    /// Makes tables of that scale to measure with, in a place of their own that was not there before, and
    /// returns the names of their streams. Never called but by a person's order, once per instance. The
    /// default fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    fn make_samples(&self, scale: f64) -> impl Future<Output = Result<Vec<String>>> + Send {
        let _ = scale;
        async { Err(Error::unsupported(format!("source {:?} makes no tables to measure with", Self::NAME))) }
    }

    /// Removes what [`Source::make_samples`] of this instance made, also where it did not come to its end;
    /// nothing else, ever.
    fn drop_samples(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Where a stream stands, for people and reports: `2026-11-22T10:00:00.000000Z`.
    fn position(state: &Self::State) -> Option<String> {
        let _ = state;
        None
    }

    /// Rows that the sync which ended with this state found where the cursor would not have led to them.
    /// `None` where it did not look there, or does not know.
    fn late_rows(state: &Self::State) -> Option<u64> {
        let _ = state;
        None
    }

    /// Up to which values of its cursor the state accounts for all rows: what `reconcile` finds wrong
    /// below is wrong, what it finds above comes with a later sync. `None` where that can't be said.
    fn covered(state: &Self::State) -> Option<Covered> {
        let _ = state;
        None
    }

    /// Whether a sync that ends with this state has read all that was there when it began. Where parts
    /// of a stream were read at different times, as after a snapshot was lost, what moved between them
    /// may be missing: the engine then plans again at once, and only after that the sync is over.
    fn is_settled(state: &Self::State) -> bool {
        let _ = state;
        true
    }

    /// Reads a state that an older version of this code wrote. The default knows none.
    fn migrate(version: u32, value: serde_json::Value) -> Result<Self::State> {
        let _ = value;
        Err(Error::config(format!(
            "state of version {version} can't be read by this version of source {:?}",
            Self::NAME
        )))
    }

    /// A state for `stream` that goes on where Airbyte's connector stood, and what the person should know about it.
    /// `state` is Airbyte's `AirbyteStreamState`: `stream_descriptor` and `stream_state`. The default knows none.
    fn import_airbyte(
        stream: &ConfiguredStream,
        state: &serde_json::Value,
    ) -> Result<(Self::State, Option<String>)> {
        let _ = state;
        Err(Error::unsupported(format!("source {:?} can't go on from a state of Airbyte's", Self::NAME))
            .context("stream", stream.name.clone()))
    }

    /// The `AirbyteStreamState` from which Airbyte's connector goes on where `stream` stands; `None` where it has
    /// nothing to go on from.
    fn export_airbyte(stream: &str, state: &Self::State) -> Result<Option<serde_json::Value>> {
        let _ = state;
        Err(Error::unsupported(format!("a state of source {:?} has no form that Airbyte knows", Self::NAME))
            .context("stream", stream.to_owned()))
    }

    /// Called once when the sync is over, in whatever way: closes sessions that `plan` left open.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What [`Source::drain`] read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Rows.
    pub rows: u64,
    /// Their bytes, as the system sends them.
    pub bytes: u64,
}

/// What [`Source::plan`] is asked.
#[derive(Debug)]
pub struct PlanRequest<'a, S> {
    /// The stream, as configured.
    pub stream: &'a ConfiguredStream,
    /// Where the last committed sync left the stream; `S::default()` before the first.
    pub state: &'a S,
    /// How many partitions the engine could read at once: a hint, at least 1.
    pub parallelism: NonZeroUsize,
    /// Where the partitions will be read.
    pub lifetime: Lifetime,
    /// Whether to look at all rows for what is new, and not only where the cursor says. A source that
    /// can't, for this stream, says so in the plan's notes.
    pub sweep: bool,
}

/// Where and when the partitions of a plan are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// By this instance of the source, soon: partitions may rely on a session that `plan` keeps open,
    /// such as an exported snapshot. The source closes it in [`Source::close`].
    Session,
    /// By anybody, any time: each partition must stand on its own.
    Detached,
}

/// How much of a plan may be committed apart from the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// Each partition: what is left can be read later, by another process.
    Partition,
    /// All of it or nothing: the partitions share a snapshot that dies with this process.
    Plan,
}

/// What is to be read, in parts.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan<P, S> {
    /// Partitions, each with an estimate where the system offers one; largest first reads best.
    /// None at all where nothing can be new.
    pub partitions: Vec<Planned<P>>,
    /// Where the next sync starts once the last partition is committed.
    pub next: S,
    /// Most partitions the system endures at once; `None` leaves it to the engine.
    pub max_in_flight: Option<NonZeroUsize>,
    /// What may be committed apart.
    pub grain: Grain,
    /// How the source made sure that nothing is lost, in one word for the report: `settled_window`.
    pub mode: String,
    /// What was done to find the plan and where it starts and ends, for people.
    pub window: Option<Window>,
    /// What the person should know: a missing index, a bound that is held back. Printed as warnings.
    pub notes: Vec<String>,
}

impl<P, S> Plan<P, S> {
    /// A plan of one partition that covers everything.
    pub fn whole(partition: P, next: S) -> Self {
        Self {
            partitions: vec![Planned::new(partition)],
            next,
            max_in_flight: None,
            grain: Grain::Plan,
            mode: "full_refresh".to_owned(),
            window: None,
            notes: Vec::new(),
        }
    }
}

/// The range of cursor values that a plan covers: from `since`, included, up to `until`, excluded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// First value covered; `None` from the beginning.
    pub since: Option<String>,
    /// First value not covered; `None` to the end.
    pub until: Option<String>,
}

/// Values of a cursor whose rows have all been read: no later sync reads a row as it is now that has
/// one of them. Of cursors that are whole numbers, dates or timestamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    /// The cursor column.
    pub column: String,
    /// All smaller values, in the unit of the column's Arrow type; `None` for no value at all.
    pub below: Option<i64>,
    /// Whether rows without a value have been read as well.
    pub nulls: bool,
}

/// A partition and how large it is thought to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Planned<P> {
    /// What `read` gets.
    pub partition: P,
    /// Rows, estimated.
    pub rows: Option<u64>,
    /// Bytes at the source, estimated.
    pub bytes: Option<u64>,
}

impl<P> Planned<P> {
    /// A partition of unknown size.
    pub fn new(partition: P) -> Self {
        Self { partition, rows: None, bytes: None }
    }

    /// Sets the estimates.
    #[must_use]
    pub fn sized(mut self, rows: Option<u64>, bytes: Option<u64>) -> Self {
        self.rows = rows;
        self.bytes = bytes;
        self
    }
}
