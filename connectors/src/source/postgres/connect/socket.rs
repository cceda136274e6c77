//! The way to a server: a TCP connection or a Unix socket, encrypted where it shall be.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use protocol::{Error, Result};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::{Address, Place, Settings};
use super::tls;
use crate::source::postgres::config::{SslMode, SslNegotiation};
use crate::source::postgres::error::broken;

/// An address, looked up.
#[derive(Debug, Clone)]
pub(super) enum Endpoint {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The endpoints that an address stands for, in the order the resolver gives them.
pub(super) async fn endpoints(address: &Address) -> Result<Vec<Endpoint>> {
    match &address.place {
        Place::Folder(folder) => Ok(vec![Endpoint::Unix(folder.join(format!(".s.PGSQL.{}", address.port)))]),
        Place::Network(host) => {
            let what = || format!("could not look up {host}");
            let found = lookup_host((host.as_str(), address.port)).await;
            let found: Vec<_> = found.map_err(|error| broken(&what(), &error))?.map(Endpoint::Tcp).collect();
            if found.is_empty() { Err(Error::transient(what())) } else { Ok(found) }
        }
    }
}

/// Both directions of a connection.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to the server, of whatever kind.
pub(super) type Stream = Box<dyn Duplex>;

/// A connection that is ready for the first message.
pub(super) struct Line {
    pub(super) stream: Stream,
    /// What binds the password exchange to it.
    pub(super) binding: ChannelBinding,
    pub(super) is_encrypted: bool,
}

impl Line {
    /// Connects, and encrypts as the settings want it. `what` begins an error's message.
    pub(super) async fn open(
        what: &str,
        endpoint: &Endpoint,
        host: &str,
        settings: &Settings,
        encrypt: Option<&MakeRustlsConnect>,
    ) -> Result<Self> {
        let broken = |error: io::Error| broken(what, &error);
        let mut stream = connect(endpoint, settings).await.map_err(broken)?;
        // Unix sockets are never encrypted, as in libpq.
        let Some(encrypt) = encrypt.filter(|_| matches!(endpoint, Endpoint::Tcp(_))) else {
            return Ok(Self { stream, binding: ChannelBinding::none(), is_encrypted: false });
        };
        if settings.encryption.negotiation == SslNegotiation::Postgres
            && !asks_for_encryption(&mut stream).await.map_err(broken)?
        {
            if settings.encryption.mode == SslMode::Prefer {
                return Ok(Self { stream, binding: ChannelBinding::none(), is_encrypted: false });
            }
            return Err(Error::config(format!("{what}: the server does not encrypt connections")).hint(
                "turn `ssl` on at the server, or set `sslmode: disable` if nobody else is on the network in between",
            ));
        }
        let Ok(handshake) = MakeTlsConnect::<Stream>::make_tls_connect(&mut encrypt.clone(), host);
        let encrypted = handshake.connect(stream).await.map_err(|error| {
            let refused = tls::refused(what, &error).unwrap_or_else(|| broken(error));
            match settings.encryption.negotiation {
                SslNegotiation::Direct if refused.kind().is_retryable() => {
                    refused.hint("`sslnegotiation: direct` needs PostgreSQL 17 or newer")
                }
                _ => refused,
            }
        })?;
        let binding = encrypted.channel_binding();
        Ok(Self { stream: Box::new(encrypted), binding, is_encrypted: true })
    }
}

async fn connect(endpoint: &Endpoint, settings: &Settings) -> io::Result<Stream> {
    let address = match endpoint {
        Endpoint::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
        Endpoint::Tcp(address) => address,
    };
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    if let Some(keepalive) = settings.keepalive {
        socket.set_tcp_keepalive(
            &TcpKeepalive::new()
                .with_time(keepalive.idle)
                .with_interval(keepalive.interval)
                .with_retries(keepalive.count),
        )?;
    }
    #[cfg(target_os = "linux")]
    if settings.tcp_user_timeout.is_some() {
        socket.set_tcp_user_timeout(settings.tcp_user_timeout)?;
    }
    Ok(Box::new(stream))
}

/// Whether the server is ready to encrypt.
async fn asks_for_encryption(stream: &mut Stream) -> io::Result<bool> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    stream.write_all(&request).await?;
    match stream.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        // What follows is not protected, and so is not read.
        b'E' => Err(io::Error::other("the server answers with an error before encryption")),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "this is no PostgreSQL server")),
    }
}
