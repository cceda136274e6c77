//! A large first load whose snapshot is lost: what was read stays, the rest is read in other snapshots, and
//! what moved in between is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::{Cluster, Database, Options};
use protocol::{ErrorKind, Grain, Versioned};
use serde_json::json;

use crate::harness::{Rows, Sync};
use crate::load::{Load, ROWS, churn, first_load, restarted, table, table_of};

async fn end_keeper(database: &Database) {
    let ended = database
        .query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() \
             AND application_name LIKE '%(tidegate snapshot)' AND state = 'idle in transaction'",
        )
        .await;
    assert!(!ended.is_empty());
}

/// The next increments go on as if nothing had been.
async fn goes_on(mut load: Load, mut sync: Sync, database: &Database) {
    assert_eq!(sync.rows().await, Rows::new());
    database.execute("UPDATE t SET version = DEFAULT, at = now() WHERE id % 13 = 0").await;
    let rows = sync.rows().await;
    assert!(!rows.is_empty());
    load.take(rows);
    load.is_whole(database).await;
}

#[tokio::test]
async fn a_first_load_in_one_snapshot_needs_no_repair() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 1).await;
    churn(&database).await;
    assert_eq!(load.end(&mut sync).await, (0, Vec::new()));
    assert_eq!(load.times.len(), usize::try_from(ROWS).unwrap());
    sync.source.close().await;
    load.take(sync.rows().await);
    let doubled = load.times.values().filter(|times| **times > 1).count();
    assert_eq!(doubled, 0);
}

#[tokio::test]
async fn another_process_goes_on_without_reading_twice_what_was_committed() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    let parts = load.left.len();
    load.parts(&sync, parts / 2).await;
    restarted(&mut sync, &database, json!({})).await;
    churn(&database).await;
    load.parts(&sync, 1).await;
    database.execute("UPDATE t SET version = DEFAULT WHERE id % 2 = 0").await;
    let (rounds, notes) = load.end(&mut sync).await;
    assert_eq!(rounds, 1);
    assert!(notes.iter().any(|note| note.contains("parts were read in others")), "{notes:?}");
    load.is_whole(&database).await;
    goes_on(load, sync, &database).await;
}

/// Increments that pass rows by.
async fn passes_by(load: &mut Load, sync: &mut Sync, database: &Database) {
    for _ in 0..3 {
        database.execute("UPDATE t SET version = DEFAULT, at = now() WHERE id % 13 = 0").await;
        database.execute("UPDATE t SET version = DEFAULT, at = '2002-02-02' WHERE id % 17 = 0").await;
        load.take(sync.rows().await);
    }
    assert!(!load.lost(database).await.is_empty(), "nothing was passed by");
}

#[tokio::test]
async fn a_sweep_after_a_repair_finds_what_was_passed_by_and_nothing_else() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 2).await;
    end_keeper(&database).await;
    churn(&database).await;
    assert_eq!(load.end(&mut sync).await.0, 1);
    passes_by(&mut load, &mut sync, &database).await;
    sync.sweep = true;
    load.take(sync.rows().await);
    sync.sweep = false;
    load.is_whole(&database).await;
    goes_on(load, sync, &database).await;
}

#[tokio::test]
async fn a_sweep_whose_snapshot_is_lost_is_repaired() {
    let database = Cluster::shared().database();
    // Smaller ones are swept by one session.
    table_of(&database, 5 * ROWS).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.end(&mut sync).await;
    passes_by(&mut load, &mut sync, &database).await;
    let mut load = load.sweep(&mut sync).await;
    load.parts(&sync, 2).await;
    restarted(&mut sync, &database, json!({})).await;
    database.execute("UPDATE t SET version = DEFAULT WHERE id % 3 = 0").await;
    load.parts(&sync, 1).await;
    database.execute("UPDATE t SET version = DEFAULT WHERE id % 5 = 0").await;
    assert_eq!(load.end(&mut sync).await.0, 1);
    load.is_whole(&database).await;
    passes_by(&mut load, &mut sync, &database).await;
    sync.sweep = true;
    load.take(sync.rows().await);
    sync.sweep = false;
    load.is_whole(&database).await;
}

#[tokio::test]
async fn without_the_repair_rows_would_be_missing() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    let half = load.left.len() / 2;
    load.parts(&sync, half).await;
    restarted(&mut sync, &database, json!({})).await;
    churn(&database).await;
    load.parts(&sync, usize::MAX).await;
    assert!(!sync.source.is_settled(&load.plan.next));
    // What goes by the cursor alone does not find rows that moved with an old value either.
    let mut forgetful = load.plan.next.clone();
    forgetful.value["cursor"].as_object_mut().unwrap().remove("patchwork");
    let mut careless = first_load(&database, json!({})).await;
    careless.state = Some(forgetful);
    load.take(careless.rows().await);
    let doubled = load.times.values().filter(|times| **times > 1).count();
    assert!(!load.lost(&database).await.is_empty() && doubled > 0, "the control finds nothing");
    careless.source.close().await;
}

#[tokio::test]
async fn the_rest_is_read_when_the_session_that_keeps_the_snapshot_is_ended() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 2).await;
    end_keeper(&database).await;
    churn(&database).await;
    assert_eq!(load.end(&mut sync).await.0, 1);
    load.is_whole(&database).await;
    goes_on(load, sync, &database).await;
}

#[tokio::test]
async fn the_rest_is_read_after_a_restart_and_after_a_crash_of_the_server() {
    for crash in [false, true] {
        let cluster = Cluster::start(Options::default());
        let database = cluster.database();
        table(&database).await;
        let mut sync = first_load(&database, json!({})).await;
        let mut load = Load::begin(&sync).await;
        load.parts(&sync, 2).await;
        // It was running when the snapshot was taken, and is gone without a trace.
        if crash {
            cluster.crash();
        } else {
            cluster.restart();
        }
        churn(&database).await;
        assert_eq!(load.end(&mut sync).await.0, 1);
        load.is_whole(&database).await;
        goes_on(load, sync, &database).await;
    }
}

#[tokio::test]
async fn a_snapshot_that_is_too_old_is_given_up_and_holds_back_no_vacuum() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({ "max_snapshot_age": "1s" })).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 1).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    churn(&database).await;
    load.parts(&sync, 1).await;
    let held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name LIKE '%(tidegate snapshot)'";
    for _ in 0..250 {
        if database.value(held).await.as_deref() == Some("0") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(database.value(held).await.as_deref(), Some("0"));
    // The repair is of one snapshot, however long it takes.
    assert_eq!(load.end(&mut sync).await.0, 1);
    load.is_whole(&database).await;
    goes_on(load, sync, &database).await;
}

#[tokio::test]
async fn transactions_that_were_open_when_a_snapshot_was_taken_are_read_once() {
    let database = Cluster::shared().database();
    table(&database).await;
    let open_one = database.client().await;
    let insert = "SAVEPOINT s; INSERT INTO t (id, at) VALUES (-1, '2001-01-01'); RELEASE s";
    open_one.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    // Seen by the first snapshot, and younger than one that is not; one of them by no cursor.
    database.execute("UPDATE t SET version = DEFAULT WHERE id % 17 = 0").await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 3).await;
    let open_two = database.client().await;
    open_two.batch_execute(&format!("BEGIN; {insert}")).await.unwrap();
    database.execute("UPDATE t SET version = DEFAULT WHERE id % 19 = 0").await;
    restarted(&mut sync, &database, json!({})).await;
    load.parts(&sync, 2).await;
    open_one.batch_execute("COMMIT").await.unwrap();
    load.parts(&sync, 2).await;
    open_two.batch_execute("COMMIT").await.unwrap();
    assert_eq!(load.end(&mut sync).await.0, 1);
    load.is_whole(&database).await;
    goes_on(load, sync, &database).await;
}

#[tokio::test]
async fn a_table_that_was_truncated_or_rewritten_meanwhile_is_read_as_it_is() {
    for change in
        ["TRUNCATE t; INSERT INTO t (id) SELECT generate_series(1, 3000)", "ALTER TABLE t ALTER id TYPE int4"]
    {
        let database = Cluster::shared().database();
        table(&database).await;
        let mut sync = first_load(&database, json!({})).await;
        let mut load = Load::begin(&sync).await;
        load.parts(&sync, 2).await;
        database.execute(change).await;
        // A rewritten row is a new version under the same number here.
        if change.starts_with("ALTER") {
            load.times.clear();
        }
        // Also while the snapshot is there.
        load.parts(&sync, 1).await;
        restarted(&mut sync, &database, json!({})).await;
        load.end(&mut sync).await;
        load.is_whole(&database).await;
    }
}

#[tokio::test]
async fn a_table_whose_rows_were_moved_by_vacuum_full_is_refused_while_parts_are_left() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 2).await;
    database.execute("VACUUM FULL t").await;
    for _ in 0..2 {
        let error = load.part(&sync, 0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}");
        assert!(error.message().contains("VACUUM FULL"), "{error:?}");
        restarted(&mut sync, &database, json!({})).await;
    }
}

#[tokio::test]
async fn after_vacuum_full_only_what_changed_between_the_parts_repeats() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 2).await;
    restarted(&mut sync, &database, json!({})).await;
    database.execute("UPDATE t SET version = DEFAULT WHERE id % 5 = 0").await;
    load.parts(&sync, usize::MAX).await;
    database.execute("VACUUM FULL t").await;
    let (_, notes) = load.end(&mut sync).await;
    assert!(notes.iter().any(|note| note.contains("may be there twice")), "{notes:?}");
    assert_eq!(load.lost(&database).await, Rows::new());
    let doubled = load.times.values().filter(|times| **times > 1).count();
    assert!(0 < doubled && doubled <= usize::try_from(ROWS / 5).unwrap(), "{doubled} doubled");
    assert!(load.times.values().all(|times| *times <= 2));
}

#[tokio::test]
async fn partitions_that_come_and_go_during_a_load_are_read_as_they_are() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE SEQUENCE versions; CREATE TABLE t (version int8 NOT NULL DEFAULT nextval('versions'), id int8, \
             at timestamptz DEFAULT now(), pad text) PARTITION BY RANGE (id); \
             CREATE TABLE a PARTITION OF t FOR VALUES FROM (0) TO (10000); \
             CREATE TABLE b PARTITION OF t FOR VALUES FROM (10000) TO (20000); \
             CREATE TABLE c PARTITION OF t FOR VALUES FROM (20000) TO (30000); \
             CREATE TABLE e (LIKE t INCLUDING DEFAULTS); CREATE INDEX ON t (at); \
             INSERT INTO e (id) SELECT generate_series(40000, 40100); \
             INSERT INTO t (id, pad) SELECT i, repeat('x', 400) FROM generate_series(0, 29999) i; ANALYZE t",
        )
        .await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 3).await;
    restarted(&mut sync, &database, json!({})).await;
    load.parts(&sync, 1).await;
    database
        .execute(
            "UPDATE t SET version = DEFAULT WHERE id % 3 = 0; DROP TABLE c; \
             ALTER TABLE t ATTACH PARTITION e FOR VALUES FROM (40000) TO (50000); \
             CREATE TABLE d PARTITION OF t FOR VALUES FROM (50000) TO (60000); \
             INSERT INTO t (id) SELECT generate_series(50000, 50100); \
             UPDATE t SET version = DEFAULT, id = id + 10000 WHERE id < 5000",
        )
        .await;
    load.end(&mut sync).await;
    load.is_whole(&database).await;
    assert!(sync.source.is_settled(sync.state.as_ref().unwrap()));
}

#[tokio::test]
async fn what_is_not_made_one_is_never_read_by_windows() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.parts(&sync, 2).await;
    restarted(&mut sync, &database, json!({ "connections": 1 })).await;
    load.parts(&sync, usize::MAX).await;
    sync.state = Some(load.plan.next.clone());
    let error = sync.error().await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.advice().unwrap().contains("connections"), "{error:?}");
    restarted(&mut sync, &database, json!({})).await;
    load.end(&mut sync).await;
    load.is_whole(&database).await;
}

#[tokio::test]
async fn only_what_is_large_and_new_is_committed_part_by_part() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    assert_eq!(sync.plan().await.unwrap().grain, Grain::Partition);
    sync.stream.sync_mode = protocol::SyncMode::FullRefresh;
    assert_eq!(sync.plan().await.unwrap().grain, Grain::Plan);
    database.execute("CREATE TABLE small AS SELECT 1 AS id, now() AS at").await;
    let small = Sync::incremental(&database, "public.small", "at").await;
    assert_eq!(small.plan().await.unwrap().grain, Grain::Plan);
    sync.source.close().await;
}

/// A large increment is resumed as a first load is: what it does not know of transactions, the last one's
/// state does.
#[tokio::test]
async fn a_large_increment_is_resumed_as_well() {
    let database = Cluster::shared().database();
    table(&database).await;
    let mut sync = first_load(&database, json!({})).await;
    let mut load = Load::begin(&sync).await;
    load.end(&mut sync).await;
    sync.source.close().await;
    let before: Versioned = sync.state.clone().unwrap();
    database.execute("UPDATE t SET version = DEFAULT, at = now() WHERE id % 2 = 0; ANALYZE t").await;
    restarted(&mut sync, &database, json!({})).await;
    let mut next = Load::begin(&sync).await;
    next.times = std::mem::take(&mut load.times);
    next.parts(&sync, 2).await;
    restarted(&mut sync, &database, json!({})).await;
    database.execute("UPDATE t SET version = DEFAULT, at = now() WHERE id % 3 = 0").await;
    assert_eq!(next.end(&mut sync).await.0, 1);
    next.is_whole(&database).await;
    assert_ne!(sync.state.as_ref(), Some(&before));
    goes_on(next, sync, &database).await;
}

/// Random transactions all the while, and at random a process ends, a snapshot is lost, and a part is read.
/// In every other round cursors lie: rows move with old stamps, and nothing but the repair finds them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_during_a_load_every_version_is_read_once() {
    let seed = fastrand::u64(..1_000_000);
    println!("seed {seed}");
    for round in 0..4 {
        let (mut random, lies) = (fastrand::Rng::with_seed(seed + round), round % 2 == 0);
        let database = Arc::new(Cluster::shared().database());
        table(&database).await;
        let stop = Arc::new(AtomicBool::new(false));
        let write = |writer| {
            tokio::spawn(write(Arc::clone(&database), seed + round * 10 + writer, lies, Arc::clone(&stop)))
        };
        let mut writers: Vec<_> = (0..4).map(write).collect();
        let settings = || json!({ "connections": 6, "max_snapshot_age": "300ms", "barrier_wait": "50ms" });
        let mut sync = first_load(&database, settings()).await;
        let mut load = Load::begin(&sync).await;
        while !load.left.is_empty() {
            if load.left.len() == 1 || random.u8(..3) == 0 {
                restarted(&mut sync, &database, settings()).await;
            }
            tokio::time::sleep(Duration::from_millis(random.u64(..150))).await;
            let part = random.usize(..load.left.len());
            load.part(&sync, part).await.unwrap();
        }
        // What lies after the repair's snapshot no cursor finds.
        stop.store(lies, Ordering::Relaxed);
        for writer in if lies { std::mem::take(&mut writers) } else { Vec::new() } {
            writer.await.unwrap();
        }
        assert_eq!(load.end(&mut sync).await.0, 1);
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.await.unwrap();
        }
        sync.source.close().await;
        load.take(sync.rows().await);
        load.is_whole(&database).await;
    }
}

async fn write(database: Arc<Database>, seed: u64, lies: bool, stop: Arc<AtomicBool>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let client = database.client().await;
    while !stop.load(Ordering::Relaxed) {
        let mut sql = "BEGIN".to_owned();
        for _ in 0..random.u8(1..5) {
            let id = random.i64(1..ROWS);
            let at = match random.u8(..4) {
                0 if lies => "'2001-01-01'",
                1 if lies => "at",
                _ => "now()",
            };
            let free = "FOR UPDATE SKIP LOCKED";
            let update = format!(
                "UPDATE t SET version = DEFAULT, at = {at} WHERE ctid IN \
                 (SELECT ctid FROM t WHERE id BETWEEN {id} AND {id} + 20 {free})"
            );
            let statement = match random.u8(..7) {
                0 => format!("INSERT INTO t (id) VALUES ({})", id + 1_000_000),
                1 => format!("DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE id = {id} {free})"),
                2 => format!("SAVEPOINT s; INSERT INTO t (id) VALUES ({id}); ROLLBACK TO s"),
                3 | 4 => format!("SAVEPOINT s; {update}; RELEASE s"),
                _ => update,
            };
            sql.push_str("; ");
            sql.push_str(&statement);
        }
        client.batch_execute(&sql).await.unwrap();
        tokio::time::sleep(Duration::from_millis(random.u64(..60))).await;
        client.batch_execute(if random.u8(..10) == 0 { "ROLLBACK" } else { "COMMIT" }).await.unwrap();
    }
}
