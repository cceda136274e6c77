//! What a crash of the server takes back.

use lab::{Cluster, Options};

use crate::harness::Sync;

#[tokio::test]
async fn what_a_crash_could_take_back_is_not_read_before_it_can_not() {
    // The log is on disk a second late, where a transaction does not wait for it.
    let cluster = Cluster::start(Options::default().setting("wal_writer_delay", "1s"));
    let database = cluster.database();
    database
        .execute("CREATE TABLE t (id int, at timestamptz DEFAULT now()); CREATE INDEX ON t (at); CHECKPOINT")
        .await;
    for mode in ["seen_set", "settled_window"] {
        database.execute("TRUNCATE t; INSERT INTO t VALUES (1)").await;
        let mut sync = Sync::incremental(&database, "public.t", "at").await.ids();
        sync.stream.options.insert("mode".to_owned(), serde_json::json!(mode));
        assert_eq!(sync.rows().await, ["1"]);
        database.execute("SET synchronous_commit = off; INSERT INTO t VALUES (2)").await;
        let mut read = sync.rows().await;
        assert_eq!(read, ["2"], "{mode}");
        cluster.crash();
        // The numbers of transactions that a crash has undone are given out again.
        for id in 3..8 {
            database.execute(&format!("INSERT INTO t VALUES ({id})")).await;
        }
        read.extend(sync.rows().await);
        let held = database.query("SELECT id FROM t WHERE id > 1 ORDER BY 1").await;
        let held: Vec<String> = held.into_iter().map(|row| row[0].clone().unwrap_or_default()).collect();
        assert_eq!(read, held, "{mode}");
    }
}
