//! A table that is written to all the while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lab::{Cluster, Database, Options};
use serde_json::json;

use super::{counts, current, ran, reconciled};
use crate::support::{Project, until};

const LENGTH: Duration = Duration::from_secs(6);

/// Inserts, updates, deletes and brings back rows of its own hundred ids, some of it in transactions that
/// commit late.
async fn write(database: Arc<Database>, number: u32, over: Arc<AtomicBool>) {
    let mut random = fastrand::Rng::with_seed(u64::from(number));
    let client = database.client().await;
    let run = async |sql: String| {
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    };
    while !over.load(Ordering::Relaxed) {
        run("BEGIN".to_owned()).await;
        for _ in 0..random.u32(1..4) {
            let id = number * 100 + random.u32(0..100);
            run(match random.u8(0..3) {
                0 => format!("DELETE FROM t WHERE id = {id}"),
                _ => format!(
                    "INSERT INTO t VALUES ({id}, {n}, now()) \
                     ON CONFLICT (id) DO UPDATE SET n = excluded.n, updated_at = excluded.updated_at",
                    n = random.i32(0..1000)
                ),
            })
            .await;
        }
        let pause = if random.u8(..) < 20 { random.u64(100..400) } else { random.u64(0..10) };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        run(if random.u8(..) < 40 { "ROLLBACK" } else { "COMMIT" }.to_owned()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_written_to_shows_no_false_difference() {
    // Transactions of other tests would hold back what is settled.
    let cluster = Cluster::start(Options::default());
    let database = Arc::new(cluster.database());
    database
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, n int, updated_at timestamptz NOT NULL); \
             CREATE INDEX ON t (updated_at); \
             INSERT INTO t SELECT i, 0, now() FROM generate_series(1, 500) i",
        )
        .await;
    let project = Project::new(&database)
        .source("barrier_wait", "300ms")
        .stream(json!({ "name": "public.t", "cursor": "updated_at", "lag": "0s" }));
    project.sync();
    let over = Arc::<AtomicBool>::default();
    let writers: Vec<_> =
        (0..3).map(|number| tokio::spawn(write(Arc::clone(&database), number, Arc::clone(&over)))).collect();
    let (begin, mut pending, mut extra, mut rounds) = (Instant::now(), 0, 0, 0);
    while begin.elapsed() < LENGTH || rounds < 3 {
        let apply: &[&str] = if rounds % 2 == 0 { &["--apply"] } else { &[] };
        let stream = tokio::task::block_in_place(|| {
            if rounds % 3 == 0 {
                project.sync();
            }
            let options = [&["--columns", "all"], apply].concat();
            ran(&project, &options).json()["streams"][0].clone()
        });
        let [_, waiting, missing, differing, deleted] = counts(&stream);
        assert_eq!([missing, differing], [0, 0], "{stream:#}");
        assert_eq!(stream["error"], json!(null), "{stream:#}");
        (pending, extra, rounds) = (pending + waiting, extra + deleted, rounds + 1);
    }
    over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("a writer does not fail");
    }
    // The test is worth something only where there was something to be wrong about.
    assert!(pending > 0 && extra > 0, "{pending} pending, {extra} extra in {rounds} rounds");
    tokio::task::block_in_place(|| {
        until("all to be settled", || {
            project.sync();
            ran(&project, &["--columns", "all", "--apply"]).json()["streams"][0]["pending"] == 0
        });
        let clean = reconciled(&project, &["--columns", "all"], 0);
        assert_eq!(clean["equal"], clean["source_rows"]);
    });
    let rows = database.query("SELECT id, n FROM t ORDER BY t.id").await;
    let found = tokio::task::block_in_place(|| current(&project, "id, n", "true"));
    let strange: Vec<_> = found.iter().filter(|row| !rows.contains(row)).collect();
    assert!(found == rows, "{} rows where there are {}; strange: {strange:?}", found.len(), rows.len());
    eprintln!("{rounds} rounds, {pending} rows pending, {extra} deleted");
}
