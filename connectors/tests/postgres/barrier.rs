//! What the barrier waits for, and what it does not.

use std::time::Duration;

use lab::{Cluster, Options};
use protocol::ErrorKind;
use serde_json::json;

use crate::harness::{Sync, open};

const TABLE: &str = "CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t (at);";

#[tokio::test]
async fn a_late_commit_is_read_once() {
    let database = Cluster::shared().database();
    database.execute(&format!("{TABLE} INSERT INTO t VALUES (1)")).await;
    let late = database.client().await;
    // It has written nothing, and so has no transaction id, and its now() stands still.
    late.batch_execute("BEGIN; SELECT now()").await.unwrap();
    database.execute("INSERT INTO t VALUES (2)").await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    sync.stream.schema = std::sync::Arc::new(sync.stream.schema.project(&[0]).unwrap());
    let (first, notes) = sync.noted().await.unwrap();
    assert_eq!(first, ["1"], "the superuser sees when the oldest transaction began");
    assert!(notes.iter().any(|note| note.contains("of user postgres since")), "{notes:?}");
    late.batch_execute("INSERT INTO t VALUES (3); COMMIT").await.unwrap();
    assert_eq!(sync.rows().await, ["2", "3"]);
    assert_eq!(sync.rows().await, [""; 0]);
}

#[tokio::test]
async fn a_role_without_rights_loses_nothing_either() {
    let database = Cluster::shared().database();
    database.execute(&format!("{TABLE} INSERT INTO t VALUES (1)")).await;
    let role = database.role("reader", "GRANT SELECT ON t TO {role}");
    let source = open(&database.url_of(&role), json!({})).await;
    let mut sync = Sync::full_of(source, "public.t").await.by("at").settled();
    sync.stream.schema = std::sync::Arc::new(sync.stream.schema.project(&[0]).unwrap());
    let early = database.client().await;
    early.batch_execute("BEGIN; SELECT now()").await.unwrap();
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, [""; 0], "nobody knows when that transaction began");
    assert!(notes.iter().any(|note| note.contains("nothing is read yet")), "{notes:?}");
    let late = database.client().await;
    late.batch_execute("BEGIN; SELECT now()").await.unwrap();
    early.batch_execute("INSERT INTO t VALUES (2); COMMIT").await.unwrap();
    // The mark of the first sync is settled now, that of the second is not.
    assert_eq!(sync.rows().await, ["1", "2"]);
    database.execute("INSERT INTO t VALUES (3)").await;
    assert_eq!(sync.rows().await, [""; 0]);
    late.batch_execute("INSERT INTO t VALUES (4); COMMIT").await.unwrap();
    assert_eq!(sync.rows().await, ["3", "4"]);
    assert_eq!(sync.rows().await, [""; 0]);
}

#[tokio::test]
async fn a_transaction_that_ends_in_time_is_waited_for() {
    let database = Cluster::shared().database();
    database.execute(TABLE).await;
    let source = open(&database.url(), json!({ "barrier_wait": "20s" })).await;
    let mut sync = Sync::full_of(source, "public.t").await.by("at").settled();
    let late = database.client().await;
    late.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
    let commit = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        late.batch_execute("COMMIT").await.unwrap();
    };
    let ((rows, notes), ()) = tokio::join!(async { sync.noted().await.unwrap() }, commit);
    assert_eq!(rows.len(), 1);
    assert!(!notes.iter().any(|note| note.contains("wait")), "{notes:?}");
}

#[tokio::test]
async fn what_was_waited_for_in_vain_is_not_waited_for_again() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int8); CREATE TABLE u (id int8); CREATE TABLE w (id int8)").await;
    let source = open(&database.url(), json!({ "barrier_wait": "4s" })).await;
    let late = database.client().await;
    late.batch_execute("BEGIN; SELECT now()").await.unwrap();
    let start = std::time::Instant::now();
    for name in ["public.t", "public.u", "public.w"] {
        let sync = Sync::full_of(std::sync::Arc::clone(&source), name).await.by("id").settled();
        let plan = sync.plan().await.unwrap();
        assert!(plan.partitions.is_empty() && plan.window.is_none(), "{plan:?}");
    }
    let waited = start.elapsed();
    assert!(
        waited > Duration::from_secs(4) && waited < Duration::from_secs(8),
        "once, not thrice: {waited:?}"
    );
}

#[tokio::test]
async fn rows_of_one_stamp_are_read_once() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int, at timestamptz NOT NULL)").await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    let mut seen = Vec::new();
    for round in 0..4 {
        // Half a second's rows share one stamp, and they come in two transactions around a sync.
        let insert = format!(
            "INSERT INTO t SELECT {round} * 100 + i, to_timestamp(floor(extract(epoch FROM clock_timestamp()) * 2) / 2) \
             FROM generate_series(1, 5) i"
        );
        sync.stream.lag = Some(Duration::from_millis(600));
        database.execute(&insert).await;
        seen.extend(sync.rows().await);
        database.execute(&insert.replace("100 + i", "100 + 50 + i")).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    seen.extend(sync.rows().await);
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((all, seen.len()), (40, 40));
}

#[tokio::test]
async fn a_prepared_transaction_is_waited_for_even_over_a_crash() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    sync.stream.schema = std::sync::Arc::new(sync.stream.schema.project(&[0]).unwrap());
    database.execute("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'two'").await;
    database.execute("INSERT INTO t VALUES (2)").await;
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, [""; 0]);
    assert!(notes.iter().any(|note| note.contains("the prepared transaction \"two\"")), "{notes:?}");
    cluster.crash();
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, [""; 0], "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("prepared")), "{notes:?}");
    database.execute("COMMIT PREPARED 'two'").await;
    assert_eq!(sync.rows().await, ["1", "2"]);
    assert_eq!(sync.rows().await, [""; 0]);
}

#[tokio::test]
async fn readers_vacuums_and_other_databases_hold_nothing_back() {
    let cluster = Cluster::shared();
    let (database, other) = (cluster.database(), cluster.database());
    database.execute(&format!("{TABLE} INSERT INTO t VALUES (1)")).await;
    let elsewhere = other.client().await;
    elsewhere.batch_execute("BEGIN; CREATE TABLE x ()").await.unwrap();
    let prepared = "BEGIN; CREATE TABLE y (); PREPARE TRANSACTION 'elsewhere'";
    other.execute(prepared).await;
    // Another sync in the middle of its reading.
    let reading = Sync::full(&database, "public.t").await;
    let plan = reading.plan().await.unwrap();
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows.len(), 1, "{notes:?}");
    assert_eq!(reading.read_all(&plan).await.unwrap().len(), 1);
    other.execute("ROLLBACK PREPARED 'elsewhere'").await;
}

#[tokio::test]
async fn the_lag_holds_young_rows_back() {
    let database = Cluster::shared().database();
    database
        .execute(&format!("{TABLE} INSERT INTO t VALUES (1, now() - interval '1 minute'), (2, now())"))
        .await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    sync.stream.lag = None;
    assert_eq!(sync.rows().await.len(), 1, "5 s unless configured");
    sync.stream.lag = Some(Duration::ZERO);
    assert_eq!(sync.rows().await.len(), 1);
}

#[tokio::test]
async fn a_full_refresh_waits_for_nobody() {
    let database = Cluster::shared().database();
    database.execute(&format!("{TABLE} INSERT INTO t VALUES (1)")).await;
    let late = database.client().await;
    late.batch_execute("BEGIN; INSERT INTO t VALUES (2)").await.unwrap();
    let source = open(&database.url(), json!({ "barrier_wait": "1h" })).await;
    let mut sync = Sync::full_of(source, "public.t").await;
    assert_eq!(sync.rows().await.len(), 1);
}

#[tokio::test]
async fn a_standby_alone_has_no_barrier() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let standby = cluster.standby();
    standby.catch_up(&cluster).await;
    let mut sync = Sync::incremental(&standby.database(&database), "public.t", "at").await.settled();
    let error = sync.error().await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.advice().unwrap().contains("read_from"), "{error:?}");
}

#[tokio::test]
async fn a_procedure_that_commits_does_not_hold_back_what_it_has_committed() {
    let database = Cluster::shared().database();
    database
        .execute(&format!(
            "{TABLE} CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..60 LOOP \
             INSERT INTO t VALUES (i); COMMIT; PERFORM pg_sleep(0.05); END LOOP; END $$"
        ))
        .await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    let filling = tokio::spawn({
        let client = database.client().await;
        async move { client.batch_execute("CALL fill()").await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut rows = sync.rows().await;
    assert!(!rows.is_empty() && !filling.is_finished());
    filling.await.unwrap().unwrap();
    rows.extend(sync.rows().await);
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 60);
}

#[tokio::test]
async fn transactions_of_one_message_are_waited_for() {
    let database = Cluster::shared().database();
    database.execute(TABLE).await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    let chain = tokio::spawn({
        let client = database.client().await;
        // All three carry the time of the message.
        let one = "BEGIN; SELECT pg_sleep(0.4); INSERT INTO t VALUES (1); COMMIT;";
        async move { client.batch_execute(&one.repeat(3)).await }
    });
    let mut rows = 0;
    while !chain.is_finished() {
        rows += sync.rows().await.len();
    }
    chain.await.unwrap().unwrap();
    assert_eq!(rows + sync.rows().await.len(), 3);
}

#[tokio::test]
async fn a_subscriber_to_changes_holds_nothing_back() {
    let cluster = Cluster::start(Options::default().logical());
    let database = cluster.database();
    database.execute(TABLE).await;
    database.execute("CREATE PUBLICATION all_tables FOR ALL TABLES").await;
    database.execute("SELECT pg_create_logical_replication_slot('changes', 'pgoutput')").await;
    let mut subscriber = std::process::Command::new(cluster.binaries().program("pg_recvlogical"))
        .args(["-d", &database.url(), "--slot", "changes", "--start", "-f", "/dev/null"])
        .args(["-o", "proto_version=1", "-o", "publication_names=all_tables"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let running = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
    while database.value(running).await.as_deref() != Some("1") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    database.execute("INSERT INTO t VALUES (1)").await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.settled();
    let rows = sync.rows().await;
    subscriber.kill().unwrap();
    subscriber.wait().unwrap();
    assert_eq!(rows.len(), 1);
}
