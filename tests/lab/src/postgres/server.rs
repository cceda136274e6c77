//! One running `postgres`, primary or standby.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;

use tokio_postgres::{Client, Config, NoTls};

use super::{Binaries, Options};
use crate::account::Account;
use crate::port;
use crate::process::Process;

/// Settings of every server: loopback only, and nothing is forced to disk.
const SETTINGS: [(&str, &str); 9] = [
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "100"),
    ("max_prepared_transactions", "20"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("lc_messages", "C"),
];

#[derive(Debug)]
pub(super) struct Server {
    pub(super) process: Process,
    pub(super) binaries: Binaries,
    pub(super) password: String,
    port: Mutex<u16>,
}

impl Server {
    /// A directory with the programs in reach; nothing runs yet.
    pub(super) fn new(binaries: &Binaries, password: String) -> Self {
        let process = Process::under(Account::unprivileged(), &["INT", "QUIT", "KILL"]);
        let binaries = binaries.within_reach_of(&process);
        Self { process, binaries, password, port: Mutex::new(0) }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.process.directory().join("data")
    }

    /// Runs a program to its end, as the server's account.
    pub(super) fn run(&self, program: &Path, arguments: &[&str]) {
        let output = self.process.command(program).args(arguments).output();
        let Output { status, stdout, stderr } =
            output.unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()));
        let text = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(status.success(), "{} {arguments:?} failed: {text}", program.display());
    }

    /// Starts on a free port; when another process was quicker to take it, on another.
    pub(super) fn start(&self, options: &Options) {
        for _ in 0..5 {
            let port = port::free();
            let program = self.binaries.program("postgres").display().to_string();
            let variables = options.environment.iter().map(|(name, value)| format!("{name}={value}"));
            let line = variables.chain([program]).chain(self.arguments(port, options));
            self.process.start(Path::new("env"), line);
            *self.port.lock().expect("nobody panics with the lock held") = port;
            if self.process.wait(|| self.is_ready()) {
                return;
            }
            let log = self.process.log();
            assert!(log.contains("Address already in use"), "PostgreSQL does not start:\n{log}");
        }
        panic!("PostgreSQL found five free ports taken");
    }

    fn arguments(&self, port: u16, options: &Options) -> Vec<String> {
        let mut settings: Vec<(String, String)> = vec![
            ("port".to_owned(), port.to_string()),
            ("unix_socket_directories".to_owned(), self.process.directory().display().to_string()),
        ];
        settings.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
        settings.extend(options.settings.iter().cloned());
        let mut arguments = vec!["-D".to_owned(), self.data().display().to_string()];
        for (name, value) in settings {
            arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        arguments
    }

    /// Stops by `signal` and starts again with what it was started with, on the same port.
    pub(super) fn restart(&self, signal: &str) {
        self.process.stop(signal);
        self.process.restart();
        assert!(self.process.wait(|| self.is_ready()), "no restart:\n{}", self.process.log());
    }

    /// Whether it takes connections: the lock file's last line says so.
    pub(super) fn is_ready(&self) -> bool {
        let lock = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = lock.lines().map(str::trim);
        let pid = lines.next().and_then(|pid| pid.parse().ok());
        pid.is_some() && pid == self.process.pid() && lines.next_back() == Some("ready")
    }

    pub(super) fn port(&self) -> u16 {
        *self.port.lock().expect("nobody panics with the lock held")
    }

    pub(super) fn url(&self, database: &str, user: &str, password: &str) -> String {
        let [user, password, database] = [user, password, database].map(percent_encoded);
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port())
    }

    /// The superuser's way in, over the socket and without a password.
    pub(super) fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(self.process.directory()).port(self.port());
        config.user("postgres").dbname(database).application_name("lab");
        config
    }

    /// A connection of the superuser, driven by the runtime this is called in.
    pub(super) async fn client(&self, database: &str) -> Client {
        let connected = self.config(database).connect(NoTls).await;
        let (client, connection) =
            connected.unwrap_or_else(|error| panic!("{error:?}:\n{}", self.process.log()));
        tokio::spawn(connection);
        client
    }
}

/// User, password and database as a URL holds them.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::percent_encoded;

    #[test]
    fn encodes_what_a_url_gives_a_meaning() {
        assert_eq!(percent_encoded("a-B_9"), "a-B_9");
        assert_eq!(percent_encoded("p@ss:/%é"), "p%40ss%3A%2F%25%C3%A9");
    }
}
