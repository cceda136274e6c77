//! Whether the last part runs alone: `cargo bench --bench skew`.
//!
//! Tables whose work lies where nobody looks for it: a large one beside many small ones, and one with its bytes in
//! the last rows, out of line. While a whole process syncs them, the server is asked every few milliseconds how
//! many sessions send rows. What counts is the end: how long the last one sends alone, as a share of the time in which
//! rows are sent.
//!
//! `TIDEGATE_BENCH_SCALE` scales the tables (1), `TIDEGATE_BENCH_PROGRAM` names the program.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]
#![expect(clippy::cast_precision_loss, reason = "figures of three digits")]

mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::{Cluster, Database, Options};
use process::{Cost, median};
use serde_json::json;

const ROUNDS: usize = 3;
const SMALL_TABLES: usize = 60;

/// A database, and what is strange about it.
struct Case {
    name: &'static str,
    sql: fn(f64) -> String,
}

const CASES: [Case; 4] = [
    Case { name: "even: rows of one length", sql: even },
    Case { name: "one large table beside 60 small ones", sql: beside },
    Case { name: "long values out of line in the last hundredth of the rows", sql: wide_end },
    Case { name: "long values out of line in a few rows here and there", sql: wide_spots },
];

fn main() {
    let scale = std::env::var("TIDEGATE_BENCH_SCALE");
    let scale: f64 = scale.map_or(1.0, |scale| scale.parse().expect("a scale"));
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    println!("| tables | wall | CPU of the process | peak RSS | sessions that send, mean | the last alone |");
    println!("|---|---|---|---|---|---|");
    for case in CASES {
        runtime.block_on(measure(&case, scale));
    }
}

async fn measure(case: &Case, scale: f64) {
    let settings = Options::default().setting("max_wal_size", "8GB").setting("autovacuum", "off");
    let cluster = Cluster::start(settings);
    let database = cluster.database();
    database.execute(&(case.sql)(scale)).await;
    database.execute("VACUUM ANALYZE").await;
    let (mut costs, mut means, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (cost, samples) = sync(&database).await;
        let Some(begin) = samples.iter().position(|count| *count > 0) else { continue };
        let end = samples.iter().rposition(|count| *count > 0).unwrap_or(begin);
        let busy = &samples[begin..=end];
        let last_two = busy.iter().rposition(|count| *count > 1).map_or(0, |at| at + 1);
        costs.push(cost);
        means.push(busy.iter().sum::<usize>() as f64 / busy.len() as f64);
        alone.push((busy.len() - last_two) as f64 / busy.len() as f64);
    }
    println!(
        "| {} | {} | {:.1} | {:.0} % |",
        case.name,
        Cost::median(&costs),
        median(means),
        median(alone) * 100.0
    );
}

/// A full load, and how many sessions were sending rows meanwhile.
async fn sync(database: &Database) -> (Cost, Vec<usize>) {
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let configuration = folder.path().join("tidegate.yaml");
    let text = json!({
        "sources": { "db": { "type": "postgres", "url": "${env:DATABASE_URL}" } },
        "destinations": { "lake": { "type": "parquet", "url": "lake" } },
        "connections": { "db_to_lake": { "source": "db", "destination": "lake", "streams": [{ "name": "public.*" }] } },
    });
    std::fs::write(&configuration, text.to_string()).expect("the folder is ours");
    let mut command = process::tidegate();
    command.arg("--config").arg(&configuration).args(["--quiet", "--output", "json", "sync"]);
    command.env("DATABASE_URL", database.url());
    let ended = Arc::new(AtomicBool::new(false));
    let samples = tokio::spawn(sample(database.client().await, Arc::clone(&ended)));
    let cost = tokio::task::spawn_blocking(move || process::run(&mut command)).await.expect("it ends");
    ended.store(true, Ordering::Relaxed);
    (cost, samples.await.expect("it ends"))
}

async fn sample(client: tokio_postgres::Client, ended: Arc<AtomicBool>) -> Vec<usize> {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%'";
    let mut samples = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let count: i64 = client.query_one(sql, &[]).await.expect("the server goes on").get(0);
        samples.push(usize::try_from(count).expect("it is a count"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    samples
}

/// Rows of a table: ids, and texts that do not compress.
fn rows(table: &str, rows: f64) -> String {
    format!(
        "CREATE UNLOGGED TABLE {table} AS SELECT n AS id, md5(n::text) AS code, n % 1000 AS kind, \
         now() - n * interval '1 second' AS at, md5((n + 1)::text) || md5((n + 2)::text) AS note \
         FROM generate_series(1, {rows:.0}) n;"
    )
}

fn even(scale: f64) -> String {
    rows("even", 3e6 * scale)
}

fn beside(scale: f64) -> String {
    let small: String = (0..SMALL_TABLES).map(|at| rows(&format!("small_{at}"), 2e3)).collect();
    // By its name it comes last.
    rows("tall", 3e6 * scale) + &small
}

/// Rows of which some have a value of `length` times 32 characters, kept out of line and as it is.
fn wide(table: &str, all: f64, is_long: &str, length: f64) -> String {
    format!(
        "CREATE UNLOGGED TABLE {table} (id bigint, note text, content text);
         ALTER TABLE {table} ALTER content SET STORAGE EXTERNAL;
         INSERT INTO {table} SELECT n, md5(n::text), \
         CASE WHEN {is_long} THEN (SELECT string_agg(md5((n + i)::text), '') FROM generate_series(1, {length}) i) END \
         FROM generate_series(1, {all:.0}) n;"
    )
}

fn wide_end(scale: f64) -> String {
    let all = 400_000.0 * scale;
    wide("wide", all, &format!("n > {:.0}", all * 0.99), 3000.0)
}

fn wide_spots(scale: f64) -> String {
    wide("wide", 400_000.0 * scale, "n % 20000 < 200", 3000.0)
}
