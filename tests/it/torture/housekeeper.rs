//! What administrators do meanwhile: partitions with old rows are attached, tables are vacuumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::Database;

use super::session::{Cut, Lost, Session};
use super::stamp::Stamp;
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
    let mut session = Session::open(&database).await;
    let (mut tried, mut attached) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        let (region, version) = (FIRST_REGION + tried, FIRST_VERSION + 2 * ROWS * tried);
        tried += 1;
        if let Err(Lost) = attach(&mut session, &truth, region, version).await {
            session.renew().await;
            continue;
        }
        attached += 1;
        tokio::time::sleep(PAUSE).await;
        if let Err(Lost) = fill(&mut session, &truth, region, version + ROWS).await {
            session.renew().await;
        }
        // A frozen row keeps the number of the transaction that wrote it.
        for sql in ["VACUUM (FREEZE) item", "VACUUM event", "VACUUM part", "ANALYZE", "CHECKPOINT"] {
            session.insist(sql).await;
        }
    }
    attached
}

/// Fills a table and makes it a partition: rows with old stamps, from transactions long ended, are
/// there at once.
async fn attach(session: &mut Session, truth: &Truth, region: i64, first: i64) -> Cut<()> {
    session.run(&format!("CREATE TABLE part_{region} (LIKE part INCLUDING ALL)")).await?;
    let insert = format!(
        "INSERT INTO part_{region} (version, region, updated_at) SELECT v, {region}, \
         CASE WHEN v % 2 = 0 THEN now() - interval '1 hour' ELSE now() END \
         FROM generate_series({first}, {}) v",
        first + ROWS - 1
    );
    session.run(&insert).await?;
    let work = work(first, Some(&positions(session, region).await));
    let attach = format!("ALTER TABLE part ATTACH PARTITION part_{region} FOR VALUES IN ({region})");
    let is_attached = format!("pg_inherits WHERE inhrelid = 'part_{region}'::regclass");
    let number = commit(session, truth, &work, &attach, &is_attached).await?;
    truth.acknowledge(number, &work);
    Ok(())
}

/// Adds rows that are seen by their stamps, like those of any partition.
async fn fill(session: &mut Session, truth: &Truth, region: i64, first: i64) -> Cut<()> {
    let insert = format!(
        "INSERT INTO part (version, region, updated_at) SELECT v, {region}, now() \
         FROM generate_series({first}, {}) v",
        first + ROWS - 1
    );
    let is_there = format!("part_{region} WHERE version = {first}");
    let number = commit(session, truth, &work(first, None), &insert, &is_there).await?;
    truth.acknowledge(number, &work(first, Some(&positions(session, region).await)));
    Ok(())
}

/// Runs a statement that is a transaction of its own, and whose work is there where `proof` has rows.
async fn commit(session: &mut Session, truth: &Truth, work: &Work, sql: &str, proof: &str) -> Cut<u64> {
    let number = truth.ask(work);
    if session.run(sql).await.is_err() {
        session.renew().await;
        if !session.finds(proof).await {
            truth.revoke(number, work);
            return Err(Lost);
        }
    }
    Ok(number)
}

type Positions = std::collections::HashMap<i64, i64>;

async fn positions(session: &mut Session, region: i64) -> Positions {
    let sql = format!("SELECT version, NULL, {} FROM part_{region}", Table::Part.position());
    let told = session.insist(&sql).await;
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
