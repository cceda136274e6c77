//! A PostgreSQL server that ends sessions, restarts, and tables that change under a sync.

use lab::{Cluster, Options};
use serde_json::json;

use crate::support::Ledger;

/// Large enough to be read in several parts by several sessions.
const LARGE: i64 = 60_000;
const READS: &str = "query LIKE 'COPY%' AND state = 'active'";

#[tokio::test]
async fn a_session_that_is_terminated_while_it_reads_is_replaced() {
    let mut ledger = Ledger::full(LARGE).await;
    ledger.slow(5000, 0.2);
    let running = ledger.start();
    ledger.until_session(READS).await;
    // One of those that did not export the snapshot: the keeper's COPY runs inside a savepoint of its own.
    let ended = ledger
        .terminate(&format!(
            "{READS} AND pid = (SELECT max(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND {READS})"
        ))
        .await;
    assert_eq!(ended, 1);
    let document = running.wait().exits(0).json();
    assert!(document["totals"]["retries"].as_u64() >= Some(1), "{document:#}");
    assert_eq!(document["totals"]["rows_written"], LARGE, "{document:#}");
    ledger.is_whole().await;
}

#[tokio::test]
async fn all_sessions_terminated_at_once_means_planning_again() {
    let mut ledger = Ledger::full(LARGE).await;
    ledger.slow(5000, 0.2);
    let running = ledger.start();
    ledger.until_session(READS).await;
    assert!(ledger.terminate("application_name LIKE '%tidegate snapshot%'").await > 0);
    let document = running.wait().exits(0).json();
    assert!(document["totals"]["retries"].as_u64() >= Some(1), "{document:#}");
    assert_eq!(document["totals"]["rows_written"], LARGE, "{document:#}");
    ledger.is_whole().await;
}

#[tokio::test]
async fn an_exporter_that_is_killed_takes_its_snapshot_with_it_and_no_row() {
    let mut ledger = Ledger::full(LARGE).await;
    // With two sessions one keeps the snapshot and waits, or reads; whichever it is, all is read again.
    ledger.project.configuration()["sources"]["db"]["connections"] = json!(2);
    ledger.slow(3000, 0.2);
    let running = ledger.start();
    ledger.until_session(READS).await;
    let keeper = "pid = (SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                  AND application_name LIKE '%tidegate snapshot%' ORDER BY xact_start, backend_start LIMIT 1)";
    assert_eq!(ledger.terminate(keeper).await, 1);
    // What changes in between belongs to the new snapshot, whole.
    ledger.database.execute("UPDATE ledger SET version = 2").await;
    let document = running.wait().exits(0).json();
    assert_eq!(document["totals"]["rows_written"], LARGE, "{document:#}");
    ledger.is_whole().await;
    let mut versions: Vec<i64> =
        ledger.lake.rows(["version"]).await.into_iter().map(|[version]| version).collect();
    versions.dedup();
    assert_eq!(versions.len(), 1, "rows of two snapshots are mixed: {versions:?}");
}

#[tokio::test]
async fn a_restart_of_the_server_is_outlasted() {
    let cluster = Cluster::start(Options::default());
    let mut ledger = Ledger::of(&cluster, 2000, Ledger::incremental_stream(), None).await;
    ledger.project.sync();
    ledger.add(2000).await;
    ledger.slow(100, 0.1);
    let running = ledger.start();
    ledger.until_session(READS).await;
    cluster.restart();
    let document = running.wait().exits(0).json();
    assert!(document["totals"]["retries"].as_u64() >= Some(1), "{document:#}");
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_crash_of_the_server_is_outlasted() {
    let cluster = Cluster::start(Options::default());
    let mut ledger = Ledger::of(&cluster, 2000, json!({ "name": "public.ledger" }), None).await;
    ledger.slow(100, 0.1);
    let running = ledger.start();
    ledger.until_session(READS).await;
    cluster.crash();
    running.wait().exits(0);
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_table_truncated_between_plan_and_read_is_planned_again() {
    let mut ledger = Ledger::full(10).await;
    ledger
        .database
        .execute("CREATE TABLE later AS SELECT i::bigint AS id FROM generate_series(1, 100) i")
        .await;
    // One reader: the second table waits for the first, in the snapshot of both.
    let connection = &mut ledger.project.configuration()["connections"]["db_to_lake"];
    connection["parallelism"] = json!(1);
    connection["streams"].as_array_mut().expect("streams are a list").push(json!({ "name": "public.later" }));
    ledger.slow(1, 0.3);
    let running = ledger.start();
    ledger.until_session("query LIKE 'COPY%ledger%' AND wait_event = 'PgSleep'").await;
    ledger.until_session("application_name LIKE '%tidegate snapshot%'").await;
    ledger
        .database
        .execute("TRUNCATE later; INSERT INTO later SELECT i FROM generate_series(501, 503) i")
        .await;
    let document = running.wait().exits(0).json();
    let later = crate::support::Lake::in_directory(&ledger.project.path("lake"), "public.later");
    let ids = later.ids().await;
    // Neither an empty table nor a mixture: the rows of before or those of after.
    assert!(ids == [501, 502, 503] || ids == (1..=100).collect::<Vec<_>>(), "{ids:?} {document:#}");
    later.is_tidy().await;
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_table_truncated_between_two_syncs_keeps_what_was_synced() {
    let mut ledger = Ledger::incremental(50).await;
    ledger.project.sync();
    ledger.database.execute("TRUNCATE ledger").await;
    ledger.add(10).await;
    ledger.project.sync();
    ledger.is_whole().await;
}
