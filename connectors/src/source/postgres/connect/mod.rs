//! Ways to the server: where it is, who we are, how the line is protected, and sessions on it.

mod binding;
mod conninfo;
mod copy_out;
mod driver;
mod environment;
mod parameters;
mod password_file;
mod session;
mod settings;
mod silence;
mod socket;
mod tls;
mod watch;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use protocol::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

pub(crate) use session::Client;

use self::driver::Way;
use self::environment::Environment;
use self::parameters::{Parameters, Wanted};
use self::settings::{Address, Settings};
use super::config::Config;

/// Opens sessions with the server and, where one is configured, with its replica.
pub(crate) struct Connector {
    primary: Server,
    replica: Option<Server>,
    slots: Arc<Semaphore>,
}

/// How long all sessions may take to say goodbye.
const FAREWELL: Duration = Duration::from_millis(200);

/// A server, or several that stand for one.
struct Server {
    way: Arc<Way>,
}

impl Connector {
    /// Fails with [`Config`](protocol::ErrorKind::Config) where the settings can't ever work.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let environment = Environment::read();
        let given = Parameters::of(config)?;
        let replica = config.read_from.as_ref().map(|replica| {
            let settings =
                Settings::resolve(&given.of_replica(replica)?, config, &environment, Wanted::PreferStandby)?;
            Server::new(settings)
        });
        Ok(Self {
            primary: Server::new(Settings::resolve(&given, config, &environment, Wanted::PreferPrimary)?)?,
            replica: replica.transpose()?,
            slots: Arc::new(Semaphore::new(config.connections.get())),
        })
    }

    /// A session with the server that takes writes, as far as one is configured.
    pub(crate) async fn primary(&self) -> Result<Client> {
        self.primary.session().await
    }

    /// A session with the server that rows are read from: the replica, or else the same as
    /// [`primary`](Self::primary).
    pub(crate) async fn reader(&self) -> Result<Client> {
        self.replica.as_ref().unwrap_or(&self.primary).session().await
    }

    /// Whether rows are read from another server than [`primary`](Self::primary).
    pub(crate) fn has_replica(&self) -> bool {
        self.replica.is_some()
    }

    /// Waits until the sessions that were dropped have said goodbye. None may be in use any more.
    pub(crate) async fn close(&self) {
        for server in std::iter::once(&self.primary).chain(&self.replica) {
            let drivers = &server.way.drivers;
            drivers.close();
            // Who is still in use is not waited for long.
            let _ = timeout(FAREWELL, drivers.wait()).await;
        }
    }

    /// Waits until fewer than `connections` sessions of a sync are at work on the server that rows are
    /// read from: asking the catalogs, keeping a snapshot, reading.
    pub(crate) async fn slot(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.slots).acquire_owned().await.expect("nobody closes the semaphore")
    }
}

impl Server {
    fn new(settings: Settings) -> Result<Self> {
        let encrypt = tls::connector(&settings.encryption)?;
        Ok(Self { way: Arc::new(Way { settings, encrypt, drivers: TaskTracker::new() }) })
    }

    /// The first of the addresses that answers and is the wanted kind of server.
    async fn session(&self) -> Result<Client> {
        let settings = &self.way.settings;
        let mut second_best = None;
        let mut errors = Vec::new();
        for address in &settings.addresses {
            match self.connect_to(address).await {
                Ok(client) => match settings.wanted.judge(client.is_in_recovery) {
                    Fit::Good => return Ok(client),
                    Fit::Bearable => second_best = second_best.or(Some(client)),
                    Fit::Wrong(kind) => errors
                        .push(Error::transient(format!("{address} is a {kind}, and another kind is wanted"))),
                },
                Err(error) => errors.push(error),
            }
        }
        second_best.ok_or_else(|| worst(errors))
    }

    async fn connect_to(&self, address: &Address) -> Result<Client> {
        let time = self.way.settings.connect_timeout;
        let late = || {
            Error::transient(format!("could not connect to {address}: no answer in {time:?}")).hint(
                "check the address, firewalls and security groups; `connect_timeout` says how long to wait",
            )
        };
        let endpoints = timeout(time, socket::endpoints(address)).await.unwrap_or_else(|_| Err(late()))?;
        let mut last = None;
        for endpoint in endpoints {
            let opened = timeout(time, Client::open(&self.way, address, &endpoint)).await;
            match opened.unwrap_or_else(|_| Err(late())) {
                Ok(client) => return Ok(client),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(late))
    }
}

/// How a server fits what is wanted.
enum Fit {
    Good,
    Bearable,
    Wrong(&'static str),
}

impl Wanted {
    fn judge(self, is_in_recovery: bool) -> Fit {
        match (self, is_in_recovery) {
            (Self::Any, _)
            | (Self::Primary | Self::PreferPrimary, false)
            | (Self::Standby | Self::PreferStandby, true) => Fit::Good,
            (Self::PreferPrimary, true) | (Self::PreferStandby, false) => Fit::Bearable,
            (Self::Primary, true) => Fit::Wrong("standby"),
            (Self::Standby, false) => Fit::Wrong("primary"),
        }
    }
}

/// The error to tell of several: one that waiting does not cure before one that it may.
fn worst(errors: Vec<Error>) -> Error {
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else { return Error::internal("there is no address to connect to") };
    errors.fold(first, |worst, error| {
        if worst.kind().is_retryable() && !error.kind().is_retryable() { error } else { worst }
    })
}
