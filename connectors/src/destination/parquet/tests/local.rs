//! A local directory: the conformance suite, and what processes leave in the stage folder.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use protocol::conformance::destination;
use protocol::{Destination, ErrorKind, StagedFile, StreamState, SyncId, Unfinished, Versioned, WriteMode};
use serde_json::json;

use super::bench::{Directory, InMemory, Process, decoded, opened, refused, tree};

#[tokio::test(flavor = "multi_thread")]
async fn conforms_in_a_directory() {
    destination::destination(&Directory::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_in_memory() {
    destination::destination(&InMemory::new()).await;
}

/// Files in the stage folder, without locks.
fn staged(place: &Directory) -> Vec<String> {
    let files = tree(&place.path().join("_tidegate/public.orders/stage"));
    files.into_iter().filter(|file| !file.ends_with("/lock") && !file.ends_with("/handed-over")).collect()
}

fn seen(place: &Directory) -> Vec<i64> {
    let folder = place.path().join("public.orders");
    let mut ids: Vec<i64> =
        tree(&folder).iter().flat_map(|file| decoded(&fs::read(folder.join(file)).unwrap())).collect();
    ids.sort_unstable();
    ids
}

fn unfinished(sync: SyncId) -> StreamState {
    let next = Versioned { source: "test".into(), version: 1, value: json!(1) };
    let unfinished = Unfinished {
        sync,
        fingerprint: String::new(),
        mode: "test".into(),
        max_in_flight: None,
        next,
        remaining: vec![json!(1)],
    };
    StreamState { source: None, unfinished: Some(unfinished) }
}

#[tokio::test]
async fn what_a_running_process_staged_is_left_alone() {
    let place = Directory::new();
    let mut running = Process::start(place.destination().await).await;
    let file = running.stage(&[1]).await.unwrap();
    let mut open = running.prepared.stage.create(None).await.unwrap();
    open.write("half".into()).await.unwrap();
    Process::start(place.destination().await).await;
    let commit = running.next(vec![file]);
    running.commit(&commit).await.unwrap();
    open.abandon().await.unwrap();
    assert_eq!(seen(&place), [1]);
}

#[tokio::test]
async fn what_is_handed_over_is_kept_while_a_sync_is_unfinished() {
    let place = Directory::new();
    let mut ended = Process::start(place.destination().await).await;
    let plan = protocol::Commit { ends_sync: false, state: unfinished(ended.sync), ..ended.next(vec![]) };
    ended.commit(&plan).await.unwrap();
    ended.stage(&[1]).await.unwrap();
    let mut open = ended.prepared.stage.create(None).await.unwrap();
    open.write("half".into()).await.unwrap();
    // A process that is killed runs no destructor.
    std::mem::forget(open);
    assert_eq!(staged(&place).len(), 2, "{:?}", staged(&place));
    drop(ended);

    let mut next = Process::start(place.destination().await).await;
    assert_eq!(staged(&place).len(), 1, "a finished file may be known to a scheduler: {:?}", staged(&place));
    next.load(&[2]).await;
    Process::start(place.destination().await).await;
    assert_eq!(staged(&place), Vec::<String>::new());
    assert_eq!(seen(&place), [2]);
}

#[tokio::test]
async fn what_is_handed_over_is_kept_until_a_commit_comes_after_it() {
    let place = Directory::new();
    Process::start(place.destination().await).await.stage(&[1]).await.unwrap();
    let mut next = Process::start(place.destination().await).await;
    assert_eq!(staged(&place).len(), 1, "another process may commit it: {:?}", staged(&place));
    next.load(&[2]).await;
    Process::start(place.destination().await).await;
    assert_eq!(staged(&place), Vec::<String>::new());
    assert_eq!(seen(&place), [2]);
}

/// Runs in a process of its own, started by the test below, and is killed.
#[tokio::test]
#[ignore = "kills its process"]
async fn stages_and_is_killed() {
    let folder = std::env::var("PARQUET_TEST_FOLDER").unwrap();
    let process = Process::start(opened(json!({ "url": folder })).await.unwrap()).await;
    process.stage(&[1]).await.unwrap();
    let mut open = process.prepared.stage.create(None).await.unwrap();
    open.write("half".into()).await.unwrap();
    std::process::abort();
}

#[tokio::test]
async fn what_a_killed_process_staged_is_removed_at_once() {
    let place = Directory::new();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "destination::parquet::tests::local::stages_and_is_killed"]);
    let killed = child.env("PARQUET_TEST_FOLDER", place.path()).output().unwrap();
    assert!(!killed.status.success());
    assert_eq!(staged(&place).len(), 2, "{:?} {killed:?}", staged(&place));
    Process::start(place.destination().await).await;
    assert_eq!(tree(place.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_finished_file_is_removed_after_a_week_in_any_case() {
    let place = Directory::new();
    let mut ended = Process::start(place.destination().await).await;
    let plan = protocol::Commit { ends_sync: false, state: unfinished(ended.sync), ..ended.next(vec![]) };
    ended.commit(&plan).await.unwrap();
    ended.stage(&[1]).await.unwrap();
    drop(ended);
    let stage = place.path().join("_tidegate/public.orders/stage");
    for file in tree(&stage) {
        let old = SystemTime::now() - Duration::from_hours(8 * 24);
        fs::File::options().write(true).open(stage.join(file)).unwrap().set_modified(old).unwrap();
    }
    Process::start(place.destination().await).await;
    assert_eq!(staged(&place), Vec::<String>::new());
}

#[tokio::test]
async fn files_of_a_commit_that_was_too_late_are_removed() {
    let place = Directory::new();
    let mut late = Process::start(place.destination().await).await;
    let commit = late.next(vec![late.stage(&[1]).await.unwrap()]);
    Process::start(place.destination().await).await.load(&[2]).await;
    assert_eq!(refused(late.commit(&commit).await).kind(), ErrorKind::Conflict);
    assert_eq!(staged(&place), Vec::<String>::new());
    assert_eq!(seen(&place), [2]);
}

#[tokio::test]
async fn files_that_an_overwrite_keeps_for_its_end_survive_every_clean_up() {
    let place = Directory::new();
    let mut process = Process::started(place.destination().await, WriteMode::Overwrite).await.unwrap();
    let sync = process.sync;
    for id in [1, 2] {
        let file = process.stage(&[id]).await.unwrap();
        let part = protocol::Commit { ends_sync: false, state: unfinished(sync), ..process.next(vec![file]) };
        process.commit(&part).await.unwrap();
    }
    drop(process);
    for _ in 0..2 {
        Process::started(place.destination().await, WriteMode::Overwrite).await.unwrap();
        assert_eq!(staged(&place).len(), 2);
    }
    assert_eq!(seen(&place), Vec::<i64>::new());
    let mut last = Process::started(place.destination().await, WriteMode::Overwrite).await.unwrap();
    last.sync = sync;
    last.load(&[3]).await;
    assert_eq!(seen(&place), [1, 2, 3]);
    assert_eq!(staged(&place), Vec::<String>::new());
}

#[tokio::test]
async fn files_that_somebody_took_away_stop_the_commit_before_it_is_made() {
    let place = Directory::new();
    let mut process = Process::start(place.destination().await).await;
    let commit = process.next(vec![process.stage(&[1]).await.unwrap(), process.stage(&[2]).await.unwrap()]);
    let stage = place.path().join("_tidegate/public.orders/stage");
    fs::remove_file(stage.join(staged(&place).first().unwrap())).unwrap();
    let error = refused(process.commit(&commit).await);
    assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}");
    assert_eq!(place.destination().await.head("public.orders").await.unwrap().sequence, 0);
    process.prepared.stage.discard(&commit.files).await.unwrap();
    assert_eq!(staged(&place), Vec::<String>::new());
}

#[tokio::test]
async fn placements_that_lead_out_of_the_stage_are_refused() {
    let place = Directory::new();
    fs::write(place.path().join("victim"), "canary").unwrap();
    let mut process = Process::start(place.destination().await).await;
    for (path, temp) in [("a.parquet", "../../../victim"), ("../../victim", "x"), ("/victim", "x")] {
        let file = StagedFile {
            path: path.into(),
            rows: 0,
            bytes: 6,
            placement: json!({ "temp": temp }),
            receipt: None,
        };
        let commit = process.next(vec![file.clone()]);
        assert_eq!(refused(process.commit(&commit).await).kind(), ErrorKind::Data);
        if path == "a.parquet" {
            assert_eq!(refused(process.prepared.stage.discard(&[file]).await).kind(), ErrorKind::Data);
        }
    }
    assert_eq!(fs::read_to_string(place.path().join("victim")).unwrap(), "canary");
}

#[tokio::test]
async fn nothing_is_written_before_there_is_something_to_write() {
    let place = Directory::new();
    let lake = place.path().join("lake");
    let parquet = opened(json!({ "url": lake })).await.unwrap();
    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, 0);
    assert!(!lake.exists());
    let mut process = Process::start(parquet).await;
    let commit = process.next(vec![]);
    process.commit(&commit).await.unwrap();
    drop(process);
    assert_eq!(
        tree(&lake),
        ["_tidegate/public.orders/head.json", "_tidegate/public.orders/manifest/00000001.json"]
    );
}

#[tokio::test]
async fn files_go_into_their_folders() {
    let place = Directory::new();
    let mut process = Process::start(place.destination().await).await;
    let mut writer = process.prepared.stage.create(Some("load_day=2026-11-22")).await.unwrap();
    writer.write("7\n".into()).await.unwrap();
    let commit = process.next(vec![writer.finish().await.unwrap()]);
    process.commit(&commit).await.unwrap();
    let files = tree(&place.path().join("public.orders"));
    assert!(files[0].starts_with("load_day=2026-11-22/00000001-"), "{files:?}");
    assert_eq!(commit.files[0].path, files[0]);
}
