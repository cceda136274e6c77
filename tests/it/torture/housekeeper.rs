//! What administrators do meanwhile: partitions with old rows are attached, tables are vacuumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::Database;
use tokio_postgres::Client;

use super::stamp::Stamp;
use super::statement::run;
use super::table::Table;
use super::truth::{Truth, Work, Written};

/// Writers give lower ones.
const FIRST_VERSION: i64 = 900_000_000_000;
/// Writers write to the regions below.
const FIRST_REGION: i64 = 2;
const ROWS: i64 = 20;
const PAUSE: Duration = Duration::from_secs(4);

/// Attaches and vacuums until it is over; returns how many partitions were attached.
pub(super) async fn keep(database: Arc<Database>, truth: Arc<Truth>, over: Arc<AtomicBool>) -> i64 {
    let client = database.client().await;
    let (mut version, mut attached) = (FIRST_VERSION, 0);
    while !over.load(Ordering::Relaxed) {
        let region = FIRST_REGION + attached;
        attach(&client, &truth, region, version).await;
        version += ROWS;
        attached += 1;
        tokio::time::sleep(PAUSE).await;
        // Rows that come later are seen by their stamps, like those of any partition.
        let insert = format!(
            "INSERT INTO part (version, region, updated_at) SELECT v, {region}, now() \
             FROM generate_series({version}, {}) v",
            version + ROWS - 1
        );
        let work = work(version, None);
        truth.ask(&work);
        run(&client, &insert).await;
        truth.acknowledge(&self::work(version, Some(&positions(&client, region).await)));
        version += ROWS;
        // A frozen row keeps the number of the transaction that wrote it.
        for sql in ["VACUUM (FREEZE) item", "VACUUM event", "VACUUM part", "ANALYZE", "CHECKPOINT"] {
            run(&client, sql).await;
        }
    }
    attached
}

/// Fills a table and makes it a partition: rows with old stamps, from transactions long ended, are
/// there at once.
async fn attach(client: &Client, truth: &Truth, region: i64, first: i64) {
    run(client, &format!("CREATE TABLE part_{region} (LIKE part INCLUDING ALL)")).await;
    let insert = format!(
        "INSERT INTO part_{region} (version, region, updated_at) SELECT v, {region}, \
         CASE WHEN v % 2 = 0 THEN now() - interval '1 hour' ELSE now() END \
         FROM generate_series({first}, {}) v",
        first + ROWS - 1
    );
    run(client, &insert).await;
    let work = work(first, Some(&positions(client, region).await));
    truth.ask(&work);
    run(client, &format!("ALTER TABLE part ATTACH PARTITION part_{region} FOR VALUES IN ({region})")).await;
    truth.acknowledge(&work);
}

type Positions = std::collections::HashMap<i64, i64>;

async fn positions(client: &Client, region: i64) -> Positions {
    let sql = format!("SELECT version, NULL, {} FROM part_{region}", Table::Part.position());
    let told = run(client, &sql).await;
    told.into_iter().filter_map(|[version, _, position]| Some((version?, position?))).collect()
}

fn work(first: i64, positions: Option<&Positions>) -> Work {
    let written = |version: i64| Written {
        version,
        table: Table::Part,
        stamp: Stamp::Begin,
        position: positions.map(|positions| positions[&version]),
    };
    Work { written: (first..first + ROWS).map(written).collect(), replaced: Vec::new() }
}
