//! A table of numbered rows, a project that syncs it, and the target it goes to.

use lab::{Bucket, Cluster, Database};
use serde_json::{Value, json};

use super::{Lake, Project, Running};

const TABLE: &str = "public.ledger";

/// A database with the table `ledger` and a project that syncs it to a place of its own.
pub(crate) struct Ledger {
    pub(crate) database: Database,
    pub(crate) project: Project,
    pub(crate) lake: Lake,
    rows: i64,
}

impl Ledger {
    /// So many rows, to a local directory, by the cursor `updated_at`.
    pub(crate) async fn incremental(rows: i64) -> Self {
        Self::of(Cluster::shared(), rows, Self::incremental_stream(), None).await
    }

    /// The same, everything each time.
    pub(crate) async fn full(rows: i64) -> Self {
        Self::of(Cluster::shared(), rows, json!({ "name": TABLE }), None).await
    }

    /// The same, to a bucket, with the settings of a stream.
    pub(crate) async fn of(cluster: &Cluster, rows: i64, stream: Value, bucket: Option<&Bucket>) -> Self {
        let database = cluster.database();
        database
            .execute(
                "CREATE TABLE ledger (id bigint PRIMARY KEY, version bigint NOT NULL DEFAULT 1, \
                     updated_at timestamptz DEFAULT now(), note text); \
                 CREATE INDEX ON ledger (updated_at)",
            )
            .await;
        let project = Project::new(&database).stream(stream);
        let (project, lake) = if let Some(bucket) = bucket {
            (project.in_bucket(bucket), Lake::in_bucket(bucket, TABLE))
        } else {
            let lake = Lake::in_directory(&project.path("lake"), TABLE);
            (project, lake)
        };
        let mut ledger = Self { database, project, lake, rows: 0 };
        ledger.add(rows).await;
        ledger
    }

    /// By the cursor, and up to what is settled now.
    pub(crate) fn incremental_stream() -> Value {
        json!({ "name": TABLE, "cursor": "updated_at", "lag": "0s" })
    }

    /// Adds so many rows, each of about 200 bytes that do not compress.
    pub(crate) async fn add(&mut self, rows: i64) {
        let (first, last) = (self.rows + 1, self.rows + rows);
        self.database
            .execute(&format!(
                "INSERT INTO ledger (id, note) SELECT i, md5(i::text) || md5((-i)::text) || md5((i * 7)::text) \
                 || md5((i * 11)::text) || md5((i * 13)::text) FROM generate_series({first}, {last}) i; \
                 ANALYZE ledger"
            ))
            .await;
        self.rows = last;
    }

    /// Makes every row last so long at the source, 1 in `every`: reading takes a while.
    pub(crate) fn slow(&mut self, every: i64, seconds: f64) {
        self.stream()["filter"] = json!(format!("id % {every} <> 0 OR pg_sleep({seconds}) IS NOT NULL"));
    }

    /// Takes that back.
    pub(crate) fn fast(&mut self) {
        self.stream().as_object_mut().expect("a stream has settings").remove("filter");
    }

    /// The settings of the stream.
    pub(crate) fn stream(&mut self) -> &mut Value {
        &mut self.project.configuration()["connections"]["db_to_lake"]["streams"][0]
    }

    /// Starts a sync.
    pub(crate) fn start(&self) -> Running {
        Running::start(self.project.command(&["sync", "--output", "json"]))
    }

    /// Fails unless the target holds each row of the table once.
    #[track_caller]
    pub(crate) fn is_whole(&self) -> impl Future<Output = ()> {
        self.lake.holds(1..=self.rows)
    }

    /// Syncs once more, after some more rows, and fails unless each row is there once.
    pub(crate) async fn recovers(&mut self) {
        self.add(3).await;
        self.project.sync();
        self.is_whole().await;
    }

    /// Waits until some session of the database fits `condition` on `pg_stat_activity`.
    pub(crate) async fn until_session(&self, condition: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND {condition}"
        );
        super::until_true(condition, async || {
            self.database.value(&sql).await.is_some_and(|count| count != "0")
        })
        .await;
    }

    /// Ends the sessions of the database that fit `condition`; returns how many.
    pub(crate) async fn terminate(&self, condition: &str) -> usize {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND {condition}"
        );
        self.database.query(&sql).await.len()
    }
}
