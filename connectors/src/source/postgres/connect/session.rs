//! A session that is ready for work.

use std::error::Error as StdError;
use std::fmt::Write;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol::{Error, Result};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, SimpleQueryMessage};

use super::binding::Bind;
use super::copy_out::CopyOut;
use super::driver::{Driver, Way};
use super::settings::{Address, Settings};
use super::socket::{Endpoint, Line};
use super::tls;
use super::watch::{Peer, SERVER};
use super::wire::{Handle, Wire};
use crate::source::postgres::config;
use crate::source::postgres::error::{broken, failed};

/// How long a transaction of ours may do nothing: a snapshot that is kept must be touched meanwhile.
const IDLE_IN_TRANSACTION: Duration = Duration::from_mins(15);

/// A session in which values are rendered the same way everywhere and nothing can be written.
///
/// Dropping it closes the line and cancels what the server was doing for it: see [`Driver`].
pub(crate) struct Client {
    // Invariant: dropped before `alive`, so that an idle driver can say goodbye.
    inner: tokio_postgres::Client,
    /// The driver of the session ends when this does.
    alive: oneshot::Sender<()>,
    driver: JoinHandle<()>,
    wire: Handle,
    /// As `server_version_num`: 150018.
    pub(crate) server_version: u32,
    /// Whether the server is a standby.
    pub(crate) is_in_recovery: bool,
    /// Whether the line is encrypted.
    pub(crate) is_encrypted: bool,
    /// Whether something between us and the server may share its sessions among clients, so that
    /// settings must not outlive a transaction.
    pub(crate) is_pooled: bool,
    /// The server's address, for messages: `db1:5432`.
    pub(crate) server: String,
}

impl Client {
    /// Connects, logs in and sets the session up.
    pub(super) async fn open(way: &Arc<Way>, address: &Address, endpoint: &Endpoint) -> Result<Self> {
        let what = format!("could not connect to {address}");
        let line = Line::open(&what, endpoint, &address.host, &way.settings, way.encrypt.as_ref()).await?;
        let is_encrypted = line.is_encrypted;
        let (wire, handle) = Wire::new(line.stream);
        let login = login(&way.settings, address);
        let connected = login.connect_raw(wire, Bind(line.binding)).await;
        let (inner, connection) = connected.map_err(|error| rejected(&what, &error))?;
        let major = connection.parameter("server_version").map_or(0, major);
        let (alive, gone) = oneshot::channel();
        let peer = Arc::<OnceLock<Peer>>::default();
        let driver = Driver {
            way: Arc::clone(way),
            endpoint: endpoint.clone(),
            host: address.host.clone(),
            token: inner.cancel_token(),
            wire: handle.clone(),
            login,
            peer: Arc::clone(&peer),
        };
        let driver = way.drivers.spawn(driver.run(connection, gone));
        let mut client = Self {
            inner,
            alive,
            driver,
            wire: handle,
            server_version: 0,
            is_in_recovery: false,
            is_encrypted,
            is_pooled: false,
            server: address.to_string(),
        };
        let known = client.set_up(&way.settings, major).await.map_err(|error| failed(what, &error))?;
        let _ = known.map(|known| peer.set(known));
        Ok(client)
    }

    /// Whom the session is with; none where somebody answers for the server.
    async fn set_up(
        &mut self,
        settings: &Settings,
        major: u32,
    ) -> Result<Option<Peer>, tokio_postgres::Error> {
        let process = backend_process(&self.wire.heard()).unwrap_or(0);
        let mut answer = self.inner.simple_query(&setup(settings, major, process, true)).await;
        if answer.as_ref().is_err_and(|error| error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE)) {
            // Servers on some systems can't watch their clients.
            answer = self.inner.simple_query(&setup(settings, major, process, false)).await;
        }
        let mut peer = None;
        for message in answer? {
            if let SimpleQueryMessage::Row(row) = message {
                self.server_version = row.get(0).and_then(|version| version.parse().ok()).unwrap_or(0);
                self.is_in_recovery = row.get(1) == Some("t");
                self.is_pooled = row.get(2) == Some("t");
                let server = row.get(3).unwrap_or_default().to_owned();
                peer = (!self.is_pooled).then_some(Peer { process, server });
            }
        }
        Ok(peer)
    }

    /// Starts a `COPY … TO STDOUT`, read with large reads and without a channel in between. `what`
    /// begins an error's message: `could not read public.orders`.
    pub(crate) async fn copy(&mut self, sql: &str, what: &str) -> Result<CopyOut<'_>> {
        // Whatever was sent before is answered when this is: also what nobody waits for, such as the
        // end of a prepared statement.
        self.inner.check_connection().await.map_err(|error| failed(what, &error))?;
        let loan = self.wire.borrow().map_err(|error| broken(what, &error))?;
        CopyOut::start(loan, sql, what).await
    }
}

impl Client {
    /// Says goodbye and waits until that is said. A session that is dropped says it too, unless the
    /// process ends before: then the server complains in its log.
    pub(crate) async fn close(self) {
        let Self { inner, alive, driver, .. } = self;
        drop(inner);
        drop(alive);
        // It fails only where it panicked, and then there is nothing left to close.
        let _ = driver.await;
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

/// What the driver needs to know to log in.
fn login(settings: &Settings, address: &Address) -> Config {
    let mut login = Config::new();
    login.user(&settings.user).dbname(&settings.database).application_name(&settings.application_name);
    if let Some(password) = &address.password {
        login.password(password.reveal());
    }
    if let Some(options) = &settings.options {
        login.options(options);
    }
    login.channel_binding(match settings.encryption.channel_binding {
        config::ChannelBinding::Disable => tokio_postgres::config::ChannelBinding::Disable,
        config::ChannelBinding::Prefer => tokio_postgres::config::ChannelBinding::Prefer,
        config::ChannelBinding::Require => tokio_postgres::config::ChannelBinding::Require,
    });
    // The line is encrypted already, where it shall be: this hands it on at once.
    login.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    login
}

/// One statement that sets the session up and tells about the server.
///
/// A pooler shows a process of its own. What it may leave to the next client must not do harm there,
/// and so lasts for this statement only.
fn setup(settings: &Settings, major: u32, process: i32, watch: bool) -> String {
    let milliseconds = |time: Duration| time.as_millis().min(i32::MAX.unsigned_abs().into()).to_string();
    let rendering = [
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, YMD"),
        ("IntervalStyle", "postgres"),
        ("extra_float_digits", "1"),
        ("bytea_output", "hex"),
    ];
    let mut own = vec![
        ("default_transaction_read_only", "on".to_owned()),
        ("statement_timeout", milliseconds(settings.statement_timeout)),
        ("lock_timeout", milliseconds(settings.lock_timeout)),
        ("idle_in_transaction_session_timeout", milliseconds(IDLE_IN_TRANSACTION)),
        // Compiling costs more than our statements gain.
        ("jit", "off".to_owned()),
    ];
    if major >= 14 && watch {
        own.push(("client_connection_check_interval", "5s".to_owned()));
    }
    if major >= 17 {
        own.push(("transaction_timeout", "0".to_owned()));
    }
    let mut sql = format!(
        "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.pg_is_in_recovery(), pooled, {SERVER}"
    );
    for (name, value) in rendering {
        let _ = write!(sql, ", pg_catalog.set_config('{name}', '{value}', false)");
    }
    for (name, value) in own {
        let _ = write!(sql, ", pg_catalog.set_config('{name}', '{value}', pooled)");
    }
    let _ = write!(sql, " FROM (SELECT pg_catalog.pg_backend_pid() <> {process} AS pooled) AS way");
    sql
}

/// The process number that the server, or whoever answers for it, said at the start.
fn backend_process(heard: &[u8]) -> Option<i32> {
    let mut rest = heard;
    loop {
        let &[kind, a, b, c, d, ref body @ ..] = rest else { return None };
        let length = (u32::from_be_bytes([a, b, c, d]) as usize).checked_sub(4)?;
        if kind == b'K' {
            return Some(i32::from_be_bytes(*body.first_chunk()?));
        }
        rest = body.get(length..)?;
    }
}

/// `15.18 (Debian 15.18-0+deb12u1)` is of major 15.
fn major(version: &str) -> u32 {
    let digits = version.split(|character: char| !character.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn rejected(what: &str, error: &tokio_postgres::Error) -> Error {
    // With TLS 1.3 a server refuses our certificate only after the handshake.
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.and_then(|cause| tls::refused(what, cause)).unwrap_or_else(|| failed(what, error))
}
