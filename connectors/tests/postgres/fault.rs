//! What a plan does not survive, and what a partition does.

use std::sync::Arc;
use std::time::Duration;

use lab::{Cluster, Database, Options};
use protocol::{ErrorKind, Event, Outlet};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::harness::{Rowlet, Sync, open};

/// Too large for the buffers between a server and a reader that waits.
const LARGE: &str = "CREATE TABLE t (id int, pad text); \
                     INSERT INTO t SELECT i, repeat('x', 1900) FROM generate_series(1, 30000) i; ANALYZE t";

/// Ends the sessions that read in a snapshot and of which `sql` is true.
async fn end_sessions(database: &Database, sql: &str) -> usize {
    let end = format!(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name LIKE '%(tidegate snapshot)' AND {sql}"
    );
    database.query(&end).await.len()
}

#[tokio::test]
async fn a_table_truncated_since_the_plan_is_planned_again() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT * FROM t; \
                      CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
        )
        .await;
    for (name, change, rows) in [
        ("public.t", "TRUNCATE t; INSERT INTO t VALUES (2)", 1),
        ("public.v", "TRUNCATE t; INSERT INTO t VALUES (3)", 1),
        ("public.m", "REFRESH MATERIALIZED VIEW m", 1),
        ("public.t", "ALTER TABLE t ADD COLUMN now timestamptz DEFAULT clock_timestamp()", 1),
        ("public.t", "VACUUM FULL t", 1),
    ] {
        let mut sync = Sync::full(&database, name).await;
        let plan = sync.plan().await.unwrap();
        database.execute(change).await;
        let error = sync.read_all(&plan).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stale, "{name} after {change}: {error:?}");
        assert_eq!(sync.rows().await.len(), rows, "{name} after {change}");
    }
}

#[tokio::test]
async fn one_of_many_partitions_truncated_since_the_plan_is_planned_again() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int) PARTITION BY RANGE (id); \
             DO $$ BEGIN FOR i IN 0..39 LOOP \
             EXECUTE format('CREATE TABLE t%s PARTITION OF t FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10); \
             END LOOP; END $$; INSERT INTO t SELECT generate_series(0, 399)",
        )
        .await;
    let mut sync = Sync::full(&database, "public.t").await;
    for (change, rows) in
        [("TRUNCATE t7", 390), ("DROP TABLE t8", 380), ("ALTER TABLE t DETACH PARTITION t9", 370)]
    {
        let plan = sync.plan().await.unwrap();
        database.execute(change).await;
        match sync.read_all(&plan).await {
            Ok(all) => assert_ne!(change, "TRUNCATE t7", "{} rows", all.len()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}"),
        }
        assert_eq!(sync.rows().await.len(), rows, "{change}");
    }
}

#[tokio::test]
async fn a_partition_dropped_since_the_plan_is_planned_again() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, pad text) PARTITION BY RANGE (id); \
             CREATE TABLE one PARTITION OF t FOR VALUES FROM (0) TO (10000); \
             CREATE TABLE two PARTITION OF t FOR VALUES FROM (10000) TO (20000); \
             INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(0, 19999) i",
        )
        .await;
    let mut sync = Sync::full(&database, "public.t").await;
    let plan = sync.plan().await.unwrap();
    assert!(plan.partitions.len() > 2);
    database.execute("DROP TABLE two").await;
    let error = sync.read_all(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}");
    assert_eq!(sync.rows().await.len(), 10000);
}

#[tokio::test]
async fn a_table_swapped_by_name_is_planned_again() {
    let database = Cluster::shared().database();
    database
        .execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1); CREATE TABLE u AS SELECT 2 AS id")
        .await;
    let mut sync = Sync::full(&database, "public.t").await;
    let plan = sync.plan().await.unwrap();
    database.execute("BEGIN; ALTER TABLE t RENAME TO old; ALTER TABLE u RENAME TO t; COMMIT").await;
    let error = sync.read_all(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}");
    assert_eq!(sync.rows().await, ["2"]);
}

#[tokio::test]
async fn a_killed_reader_is_retried_in_the_same_snapshot() {
    let database = Cluster::shared().database();
    database.execute(LARGE).await;
    let source = open(&database.url(), json!({ "connections": 2 })).await;
    let sync = Sync::full_of(source, "public.t").await;
    let plan = sync.plan().await.unwrap();
    let partition = plan.partitions[0].partition.clone();
    let gate = Arc::new(Semaphore::new(1));
    let mut outlet = Rowlet { gate: Some(Arc::clone(&gate)), ..Rowlet::default() };
    let batches = Arc::clone(&outlet.batches);
    let reading = sync.source.read(&sync.stream, partition.clone(), &mut outlet);
    let killing = async {
        while *batches.lock().unwrap() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(end_sessions(&database, "state = 'active'").await, 1);
        gate.add_permits(1000);
    };
    let (read, ()) = tokio::join!(reading, killing);
    let error = read.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error:?}");
    database.execute("UPDATE t SET pad = ''").await;
    assert_eq!(sync.read_all(&plan).await.unwrap().len(), 30000);
}

#[tokio::test]
async fn without_the_session_that_keeps_the_snapshot_the_stream_is_planned_again() {
    let database = Cluster::shared().database();
    database.execute(LARGE).await;
    let mut sync = Sync::full(&database, "public.t").await;
    let plan = sync.plan().await.unwrap();
    assert_eq!(end_sessions(&database, "state = 'idle in transaction'").await, 1);
    let error = sync.read_all(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}");
    assert_eq!(sync.rows().await.len(), 30000);
}

#[tokio::test]
async fn a_restarted_server_is_planned_again() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let mut sync = Sync::full(&database, "public.t").await;
    let plan = sync.plan().await.unwrap();
    cluster.restart();
    let error = sync.read_all(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}");
    assert_eq!(sync.rows().await, ["1"]);
}

#[tokio::test]
async fn a_plan_of_a_sync_that_is_over_is_stale() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let sync = Sync::full(&database, "public.t").await;
    let plan = sync.plan().await.unwrap();
    sync.source.close().await;
    assert_eq!(sync.read_all(&plan).await.unwrap_err().kind(), ErrorKind::Stale);
    let own = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name NOT IN ('lab', '')";
    for _ in 0..100 {
        if database.value(own).await.as_deref() == Some("0") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a closed source has sessions open");
}

#[tokio::test]
async fn changed_columns_are_named() {
    let database = Cluster::shared().database();
    for (change, word) in [
        ("ALTER TABLE t DROP COLUMN \"The Name\"", "is gone"),
        ("ALTER TABLE t RENAME COLUMN \"The Name\" TO other", "is gone"),
        // Without rewriting the table.
        ("ALTER TABLE t ALTER \"The Name\" TYPE text", "changed its type"),
    ] {
        database.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, \"The Name\" varchar); INSERT INTO t VALUES (1, 'x')").await;
        let mut sync = Sync::full(&database, "public.t").await;
        let plan = sync.plan().await.unwrap();
        database.execute(change).await;
        let error = sync.read_all(&plan).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema, "{change}: {error:?}");
        assert!(error.message().contains("\"The Name\"") && error.message().contains(word), "{error:?}");
        assert_eq!(error.context_value("column"), Some("The Name"), "{error:?}");
        if word == "is gone" {
            let error = sync.error().await;
            assert_eq!(error.kind(), ErrorKind::Schema, "at the plan: {error:?}");
            assert!(error.message().contains("\"The Name\""), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_after_the_plan_is_no_empty_table() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let role = database.role("reader", "GRANT SELECT ON t TO {role}");
    let source = open(&database.url_of(&role), json!({})).await;
    let mut sync = Sync::full_of(source, "public.t").await;
    let plan = sync.plan().await.unwrap();
    database.execute(&format!("REVOKE SELECT ON t FROM \"{}\"", role.name)).await;
    let error = sync.read_all(&plan).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    database.execute(&format!("GRANT SELECT ON t TO \"{}\"", role.name)).await;
    assert_eq!(sync.rows().await, ["1"]);
}

#[tokio::test]
async fn what_is_read_is_not_held() {
    let database = Cluster::shared().database();
    database.execute(LARGE).await;
    let sync = Sync::full(&database, "public.t").await;
    let plan = sync.plan().await.unwrap();
    assert_eq!(sync.read_all(&plan).await.unwrap().len(), 30000);
    // The snapshot is kept for other streams, the locks on this table are not.
    database.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT").await;
    assert_eq!(sync.read_all(&plan).await.unwrap().len(), 30000);
}

#[tokio::test]
async fn a_locked_table_is_waited_for_and_given_up() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let source = open(&database.url(), json!({ "lock_timeout": "100ms" })).await;
    let mut sync = Sync::full_of(source, "public.t").await;
    let plan = sync.plan().await.unwrap();
    let locker = database.client().await;
    locker.batch_execute("BEGIN; LOCK TABLE t").await.unwrap();
    let error = sync.read_all(&plan).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Transient | ErrorKind::Stale), "{error:?}");
    locker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(sync.rows().await, ["1"]);
}

/// Fails at its second batch.
struct Broken(usize);

impl Outlet for Broken {
    fn send(&mut self, _: Event) -> futures::future::BoxFuture<'_, protocol::Result<()>> {
        self.0 += 1;
        let broken = self.0 > 1;
        Box::pin(
            async move { if broken { Err(protocol::Error::transient("the disk is away")) } else { Ok(()) } },
        )
    }

    fn batch_bytes(&self) -> usize {
        1 << 16
    }
}

#[tokio::test]
async fn a_read_that_was_given_up_leaves_nothing_running() {
    let database = Cluster::shared().database();
    database.execute(LARGE).await;
    let source = open(&database.url(), json!({ "connections": 3 })).await;
    let sync = Sync::full_of(source, "public.t").await;
    let plan = sync.plan().await.unwrap();
    let partition = &plan.partitions[0].partition;
    for _ in 0..5 {
        let mut broken = Broken(0);
        let error = sync.source.read(&sync.stream, partition.clone(), &mut broken).await.unwrap_err();
        assert_eq!(error.message(), "the disk is away");
        let mut outlet = Rowlet { gate: Some(Arc::new(Semaphore::new(0))), ..Rowlet::default() };
        let read = sync.source.read(&sync.stream, partition.clone(), &mut outlet);
        assert!(tokio::time::timeout(Duration::from_millis(100), read).await.is_err());
    }
    let active = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'";
    for _ in 0..100 {
        if database.value(active).await.as_deref() == Some("0") {
            assert_eq!(sync.read_all(&plan).await.unwrap().len(), 30000);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("COPY goes on after its read was dropped");
}
