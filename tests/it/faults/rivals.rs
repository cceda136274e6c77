//! Syncs of one connection at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lab::{Cluster, S3};
use serde_json::json;

use crate::support::{Fate, Gate, Ledger, Proxy, Running, until};

const ROUNDS: u32 = 3;
const AT_ONCE: usize = 4;

async fn race(mut ledger: Ledger) {
    let watch = ledger.lake.watch();
    let mut codes = Vec::new();
    for _ in 0..ROUNDS {
        let running: Vec<Running> = (0..AT_ONCE).map(|_| ledger.start()).collect();
        // Rows arrive while they run: winners and losers see different tables.
        ledger.add(50).await;
        let mut won = 0;
        for ran in running.into_iter().map(Running::wait) {
            match ran.code {
                0 => won += 1,
                75 => {
                    let document = ran.json();
                    assert_eq!(super::refusal::error_of(&document)["kind"], "conflict", "{document:#}");
                    assert_eq!(document["totals"]["rows_written"], 0, "{document:#}");
                }
                code => panic!("exit code {code}: {}\n{}", ran.stdout, ran.stderr),
            }
            codes.push(ran.code);
        }
        assert!(won > 0, "nobody won");
    }
    ledger.recovers().await;
    eprintln!("exit codes {codes:?}, looked {} times", watch.end());
}

#[tokio::test]
async fn four_at_once_in_a_directory_write_each_row_once() {
    race(Ledger::incremental(500).await).await;
}

#[tokio::test]
async fn four_full_refreshes_at_once_in_a_directory_write_each_row_once() {
    race(Ledger::full(500).await).await;
}

#[tokio::test]
async fn four_at_once_in_a_bucket_write_each_row_once() {
    let bucket = S3::shared().bucket();
    race(Ledger::of(Cluster::shared(), 500, Ledger::incremental_stream(), Some(&bucket)).await).await;
}

#[tokio::test]
async fn who_commits_second_leaves_with_75_and_nothing_written() {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 200, Ledger::incremental_stream(), Some(&bucket)).await;
    ledger.project.sync();
    ledger.add(200).await;
    let gate = Arc::new(Gate::default());
    let rule = {
        let (gate, is_first) = (Arc::clone(&gate), AtomicBool::new(true));
        move |request: &crate::support::Request| {
            if request.creates_commit() && is_first.swap(false, Ordering::SeqCst) {
                gate.wait();
            }
            Fate::Pass
        }
    };
    let proxy = Proxy::start(&bucket, rule);
    let lake = |ledger: &mut Ledger, endpoint: &str| {
        ledger.project.configuration()["destinations"]["lake"]["endpoint"] = json!(endpoint);
    };
    lake(&mut ledger, &proxy.before(&bucket).endpoint);
    let slow = ledger.start();
    gate.until_reached();
    // A process that is stopped is passed by.
    slow.signal("STOP");
    lake(&mut ledger, &bucket.endpoint);
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 200);
    slow.signal("CONT");
    gate.open();
    let ran = slow.wait().exits(75).says("comes too late: another sync has committed");
    let document = ran.json();
    let error = super::refusal::error_of(&document);
    assert_eq!((&error["kind"], &error["retryable"]), (&json!("conflict"), &json!(true)), "{document:#}");
    ledger.is_whole().await;
    ledger.recovers().await;
    assert_eq!(ledger.lake.commits().await.len(), 3);
}

/// Starts a sync that is halted before its commit is sent.
fn halted(ledger: &Ledger) -> Running {
    let mut command = ledger.project.command(&["sync", "--output", "json"]);
    command.env("TIDEGATE_PAUSE", "manifest.sealed");
    let mut running = Running::start(command);
    until("a halt before the commit", || running.is_stopped() || running.has_ended());
    assert!(running.is_stopped(), "{:?}", running.wait().stderr);
    running
}

#[tokio::test]
async fn a_full_refresh_and_an_increment_of_one_target_leave_it_to_one() {
    let mut ledger = Ledger::incremental(100).await;
    ledger.project.sync();
    let increment = ledger.stream().clone();
    let full = json!({ "name": "public.ledger", "mode": "full_refresh", "write": "overwrite" });
    for [first, second] in [[&full, &increment], [&increment, &full]] {
        ledger.add(10).await;
        *ledger.stream() = first.clone();
        let late = halted(&ledger);
        ledger.add(10).await;
        *ledger.stream() = second.clone();
        ledger.project.sync();
        let commits = ledger.lake.commits().await.len();
        late.signal("CONT");
        late.wait().exits(75);
        assert_eq!(ledger.lake.commits().await.len(), commits);
        ledger.is_whole().await;
    }
    // The last one was the refresh: the next one replaces what it has written.
    ledger.recovers().await;
}
