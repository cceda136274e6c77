//! PostgreSQL, and what speaks its protocol: tables, partitioned tables, views, materialized views and
//! foreign tables.

mod answer;
mod barrier;
mod config;
mod connect;
mod copy;
#[doc(hidden)]
pub mod decode;
mod discover;
mod error;
mod identifier;
mod layout;
mod partition;
mod plan;
mod read;
mod replica;
mod snapshot;
mod state;
#[doc(hidden)]
pub mod types;

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{Catalog, ConfiguredStream, Emitter, Plan, PlanRequest, Result, Source, StreamFilter};

pub use config::{ChannelBinding, Config, Hosts, ReadFrom, SslMode, SslNegotiation};
pub(crate) use identifier::quote_identifier;
pub use partition::Partition;
pub use state::State;

use connect::Connector;
use layout::Layout;
use snapshot::Sessions;

/// A PostgreSQL database that tables are read from.
pub struct Postgres {
    connector: Arc<Connector>,
    sessions: Sessions,
    /// The columns of streams that were planned here.
    layouts: tokio::sync::Mutex<HashMap<String, Arc<Layout>>>,
    schemas: Option<Vec<String>>,
}

impl Source for Postgres {
    const NAME: &'static str = "postgres";

    type Config = Config;
    type Partition = Partition;
    type State = State;
    type Seen = ();

    async fn open(config: Config) -> Result<Self> {
        let connector = Arc::new(Connector::new(&config)?);
        let sessions =
            Sessions::new(Arc::clone(&connector), config.connections.get(), config.barrier_wait.duration());
        Ok(Self { connector, sessions, layouts: tokio::sync::Mutex::default(), schemas: config.schemas })
    }

    async fn check(&self) -> Result<Vec<String>> {
        let client = self.connector.reader().await?;
        Ok(vec![format!("PostgreSQL {}", client.server_version)])
    }

    async fn discover(&self, filter: &StreamFilter) -> Result<Catalog> {
        let client = self.connector.reader().await?;
        let relations = discover::relations(&client, filter, self.schemas.as_deref()).await?;
        Ok(Catalog::new(relations.iter().map(discover::stream)))
    }

    async fn plan(&self, request: &PlanRequest<'_, State>) -> Result<Plan<Partition, State>> {
        plan::plan(self, request).await.map_err(|error| error.context("stream", &request.stream.name))
    }

    async fn read(
        &self,
        stream: &ConfiguredStream,
        partition: Partition,
        out: &mut Emitter<'_, Self>,
    ) -> Result<()> {
        read::read(self, stream, &partition, out).await.map_err(|error| error.context("stream", &stream.name))
    }

    fn position(state: &State) -> Option<String> {
        state.position()
    }

    async fn close(&self) {
        self.sessions.close().await;
        self.connector.close();
    }
}
