//! Rounds of syncs among random transactions: every row once, whatever happens.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use lab::{Binaries, Cluster, Database, Options};
use serde_json::json;

use crate::harness::{Sync, open};

const WRITERS: usize = 6;
const ROUNDS: usize = 20;

/// Random transactions: some wait before they write, some in savepoints, some are rolled back, some
/// are prepared first; stamps are rounded, so that many are the same.
async fn write(database: &Database, seed: u64, ids: Arc<AtomicI64>, stop: Arc<AtomicBool>) {
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
            let stamp =
                ["now()", "date_trunc('milliseconds', now())", "clock_timestamp()"][random.usize(..3)];
            let insert = format!("INSERT INTO t (id, at) VALUES ({}, {stamp})", id());
            match random.u8(..10) {
                0..6 => run(&insert).await,
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

async fn torture(sync: &mut Sync, database: &Database, rounds: usize) {
    let seed = fastrand::u64(..1000) * 1000;
    println!("seed {seed}");
    // Stamps are rounded down by up to a millisecond.
    sync.stream.lag = Some(Duration::from_millis(20));
    let (ids, stop) = (Arc::new(AtomicI64::new(1)), Arc::new(AtomicBool::new(false)));
    let writers =
        (0..WRITERS).map(|writer| write(database, seed + writer as u64, Arc::clone(&ids), Arc::clone(&stop)));
    let mut random = fastrand::Rng::with_seed(seed);
    let mut times: HashMap<String, u32> = HashMap::new();
    let syncing = async {
        for _ in 0..rounds {
            let plan = sync.plan().await.unwrap();
            let rows = sync.read_all(&plan).await.unwrap();
            sync.source.close().await;
            // Some syncs die before they commit.
            if random.u8(..10) > 0 {
                sync.state = Some(plan.next);
                for row in rows {
                    *times.entry(row).or_default() += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(random.u64(..60))).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(futures::future::join_all(writers), syncing);
    tokio::time::sleep(Duration::from_millis(50)).await;
    for row in sync.rows().await {
        *times.entry(row).or_default() += 1;
    }
    let all: Vec<String> =
        database.query("SELECT id FROM t").await.into_iter().map(|row| row[0].clone().unwrap()).collect();
    println!("{} rows", all.len());
    assert!(all.len() > 100);
    let lost: Vec<&String> = all.iter().filter(|id| !times.contains_key(*id)).collect();
    let doubled: Vec<&String> = times.iter().filter(|(_, times)| **times > 1).map(|(id, _)| id).collect();
    assert_eq!((lost.len(), doubled.len()), (0, 0), "seed {seed}: lost {lost:?}, doubled {doubled:?}");
    assert_eq!(times.len(), all.len(), "seed {seed}: nothing that is not there");
}

const TABLE: &str = "CREATE TABLE t (id int8, at timestamptz NOT NULL, n int8 GENERATED ALWAYS AS IDENTITY); CREATE INDEX ON t (at)";

#[tokio::test]
async fn a_role_without_rights_reads_every_row_once_from_every_major() {
    let majors: BTreeSet<u32> = Binaries::all().iter().map(Binaries::major).collect();
    for major in majors {
        let binaries = Binaries::of_major(major).unwrap();
        let cluster = Cluster::start(Options::default().binaries(binaries));
        let database = cluster.database();
        database.execute(TABLE).await;
        let role = database.role("reader", "GRANT SELECT ON t TO {role}");
        let mut sync =
            Sync::full_of(open(&database.url_of(&role), json!({})).await, "public.t").await.by("at");
        sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
        println!("PostgreSQL {major}");
        torture(&mut sync, &database, ROUNDS / 2).await;
    }
}

#[tokio::test]
async fn a_role_that_sees_statistics_reads_every_row_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    torture(&mut sync, &database, ROUNDS).await;
}

#[tokio::test]
async fn a_sequence_reads_every_row_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let mut sync = Sync::incremental(&database, "public.t", "n").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    torture(&mut sync, &database, ROUNDS).await;
}

#[tokio::test]
async fn a_standby_reads_every_row_once() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute(TABLE).await;
    let standby = cluster.standby();
    standby.catch_up(&cluster).await;
    let replica = standby.database(&database);
    let source = open(&database.url(), json!({ "read_from": { "url": replica.url() } })).await;
    let mut sync = Sync::full_of(source, "public.t").await.by("at");
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    torture(&mut sync, &database, ROUNDS).await;
}
