//! Lost answers, refused requests and crashes between the steps of a commit.

use std::sync::Arc;

use object_store::multipart::MultipartStore;
use object_store::path::Path;
use protocol::{Commit, Destination, ErrorKind, Repair, WriteMode};

use super::bench::{InMemory, Process, refused, rows};
use super::memory::{Call, Creates, Fault, Memory};
use crate::destination::parquet::store::Upload;

async fn seen(place: &InMemory) -> Vec<i64> {
    let mut ids = rows(place.0.as_ref(), "lake/public.orders").await;
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_stands() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    place.0.fail(Call::Put, "manifest", Fault::AnswerLost, 1);
    process.load(&[1]).await;
    process.load(&[2]).await;
    assert_eq!(seen(&place).await, [1, 2]);
    assert_eq!(process.prepared.head.sequence, 2);
}

#[tokio::test]
async fn a_commit_that_did_not_arrive_is_sent_again() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    place.0.fail(Call::Put, "manifest", Fault::Unavailable, 2);
    process.load(&[1]).await;
    place.0.fail(Call::Put, "manifest", Fault::Busy, 3);
    process.load(&[2]).await;
    assert_eq!(seen(&place).await, [1, 2]);
}

#[tokio::test]
async fn files_of_a_commit_without_an_answer_are_kept_and_it_can_be_repeated() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let file = process.stage(&[1]).await.unwrap();
    let commit = process.next(vec![file.clone()]);
    place.0.fail(Call::Put, "manifest", Fault::AnswerLost, 1);
    place.0.fail(Call::Get, "manifest", Fault::Unavailable, 1);
    let error = refused(process.commit(&commit).await);
    assert_eq!(error.kind(), ErrorKind::Transient, "{error:?}");
    let error = refused(process.prepared.stage.discard(std::slice::from_ref(&file)).await);
    assert!(error.message().contains("is kept"), "{error:?}");
    process.commit(&commit).await.unwrap();
    assert_eq!(seen(&place).await, [1]);
}

#[tokio::test]
async fn a_refused_commit_removes_its_files() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let commit = process.next(vec![process.stage(&[1]).await.unwrap()]);
    place.0.fail(Call::Put, "manifest", Fault::Forbidden, 1);
    let error = refused(process.commit(&commit).await);
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert_eq!(place.0.open_uploads(), 0);
    assert_eq!(place.destination().head("public.orders").await.unwrap().sequence, 0);
}

#[tokio::test]
async fn a_refusal_after_a_try_without_an_answer_keeps_the_files() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let commit = process.next(vec![process.stage(&[1]).await.unwrap()]);
    place.0.fail(Call::Put, "manifest", Fault::Unavailable, 1);
    place.0.fail(Call::Put, "manifest", Fault::Forbidden, 2);
    for _ in 0..2 {
        let error = refused(process.commit(&commit).await);
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        assert_eq!(place.0.open_uploads(), 1, "what was sent first may arrive yet");
    }
    process.commit(&commit).await.unwrap();
    assert_eq!(seen(&place).await, [1]);
}

#[tokio::test]
async fn a_refusal_that_can_t_be_looked_into_keeps_the_files() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let commit = process.next(vec![process.stage(&[1]).await.unwrap()]);
    // Credentials that expire after a first attempt took effect look like this.
    place.0.fail(Call::Put, "manifest", Fault::Forbidden, 1);
    place.0.fail(Call::Get, "manifest", Fault::Forbidden, 1);
    let error = refused(process.commit(&commit).await);
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    refused(process.prepared.stage.discard(&commit.files).await);
    assert_eq!(place.0.open_uploads(), 1);
}

#[tokio::test]
async fn an_upload_whose_completion_has_no_answer_is_seen_to_be_complete() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    place.0.fail(Call::Complete, "public.orders", Fault::AnswerLost, 1);
    process.load(&[1]).await;
    place.0.fail(Call::Complete, "public.orders", Fault::Unavailable, 2);
    process.load(&[2]).await;
    assert_eq!(seen(&place).await, [1, 2]);
}

#[tokio::test]
async fn a_crash_between_the_manifest_and_its_files_is_rolled_forward() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let files = vec![process.stage(&[1]).await.unwrap(), process.stage(&[2]).await.unwrap()];
    let commit = process.next(files);
    place.0.fail(Call::Complete, "public.orders", Fault::Unavailable, usize::MAX);
    let error = refused(process.commit(&commit).await);
    assert_eq!(error.kind(), ErrorKind::Transient, "{error:?}");
    assert_eq!(seen(&place).await, Vec::<i64>::new(), "nothing is visible yet");
    drop(process);
    place.0.heal();

    // Whoever only looks repairs nothing.
    let head = place.destination().head("public.orders").await.unwrap();
    assert_eq!(head.id, Some(commit.id));
    assert_eq!(seen(&place).await, Vec::<i64>::new());
    let mut next = Process::start(place.destination()).await;
    assert_eq!(seen(&place).await, [1, 2]);
    next.load(&[3]).await;
    assert_eq!(seen(&place).await, [1, 2, 3]);
}

#[tokio::test]
async fn no_commit_follows_one_whose_files_are_not_visible() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let commit = process.next(vec![process.stage(&[1]).await.unwrap()]);
    place.0.fail(Call::Complete, "public.orders", Fault::Forbidden, 1);
    refused(process.commit(&commit).await);
    process.prepared.head = process.parquet.head("public.orders").await.unwrap();
    process.load(&[2]).await;
    assert_eq!(seen(&place).await, [1, 2], "the first commit was finished before the second");
}

#[tokio::test]
async fn lost_uploads_are_named_and_nothing_goes_on() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let file = process.stage(&[1, 2, 3]).await.unwrap();
    let commit = process.next(vec![file.clone()]);
    place.0.fail(Call::Complete, "public.orders", Fault::Unavailable, usize::MAX);
    refused(process.commit(&commit).await);
    place.0.heal();
    let upload: Upload = serde_json::from_value(file.placement.clone()).unwrap();
    let path = Path::parse(format!("lake/public.orders/{}", file.path)).unwrap();
    place.0.abort_multipart(&path, &upload.upload).await.unwrap();

    for _ in 0..2 {
        let error = refused(Process::started(place.destination(), WriteMode::Append).await);
        assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
        assert!(error.message().contains(&file.path) && error.message().contains("3 rows"), "{error:?}");
        assert!(error.advice().unwrap().contains("aborts incomplete uploads"), "{error:?}");
    }
    assert_eq!(place.destination().head("public.orders").await.unwrap().sequence, 1);
}

/// Loses the first file of a commit as a rule of the bucket does, right after the commit was made.
async fn lost(place: &InMemory, process: &mut Process, commit: &Commit) {
    place.0.fail(Call::Complete, "public.orders", Fault::Unavailable, usize::MAX);
    refused(process.commit(commit).await);
    place.0.heal();
    let upload: Upload = serde_json::from_value(commit.files[0].placement.clone()).unwrap();
    let path = Path::parse(format!("lake/public.orders/{}", commit.files[0].path)).unwrap();
    place.0.abort_multipart(&path, &upload.upload).await.unwrap();
}

async fn repaired(place: &InMemory, apply: bool) -> Option<Repair> {
    place.destination().repair("public.orders", apply, chrono::Utc::now()).await.unwrap()
}

#[tokio::test]
async fn a_commit_that_lost_files_is_repaired_and_its_rows_read_again() {
    let place = InMemory::new();
    assert_eq!(repaired(&place, true).await, None, "nothing is lost of nothing");
    let mut process = Process::start(place.destination()).await;
    process.load(&[1]).await;
    process.load(&[2]).await;
    let state = process.prepared.head.state.clone();
    let files = vec![process.stage(&[3, 4]).await.unwrap(), process.stage(&[5]).await.unwrap()];
    let commit = process.next(files);
    lost(&place, &mut process, &commit).await;

    let found = repaired(&place, false).await.unwrap();
    assert_eq!(
        found,
        Repair { sequence: 3, lost_files: 1, lost_rows: 2, removed_rows: 1, state: state.clone() }
    );
    assert_eq!(place.destination().head("public.orders").await.unwrap().sequence, 3, "it was only looked at");
    assert_eq!(repaired(&place, true).await.unwrap(), found);
    assert_eq!(seen(&place).await, [1, 2], "what is read again is not there twice");
    assert_eq!(repaired(&place, true).await, None);

    let mut next = Process::start(place.destination()).await;
    assert_eq!((next.prepared.head.sequence, &next.prepared.head.state), (4, &state));
    assert_eq!(next.prepared.head.totals.rows, 2);
    next.load(&[3, 4, 5]).await;
    assert_eq!(seen(&place).await, [1, 2, 3, 4, 5]);
    let visible = place.destination().visible("public.orders").await.unwrap();
    assert_eq!(visible.iter().map(|file| file.rows).sum::<u64>(), 5);
    assert_eq!(place.0.open_uploads(), 0);
}

#[tokio::test]
async fn a_first_commit_that_lost_files_leaves_nothing() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let commit = process.next(vec![process.stage(&[1]).await.unwrap(), process.stage(&[2]).await.unwrap()]);
    lost(&place, &mut process, &commit).await;
    assert_eq!(repaired(&place, true).await.unwrap().state, protocol::StreamState::default());
    assert_eq!(seen(&place).await, Vec::<i64>::new());
    Process::start(place.destination()).await.load(&[1, 2]).await;
    assert_eq!(seen(&place).await, [1, 2]);
}

#[tokio::test]
async fn an_overwrite_that_lost_files_is_undone_and_the_old_rows_stay() {
    let place = InMemory::new();
    Process::start(place.destination()).await.load(&[1]).await;
    let mut process = Process::started(place.destination(), WriteMode::Overwrite).await.unwrap();
    let before = process.prepared.head.state.clone();
    let part = Commit { ends_sync: false, ..process.next(vec![process.stage(&[2]).await.unwrap()]) };
    process.commit(&part).await.unwrap();
    let commit = process.next(vec![process.stage(&[3]).await.unwrap()]);
    lost(&place, &mut process, &commit).await;
    assert_eq!(seen(&place).await, [1], "the overwrite is not visible");
    let found = repaired(&place, true).await.unwrap();
    assert_eq!((found.lost_rows, found.removed_rows, found.state), (1, 1, before));
    assert_eq!(seen(&place).await, [1]);
    assert_eq!(place.0.open_uploads(), 0);
    Process::started(place.destination(), WriteMode::Overwrite).await.unwrap().load(&[2, 3]).await;
    assert_eq!(seen(&place).await, [2, 3]);
}

#[tokio::test]
async fn a_repair_that_is_cut_short_is_finished_by_the_next_sync() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    process.load(&[1]).await;
    let commit = process.next(vec![process.stage(&[2]).await.unwrap(), process.stage(&[3]).await.unwrap()]);
    lost(&place, &mut process, &commit).await;
    place.0.fail(Call::Delete, "", Fault::Forbidden, 1);
    refused(place.destination().repair("public.orders", true, chrono::Utc::now()).await);
    let mut next = Process::start(place.destination()).await;
    assert_eq!((seen(&place).await, next.prepared.head.sequence), (vec![1], 3));
    next.load(&[2, 3]).await;
    assert_eq!(seen(&place).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_file_that_another_wrote_over_is_no_visible_file() {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    let file = process.stage(&[1]).await.unwrap();
    let commit = process.next(vec![file.clone()]);
    place.0.fail(Call::Complete, "public.orders", Fault::Unavailable, usize::MAX);
    refused(process.commit(&commit).await);
    place.0.heal();
    let path = Path::parse(format!("lake/public.orders/{}", file.path)).unwrap();
    object_store::ObjectStoreExt::put(&place.0.inner, &path, "something else".into()).await.unwrap();
    let error = refused(Process::started(place.destination(), WriteMode::Append).await);
    assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
    assert!(error.message().contains("14 bytes, its commit says 2"), "{error:?}");
}

#[tokio::test]
async fn a_crash_before_old_files_are_removed_is_rolled_forward() {
    let place = InMemory::new();
    Process::start(place.destination()).await.load(&[1]).await;
    let mut process = Process::started(place.destination(), WriteMode::Overwrite).await.unwrap();
    let commit = process.next(vec![process.stage(&[2]).await.unwrap()]);
    place.0.fail(Call::Delete, "", Fault::Forbidden, 1);
    refused(process.commit(&commit).await);
    assert_eq!(seen(&place).await, [1, 2], "the new files come before the old ones go");
    drop(process);
    Process::start(place.destination()).await;
    assert_eq!(seen(&place).await, [2]);
}

#[tokio::test]
async fn parts_that_fail_fail_the_file() {
    let place = InMemory::new();
    let process = Process::start(place.destination()).await;
    place.0.fail(Call::Part, "public.orders", Fault::Unavailable, 1);
    let error = refused(process.stage(&[1]).await);
    assert_eq!(error.kind(), ErrorKind::Transient, "{error:?}");
    assert!(error.message().contains("memory://lake/public.orders/"), "{error:?}");
}

#[tokio::test]
async fn no_upload_stays_open_that_can_be_aborted() {
    let place = InMemory::new();
    let open = || place.0.open_uploads();
    let mut process = Process::start(place.destination()).await;
    let discarded = process.stage(&[1]).await.unwrap();
    assert_eq!(open(), 1);
    process.prepared.stage.discard(&[discarded]).await.unwrap();
    assert_eq!(open(), 0, "after a file was discarded");

    let mut abandoned = process.prepared.stage.create(None).await.unwrap();
    abandoned.write("1\n".into()).await.unwrap();
    abandoned.abandon().await.unwrap();
    assert_eq!(open(), 0, "after a file was abandoned");

    drop(process.prepared.stage.create(None).await.unwrap());
    tokio::task::yield_now().await;
    assert_eq!(open(), 0, "after a file was dropped");

    let late = process.next(vec![process.stage(&[1]).await.unwrap()]);
    Process::start(place.destination()).await.load(&[2]).await;
    refused(process.commit(&late).await);
    assert_eq!(open(), 0, "after a commit that was too late");

    let mut given_up = Process::started(place.destination(), WriteMode::Overwrite).await.unwrap();
    let file = given_up.stage(&[3]).await.unwrap();
    let part = Commit { ends_sync: false, ..given_up.next(vec![file]) };
    given_up.commit(&part).await.unwrap();
    assert_eq!(open(), 1, "while an overwrite waits for its end");
    Process::started(place.destination(), WriteMode::Append).await.unwrap().load(&[4]).await;
    assert_eq!(open(), 0, "after an overwrite was given up");

    place.destination().check().await.unwrap();
    place.0.fail(Call::Put, "probe-", Fault::Forbidden, 1);
    refused(place.destination().check().await);
    assert_eq!(open(), 0, "after checks");
    assert_eq!(seen(&place).await, [2, 4]);
}

#[tokio::test]
async fn stores_that_ignore_conditions_are_refused() {
    let place = InMemory(Arc::new(Memory::creating(Creates::Unconditionally)));
    let error = refused(Process::started(place.destination(), WriteMode::Append).await);
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains("can't keep commits apart"), "{error:?}");
    assert!(error.advice().unwrap().contains("If-None-Match"), "{error:?}");
    assert_eq!(refused(place.destination().check().await).kind(), ErrorKind::Config);
    assert_eq!(place.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn stores_that_look_before_they_write_are_found_by_a_race() {
    let place = InMemory(Arc::new(Memory::creating(Creates::InTwoSteps)));
    let error = refused(place.destination().check().await);
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains("created more than once"), "{error:?}");
    assert_eq!(place.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_store_is_proven_once_and_not_again_once_there_are_commits() {
    let place = InMemory::new();
    Process::start(place.destination()).await.load(&[1]).await;
    // A probe would fail now; commits go on.
    place.0.fail(Call::Put, "probe", Fault::Forbidden, usize::MAX);
    Process::start(place.destination()).await.load(&[2]).await;
    assert_eq!(seen(&place).await, [1, 2]);
}

#[tokio::test]
async fn a_hint_that_can_t_be_written_is_no_failure() {
    let place = InMemory::new();
    place.0.fail(Call::Put, "head.json", Fault::Forbidden, usize::MAX);
    Process::start(place.destination()).await.load(&[1]).await;
    Process::start(place.destination()).await.load(&[2]).await;
    assert_eq!(seen(&place).await, [1, 2]);
}
