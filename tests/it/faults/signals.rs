//! SIGTERM and SIGINT: the first ends a sync in good order, the second at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::{Cluster, S3};
use serde_json::json;

use crate::support::{Fate, Gate, Ledger, Proxy, Request};

/// Far shorter than what is left to be read, far longer than a busy machine needs to stop.
const SOON: Duration = Duration::from_secs(15);

async fn stopped_while_reading(signal: &str, mut ledger: Ledger) {
    ledger.project.sync();
    ledger.add(400).await;
    // Two minutes, if nobody stopped it.
    ledger.slow(1, 0.3);
    let watch = ledger.lake.watch();
    let running = ledger.start();
    ledger.until_session("query LIKE 'COPY%' AND wait_event = 'PgSleep'").await;
    let begin = Instant::now();
    running.signal(signal);
    let ran = running.wait().exits(130);
    assert!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    let ran = ran.says(&format!("SIG{signal}"));
    let document = ran.json();
    assert_eq!(document["outcome"], "interrupted", "{document:#}");
    // The server does not go on for nobody.
    let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' \
                   AND state = 'active'";
    crate::support::until_true("the end of the COPY", async || {
        ledger.database.value(running).await.as_deref() == Some("0")
    })
    .await;
    ledger.fast();
    ledger.recovers().await;
    watch.end();
}

#[tokio::test]
async fn sigterm_ends_a_read_soon() {
    stopped_while_reading("TERM", Ledger::incremental(10).await).await;
}

#[tokio::test]
async fn sigint_ends_a_full_refresh_soon_and_readers_keep_the_old_rows() {
    stopped_while_reading("INT", Ledger::full(10).await).await;
}

/// A sync that waits for the answer to its commit.
async fn committing() -> (Ledger, crate::support::Running, Arc<Gate>, Proxy) {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 100, Ledger::incremental_stream(), Some(&bucket)).await;
    ledger.project.sync();
    ledger.add(100).await;
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let proxy = Proxy::start(&bucket, move |request: &Request| {
        if request.creates_commit() {
            held.wait();
        }
        Fate::Pass
    });
    ledger.project.configuration()["destinations"]["lake"]["endpoint"] =
        json!(proxy.before(&bucket).endpoint);
    let running = ledger.start();
    gate.until_reached();
    ledger.project.configuration()["destinations"]["lake"]["endpoint"] = json!(bucket.endpoint);
    (ledger, running, gate, proxy)
}

#[tokio::test]
async fn a_commit_under_way_is_brought_to_its_end() {
    let (mut ledger, running, gate, _proxy) = committing().await;
    running.signal("TERM");
    gate.open();
    let document = running.wait().exits(0).json();
    assert_eq!(document["outcome"], "succeeded", "{document:#}");
    assert_eq!(document["totals"]["rows_written"], 100, "{document:#}");
    ledger.is_whole().await;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_hurts_nothing() {
    let (mut ledger, mut running, gate, _proxy) = committing().await;
    running.signal("TERM");
    // Signals of one kind that arrive together are one.
    running.signal("INT");
    let begin = Instant::now();
    while !running.has_ended() && begin.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(running.has_ended(), "it waits for the commit");
    running.wait().exits(130);
    // What was on its way may arrive now.
    gate.open();
    ledger.recovers().await;
}
