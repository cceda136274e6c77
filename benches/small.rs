//! What the smallest runs cost: `cargo bench --bench small`.
//!
//! The program by itself, its size, and a configuration of many small tables: the first sync, increments with
//! nothing new, and increments with a new row in each tenth table.
//!
//! `TIDEGATE_BENCH_TABLES` sets how many tables there are (200), `TIDEGATE_BENCH_PROGRAM` the program.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]

mod process;

use std::path::Path;

use lab::{Cluster, Database, Options};
use process::Cost;
use serde_json::json;

const ROUNDS: usize = 5;
const STARTS: usize = 50;

fn main() {
    let tables = std::env::var("TIDEGATE_BENCH_TABLES");
    let tables = tables.map_or(200, |tables| tables.parse().expect("a number of tables"));
    let program = process::tidegate();
    let bytes = std::fs::metadata(program.get_program()).expect("the program is there").len();
    println!("the program: {:.1} MiB\n", process::mebibytes(bytes));
    println!("| run | wall | CPU of the process | peak RSS |\n|---|---|---|---|");
    let starts: Vec<Cost> = (0..STARTS).map(|_| process::run(process::tidegate().arg("--version"))).collect();
    println!("| `tidegate --version`, of {STARTS} | {} |", Cost::median(&starts));
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(many(tables));
}

async fn many(tables: usize) {
    let cluster = Cluster::start(Options::default().setting("autovacuum", "off"));
    let database = cluster.database();
    make(&database, tables).await;
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    for mode in ["seen_set", "settled_window"] {
        let sync = || sync(folder.path(), mode, &database);
        println!("| first sync of {tables} tables, {mode} | {} |", Cost::median(&[sync()]));
        let empty: Vec<Cost> = (0..ROUNDS).map(|_| sync()).collect();
        println!("| nothing new in {tables} tables, {mode} | {} |", Cost::median(&empty));
        let mut some = Vec::new();
        for _ in 0..ROUNDS {
            for table in (0..tables).step_by(10) {
                let sql = format!("INSERT INTO small_{table} (name, updated_at) VALUES ('new', now())");
                database.execute(&sql).await;
            }
            some.push(sync());
        }
        println!(
            "| a new row in {} of {tables} tables, {mode} | {} |",
            tables.div_ceil(10),
            Cost::median(&some)
        );
    }
}

/// Tables of a hundred rows, as services have many of.
async fn make(database: &Database, tables: usize) {
    for table in 0..tables {
        let sql = format!(
            "CREATE TABLE small_{table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, \
             kind int, price numeric(12,2), note varchar(80), flag boolean, at date, created_at timestamptz, \
             updated_at timestamptz NOT NULL);
             INSERT INTO small_{table} (name, kind, price, created_at, updated_at) \
             SELECT 'name ' || n, n % 7, n / 3.0, now() - interval '1 day', now() - interval '1 hour' \
             FROM generate_series(1, 100) n;
             CREATE INDEX ON small_{table} (updated_at)"
        );
        database.execute(&sql).await;
    }
    database.execute("VACUUM ANALYZE").await;
}

fn sync(folder: &Path, mode: &str, database: &Database) -> Cost {
    let configuration = folder.join(format!("{mode}.yaml"));
    let stream = json!({
        "name": "public.small_*", "cursor": "updated_at", "lag": "0s", "options": { "mode": mode },
    });
    let text = json!({
        "sources": { "db": { "type": "postgres", "url": "${env:DATABASE_URL}" } },
        "destinations": { "lake": { "type": "parquet", "url": mode } },
        "connections": { "db_to_lake": { "source": "db", "destination": "lake", "streams": [stream] } },
    });
    std::fs::write(&configuration, text.to_string()).expect("the folder is ours");
    let mut command = process::tidegate();
    command.arg("--config").arg(&configuration).args(["--quiet", "--output", "json", "sync"]);
    process::run(command.env("DATABASE_URL", database.url()))
}
