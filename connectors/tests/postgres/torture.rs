//! Rounds of syncs among random transactions: every row version once, whatever happens.
//!
//! Each version of a row has an `id` of its own. What all committed syncs have read is compared with what
//! the last one's snapshot shows after every round, not only at the end.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use lab::postgres::Standby;
use lab::{Binaries, Cluster, Database, Options};
use protocol::DynPlan;
use serde_json::json;

use crate::harness::{Sync, open};

const WRITERS: usize = 6;
const ROUNDS: usize = 20;

/// What the stamps of a table may be.
const TIMES: [&str; 3] = ["now()", "date_trunc('milliseconds', now())", "clock_timestamp()"];
const WITH_NONE: [&str; 6] = [TIMES[0], TIMES[1], TIMES[2], "NULL", "'infinity'", "'-infinity'"];

/// Random transactions: some wait before they write, some in savepoints, some are rolled back, some
/// are prepared first, some change rows; stamps are rounded, so that many are the same.
async fn write(database: &Database, stamps: &[&str], seed: u64, ids: Arc<AtomicI64>, stop: Arc<AtomicBool>) {
    let mut random = fastrand::Rng::with_seed(seed);
    let client = database.client().await;
    let run =
        async |sql: &str| client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    while !stop.load(Ordering::Relaxed) {
        let id = || ids.fetch_add(1, Ordering::Relaxed);
        let nap = if random.u8(..100) < 90 { random.u64(..40) } else { random.u64(..600) };
        run("BEGIN; SELECT now()").await;
        tokio::time::sleep(Duration::from_millis(nap)).await;
        for _ in 0..random.u8(1..4) {
            let stamp = stamps[random.usize(..stamps.len())];
            let insert = format!("INSERT INTO t (id, at) VALUES ({}, {stamp})", id());
            // One that nobody else changes just now.
            let update = format!(
                "UPDATE t SET id = {}, at = {stamp}, n = DEFAULT WHERE ctid = (SELECT ctid FROM t \
                 WHERE id > {} LIMIT 1 FOR UPDATE SKIP LOCKED)",
                id(),
                random.i64(..ids.load(Ordering::Relaxed))
            );
            match random.u8(..10) {
                0..4 => run(&insert).await,
                4..6 => run(&update).await,
                6..8 => run(&format!("SAVEPOINT s; {insert}; RELEASE s")).await,
                _ => {
                    run(&format!(
                        "SAVEPOINT s; {insert}; ROLLBACK TO s; INSERT INTO t (id, at) VALUES ({}, now())",
                        id()
                    ))
                    .await;
                }
            }
            tokio::time::sleep(Duration::from_millis(random.u64(..10))).await;
        }
        match random.u8(..100) {
            0..10 => run("ROLLBACK").await,
            10..16 => {
                let name = format!("p{seed}_{}", id());
                run(&format!("PREPARE TRANSACTION '{name}'")).await;
                tokio::time::sleep(Duration::from_millis(random.u64(..300))).await;
                run(&format!("COMMIT PREPARED '{name}'")).await;
            }
            _ => run("COMMIT").await,
        }
    }
}

/// The ids that the snapshot of a plan shows; none where the plan has nothing to read.
async fn shown(database: &Database, plan: &DynPlan) -> Option<HashSet<String>> {
    let snapshot = plan.partitions.first()?.partition["snapshot"].as_str()?.to_owned();
    let client = database.client().await;
    let import =
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'");
    client.batch_execute(&import).await.unwrap();
    let rows = client.query("SELECT id::text FROM t", &[]).await.unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    Some(rows.into_iter().map(|row| row.get(0)).collect())
}

/// `place` is where rows are read: the database or its replica.
async fn torture(sync: &mut Sync, database: &Database, place: &Database, stamps: &[&str], rounds: usize) {
    let seed = fastrand::u64(..1000) * 1000;
    println!("seed {seed}");
    // Stamps are rounded down by up to a millisecond.
    sync.stream.lag = Some(Duration::from_millis(20));
    let mode = sync.stream.options.get("mode").map_or("seen_set", |mode| mode.as_str().unwrap()).to_owned();
    let is_settled = mode == "settled_window";
    assert!(sync.stream.options.contains_key("sweep"), "else the cursor does not have to find the rows");
    let (ids, stop) = (Arc::new(AtomicI64::new(1)), Arc::new(AtomicBool::new(false)));
    let writers = (0..WRITERS)
        .map(|writer| write(database, stamps, seed + writer as u64, Arc::clone(&ids), Arc::clone(&stop)));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut times: HashMap<String, u32> = HashMap::new();
    let mut compared = 0;
    let syncing = async {
        for round in 0..rounds {
            let plan = sync.plan().await.unwrap();
            let rows = sync.read_all(&plan).await.unwrap();
            let shown = if is_settled { None } else { shown(place, &plan).await };
            sync.source.close().await;
            // Some syncs die before they commit.
            if random.u8(..10) > 0 {
                sync.state = Some(plan.next);
                for row in rows {
                    *times.entry(row).or_default() += 1;
                }
                if let Some(shown) = shown {
                    assert_eq!(plan.mode, mode);
                    let lost: Vec<&String> = shown.iter().filter(|id| !times.contains_key(*id)).collect();
                    assert!(lost.is_empty(), "seed {seed}, round {round}: lost {lost:?}");
                    compared += 1;
                }
            }
            let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
            assert!(doubled.is_empty(), "seed {seed}, round {round}: doubled {doubled:?}");
            tokio::time::sleep(Duration::from_millis(random.u64(..60))).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(futures::future::join_all(writers), syncing);
    tokio::time::sleep(Duration::from_millis(50)).await;
    while place.value("SELECT count(*) FROM t").await != database.value("SELECT count(*) FROM t").await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for row in sync.rows().await {
        *times.entry(row).or_default() += 1;
    }
    let all: Vec<String> =
        database.query("SELECT id FROM t").await.into_iter().map(|row| row[0].clone().unwrap()).collect();
    println!("{} rows, {compared} rounds compared", all.len());
    assert!(all.len() > 60 && (is_settled || compared > rounds / 2));
    let lost: Vec<&String> = all.iter().filter(|id| !times.contains_key(*id)).collect();
    let doubled: Vec<&String> = times.iter().filter(|(_, times)| **times > 1).map(|(id, _)| id).collect();
    assert_eq!((lost.len(), doubled.len()), (0, 0), "seed {seed}: lost {lost:?}, doubled {doubled:?}");
    let given = ids.load(Ordering::Relaxed);
    let phantom = times.keys().find(|id| id.parse::<i64>().is_ok_and(|id| id >= given));
    assert_eq!(phantom, None, "seed {seed}: nothing that was never there");
}

const TABLE: &str = "CREATE TABLE t (id int8, at timestamptz, n int8 GENERATED BY DEFAULT AS IDENTITY); \
                     CREATE INDEX ON t (at); CREATE INDEX ON t (n)";

#[tokio::test]
async fn a_role_without_rights_reads_every_version_once_from_every_major() {
    let majors: BTreeSet<u32> = Binaries::all().iter().map(Binaries::major).collect();
    for major in majors {
        let binaries = Binaries::of_major(major).unwrap();
        let cluster = Cluster::start(Options::default().binaries(binaries));
        let database = cluster.database();
        database.execute(TABLE).await;
        let role = database.role("reader", "GRANT SELECT ON t TO {role}");
        let source = open(&database.url_of(&role), json!({})).await;
        let mut sync = Sync::full_of(source, "public.t").await.by("at").ids();
        println!("PostgreSQL {major}");
        torture(&mut sync, &database, &database, &WITH_NONE, ROUNDS / 2).await;
    }
}

#[tokio::test]
async fn a_role_that_sees_statistics_reads_every_version_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.ids();
    torture(&mut sync, &database, &database, &WITH_NONE, ROUNDS).await;
}

#[tokio::test]
async fn settled_windows_read_every_version_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await.ids().settled();
    torture(&mut sync, &database, &database, &TIMES, ROUNDS).await;
}

#[tokio::test]
async fn a_sequence_reads_every_version_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let mut sync = Sync::incremental(&database, "public.t", "n").await.ids();
    torture(&mut sync, &database, &database, &WITH_NONE, ROUNDS).await;
}

#[tokio::test]
async fn a_standby_reads_every_version_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let standby = cluster.standby();
    standby.catch_up(&cluster).await;
    let replica = standby.database(&database);
    let source = open(&database.url(), json!({ "read_from": { "url": replica.url() } })).await;
    let mut sync = Sync::full_of(source, "public.t").await.by("at").ids();
    torture(&mut sync, &database, &replica, &WITH_NONE, ROUNDS).await;
}

/// A standby whose primary the source does not know.
async fn lone(cluster: &Cluster, database: &Database) -> (Standby, Database, Sync) {
    let standby = cluster.standby();
    standby.catch_up(cluster).await;
    let replica = standby.database(database);
    let sync = Sync::incremental(&replica, "public.t", "at").await.ids();
    (standby, replica, sync)
}

#[tokio::test]
async fn a_standby_by_itself_reads_every_version_once_where_it_looks_at_all_rows() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let (_standby, replica, mut sync) = lone(&cluster, &database).await;
    sync.stream.options.insert("sweep".to_owned(), json!("always"));
    torture(&mut sync, &database, &replica, &WITH_NONE, ROUNDS).await;
}

#[tokio::test]
async fn a_lookback_reads_every_version_of_shorter_transactions_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    // Negative ones: those that writers give are not.
    let old =
        "INSERT INTO t (id, at) SELECT -i, now() - i * interval '1 minute' FROM generate_series(1, 600) i";
    database.execute(old).await;
    let (_standby, replica, mut sync) = lone(&cluster, &database).await;
    sync.stream.options.insert("mode".to_owned(), json!("lookback"));
    // No machine is so slow that one of the writers' transactions takes longer.
    sync.stream.options.insert("lookback".to_owned(), json!("2m"));
    torture(&mut sync, &database, &replica, &WITH_NONE, ROUNDS).await;
}
