//! A hot standby: read-only, streaming from its primary.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, random_word};
use super::server::Server;
use super::{Binaries, Database, Options};
use crate::blocking;

/// A server that replays what its primary does.
#[derive(Debug)]
pub struct Standby {
    server: Arc<Server>,
}

impl Cluster {
    /// Starts a standby of this cluster; takes about two seconds.
    pub fn standby(&self) -> Standby {
        Standby::start(self, &[])
    }

    /// The same with settings of its own, such as `max_standby_streaming_delay`.
    pub fn standby_with(&self, settings: &[(&str, &str)]) -> Standby {
        Standby::start(self, settings)
    }
}

impl Standby {
    fn start(primary: &Cluster, settings: &[(&str, &str)]) -> Self {
        let server = Server::new(primary.binaries(), primary.server.password.clone());
        let slot = format!("standby_{}", random_word());
        blocking::wait(async {
            let sql = format!("SELECT pg_create_physical_replication_slot('{slot}', true)");
            let made = primary.server.client("postgres").await.batch_execute(&sql).await;
            made.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        });
        copy(primary, &server, &slot);
        server.process.write("data/standby.signal", "");
        let host = primary.server.process.directory().display();
        let upstream = format!("host={host} port={} user=postgres", primary.port());
        let mut options = Options { settings: primary.options.settings.clone(), ..Options::default() };
        let own = [
            ("primary_conninfo", upstream.as_str()),
            ("primary_slot_name", &slot),
            ("hot_standby_feedback", "on"),
            ("wal_receiver_status_interval", "1s"),
        ];
        options.settings.extend(
            own.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        server.start(&options);
        Self { server: Arc::new(server) }
    }

    /// A database of the primary, read through this standby.
    pub fn database(&self, database: &Database) -> Database {
        database.through(&self.server)
    }

    /// Waits until this standby has replayed all that the primary had written at the call.
    pub async fn catch_up(&self, primary: &Cluster) {
        let client = primary.server.client("postgres").await;
        let row = client.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.expect("a primary tells");
        let lsn: String = row.get(0);
        let client = self.server.client("postgres").await;
        let sql = format!("SELECT coalesce(pg_last_wal_replay_lsn() >= '{lsn}', false)");
        let deadline = Instant::now() + Duration::from_mins(1);
        while !client.query_one(&sql, &[]).await.expect("a standby answers").get::<_, bool>(0) {
            assert!(Instant::now() < deadline, "no replay of {lsn}:\n{}", self.server.process.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Makes a primary of it, on a new timeline; the old primary knows nothing of it.
    pub fn promote(&self) {
        blocking::wait(async {
            let client = self.server.client("postgres").await;
            let row = client.query_one("SELECT pg_promote()", &[]).await.expect("a standby can be promoted");
            assert!(row.get::<_, bool>(0), "no promotion:\n{}", self.server.process.log());
        });
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    pub fn log(&self) -> String {
        self.server.process.log()
    }
}

/// Copies the primary's data directory with a `pg_basebackup` of its major version or a newer one:
/// not every collection of binaries has that program.
fn copy(primary: &Cluster, server: &Server, slot: &str) {
    let mut candidates = Binaries::all();
    candidates.retain(|other| other.major() >= primary.major() && other.program("pg_basebackup").exists());
    candidates.sort_by_key(Binaries::major);
    let binaries = candidates.first().expect("some PostgreSQL from this version on has pg_basebackup");
    let binaries = binaries.within_reach_of(&server.process);
    let (host, port) = (primary.server.process.directory().display().to_string(), primary.port().to_string());
    let data = server.data().display().to_string();
    let from = ["-h", &host, "-p", &port, "-U", "postgres", "-S", slot];
    let how = ["-D", &data, "-X", "stream", "-c", "fast", "--no-sync"];
    server.run(&binaries.program("pg_basebackup"), &[from.as_slice(), &how].concat());
}
