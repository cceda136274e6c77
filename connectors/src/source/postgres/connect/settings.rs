//! Where to connect, as whom and how: parameters, environment and defaults joined and found sound.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use protocol::{Error, Result, Secret};

use super::environment::Environment;
use super::parameters::{DEFAULT_PORT, Parameters, Wanted};
use super::password_file::PasswordFile;
use crate::source::postgres::config::{ChannelBinding, Config, SslMode, SslNegotiation};

/// All that a connection needs to know.
pub(super) struct Settings {
    /// In the order they are tried; at least one.
    pub(super) addresses: Vec<Address>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) encryption: Encryption,
    pub(super) application_name: String,
    pub(super) options: Option<String>,
    /// For everything from looking up the name to the end of authentication, per address.
    pub(super) connect_timeout: Duration,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) statement_timeout: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) wanted: Wanted,
}

/// A place where a server listens, and the password there.
pub(super) struct Address {
    /// As it was given: what its certificate must be for.
    pub(super) host: String,
    pub(super) place: Place,
    pub(super) port: u16,
    pub(super) password: Option<Secret>,
}

/// How a place is reached.
pub(super) enum Place {
    /// A name to look up, or an address.
    Network(String),
    /// The folder of a Unix socket.
    Folder(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        match &self.place {
            Place::Folder(folder) => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
            Place::Network(_) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Network(_) => write!(f, "{host}:{port}"),
        }
    }
}

/// How the line is protected.
pub(super) struct Encryption {
    pub(super) mode: SslMode,
    pub(super) roots: Option<Roots>,
    /// Certificate and key of the client.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) negotiation: SslNegotiation,
    pub(super) channel_binding: ChannelBinding,
}

/// The authorities that may sign the server's certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those that this machine trusts.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// Probes of a silent connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keepalive {
    pub(super) idle: Duration,
    pub(super) interval: Duration,
    pub(super) count: u32,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

impl Settings {
    /// What is `given` about a server, and the rest from `config`. Of several servers `otherwise` is
    /// wanted, unless the URL wants another.
    pub(super) fn resolve(
        given: &Parameters,
        config: &Config,
        environment: &Environment,
        otherwise: Wanted,
    ) -> Result<Self> {
        let Some(user) = given.user.clone() else {
            return Err(
                Error::config("the role to log in as is missing").hint("give it as `user` or in `url`")
            );
        };
        let database = given.database.clone().unwrap_or_else(|| user.clone());
        let mut addresses = addresses(given)?;
        let passfile = given.passfile.as_ref().or(environment.passfile.as_ref());
        let mut file = None;
        for address in &mut addresses {
            let known = given.password.clone().or_else(|| environment.password.clone());
            address.password = known.or_else(|| {
                let file = file.get_or_insert_with(|| passfile.map(|path| PasswordFile::read(path)));
                file.as_ref()?.password(&address.host, address.port, &database, &user)
            });
        }
        let encryption = Encryption::resolve(given, &addresses)?;
        let idle = given.keepalives_idle.unwrap_or(config.keepalive.duration());
        let probes = given.keepalives.unwrap_or(true) && !idle.is_zero();
        let keepalive = Keepalive {
            idle,
            interval: given.keepalives_interval.unwrap_or(Duration::from_secs(10)),
            count: given.keepalives_count.unwrap_or(6),
        };
        Ok(Self {
            addresses,
            database,
            user,
            encryption,
            application_name: given.application_name.clone().unwrap_or_else(|| "tidegate".to_owned()),
            options: given.options.clone(),
            connect_timeout: given.connect_timeout.filter(|time| !time.is_zero()).unwrap_or(CONNECT_TIMEOUT),
            keepalive: probes.then_some(keepalive),
            tcp_user_timeout: given.tcp_user_timeout,
            statement_timeout: config.statement_timeout.duration(),
            lock_timeout: config.lock_timeout.duration(),
            wanted: given.wanted.unwrap_or(otherwise),
        })
    }
}

fn addresses(given: &Parameters) -> Result<Vec<Address>> {
    let hosts = if given.host.is_empty() { &given.hostaddr } else { &given.host };
    if hosts.is_empty() {
        return Err(Error::config("the server is missing").hint("give it as `url` or `host`"));
    }
    if !given.hostaddr.is_empty() && given.hostaddr.len() != hosts.len() {
        return Err(Error::config("url: host and hostaddr are not equally many"));
    }
    if given.port.len() > 1 && given.port.len() != hosts.len() {
        return Err(Error::config("there are neither as many ports as hosts nor just one"));
    }
    let address = |(at, host): (usize, &String)| {
        let place = match (host.starts_with('/'), given.hostaddr.get(at)) {
            (true, _) => Place::Folder(PathBuf::from(host)),
            (false, Some(address)) => Place::Network(address.clone()),
            (false, None) => Place::Network(host.clone()),
        };
        let port = given.port.get(at).or(given.port.first()).copied().unwrap_or(DEFAULT_PORT);
        Address { host: host.clone(), place, port, password: None }
    };
    Ok(hosts.iter().enumerate().map(address).collect())
}

impl Encryption {
    fn resolve(given: &Parameters, addresses: &[Address]) -> Result<Self> {
        let roots = given.sslrootcert.clone().map(|path| match path.to_str() {
            Some("system") => Roots::System,
            _ => Roots::File(path),
        });
        let mode = given.sslmode.unwrap_or_else(|| {
            if addresses.iter().all(is_here) && roots.is_none() {
                SslMode::Prefer
            } else {
                SslMode::VerifyFull
            }
        });
        let roots = match (mode, roots) {
            (SslMode::VerifyFull, None) => Some(Roots::System),
            (SslMode::VerifyCa, None) => {
                return Err(Error::config("`sslmode: verify-ca` needs `sslrootcert`").hint(
                    "name the file of the authority, or use verify-full with the authorities this machine trusts",
                ));
            }
            // Any holder of any certificate that is signed by one of them could pose as the server.
            (SslMode::Prefer | SslMode::Require | SslMode::VerifyCa, Some(Roots::System)) => {
                return Err(Error::config("`sslrootcert: system` needs `sslmode: verify-full`"));
            }
            (_, roots) => roots,
        };
        let identity = match (&given.sslcert, &given.sslkey) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(Error::config("`sslcert` and `sslkey` go together, and one is missing")),
        };
        let negotiation = given.sslnegotiation.unwrap_or_default();
        if negotiation == SslNegotiation::Direct && matches!(mode, SslMode::Disable | SslMode::Prefer) {
            return Err(Error::config("`sslnegotiation: direct` needs `sslmode: require` or more"));
        }
        let channel_binding = given.channel_binding.unwrap_or_default();
        if channel_binding == ChannelBinding::Require && mode == SslMode::Disable {
            return Err(Error::config("`channel_binding: require` needs an encrypted connection"));
        }
        Ok(Self { mode, roots, identity, negotiation, channel_binding })
    }
}

/// Whether the server is on this machine, so that nobody can be in between.
fn is_here(address: &Address) -> bool {
    match &address.place {
        Place::Folder(_) => true,
        Place::Network(host) => {
            host.eq_ignore_ascii_case("localhost")
                || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(value: serde_json::Value, environment: &Environment) -> Result<Settings> {
        let config: Config = serde_json::from_value(value).unwrap();
        let given = Parameters::of(&config)?;
        Settings::resolve(&given, &config, environment, Wanted::Any)
    }

    fn mode(url: &str) -> (SslMode, Option<Roots>) {
        let settings = settings(serde_json::json!({ "url": url }), &Environment::default()).unwrap();
        (settings.encryption.mode, settings.encryption.roots)
    }

    #[test]
    fn certificates_are_checked_unless_told_otherwise_or_on_this_machine() {
        assert_eq!(mode("postgres://u@db.example.com"), (SslMode::VerifyFull, Some(Roots::System)));
        assert_eq!(mode("postgres://u@10.0.0.1"), (SslMode::VerifyFull, Some(Roots::System)));
        assert_eq!(mode("postgres://u@localhost,db2"), (SslMode::VerifyFull, Some(Roots::System)));
        assert_eq!(mode("postgres://u@db?hostaddr=127.0.0.1"), (SslMode::Prefer, None));
        for here in ["localhost", "127.0.0.2", "[::1]", "%2Frun%2Fpostgresql"] {
            assert_eq!(mode(&format!("postgres://u@{here}")), (SslMode::Prefer, None), "{here}");
        }
        assert_eq!(mode("postgres://u@db?sslmode=require"), (SslMode::Require, None));
        assert_eq!(mode("postgres://u@db?sslmode=allow"), (SslMode::Prefer, None));
        let file = Some(Roots::File(PathBuf::from("/ca")));
        assert_eq!(mode("postgres://u@localhost?sslrootcert=/ca"), (SslMode::VerifyFull, file));
    }

    #[test]
    fn modes_that_would_check_nothing_are_refused() {
        for query in [
            "sslmode=verify-ca",
            "sslmode=require&sslrootcert=system",
            "sslmode=prefer&sslnegotiation=direct",
            "sslmode=disable&channel_binding=require",
            "sslcert=/c",
        ] {
            let refused = settings(
                serde_json::json!({ "url": format!("postgres://u@db?{query}") }),
                &Environment::default(),
            );
            assert_eq!(refused.err().map(|error| error.kind()), Some(protocol::ErrorKind::Config), "{query}");
        }
    }

    #[test]
    fn passwords_come_from_the_settings_then_the_environment() {
        let environment = Environment { password: Some(Secret::new("e")), passfile: None };
        let password = |url: &str| {
            let settings = settings(serde_json::json!({ "url": url }), &environment).unwrap();
            settings.addresses[0].password.as_ref().unwrap().reveal().to_owned()
        };
        assert_eq!(password("postgres://u:p@localhost"), "p");
        assert_eq!(password("postgres://u@localhost"), "e");
    }

    #[test]
    fn says_what_is_missing() {
        for (value, what) in [
            (serde_json::json!({ "host": "a" }), "role"),
            (serde_json::json!({ "user": "u" }), "server"),
            (serde_json::json!({ "url": "postgres://u@a,b,c?port=1,2" }), "ports"),
        ] {
            let error = settings(value, &Environment::default()).err().unwrap();
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
