//! Places that can't be written to.

use std::fs;

use lab::{Cluster, S3};
use serde_json::json;

use super::refusal::error_of;
use crate::support::Ledger;

#[tokio::test]
async fn a_read_only_key_is_refused_and_the_bucket_stays_as_it_is() {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 10, Ledger::incremental_stream(), Some(&bucket)).await;
    ledger.project.sync();
    ledger.add(1).await;
    let before = (ledger.lake.files().await, ledger.lake.metadata().await);
    let key = S3::shared().read_only_key();
    let right = ledger.project.configuration().clone();
    let lake = &mut ledger.project.configuration()["destinations"]["lake"];
    lake["access_key_id"] = json!(key.access_key);
    lake["secret_access_key"] = json!(key.secret_key);
    for verb in ["sync", "check"] {
        let ran = ledger.project.run(&[verb, "--output", "json"]).exits(77);
        let text = format!("{}{}", ran.stdout, ran.stderr);
        assert!(text.contains("AccessDenied") && text.contains("s3:PutObject"), "{text}");
        assert!(text.contains(&bucket.url("lake")), "{text}");
        assert!(!text.contains(&key.secret_key), "the secret is told");
    }
    assert!(before == (ledger.lake.files().await, ledger.lake.metadata().await));
    *ledger.project.configuration() = right;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 10, Ledger::incremental_stream(), Some(&bucket)).await;
    let url = ledger.project.configuration()["destinations"]["lake"]["url"].take();
    ledger.project.configuration()["destinations"]["lake"]["url"] = json!("s3://not-there-at-all/lake");
    let ran = ledger.project.run(&["sync", "--output", "json"]).exits(78);
    let ran =
        ran.says("s3://not-there-at-all/lake").says("the bucket does not exist").says("create the bucket");
    let document = ran.json();
    assert_eq!(error_of(&document)["kind"], "config", "{document:#}");
    ledger.project.configuration()["destinations"]["lake"]["url"] = url;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_wrong_secret_key_is_refused() {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 10, Ledger::incremental_stream(), Some(&bucket)).await;
    let right = ledger.project.configuration().clone();
    ledger.project.configuration()["destinations"]["lake"]["secret_access_key"] = json!("wrong");
    let ran = ledger.project.run(&["sync", "--output", "json"]).exits(77);
    ran.says("SignatureDoesNotMatch").says("secret_access_key");
    *ledger.project.configuration() = right;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_path_below_a_file_is_no_directory() {
    let mut ledger = Ledger::incremental(10).await;
    ledger.project.sync();
    fs::write(ledger.project.path("file"), "not a folder").unwrap();
    let path = ledger.project.path("file/lake").display().to_string();
    let words = ["file/lake", "point the destination's `url` at a directory"];
    ledger.refuses(|it| it["destinations"]["lake"]["url"] = json!(path), 78, &words);
    assert_eq!(fs::read_to_string(ledger.project.path("file")).unwrap(), "not a folder");
    ledger.recovers().await;
}
