//! Connection parameters by libpq's names: of a URL, of the fields of the configuration, and one
//! over the other.

use std::path::PathBuf;
use std::time::Duration;

use protocol::{Error, Result, Secret};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;

use super::conninfo;
use crate::source::postgres::config::{ChannelBinding, Config, Hosts, ReadFrom, SslMode, SslNegotiation};

/// What was given about one server; the rest is not.
#[derive(Default, Clone)]
pub(super) struct Parameters {
    pub(super) host: Vec<String>,
    /// Addresses that take the place of looking up `host`.
    pub(super) hostaddr: Vec<String>,
    pub(super) port: Vec<u16>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<String>,
    pub(super) passfile: Option<PathBuf>,
    pub(super) sslmode: Option<SslMode>,
    pub(super) sslrootcert: Option<PathBuf>,
    pub(super) sslcert: Option<PathBuf>,
    pub(super) sslkey: Option<PathBuf>,
    pub(super) sslnegotiation: Option<SslNegotiation>,
    pub(super) channel_binding: Option<ChannelBinding>,
    pub(super) application_name: Option<String>,
    pub(super) options: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalives: Option<bool>,
    pub(super) keepalives_idle: Option<Duration>,
    pub(super) keepalives_interval: Option<Duration>,
    pub(super) keepalives_count: Option<u32>,
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) wanted: Option<Wanted>,
}

/// What kind of server a session shall be with: `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Wanted {
    Any,
    #[serde(alias = "read-write")]
    Primary,
    #[serde(alias = "read-only")]
    Standby,
    PreferPrimary,
    PreferStandby,
}

/// Parameters that mean nothing here, or whose effect nobody would miss.
const IGNORED: [&str; 12] = [
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "gsslib",
    "krbsrvname",
    "load_balance_hosts",
    "requiressl",
    "sslcertmode",
    "sslcompression",
    "sslsni",
    "ssl_min_protocol_version",
    "max_protocol_version",
];

/// Parameters that are read; the rest of libpq's would change who is trusted, and so are refused.
const KNOWN: [&str; 22] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "passfile",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslnegotiation",
    "channel_binding",
    "application_name",
    "options",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "target_session_attrs",
];

impl Parameters {
    /// What the configuration says of the server itself.
    pub(super) fn of(config: &Config) -> Result<Self> {
        let url = Self::from_url(config.url.as_ref())?;
        let (host, port) = places(config.host.as_ref(), config.port)?;
        Ok(url.overlaid(Self {
            host,
            port,
            user: config.user.clone(),
            password: config.password.clone(),
            database: config.database.clone(),
            passfile: config.passfile.clone(),
            sslmode: config.sslmode,
            sslrootcert: config.sslrootcert.clone(),
            sslcert: config.sslcert.clone(),
            sslkey: config.sslkey.clone(),
            sslnegotiation: config.sslnegotiation,
            channel_binding: config.channel_binding,
            application_name: config.application_name.clone(),
            connect_timeout: config.connect_timeout.map(protocol::Period::duration),
            ..Self::default()
        }))
    }

    /// What the configuration says of the replica, over what it says of the server.
    pub(super) fn of_replica(&self, replica: &ReadFrom) -> Result<Self> {
        let url = Self::from_url(replica.url.as_ref())?;
        let (host, port) = places(replica.host.as_ref(), replica.port)?;
        let given = url.overlaid(Self {
            host,
            port,
            user: replica.user.clone(),
            password: replica.password.clone(),
            sslmode: replica.sslmode,
            sslrootcert: replica.sslrootcert.clone(),
            ..Self::default()
        });
        if given.host.is_empty() && given.hostaddr.is_empty() && given.port.is_empty() {
            return Err(Error::config("`read_from` does not say where the replica is")
                .hint("give it a `url`, or a `host`, or a `port`"));
        }
        let wanted = given.wanted;
        Ok(Self { wanted, ..self.clone().overlaid(given) })
    }

    fn from_url(url: Option<&Secret>) -> Result<Self> {
        let mut parameters = Self::default();
        for (key, value) in conninfo::parse(url.map_or("", Secret::reveal))? {
            parameters.set(&key, &value)?;
        }
        Ok(parameters)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let wrong =
            |expected: &str| Error::config(format!("url: parameter {key} has a value other than {expected}"));
        match key {
            "host" => self.host = list(value),
            "hostaddr" => self.hostaddr = list(value),
            "port" => {
                let port = |text: &str| if text.is_empty() { Ok(DEFAULT_PORT) } else { text.trim().parse() };
                let ports: Result<_, _> = value.split(',').map(port).collect();
                // Not told: in a URL with a password that is not encoded it may be a part of that.
                self.port = ports.map_err(|_| {
                    Error::config("url: what follows the host is not a port").hint(
                        "in a password : / ? # @ % are written %3A %2F %3F %23 %40 %25, or give it in `password`",
                    )
                })?;
            }
            "user" => self.user = some(value),
            "password" => self.password = some(value).map(Secret::new),
            "dbname" => self.database = some(value),
            "passfile" => self.passfile = some(value).map(PathBuf::from),
            // Plain first and encrypted if it must be: nobody wants that.
            "sslmode" if value == "allow" => self.sslmode = Some(SslMode::Prefer),
            "sslmode" => self.sslmode = Some(word(value).ok_or_else(|| wrong(SSL_MODES))?),
            "sslrootcert" => self.sslrootcert = some(value).map(PathBuf::from),
            "sslcert" => self.sslcert = some(value).map(PathBuf::from),
            "sslkey" => self.sslkey = some(value).map(PathBuf::from),
            "sslnegotiation" => {
                self.sslnegotiation = Some(word(value).ok_or_else(|| wrong("postgres and direct"))?);
            }
            "channel_binding" => {
                self.channel_binding = Some(word(value).ok_or_else(|| wrong("disable, prefer and require"))?);
            }
            "application_name" => self.application_name = some(value),
            "options" => self.options = some(value),
            "connect_timeout" => {
                self.connect_timeout = number(value).ok_or_else(|| wrong(SECONDS))?.map(seconds);
            }
            "keepalives" => self.keepalives = number(value).ok_or_else(|| wrong("0 and 1"))?.map(|n| n != 0),
            "keepalives_idle" => {
                self.keepalives_idle = number(value).ok_or_else(|| wrong(SECONDS))?.map(seconds);
            }
            "keepalives_interval" => {
                self.keepalives_interval = number(value).ok_or_else(|| wrong(SECONDS))?.map(seconds);
            }
            "keepalives_count" => self.keepalives_count = number(value).ok_or_else(|| wrong("a number"))?,
            "tcp_user_timeout" => {
                let milliseconds = |n| Duration::from_millis(u64::from(n));
                self.tcp_user_timeout =
                    number(value).ok_or_else(|| wrong("a number of milliseconds"))?.map(milliseconds);
            }
            "target_session_attrs" => {
                self.wanted = Some(word(value).ok_or_else(|| wrong(SESSIONS))?);
            }
            other => return ignored(other),
        }
        Ok(())
    }

    /// These with `over` over them. A password goes with its user, an address with its host.
    fn overlaid(self, over: Self) -> Self {
        let moved = !over.host.is_empty() || !over.hostaddr.is_empty();
        let renamed = over.user.is_some() && over.user != self.user;
        // One port is for all hosts; several belong to the hosts they were given with.
        let port = if moved && self.port.len() > 1 { Vec::new() } else { self.port };
        Self {
            host: if moved { over.host } else { self.host },
            hostaddr: if moved { over.hostaddr } else { self.hostaddr },
            port: if over.port.is_empty() { port } else { over.port },
            password: over.password.or(if renamed { None } else { self.password }),
            user: over.user.or(self.user),
            database: over.database.or(self.database),
            passfile: over.passfile.or(self.passfile),
            sslmode: over.sslmode.or(self.sslmode),
            sslrootcert: over.sslrootcert.or(self.sslrootcert),
            sslcert: over.sslcert.or(self.sslcert),
            sslkey: over.sslkey.or(self.sslkey),
            sslnegotiation: over.sslnegotiation.or(self.sslnegotiation),
            channel_binding: over.channel_binding.or(self.channel_binding),
            application_name: over.application_name.or(self.application_name),
            options: over.options.or(self.options),
            connect_timeout: over.connect_timeout.or(self.connect_timeout),
            keepalives: over.keepalives.or(self.keepalives),
            keepalives_idle: over.keepalives_idle.or(self.keepalives_idle),
            keepalives_interval: over.keepalives_interval.or(self.keepalives_interval),
            keepalives_count: over.keepalives_count.or(self.keepalives_count),
            tcp_user_timeout: over.tcp_user_timeout.or(self.tcp_user_timeout),
            wanted: over.wanted.or(self.wanted),
        }
    }
}

/// The port where a server listens unless told otherwise.
pub(super) const DEFAULT_PORT: u16 = 5432;

const SSL_MODES: &str = "disable, prefer, require, verify-ca and verify-full";
const SECONDS: &str = "a number of seconds";
const SESSIONS: &str = "any, read-write, read-only, primary, standby and prefer-standby";

/// A parameter that is not read. Its name is not told: see [`conninfo`].
fn ignored(key: &str) -> Result<()> {
    if IGNORED.contains(&key) {
        return Ok(());
    }
    let near = |known: &&&str| strsim::jaro_winkler(known, key) > 0.85;
    Err(match KNOWN.iter().find(near) {
        Some(known) => Error::config("url: a parameter is not known").hint(format!("is {known} meant?")),
        None => Error::config("url: a parameter is not known, or not supported")
            .hint(format!("known are {}", KNOWN.join(", "))),
    })
}

fn some(value: &str) -> Option<String> {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// The value of that name, as serde knows it.
fn word<T: for<'de> Deserialize<'de>>(value: &str) -> Option<T> {
    let deserializer: serde::de::value::StrDeserializer<'_, Unknown> = value.into_deserializer();
    T::deserialize(deserializer).ok()
}

/// A number that counts; 0 and less mean what was not given. The outer `None` is for other texts.
#[expect(clippy::option_option, reason = "unreadable, not given and given are three cases")]
fn number(value: &str) -> Option<Option<u32>> {
    let number: i64 = value.trim().parse().ok()?;
    Some(u32::try_from(number).ok())
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(u64::from(number))
}

/// Hosts and ports of the configuration's fields. A port behind a host's name wins over `port`.
fn places(hosts: Option<&Hosts>, port: Option<u16>) -> Result<(Vec<String>, Vec<u16>)> {
    let Some(Hosts(hosts)) = hosts else { return Ok((Vec::new(), port.into_iter().collect())) };
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts {
        let (name, own) = place(host).ok_or_else(|| {
            Error::config(format!("host {host:?} is neither a name nor an address nor a folder"))
                .hint("write `db1`, `db1:5433`, `10.0.0.1`, `[::1]:5433` or `/run/postgresql`")
        })?;
        names.push(name.to_owned());
        ports.push(own);
    }
    if ports.iter().all(Option::is_none) {
        return Ok((names, port.into_iter().collect()));
    }
    Ok((names, ports.into_iter().map(|own| own.or(port).unwrap_or(DEFAULT_PORT)).collect()))
}

/// A host's name and the port behind it.
fn place(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']')? {
            (address, "") => (address, None),
            (address, rest) => (address, Some(rest.strip_prefix(':')?)),
        },
        // More than one colon: an address of version 6.
        None if host.starts_with('/') || host.matches(':').count() > 1 => (host, None),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let sound =
        !name.is_empty() && !name.contains(['@', '?']) && (name.starts_with('/') || !name.contains('/'));
    let port = port.map(str::parse).transpose().ok()?;
    sound.then_some((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(value: serde_json::Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    fn given(value: serde_json::Value) -> Parameters {
        Parameters::of(&config(value)).unwrap()
    }

    #[test]
    fn fields_win_over_the_url() {
        let given = given(serde_json::json!({
            "url": "postgres://u:p@a:1,b:2/d?sslmode=disable&connect_timeout=3&target_session_attrs=read-write",
            "host": "c", "database": "e",
        }));
        assert_eq!(given.host, ["c"]);
        assert!(given.port.is_empty(), "the ports were those of a and b");
        assert_eq!(given.user.as_deref(), Some("u"));
        assert_eq!(given.password.unwrap().reveal(), "p");
        assert_eq!(given.database.as_deref(), Some("e"));
        assert_eq!(given.sslmode, Some(SslMode::Disable));
        assert_eq!(given.connect_timeout, Some(Duration::from_secs(3)));
        assert_eq!(given.wanted, Some(Wanted::Primary));
    }

    #[test]
    fn a_password_goes_with_its_user() {
        let given = given(serde_json::json!({ "url": "postgres://u:p@a", "user": "v" }));
        assert!(given.password.is_none());
        let main = Parameters::of(&config(serde_json::json!({ "url": "postgres://u:p@a:7/d" }))).unwrap();
        let replica = |value| main.of_replica(&serde_json::from_value::<ReadFrom>(value).unwrap());
        let same = replica(serde_json::json!({ "host": "b" })).unwrap();
        assert_eq!((same.host[0].as_str(), same.port.as_slice()), ("b", [7].as_slice()));
        assert_eq!(same.password.unwrap().reveal(), "p");
        assert_eq!(same.database.as_deref(), Some("d"));
        assert!(replica(serde_json::json!({ "host": "b", "user": "v" })).unwrap().password.is_none());
        let error = replica(serde_json::json!({ "user": "v" })).err().unwrap();
        assert_eq!(error.kind(), protocol::ErrorKind::Config);
    }

    #[test]
    fn hosts_may_have_ports() {
        let given = given(serde_json::json!({ "host": ["a:1", "[::1]:2", "::1", "/run"], "port": 9 }));
        assert_eq!(given.host, ["a", "::1", "::1", "/run"]);
        assert_eq!(given.port, [1, 2, 9, 9]);
        for host in ["", "a:b", "[::1", "postgres://a", "a:99999"] {
            let wrong = Parameters::of(&config(serde_json::json!({ "host": host })));
            assert_eq!(wrong.err().map(|error| error.kind()), Some(protocol::ErrorKind::Config), "{host}");
        }
    }

    #[test]
    fn unknown_parameters_are_refused_without_telling_them() {
        let wrong = |url: &str| {
            let error = Parameters::of(&config(serde_json::json!({ "url": url }))).err().unwrap();
            format!("{error:?} {:?}", error.advice())
        };
        assert!(wrong("postgres://h?sslmod=require").contains("is sslmode meant?"));
        assert!(wrong("postgres://h?sslmode=verify_full").contains("verify-full"));
        for url in
            ["postgres://h?canary=1", "postgres://u:canary/x@h", "host=h canary=x", "postgres://h:canary"]
        {
            assert!(!wrong(url).contains("canary"), "{}", wrong(url));
        }
        given(
            serde_json::json!({ "url": "postgres://h?gssencmode=disable&keepalives=0&tcp_user_timeout=500" }),
        );
    }
}
