//! What a PostgreSQL source is configured with. What a connection makes of it is [`super::connect`]'s.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use protocol::{Period, Secret};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A PostgreSQL server and the database to read from. What is given here wins over the same in `url`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `postgres://user:password@host:port/database?sslmode=verify-full`, or `host=… user=…` as libpq
    /// reads it.
    pub url: Option<Secret>,
    /// The server's name or address, or the folder of its Unix socket. Several are tried in turn, and
    /// the one that takes writes is preferred.
    pub host: Option<Hosts>,
    /// The port, 5432 unless given here or behind a host's name.
    pub port: Option<u16>,
    /// The role to log in as.
    pub user: Option<String>,
    /// The role's password. Without it, `PGPASSWORD` and the password file are looked at.
    pub password: Option<Secret>,
    /// The database; the same as the role's name unless given.
    pub database: Option<String>,
    /// The password file; `PGPASSFILE` or `~/.pgpass` unless given.
    #[schemars(extend("format" = "path"))]
    pub passfile: Option<PathBuf>,
    /// Whether the connection is encrypted and the server's certificate checked: `verify-full` unless
    /// given, and `prefer` on this machine itself.
    pub sslmode: Option<SslMode>,
    /// Certificates of the authorities that may sign the server's, as a PEM file, or `system`.
    #[schemars(schema_with = "authorities")]
    pub sslrootcert: Option<PathBuf>,
    /// The client's certificate, as a PEM file.
    #[schemars(extend("format" = "path"))]
    pub sslcert: Option<PathBuf>,
    /// The private key of the client's certificate, as a PEM file.
    #[schemars(extend("format" = "path"))]
    pub sslkey: Option<PathBuf>,
    /// How encryption begins; `direct` saves a round trip with PostgreSQL 17 and newer.
    pub sslnegotiation: Option<SslNegotiation>,
    /// Whether the password exchange is bound to the encrypted connection.
    pub channel_binding: Option<ChannelBinding>,
    /// What the server shows as the name of these sessions.
    pub application_name: Option<String>,
    /// Most sessions that read rows at once.
    pub connections: NonZeroUsize,
    /// Longest time that connecting may take, all in all, per address; 15s unless given.
    pub connect_timeout: Option<Period>,
    /// Longest time that a statement may run; 0 for any.
    pub statement_timeout: Period,
    /// Longest time to wait for a table that someone has locked; 0 for any.
    pub lock_timeout: Period,
    /// How long a connection may be silent before it is probed, by TCP and by asking the server whether it
    /// is at work for us; 0 never probes.
    pub keepalive: Period,
    /// A replica that rows are read from. The server itself is then asked only which transactions
    /// are running.
    pub read_from: Option<ReadFrom>,
    /// The schemas that `discover` looks at; all unless given.
    pub schemas: Option<Vec<String>>,
    /// Longest time to wait for transactions that were running when a sync began.
    pub barrier_wait: Period,
    /// How old a snapshot may become, which holds back vacuum: what a large first load has left then is
    /// read in snapshots of its own, and what changed in between once more; 0 for any age.
    pub max_snapshot_age: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            host: None,
            port: None,
            user: None,
            password: None,
            database: None,
            passfile: None,
            sslmode: None,
            sslrootcert: None,
            sslcert: None,
            sslkey: None,
            sslnegotiation: None,
            channel_binding: None,
            application_name: None,
            connections: const { NonZeroUsize::new(4).expect("4 is not 0") },
            connect_timeout: None,
            statement_timeout: Period::from_secs(0),
            lock_timeout: Period::from_secs(30),
            keepalive: Period::from_secs(60),
            read_from: None,
            schemas: None,
            barrier_wait: Period::from_secs(2),
            max_snapshot_age: Period::from_secs(2 * 3600),
        }
    }
}

/// A replica. What is not given is as for the server itself.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReadFrom {
    /// The replica as a URL, as for the server itself.
    pub url: Option<Secret>,
    /// The replica's name or address. Of several the first that is a replica is taken.
    pub host: Option<Hosts>,
    /// The replica's port.
    pub port: Option<u16>,
    /// The role to log in as.
    pub user: Option<String>,
    /// The role's password.
    pub password: Option<Secret>,
    /// As for the server itself.
    pub sslmode: Option<SslMode>,
    /// As for the server itself.
    #[schemars(schema_with = "authorities")]
    pub sslrootcert: Option<PathBuf>,
}

/// Whether a connection is encrypted and what is checked, as libpq names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Not encrypted.
    Disable,
    /// Encrypted if the server can; its certificate is checked only against `sslrootcert`, if given.
    Prefer,
    /// Encrypted; the server's certificate is checked only against `sslrootcert`, if given.
    Require,
    /// Encrypted, and an authority of `sslrootcert` must have signed the server's certificate.
    VerifyCa,
    /// The same, and the certificate must be for the name that was connected to.
    VerifyFull,
}

/// How encryption begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SslNegotiation {
    /// By asking the server first.
    #[default]
    Postgres,
    /// At once.
    Direct,
}

/// Whether the password exchange is bound to the encrypted connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// If the server offers it.
    #[default]
    Prefer,
    /// Always, or there is no connection.
    Require,
}

/// One host or several, each with a port of its own if it likes: `db1:5433`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(pub(super) Vec<String>);

impl JsonSchema for Hosts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hosts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One host or several: names, addresses or folders of Unix sockets.",
            "oneOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Hosts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a host or a list of names")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Hosts, E> {
                Ok(Hosts(text.split(',').map(|host| host.trim().to_owned()).collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Hosts, A::Error> {
                let mut hosts = Vec::new();
                while let Some(host) = items.next_element()? {
                    hosts.push(host);
                }
                if hosts.is_empty() { Err(A::Error::invalid_length(0, &self)) } else { Ok(Hosts(hosts)) }
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// A file, or those that this machine trusts: the configuration's reader resolves paths, and leaves the
/// word alone.
fn authorities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "const": "system" }, { "type": "string", "format": "path" }, { "type": "null" }] })
}
