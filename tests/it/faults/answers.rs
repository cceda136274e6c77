//! A network that loses answers and a store that has had enough: nothing is doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use lab::{Bucket, Cluster, S3};
use serde_json::{Value, json};

use crate::support::{Fate, Ledger, Proxy, Request};

/// A ledger whose second sync goes through a proxy with that rule.
async fn through(rule: impl Fn(&Request) -> Fate + Send + Sync + 'static) -> (Ledger, Bucket, Proxy) {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 300, Ledger::incremental_stream(), Some(&bucket)).await;
    ledger.project.sync();
    ledger.add(300).await;
    let proxy = Proxy::start(&bucket, rule);
    *endpoint(&mut ledger) = json!(proxy.before(&bucket).endpoint);
    (ledger, bucket, proxy)
}

fn endpoint(ledger: &mut Ledger) -> &mut Value {
    &mut ledger.project.configuration()["destinations"]["lake"]["endpoint"]
}

/// A rule for the first `times` requests that `is_it`.
fn first(times: u32, is_it: fn(&Request) -> bool, fate: Fate) -> impl Fn(&Request) -> Fate {
    let seen = AtomicU32::new(0);
    move |request| {
        let applies = is_it(request) && seen.fetch_add(1, Ordering::Relaxed) < times;
        if applies { fate } else { Fate::Pass }
    }
}

async fn succeeds_in_spite_of(rule: impl Fn(&Request) -> Fate + Send + Sync + 'static) {
    let (ledger, ..) = through(rule).await;
    let watch = ledger.lake.watch();
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 300, "{report:#}");
    ledger.is_whole().await;
    watch.end();
    assert_eq!(ledger.lake.commits().await.len(), 2);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_to_stand() {
    succeeds_in_spite_of(first(1, Request::creates_commit, Fate::LoseAnswer)).await;
}

#[tokio::test]
async fn a_commit_that_never_arrived_is_made_again() {
    succeeds_in_spite_of(first(1, Request::creates_commit, Fate::Break)).await;
}

#[tokio::test]
async fn a_lost_answer_about_a_visible_file_is_looked_up() {
    succeeds_in_spite_of(first(2, Request::completes_file, Fate::LoseAnswer)).await;
}

#[tokio::test]
async fn a_part_whose_connection_breaks_is_sent_again() {
    succeeds_in_spite_of(first(2, Request::sends_part, Fate::Break)).await;
}

#[tokio::test]
async fn a_store_that_asks_to_slow_down_is_served_slower() {
    let count = AtomicU32::new(0);
    // Every third request of whatever kind.
    succeeds_in_spite_of(move |_| match count.fetch_add(1, Ordering::Relaxed) % 3 {
        0 => Fate::Refuse(503, "SlowDown"),
        _ => Fate::Pass,
    })
    .await;
}

#[tokio::test]
async fn a_store_that_vanishes_right_after_the_commit_is_settled_by_the_next_sync() {
    let is_gone = Arc::new(AtomicBool::new(false));
    let rule = move |request: &Request| {
        if request.creates_commit() {
            is_gone.store(true, Ordering::SeqCst);
            return Fate::LoseAnswer;
        }
        if is_gone.load(Ordering::SeqCst) { Fate::Refuse(500, "InternalError") } else { Fate::Pass }
    };
    let (mut ledger, bucket, _proxy) = through(rule).await;
    ledger.project.configuration()["connections"]["db_to_lake"]["retries"] = json!(0);
    ledger.project.configuration()["destinations"]["lake"]["request_timeout"] = json!("5s");
    let watch = ledger.lake.watch();
    let report = ledger.project.sync_exits(75);
    let error = super::refusal::error_of(&report);
    assert_eq!(error["kind"], "transient", "{report:#}");
    assert_eq!(report["totals"]["rows_written"], 0, "nobody knows whether they are: {report:#}");
    *endpoint(&mut ledger) = json!(bucket.endpoint);
    ledger.recovers().await;
    watch.end();
    // The commit of unknown fate stood, and was not made twice.
    assert_eq!(ledger.lake.commits().await.len(), 3);
}

#[tokio::test]
async fn an_outage_before_the_commit_costs_nothing_but_time() {
    let rule = |request: &Request| {
        if request.creates_commit() { Fate::Refuse(503, "ServiceUnavailable") } else { Fate::Pass }
    };
    let (mut ledger, bucket, _proxy) = through(rule).await;
    ledger.project.configuration()["connections"]["db_to_lake"]["retries"] = json!(0);
    ledger.project.sync_exits(75);
    assert_eq!(ledger.lake.commits().await.len(), 1);
    *endpoint(&mut ledger) = json!(bucket.endpoint);
    ledger.recovers().await;
}
