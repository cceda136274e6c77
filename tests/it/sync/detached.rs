//! Planning, reading and committing as processes of their own, with partitions as files between them.

use std::fs;

use lab::{Cluster, S3};
use serde_json::Value;

use crate::support::{Ledger, Running};

/// Reads all partitions of a plan at once, each by a process, and returns the files they printed.
fn read_all(ledger: &Ledger) -> Vec<String> {
    let plan = fs::read_to_string(ledger.project.path("plan.json")).expect("a plan was written");
    let plan: Value = serde_json::from_str(&plan).expect("a plan is JSON");
    let partitions = plan["plans"][0]["partitions"].as_array().expect("a plan has partitions").len();
    let readers: Vec<Running> = (0..partitions)
        .map(|partition| {
            let number = partition.to_string();
            Running::start(ledger.project.command(&["read", "--plan", "plan.json", "--partition", &number]))
        })
        .collect();
    let mut files = Vec::new();
    for (partition, reader) in readers.into_iter().enumerate() {
        let name = format!("{partition}.json");
        fs::write(ledger.project.path(&name), reader.wait().exits(0).stdout).expect("the folder is ours");
        files.push(name);
    }
    files
}

async fn in_steps(mut ledger: Ledger) {
    for rows in [200, 50] {
        let before = ledger.lake.files().await;
        ledger.project.run(&["plan", "--out", "plan.json"]).exits(0).prints("public.ledger");
        let files = read_all(&ledger);
        assert!(before == ledger.lake.files().await, "what is not committed is seen");
        let mut arguments = vec!["commit", "--plan", "plan.json", "--output", "json"];
        arguments.extend(files.iter().map(String::as_str));
        let document = ledger.project.run(&arguments).exits(0).json();
        assert_eq!(document["streams"][0]["rows_written"], rows, "{document:#}");
        ledger.is_whole().await;
        // The same once more is a conflict, not a second copy.
        let again = ledger.project.run(&arguments).exits(75);
        again.says("plan again");
        ledger.is_whole().await;
        ledger.add(50).await;
    }
    // And a sync goes on where the steps ended.
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 50, "{report:#}");
    ledger.is_whole().await;
}

#[tokio::test]
async fn steps_apart_write_the_same_as_a_sync_to_a_directory() {
    in_steps(Ledger::incremental(200).await).await;
}

#[tokio::test]
async fn steps_apart_write_the_same_as_a_sync_to_a_bucket() {
    let bucket = S3::shared().bucket();
    in_steps(Ledger::of(Cluster::shared(), 200, Ledger::incremental_stream(), Some(&bucket)).await).await;
}

#[tokio::test]
async fn a_plan_that_was_overtaken_is_refused() {
    let mut ledger = Ledger::incremental(100).await;
    ledger.project.run(&["plan", "--out", "plan.json"]).exits(0);
    let files = read_all(&ledger);
    ledger.project.sync();
    ledger.add(1).await;
    let mut arguments = vec!["commit", "--plan", "plan.json"];
    arguments.extend(files.iter().map(String::as_str));
    ledger.project.run(&arguments).exits(75).says("another sync has committed since: plan again");
    ledger.project.run(&["read", "--plan", "plan.json", "--partition", "0"]).exits(75).says("plan again");
    ledger.recovers().await;
}

#[tokio::test]
async fn documents_that_are_none_are_named() {
    let ledger = Ledger::incremental(10).await;
    ledger.project.run(&["plan", "--out", "plan.json"]).exits(0);
    for (name, content) in [("empty.json", ""), ("text.json", "not JSON"), ("other.json", "{\"version\": 9}")]
    {
        fs::write(ledger.project.path(name), content).unwrap();
        ledger.project.run(&["commit", "--plan", "plan.json", name]).exits(78).says(name);
        ledger.project.run(&["read", "--plan", name, "--partition", "0"]).exits(78).says(name);
    }
    ledger
        .project
        .run(&["read", "--plan", "plan.json", "--partition", "99"])
        .exits(78)
        .says("no partition 99");
    assert!(ledger.lake.files().await.is_empty());
    ledger.project.sync();
    ledger.is_whole().await;
}
