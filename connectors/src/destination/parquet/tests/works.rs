//! Processes at work on one target: who goes first, and what those leave behind that are killed.

use std::time::Duration;

use protocol::{Destination, ErrorKind, StreamState, SyncId, Unfinished, Versioned, WriteMode};
use serde_json::json;

use super::bench::{Directory, InMemory, Process, refused, rows};
use super::memory::{Call, Fault};

const STAGE: &str = "lake/_tidegate/public.orders/stage";

async fn seen(place: &InMemory) -> Vec<i64> {
    let mut ids = rows(place.0.as_ref(), "lake/public.orders").await;
    ids.sort_unstable();
    ids
}

async fn notes(place: &InMemory) -> Vec<String> {
    place.keys().await.into_iter().filter(|key| key.starts_with(STAGE)).collect()
}

/// Stages two files, and ends as a killed process does: without a word.
async fn killed(place: &InMemory) {
    let process = Process::syncing(place.destination()).await;
    process.stage(&[666]).await.unwrap();
    process.stage(&[667]).await.unwrap();
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

#[tokio::test(start_paused = true)]
async fn what_killed_syncs_began_is_gone_after_the_next_commit() {
    let place = InMemory::new();
    Process::syncing(place.destination()).await.load(&[1]).await;
    assert_eq!((place.0.open_uploads(), notes(&place).await.len()), (0, 0), "a sync leaves no note");
    killed(&place).await;
    Process::start(place.destination()).await;
    assert_eq!(place.0.open_uploads(), 2, "who aims at the next commit may be alive");
    let mut next = Process::syncing(place.destination()).await;
    next.load(&[2]).await;
    assert_eq!((place.0.open_uploads(), notes(&place).await), (0, vec![]));
    assert_eq!(seen(&place).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_killed_again_and_again_does_not_pile_up() {
    for before in [None, Some(1)] {
        let place = InMemory::new();
        if let Some(id) = before {
            Process::syncing(place.destination()).await.load(&[id]).await;
        }
        let state = place.destination().head("public.orders").await.unwrap().state;
        let mut zombie = Process::syncing(place.destination()).await;
        let late = zombie.next(vec![zombie.stage(&[666]).await.unwrap()]);
        place.0.fail(Call::Put, notes(&place).await.remove(0).leak(), Fault::Forbidden, usize::MAX);
        killed(&place).await;
        let third = Process::syncing(place.destination()).await;
        let error = refused(third.stage(&[666]).await);
        assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}");
        third.prepared.stage.release().await;
        assert_eq!((place.0.open_uploads(), notes(&place).await), (0, vec![]));
        place.0.heal();

        // The number is taken: even one that was not dead can't commit what is gone.
        assert_eq!(refused(zombie.commit(&late).await).kind(), ErrorKind::Conflict);
        let mut next = Process::syncing(third.parquet).await;
        assert_eq!(next.prepared.head.state, state, "nothing else has changed");
        next.load(&[2]).await;
        assert_eq!(seen(&place).await, before.into_iter().chain([2]).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_overwrite_outlives_what_is_killed_again_and_again() {
    let place = InMemory::new();
    let mut first = Process::started(place.destination(), WriteMode::Overwrite).await.unwrap();
    let file = first.stage(&[1]).await.unwrap();
    let part = protocol::Commit { ends_sync: false, state: unfinished(first.sync), ..first.next(vec![file]) };
    first.commit(&part).await.unwrap();
    for _ in 0..2 {
        killed(&place).await;
    }
    let third = Process::syncing(place.destination()).await;
    assert_eq!(refused(third.stage(&[666]).await).kind(), ErrorKind::Stale);
    third.prepared.stage.release().await;
    let mut last = Process::started(third.parquet, WriteMode::Overwrite).await.unwrap();
    assert_eq!((last.prepared.head.sequence, &last.prepared.head.state), (2, &part.state));
    last.sync = first.sync;
    last.load(&[2]).await;
    assert_eq!((seen(&place).await, place.0.open_uploads()), (vec![1, 2], 0));
}

#[tokio::test(start_paused = true)]
async fn a_commit_without_files_cleans_up_as_well() {
    let place = InMemory::new();
    killed(&place).await;
    let mut next = Process::syncing(place.destination()).await;
    let commit = next.next(vec![]);
    next.commit(&commit).await.unwrap();
    next.prepared.stage.release().await;
    assert_eq!((place.0.open_uploads(), notes(&place).await), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_zombie_loses_and_removes_only_its_own() {
    let place = InMemory::new();
    let mut zombie = Process::syncing(place.destination()).await;
    let file = zombie.stage(&[666]).await.unwrap();
    // It gives no sign of life any more.
    let note = notes(&place).await.remove(0);
    place.0.fail(Call::Put, note.leak(), Fault::Forbidden, usize::MAX);
    let mut heir = Process::syncing(place.destination()).await;
    let begin = tokio::time::Instant::now();
    let taken = heir.stage(&[1]).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(30), "it was given time: {:?}", begin.elapsed());
    place.0.heal();

    // Both commit: the heir is first.
    let late = zombie.next(vec![file]);
    let commit = heir.next(vec![taken]);
    heir.commit(&commit).await.unwrap();
    let other = heir.stage(&[2]).await.unwrap();
    let error = refused(zombie.commit(&late).await);
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    zombie.prepared.stage.release().await;
    assert_eq!(place.0.open_uploads(), 1, "the heir's is left");
    let commit = heir.next(vec![other]);
    heir.commit(&commit).await.unwrap();
    heir.prepared.stage.release().await;
    assert_eq!(seen(&place).await, [1, 2]);
    assert_eq!((place.0.open_uploads(), notes(&place).await), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_works_is_left_its_work_and_named() {
    let place = InMemory::new();
    let mut first = Process::syncing(place.destination()).await;
    let file = first.stage(&[1]).await.unwrap();
    let second = Process::syncing(place.destination()).await;
    let begin = tokio::time::Instant::now();
    let error = refused(second.stage(&[1]).await);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    let process = format!("process {} on ", std::process::id());
    assert!(error.message().contains(&process) && error.message().contains(", since 20"), "{error:?}");
    second.prepared.stage.release().await;
    assert_eq!((place.0.open_uploads(), notes(&place).await.len()), (1, 1), "of the first");
    let commit = first.next(vec![file]);
    first.commit(&commit).await.unwrap();
    first.prepared.stage.release().await;
    assert_eq!((seen(&place).await, notes(&place).await), (vec![1], vec![]));
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_a_commit_leaves() {
    let place = InMemory::new();
    let mut first = Process::syncing(place.destination()).await;
    let file = first.stage(&[1]).await.unwrap();
    let second = Process::syncing(place.destination()).await;
    let waiting = second.stage(&[1]);
    let ends = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let commit = first.next(vec![file]);
        first.commit(&commit).await.unwrap();
        first.prepared.stage.release().await;
    };
    let (staged, ()) = tokio::join!(waiting, ends);
    let error = refused(staged);
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert!(error.message().contains("has committed"), "{error:?}");
    second.prepared.stage.release().await;
    Process::syncing(second.parquet).await.load(&[2]).await;
    assert_eq!((seen(&place).await, place.0.open_uploads()), (vec![1, 2], 0));
}

#[tokio::test]
async fn what_waits_for_a_later_commit_of_its_sync_is_kept() {
    let place = InMemory::new();
    let mut sync = Process::syncing(place.destination()).await;
    let (one, two) = (sync.stage(&[1]).await.unwrap(), sync.stage(&[2]).await.unwrap());
    let commit = sync.next(vec![one]);
    sync.commit(&commit).await.unwrap();
    // Cleans up: the number that the file was begun for is taken, by its own sync.
    Process::start(place.destination()).await;
    assert_eq!(place.0.open_uploads(), 1);
    let commit = sync.next(vec![two]);
    sync.commit(&commit).await.unwrap();
    assert_eq!(seen(&place).await, [1, 2]);
}

#[tokio::test]
async fn what_was_read_for_another_process_is_kept_while_its_sync_goes_on() {
    let place = InMemory::new();
    let file = Process::start(place.destination()).await.stage(&[1]).await.unwrap();
    let mut part = Process::start(place.destination()).await;
    let commit = protocol::Commit { ends_sync: false, state: unfinished(part.sync), ..part.next(vec![]) };
    part.commit(&commit).await.unwrap();
    let mut last = Process::start(place.destination()).await;
    assert_eq!(place.0.open_uploads(), 1);
    last.sync = part.sync;
    let commit = last.next(vec![file]);
    last.commit(&commit).await.unwrap();
    assert_eq!(seen(&place).await, [1]);

    Process::start(place.destination()).await.stage(&[2]).await.unwrap();
    Process::start(place.destination()).await.load(&[3]).await;
    Process::start(place.destination()).await;
    assert_eq!((place.0.open_uploads(), notes(&place).await), (0, vec![]), "once it can't be committed");
    assert_eq!(seen(&place).await, [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_uploads_of_a_killed_sync_are_found() {
    let place = InMemory::new();
    let process = Process::syncing(place.destination()).await;
    for _ in 0..450 {
        process.stage(&[666]).await.unwrap();
    }
    drop(process);
    assert_eq!((place.0.open_uploads(), notes(&place).await.len()), (450, 3));
    Process::syncing(place.destination()).await.load(&[1]).await;
    assert_eq!((place.0.open_uploads(), notes(&place).await), (0, vec![]));
}

#[tokio::test]
async fn an_upload_that_can_t_be_noted_is_not_begun() {
    let place = InMemory::new();
    let process = Process::syncing(place.destination()).await;
    place.0.fail(Call::Put, "stage/run-", Fault::Forbidden, usize::MAX);
    assert_eq!(refused(process.stage(&[1]).await).kind(), ErrorKind::Auth);
    assert_eq!(place.0.open_uploads(), 0);
}

#[tokio::test]
async fn notes_that_can_t_be_read_are_left_alone() {
    let place = InMemory::new();
    let key = format!("{STAGE}/run-00000001-0192f0c0000070008000000000000000-0.json");
    for note in ["", "{}", r#"{"format": 99}"#] {
        object_store::ObjectStoreExt::put(&place.0.inner, &key.as_str().into(), note.into()).await.unwrap();
        Process::syncing(place.destination()).await.load(&[1]).await;
        assert_eq!(notes(&place).await, [key.as_str()]);
    }
}

/// The requests of a sync, from its first look to its end.
async fn requests(place: &InMemory, files: usize) -> usize {
    place.0.requests();
    let mut process = Process::syncing(place.destination()).await;
    let mut staged = Vec::new();
    for _ in 0..files {
        staged.push(process.stage(&[1]).await.unwrap());
    }
    let commit = process.next(staged);
    process.commit(&commit).await.unwrap();
    process.prepared.stage.release().await;
    place.0.requests()
}

#[tokio::test]
async fn requests_are_counted() {
    let place = InMemory::new();
    for _ in 0..3 {
        Process::syncing(place.destination()).await.load(&[1]).await;
    }
    // The hint, a listing, two commits, a look for files of later commits; the commit and the hint.
    assert_eq!(requests(&place, 0).await, 7, "an increment without rows");
    // Besides: begin, part and completion of the file; the note, a look at others' notes, its removal.
    assert_eq!(requests(&place, 1).await, 13, "an increment with one file");
    assert_eq!(requests(&place, 11).await, 13 + 10 * 4, "each further file: its own three and the note");
}

#[tokio::test]
async fn in_a_directory_a_sync_that_works_is_named_and_one_that_ended_is_not() {
    let place = Directory::new();
    let mut first = Process::syncing(place.destination().await).await;
    let file = first.stage(&[1]).await.unwrap();
    let second = Process::syncing(place.destination().await).await;
    let error = refused(second.stage(&[1]).await);
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert!(error.message().contains(&format!("process {} on ", std::process::id())), "{error:?}");
    let commit = first.next(vec![file]);
    first.commit(&commit).await.unwrap();
    first.prepared.stage.release().await;
    // The process goes on with other streams, and its lock of this one is gone.
    second.prepared.stage.release().await;
    Process::syncing(second.parquet).await.load(&[2]).await;
    assert_eq!(first.parquet.head("public.orders").await.unwrap().sequence, 2);
}
