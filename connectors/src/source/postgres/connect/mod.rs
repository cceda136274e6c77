//! Ways to the server: where it is, who we are, how the line is protected, and sessions on it.

mod session;

use protocol::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use session::Client;

use super::config::Config;

/// Opens sessions with the server and, where one is configured, with its replica.
pub(crate) struct Connector {
    slots: std::sync::Arc<Semaphore>,
    config: tokio_postgres::Config,
    has_replica: bool,
}

impl Connector {
    /// Fails with [`Config`](protocol::ErrorKind::Config) where the settings can't ever work.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let url = config.url.as_ref().ok_or_else(|| Error::config("no url"))?;
        let parsed =
            url.reveal().parse().map_err(|_| Error::config("url is not a PostgreSQL connection string"))?;
        Ok(Self {
            slots: std::sync::Arc::new(Semaphore::new(config.connections.get())),
            config: parsed,
            has_replica: config.read_from.is_some(),
        })
    }

    /// A session with the server that takes writes, as far as one is configured.
    pub(crate) async fn primary(&self) -> Result<Client> {
        Client::open(&self.config).await
    }

    /// A session with the server that rows are read from: the replica, or else the same as
    /// [`primary`](Self::primary).
    pub(crate) async fn reader(&self) -> Result<Client> {
        Client::open(&self.config).await
    }

    /// Whether rows are read from another server than [`primary`](Self::primary).
    pub(crate) fn has_replica(&self) -> bool {
        self.has_replica
    }

    /// Waits until fewer than `connections` partitions are being read. Whoever reads rows holds it
    /// while it reads; sessions that only keep a snapshot or ask the catalogs need none.
    pub(crate) async fn slot(&self) -> OwnedSemaphorePermit {
        std::sync::Arc::clone(&self.slots).acquire_owned().await.expect("nobody closes the semaphore")
    }
}
