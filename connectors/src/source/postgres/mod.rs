//! PostgreSQL, and what speaks its protocol: tables, partitioned tables, views, materialized views and
//! foreign tables.

mod alone;
mod answer;
mod barrier;
mod check;
mod config;
mod connect;
mod copy;
#[doc(hidden)]
pub mod decode;
mod discover;
mod drain;
mod durable;
mod error;
mod history;
mod identifier;
mod layout;
mod partition;
mod patchwork;
mod plan;
mod read;
mod replica;
mod resume;
mod samples;
mod session;
mod sight;
mod snapshot;
mod state;
mod tally;
#[doc(hidden)]
pub mod types;
mod xids;

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{
    Catalog, ConfiguredStream, Covered, Drained, Emitter, Error, Plan, PlanRequest, Result, Source,
    StreamFilter,
};

pub use config::{ChannelBinding, Config, Hosts, ReadFrom, SslMode, SslNegotiation};
pub(crate) use identifier::quote_identifier;
pub use partition::Partition;
pub use sight::Sight;
pub use state::State;

use connect::Connector;
use error::failed;
use layout::Layout;
use samples::Samples;
use session::Sessions;

/// A PostgreSQL database that tables are read from.
pub struct Postgres {
    connector: Arc<Connector>,
    sessions: Sessions,
    /// The columns of streams that were planned here, by target.
    layouts: tokio::sync::Mutex<HashMap<String, Arc<Layout>>>,
    schemas: Option<Vec<String>>,
    connections: usize,
    samples: Samples,
}

impl Source for Postgres {
    const NAME: &'static str = "postgres";
    /// 1 knew settled windows only, 2 one snapshot for all parts; what they wrote is read as it is.
    const STATE_VERSION: u32 = 3;

    type Config = Config;
    type Partition = Partition;
    type State = State;
    /// None in what an earlier version read.
    type Seen = Option<Sight>;

    async fn open(config: Config) -> Result<Self> {
        let connector = Arc::new(Connector::new(&config)?);
        let connections = config.connections.get();
        let (wait, age) = (config.barrier_wait.duration(), config.max_snapshot_age.duration());
        let sessions = Sessions::new(Arc::clone(&connector), connections, wait, age);
        let layouts = tokio::sync::Mutex::default();
        Ok(Self {
            connector,
            sessions,
            layouts,
            schemas: config.schemas,
            connections,
            samples: Samples::default(),
        })
    }

    async fn check(&self) -> Result<Vec<String>> {
        check::check(&self.connector, self.connections, self.schemas.as_deref()).await
    }

    async fn discover(&self, filter: &StreamFilter) -> Result<Catalog> {
        let client = self.connector.reader().await?;
        // One state of the catalogs for all queries.
        let answer = client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        answer.map_err(|error| failed("could not begin", &error))?;
        let relations = discover::relations(&client, filter, self.schemas.as_deref()).await?;
        for name in filter.patterns.iter().filter(|pattern| !pattern.contains('*')) {
            if !relations.iter().any(|relation| relation.stream_name() == *name) {
                // Says whether it is missing, misspelt or forbidden.
                discover::relation(&client, name).await?;
            }
        }
        let blind = check::blind(&self.connector, &client).await;
        client.close().await;
        Ok(Catalog::new(relations.iter().map(|relation| discover::stream(relation, blind))))
    }

    async fn plan(&self, request: &PlanRequest<'_, State>) -> Result<Plan<Partition, State>> {
        plan::plan(self, request).await.map_err(|error| error.context("stream", &request.stream.name))
    }

    async fn read(
        &self,
        stream: &ConfiguredStream,
        partition: Partition,
        out: &mut Emitter<'_, Self>,
    ) -> Result<Option<Sight>> {
        read::read(self, stream, &partition, out)
            .await
            .map(Some)
            .map_err(|error| error.context("stream", &stream.name))
    }

    fn advance(&self, state: &mut State, partition: &Partition, seen: Option<Sight>) {
        if let Some(sight) = seen {
            state.add(partition, sight);
        }
    }

    fn late_rows(state: &State) -> Option<u64> {
        state.late_rows()
    }

    fn is_settled(state: &State) -> bool {
        patchwork::is_settled(state)
    }

    async fn drain(&self, stream: &ConfiguredStream, partition: Partition) -> Result<Drained> {
        drain::drain(self, stream, &partition).await.map_err(|error| error.context("stream", &stream.name))
    }

    async fn make_samples(&self, scale: f64) -> Result<Vec<String>> {
        self.samples.make(&self.connector, scale).await
    }

    async fn drop_samples(&self) -> Result<()> {
        self.samples.remove(&self.connector).await
    }

    fn position(state: &State) -> Option<String> {
        state.position()
    }

    fn import_airbyte(
        stream: &ConfiguredStream,
        state: &serde_json::Value,
    ) -> Result<(State, Option<String>)> {
        let of = |place: &str| state.pointer(place).and_then(serde_json::Value::as_str);
        let error = Error::unsupported("Airbyte's cursor does not say which transactions it has seen")
            .context("stream", stream.name.clone());
        Err(match (of("/stream_state/cursor_field/0"), of("/stream_state/cursor")) {
            (Some(column), Some(value)) => error.hint(format!(
                "let the first sync read the whole table; or, to read from {value} on only, give the stream the \
                 filter {:?} and a target of its own",
                format!("{} >= {}", quote_identifier(column), answer::quote_literal(value))
            )),
            _ => error.hint("let the first sync read the whole table"),
        })
    }

    fn export_airbyte(stream: &str, state: &State) -> Result<Option<serde_json::Value>> {
        Ok(state.airbyte(stream))
    }

    fn covered(state: &State) -> Option<Covered> {
        state.covered()
    }

    fn migrate(_: u32, value: serde_json::Value) -> Result<State> {
        serde_json::from_value(value)
            .map_err(|error| protocol::Error::config("the state can't be read").with_source(error))
    }

    async fn close(&self) {
        self.sessions.close().await;
        self.connector.close().await;
    }
}
