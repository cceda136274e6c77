//! A primary server of our own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use super::server::Server;
use super::{Binaries, Database, Options, Role, Tls};
use crate::blocking;

/// A primary with an own data directory on an own port. It stops when the last value that refers
/// to it is dropped, and with this process in any case.
#[derive(Debug)]
pub struct Cluster {
    pub(super) server: Arc<Server>,
    pub(super) options: Options,
}

impl Cluster {
    /// Makes and starts a cluster; takes about a second.
    pub fn start(options: Options) -> Self {
        let binaries = options.binaries.clone().unwrap_or_else(Binaries::preferred);
        let server = Server::new(&binaries, random_word());
        let process = &server.process;
        let password = process.write("password", &server.password);
        let (data, password) = (server.data().display().to_string(), password.display().to_string());
        let mut arguments = vec!["-D", &data, "-U", "postgres", "--pwfile", &password, "-A", options.method];
        arguments.extend(["-E", "UTF8", "--locale=C", "--no-sync"]);
        server.run(&server.binaries.program("initdb"), &arguments);
        process.write("data/pg_hba.conf", &options.access());
        let mut options = options;
        options.binaries = Some(binaries);
        if let Some(tls) = &options.tls {
            assert!(server.binaries.has_tls(), "PostgreSQL {} speaks no TLS here", server.binaries.major());
            process.write("data/server.crt", tls.server_certificate());
            process.write("data/server.key", tls.server_key());
            process.write("data/ca.crt", tls.authority());
            for (name, value) in [("ssl", "on"), ("ssl_ca_file", "ca.crt")] {
                options.settings.push((name.to_owned(), value.to_owned()));
            }
        }
        server.start(&options);
        Self { server: Arc::new(server), options }
    }

    /// The cluster that all tests of this process share, with the preferred binaries. A transaction
    /// left open in it holds back what snapshots in all its databases see as finished: tests that
    /// depend on this, or stop the server, start a cluster of their own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Options::default()))
    }

    /// The like of [`shared`](Self::shared) for a major version; none where the machine lacks it.
    pub fn shared_major(major: u32) -> Option<&'static Self> {
        static SHARED: Mutex<Option<HashMap<u32, &'static Cluster>>> = Mutex::new(None);
        if Binaries::preferred().major() == major {
            return Some(Self::shared());
        }
        let binaries = Binaries::of_major(major)?;
        let mut shared = SHARED.lock().expect("an earlier start failed");
        let start = || &*Box::leak(Box::new(Self::start(Options::default().binaries(binaries))));
        Some(shared.get_or_insert_default().entry(major).or_insert_with(start))
    }

    /// A fresh, empty database.
    pub fn database(&self) -> Database {
        Database::create(&self.server)
    }

    /// A login role of exactly this name, for clusters that are not shared.
    pub fn role(&self, name: &str) -> Role {
        let role = Role { name: name.to_owned(), password: random_word() };
        let sql = format!("CREATE ROLE {} LOGIN PASSWORD '{}'", quoted(name), role.password);
        blocking::wait(async {
            let created = self.server.client("postgres").await.batch_execute(&sql).await;
            created.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        });
        role
    }

    pub fn major(&self) -> u32 {
        self.server.binaries.major()
    }

    pub fn binaries(&self) -> &Binaries {
        self.options.binaries.as_ref().expect("the start has chosen some")
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The superuser's password. The name is `postgres`.
    pub fn password(&self) -> &str {
        &self.server.password
    }

    pub fn tls(&self) -> Option<&Tls> {
        self.options.tls.as_ref()
    }

    /// The process number of the server.
    pub fn pid(&self) -> Option<u32> {
        self.server.process.pid()
    }

    /// The last lines of the server's log.
    pub fn log(&self) -> String {
        self.server.process.log()
    }

    /// Stops the server in good order and starts it again on the same port; connections end.
    pub fn restart(&self) {
        self.server.restart("INT");
    }

    /// Stops the server and starts it again with `next` as the number of its next transaction. What was
    /// written before must be frozen, and the step below half of all numbers.
    pub fn restart_at(&self, next: u32) {
        const TRANSACTIONS_A_SEGMENT: u32 = 1 << 20;
        const SEGMENT_BYTES: usize = 1 << 18;
        let server = &self.server;
        server.process.stop("INT");
        let program = server.binaries.program("pg_resetwal");
        let data = server.data().display().to_string();
        server.run(&program, &["-f", "-x", &next.to_string(), &data]);
        // The fates of the transactions around that number: none is known yet.
        let segment = format!("pg_xact/{:04X}", next / TRANSACTIONS_A_SEGMENT);
        if !server.data().join(&segment).exists() {
            server.process.write(&format!("data/{segment}"), &"\0".repeat(SEGMENT_BYTES));
        }
        server.process.restart();
        assert!(server.process.wait(|| server.is_ready()), "no restart:\n{}", self.log());
    }

    /// Stops the server as a crash does, without a last checkpoint, and starts it again.
    pub fn crash(&self) {
        self.server.restart("QUIT");
    }
}

/// Twelve letters, as a name or a password nobody has.
pub(super) fn random_word() -> String {
    std::iter::repeat_with(fastrand::lowercase).take(12).collect()
}

/// The name as an SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
