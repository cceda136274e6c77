//! Syncs that meet others at work, stopped or killed, and what those leave behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lab::{Bucket, Cluster, S3};
use serde_json::json;

use crate::support::{Fate, Gate, Ledger, Proxy, Request, Running, until};

/// A ledger in a bucket, reached directly.
async fn in_bucket(rows: i64) -> (Ledger, Bucket) {
    let bucket = S3::shared().bucket();
    let ledger = Ledger::of(Cluster::shared(), rows, Ledger::incremental_stream(), Some(&bucket)).await;
    (ledger, bucket)
}

/// Sends all that starts from now on to this endpoint.
fn reach(ledger: &mut Ledger, endpoint: &str) {
    ledger.project.configuration()["destinations"]["lake"]["endpoint"] = json!(endpoint);
}

/// Lets the first request that `chosen` names wait, and all others pass.
fn gated(bucket: &Bucket, chosen: fn(&Request) -> bool) -> (Proxy, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let waits = Arc::clone(&gate);
    let is_first = AtomicBool::new(true);
    let proxy = Proxy::start(bucket, move |request| {
        if chosen(request) && is_first.swap(false, Ordering::SeqCst) {
            waits.wait();
        }
        Fate::Pass
    });
    (proxy, gate)
}

/// A sync that has begun to send its rows.
fn sending(ledger: &mut Ledger, bucket: &Bucket) -> (Running, Arc<Gate>) {
    let (proxy, gate) = gated(bucket, Request::sends_part);
    reach(ledger, &proxy.before(bucket).endpoint);
    let running = ledger.start();
    gate.until_reached();
    reach(ledger, &bucket.endpoint);
    (running, gate)
}

#[tokio::test]
async fn a_retry_right_after_a_kill_succeeds_and_leaves_no_upload() {
    let (mut ledger, bucket) = in_bucket(300).await;
    for _ in 0..3 {
        let (running, gate) = sending(&mut ledger, &bucket);
        assert!(bucket.open_uploads() > 0);
        assert!(running.kill());
        gate.open();
    }
    // Airflow does so at once.
    ledger.project.sync();
    ledger.is_whole().await;
    assert_eq!(bucket.open_uploads(), 0);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_zombie_that_wakes_up_leaves_with_75_and_removes_only_its_own() {
    let (mut ledger, bucket) = in_bucket(300).await;
    let (zombie, gate) = sending(&mut ledger, &bucket);
    zombie.signal("STOP");
    assert_eq!(ledger.project.sync()["totals"]["rows_written"], 300);
    zombie.signal("CONT");
    gate.open();
    zombie.wait().exits(75);
    assert_eq!(bucket.open_uploads(), 0);
    ledger.is_whole().await;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_zombie_in_a_directory_leaves_with_75_and_removes_only_its_own() {
    let mut ledger = Ledger::incremental(100_000).await;
    ledger.slow(99_999, 8.0);
    let zombie = ledger.start();
    let stage = ledger.project.path("lake/_tidegate/public.ledger/stage");
    until("a run in the stage", || std::fs::read_dir(&stage).is_ok_and(|mut runs| runs.next().is_some()));
    zombie.signal("STOP");
    ledger.fast();
    assert_eq!(ledger.project.sync()["totals"]["rows_written"], 100_000);
    zombie.signal("CONT");
    zombie.wait().exits(75);
    ledger.is_whole().await;
    assert_eq!(std::fs::read_dir(&stage).unwrap().count(), 0, "nothing waits");
}

#[tokio::test]
async fn who_meets_a_sync_at_work_leaves_with_75_and_says_whom_it_met() {
    let (mut ledger, bucket) = in_bucket(300).await;
    let (first, gate) = sending(&mut ledger, &bucket);
    let ran = ledger.start().wait().exits(75);
    let document = ran.json();
    let error = super::refusal::error_of(&document);
    let met = format!("is at work: process {} on ", first.pid());
    assert_eq!((&error["kind"], &error["retryable"]), (&json!("conflict"), &json!(true)), "{document:#}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains(&met)), "{document:#}");
    assert_eq!(document["totals"]["rows_written"], 0, "{document:#}");
    gate.open();
    assert_eq!(first.wait().exits(0).json()["totals"]["rows_written"], 300);
    ledger.is_whole().await;
    assert_eq!(bucket.open_uploads(), 0);
}

#[tokio::test]
async fn who_meets_a_sync_at_work_in_a_directory_leaves_with_75_and_says_whom_it_met() {
    let mut ledger = Ledger::incremental(100_000).await;
    // Near the end: files are open by then.
    ledger.slow(99_999, 60.0);
    let first = ledger.start();
    let stage = ledger.project.path("lake/_tidegate/public.ledger/stage");
    until("a run in the stage", || std::fs::read_dir(&stage).is_ok_and(|mut runs| runs.next().is_some()));
    let met = format!("is at work: process {} on ", first.pid());
    ledger.start().wait().exits(75).says(&met);
    assert!(first.kill());
    ledger.fast();
    ledger.project.sync();
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_reset_while_a_sync_commits_makes_the_sync_fail() {
    let (mut ledger, bucket) = in_bucket(100).await;
    ledger.project.sync();
    ledger.add(100).await;
    let (proxy, gate) = gated(&bucket, Request::creates_commit);
    reach(&mut ledger, &proxy.before(&bucket).endpoint);
    let running = ledger.start();
    gate.until_reached();
    reach(&mut ledger, &bucket.endpoint);
    ledger.project.run(&["state", "reset", "--yes"]).exits(0);
    gate.open();
    running.wait().exits(75);
    assert_eq!(bucket.open_uploads(), 0);
    let commits = ledger.lake.commits().await;
    assert_eq!(commits.len(), 2, "{commits:#?}");
    assert!(commits[1]["state"]["source"].is_null(), "{:#}", commits[1]);
    // As the reset has said, everything is read again.
    assert_eq!(ledger.project.sync()["totals"]["rows_written"], 200);
    ledger.lake.is_tidy().await;
}

#[tokio::test]
async fn a_reset_that_a_sync_is_faster_than_changes_nothing() {
    let (mut ledger, bucket) = in_bucket(100).await;
    ledger.project.sync();
    ledger.add(100).await;
    let (proxy, gate) = gated(&bucket, Request::creates_commit);
    reach(&mut ledger, &proxy.before(&bucket).endpoint);
    let reset = Running::start(ledger.project.command(&["state", "reset", "--yes"]));
    gate.until_reached();
    reach(&mut ledger, &bucket.endpoint);
    ledger.project.sync();
    gate.open();
    reset.wait().exits(75).says("comes too late: another sync has committed");
    ledger.is_whole().await;
    ledger.recovers().await;
}

#[tokio::test]
async fn uploads_that_a_rule_aborted_too_early_are_repaired_and_read_again() {
    let (mut ledger, bucket) = in_bucket(100).await;
    ledger.project.sync();
    ledger.project.run(&["state", "repair"]).exits(0).prints("nothing to repair");
    ledger.add(50).await;
    let (proxy, gate) = gated(&bucket, Request::completes_file);
    reach(&mut ledger, &proxy.before(&bucket).endpoint);
    let running = ledger.start();
    gate.until_reached();
    assert!(running.kill());
    bucket.abort_uploads();
    gate.open();
    reach(&mut ledger, &bucket.endpoint);

    let lost = "commit 2 of target \"public.ledger\" can't be finished: 1 of its files with 50 rows are gone";
    ledger.project.run(&["sync"]).exits(65).says(lost).says("`tidegate state repair`");
    ledger.project.run(&["state", "repair"]).exits(64).says("commit 2 has lost 1 file with 50 rows");
    ledger.project.run(&["state", "repair", "--yes"]).exits(0).prints("(commit 3)");
    assert_eq!(ledger.project.sync()["totals"]["rows_written"], 50);
    ledger.is_whole().await;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_sync_makes_few_requests() {
    let (mut ledger, bucket) = in_bucket(100).await;
    ledger.project.sync();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let proxy = Proxy::start(&bucket, move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Fate::Pass
    });
    reach(&mut ledger, &proxy.before(&bucket).endpoint);
    // A second one, so that there is a commit before the last.
    for (rows, requests) in [(1, None), (0, Some(7)), (1, Some(13))] {
        if rows > 0 {
            ledger.add(rows).await;
        }
        count.store(0, Ordering::SeqCst);
        ledger.project.sync();
        let made = count.load(Ordering::SeqCst);
        assert!(requests.is_none_or(|requests| requests == made), "{made} requests for {rows} rows");
    }
    ledger.is_whole().await;
}
