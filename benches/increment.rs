//! What an increment of a large table costs: `cargo bench --bench increment`.
//!
//! One PostgreSQL, one table of payments that grows; in each round the same new rows are fetched by a plain
//! query over the greatest value seen (`updated_at > …`, which loses rows, into nothing) and by whole processes of
//! tidegate, one per mode, which write them to Parquet and commit. Interleaved; medians. The last of a round finds the
//! table's pages as warm as the first: all are read once before.
//!
//! `TIDEGATE_BENCH_ROWS` sets the size of the table (3,000,000).

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]

mod process;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use lab::{Cluster, Database, Options, sample};
use process::{Cost, median};
use serde_json::json;
use tokio_postgres::Client;

const ROUNDS: usize = 5;
const NEW_ROWS: [u64; 3] = [0, 100, 30_000];
const MODES: [&str; 2] = ["seen_set", "settled_window"];

fn main() {
    let rows = std::env::var("TIDEGATE_BENCH_ROWS")
        .ok()
        .map_or(3_000_000, |rows| rows.parse().expect("a number of rows"));
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(run(rows));
}

async fn run(rows: u64) {
    let settings = Options::default().setting("max_wal_size", "8GB").setting("autovacuum", "off");
    let cluster = Cluster::start(settings);
    let database = cluster.database();
    let client = database.client().await;
    sample::payments(&client, rows).await;
    client.batch_execute("VACUUM ANALYZE payments").await.expect("the table is there");
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let tidegate = MODES.map(|mode| Tidegate::new(folder.path(), mode, &database));
    let first = tidegate.each_ref().map(Tidegate::sync);
    println!("# {rows} rows, PostgreSQL {}", database.value("SHOW server_version").await.unwrap_or_default());
    for (mode, first) in MODES.iter().zip(first) {
        println!("first sync, {mode}: {first}");
    }
    println!("\n| new rows | how | wall | CPU of the process | peak RSS |\n|---|---|---|---|---|");
    for new in NEW_ROWS {
        round(&client, &database, &tidegate, new).await;
    }
}

async fn round(client: &Client, database: &Database, tidegate: &[Tidegate], new: u64) {
    let mut plain = Vec::new();
    let mut modes = MODES.map(|_| Vec::new());
    // The first round warms up.
    for round in 0..=ROUNDS {
        let last = database.value("SELECT max(updated_at) FROM payments").await.unwrap_or_default();
        if new > 0 {
            sample::touch(client, 0, new).await;
        }
        let (fetched, took) = fetch(database, &last).await;
        assert_eq!(fetched, new, "the plain query reads what is new");
        let costs = tidegate.iter().map(Tidegate::sync).collect::<Vec<_>>();
        if round == 0 {
            continue;
        }
        plain.push(took.as_secs_f64());
        for (costs, cost) in modes.iter_mut().zip(costs) {
            costs.push(cost);
        }
    }
    println!("| {new} | plain `>` query into nothing | {:.0} ms | | |", median(plain) * 1000.0);
    for (mode, costs) in MODES.iter().zip(modes) {
        println!("| {new} | tidegate, {mode} | {} |", Cost::median(&costs));
    }
}

/// What others do: connects, asks for what is greater than the greatest value seen, and drops the answer.
async fn fetch(database: &Database, last: &str) -> (u64, Duration) {
    let start = Instant::now();
    let client = database.client().await;
    let sql = format!("COPY (SELECT * FROM payments WHERE updated_at > '{last}') TO STDOUT");
    let lines = client.copy_out(&sql).await.expect("the table is there");
    let rows = lines.try_fold(0, async |rows, _| Ok(rows + 1)).await.expect("the server goes on");
    (rows, start.elapsed())
}

/// The binary with a configuration, and a state of its own.
struct Tidegate {
    configuration: std::path::PathBuf,
    url: String,
}

impl Tidegate {
    fn new(folder: &Path, mode: &str, database: &Database) -> Self {
        let configuration = folder.join(format!("{mode}.yaml"));
        let stream = json!({ "name": "public.payments", "cursor": "updated_at", "lag": "0s", "options": { "mode": mode } });
        let text = json!({
            "sources": { "db": { "type": "postgres", "url": "${env:DATABASE_URL}" } },
            "destinations": { "lake": { "type": "parquet", "url": mode } },
            "connections": { "db_to_lake": { "source": "db", "destination": "lake", "streams": [stream] } },
        });
        fs::write(&configuration, text.to_string()).expect("the folder is ours");
        Self { configuration, url: database.url() }
    }

    fn sync(&self) -> Cost {
        let mut command = process::tidegate();
        command.arg("--config").arg(&self.configuration).args(["--quiet", "--output", "json", "sync"]);
        command.env("DATABASE_URL", &self.url);
        process::run(&mut command)
    }
}
