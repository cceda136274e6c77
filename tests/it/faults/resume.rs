//! Large first loads that are killed or lose their snapshot on the way: what was committed stays and is
//! not read again, and the end is the table as it is, whatever moved meanwhile.

use std::collections::BTreeMap;

use lab::{Cluster, Options};
use serde_json::{Value, json};

use crate::support::{Ledger, Running, until_true};

/// Enough to be read in eight parts.
const ROWS: i64 = 60_000;
/// Rows move, with a new stamp and without, some come and some go.
const CHURN: &str = "\
     UPDATE ledger SET version = version + 1, updated_at = now() WHERE id % 3 = 0; \
     UPDATE ledger SET version = version + 1 WHERE id % 5 = 0; \
     DELETE FROM ledger WHERE id % 7 = 0; \
     INSERT INTO ledger (id, note) SELECT i, 'new' FROM generate_series(1000000, 1000500) i";

/// How long a row lasts is the database's to say: the settings of an unfinished sync stay as they are.
fn pace(sleep: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION slowly(id bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
         {sleep} RETURN true; END $$"
    )
}

/// A first load under way, of which a part is committed and most is not read.
async fn begun(cluster: &Cluster, settings: Value) -> (Ledger, Running) {
    let stream = json!({
        "name": "public.ledger", "cursor": "updated_at", "lag": "0s", "filter": "slowly(id)",
        "options": { "sweep": "never" }
    });
    let mut ledger = Ledger::of(cluster, ROWS, stream, None).await;
    ledger
        .database
        .execute(&pace("IF id > 15000 AND id % 750 = 0 THEN PERFORM pg_sleep(0.3); END IF;"))
        .await;
    let configuration = ledger.project.configuration();
    configuration["sources"]["db"]["connections"] = json!(8);
    for (key, value) in settings.as_object().expect("settings are an object") {
        configuration["sources"]["db"][key] = value.clone();
    }
    // Fewer lanes than parts, and a commit for each file.
    for (key, value) in [("memory", "16MiB"), ("commit_interval", "0s")] {
        configuration["connections"]["db_to_lake"][key] = json!(value);
    }
    configuration["connections"]["db_to_lake"]["parallelism"] = json!(8);
    for (key, value) in [("file_size", "1MiB"), ("row_group_size", "1MiB"), ("compression", "none")] {
        configuration["destinations"]["lake"][key] = json!(value);
    }
    let running = ledger.start();
    until_true("the first commit", async || !ledger.lake.commits().await.is_empty()).await;
    ledger.until_session("query LIKE 'COPY%' AND wait_event = 'PgSleep'").await;
    (ledger, running)
}

async fn changes(ledger: &Ledger) {
    ledger.database.execute(CHURN).await;
    ledger.database.execute(&pace("")).await;
}

/// The target holds every row of the table as it is, and no version twice.
async fn is_whole(ledger: &Ledger) {
    let mut times: BTreeMap<[i64; 2], u32> = BTreeMap::new();
    for row in ledger.lake.rows(["id", "version"]).await {
        *times.entry(row).or_default() += 1;
    }
    let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).take(5).collect();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    let rows = ledger.database.query("SELECT id, version FROM ledger").await;
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
    let rows =
        rows.iter().map(|row| [number(&row[0]), number(&row[1])].map(|value| value.expect("a number")));
    let lost: Vec<_> = rows.filter(|row| !times.contains_key(row)).take(5).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    ledger.lake.is_tidy().await;
    ledger.project.run(&["verify"]).exits(0);
}

fn is_repaired(report: &Value) {
    let notes = report["streams"][0]["notes"].as_array().expect("notes are a list");
    let is_told =
        notes.iter().any(|note| note.as_str().is_some_and(|note| note.contains("parts were read in others")));
    assert!(is_told, "{report:#}");
}

async fn ends_well(ledger: &Ledger, running: Running) {
    let report = running.wait().exits(0).json();
    is_repaired(&report);
    is_whole(ledger).await;
    assert_eq!(ledger.project.sync()["totals"]["rows_read"], 0);
}

#[tokio::test]
async fn a_first_load_that_is_killed_is_gone_on_with() {
    let (ledger, running) = begun(Cluster::shared(), json!({})).await;
    assert!(running.kill());
    let committed = ledger.lake.rows(["id"]).await.len() as u64;
    assert!(committed > 0 && committed < ROWS.unsigned_abs(), "{committed}");
    changes(&ledger).await;
    let report = ledger.project.sync();
    let stream = &report["streams"][0];
    assert_eq!(stream["resumed"], true, "{report:#}");
    // All but what was committed, and what the churn wrote.
    let churned = ROWS.unsigned_abs() / 2;
    let read = stream["rows_read"].as_u64().expect("a number");
    assert!(read <= ROWS.unsigned_abs() - committed + churned, "{read} after {committed}");
    is_repaired(&report);
    is_whole(&ledger).await;
    assert_eq!(ledger.project.sync()["totals"]["rows_read"], 0);
}

#[tokio::test]
async fn a_first_load_outlasts_the_session_that_keeps_its_snapshot() {
    let (ledger, running) = begun(Cluster::shared(), json!({})).await;
    let keeper = "pid = (SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                  AND application_name LIKE '%tidegate snapshot%' ORDER BY xact_start, backend_start LIMIT 1)";
    assert_eq!(ledger.terminate(keeper).await, 1);
    changes(&ledger).await;
    ends_well(&ledger, running).await;
}

#[tokio::test]
async fn a_first_load_outlasts_a_restart_of_the_server() {
    let cluster = Cluster::start(Options::default());
    let (ledger, running) = begun(&cluster, json!({})).await;
    cluster.restart();
    changes(&ledger).await;
    ends_well(&ledger, running).await;
}

#[tokio::test]
async fn a_first_load_holds_no_snapshot_for_longer_than_it_may() {
    let (ledger, running) = begun(Cluster::shared(), json!({ "max_snapshot_age": "1s" })).await;
    changes(&ledger).await;
    ends_well(&ledger, running).await;
}

#[tokio::test]
async fn a_first_load_whose_rows_were_moved_asks_what_to_do() {
    let (ledger, running) = begun(Cluster::shared(), json!({})).await;
    assert!(running.kill());
    ledger.database.execute("VACUUM FULL ledger").await;
    ledger.database.execute(&pace("")).await;
    let before = ledger.lake.files().await;
    for _ in 0..2 {
        ledger.project.run(&["sync"]).exits(78).says("VACUUM FULL").says("state reset");
    }
    assert_eq!(ledger.lake.files().await, before);
}
