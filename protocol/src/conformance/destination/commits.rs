//! Commits: numbered, repeated, late, racing.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;

use super::DestinationFixture;
use super::process::{Process, head, same, sees, state, stream};
use crate::{Commit, CommitId, Destination, ErrorKind, Head, Totals, WriteMode};

/// Processes that commit one number at once.
const RACERS: i64 = 8;

pub(super) async fn a_new_target_is_empty<F: DestinationFixture>(fixture: &F) {
    let stream = stream("new", WriteMode::Append);
    same(&head(fixture, &stream).await, &Head::default(), "of a target that is not there");
    sees(fixture, &stream, &[], "of a target that is not there").await;
    let process = Process::start(fixture, &stream).await;
    same(&process.head, &Head::default(), "of a target without a commit");
    assert_eq!(process.schema.fields().len(), 1, "columns of a new target");
    sees(fixture, &stream, &[], "before the first commit").await;
}

pub(super) async fn files_and_state_become_current_together<F: DestinationFixture>(fixture: &F) {
    let stream = stream("commit", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    let files = vec![process.stage(fixture, &[1, 2]).await, process.stage(fixture, &[3]).await];
    let mut totals = Totals::default();
    totals.add(&files);
    let commit = process.commit(files);
    let made = process.apply(&commit).await.expect("the first commit stands");
    let expected = Head {
        sequence: 1,
        id: Some(commit.id),
        connection: Some(commit.connection.clone()),
        state: commit.state.clone(),
        schema: Some(commit.schema.clone()),
        at: made.at,
        totals,
    };
    same(&made, &expected, "after the first commit");
    same(&head(fixture, &stream).await, &expected, "for another process");
    sees(fixture, &stream, &[1, 2, 3], "after the first commit").await;

    process.load(fixture, &[4]).await;
    sees(fixture, &stream, &[1, 2, 3, 4], "after the second commit").await;
    let other = Process::start(fixture, &stream).await;
    same(&other.head, &process.head, "after another process prepared");
    assert_eq!((other.head.sequence, other.head.totals.rows, other.head.totals.files), (2, 4, 3));
}

pub(super) async fn a_commit_without_files_moves_the_state<F: DestinationFixture>(fixture: &F) {
    let stream = stream("empty", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    for value in ["one", "two"] {
        let commit = Commit { state: state(json!(value)), ..process.commit(vec![]) };
        process.apply(&commit).await.expect("a commit without files stands");
    }
    assert_eq!(head(fixture, &stream).await.state, state(json!("two")));
    sees(fixture, &stream, &[], "without files").await;
}

pub(super) async fn a_repeated_commit_changes_nothing<F: DestinationFixture>(fixture: &F) {
    let stream = stream("repeat", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    let first = process.commit(vec![process.stage(fixture, &[1]).await]);
    process.apply(&first).await.expect("the first commit stands");
    process.apply(&first).await.expect("the same process may repeat it");
    let mut other = Process::start(fixture, &stream).await;
    other.apply(&first).await.expect("another process may repeat it");
    assert_eq!(other.head.sequence, 1);
    sees(fixture, &stream, &[1], "after repeated commits").await;

    other.load(fixture, &[2]).await;
    let head = process.apply(&first).await.expect("it may be repeated after later ones");
    assert_eq!(head.sequence, 2, "a repeated commit returns the head");
    sees(fixture, &stream, &[1, 2], "after a commit was repeated late").await;
}

pub(super) async fn a_late_or_early_commit_is_a_conflict<F: DestinationFixture>(fixture: &F) {
    let stream = stream("late", WriteMode::Append);
    let mut late = Process::start(fixture, &stream).await;
    let mut other = Process::start(fixture, &stream).await;
    other.load(fixture, &[1]).await;
    let commit = late.commit(vec![late.stage(fixture, &[7]).await]);
    let error = late.apply(&commit).await.expect_err("a late commit is refused");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");

    for sequence in [0, 1, 3, u64::MAX] {
        let file = other.stage(fixture, &[8]).await;
        let commit = Commit { id: CommitId::new(), sequence, ..other.commit(vec![file]) };
        let result = other.destination.commit(&stream.target, &commit).await;
        let error = result.expect_err("a commit with a number that is not the next is refused");
        assert_eq!(error.kind(), ErrorKind::Conflict, "number {sequence}: {error:?}");
    }
    same(&head(fixture, &stream).await, &other.head, "after refused commits");
    sees(fixture, &stream, &[1], "after refused commits").await;
    other.load(fixture, &[2]).await;
    sees(fixture, &stream, &[1, 2], "when the one that is ahead goes on").await;
}

pub(super) async fn of_many_at_once_one_wins<F: DestinationFixture>(fixture: &F) {
    let stream = stream("race", WriteMode::Append);
    Process::start(fixture, &stream).await.load(fixture, &[0]).await;
    let mut racers = Vec::new();
    for racer in 1..=RACERS {
        let process = Process::start(fixture, &stream).await;
        let commit = process.commit(vec![process.stage(fixture, &[racer]).await]);
        racers.push((racer, process, commit));
    }
    let target = stream.target.as_str();
    let results = join_all(racers.iter().map(|(racer, process, commit)| async move {
        (*racer, process.destination.commit(target, commit).await)
    }))
    .await;
    let mut winners = BTreeSet::new();
    for (racer, result) in results {
        match result {
            Ok(head) => {
                assert_eq!(head.sequence, 2);
                winners.insert(racer);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        }
    }
    assert_eq!(winners.len(), 1, "winners of a race");
    let winner = *winners.first().expect("there is one");
    sees(fixture, &stream, &[0, winner], "after a race").await;
    Process::start(fixture, &stream).await.load(fixture, &[100]).await;
    sees(fixture, &stream, &[0, winner, 100], "when a sync follows a race").await;
}

pub(super) async fn any_state_comes_back_as_it_was<F: DestinationFixture>(fixture: &F) {
    let stream = stream("state", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    for value in [
        json!(null),
        json!({ "": [u64::MAX, i64::MIN, 0.1, 1e300], "quote": "\"'\\;--\u{0}\u{1F600}\n" }),
        json!("x".repeat(1 << 20)),
    ] {
        let commit = Commit { state: state(value), ..process.commit(vec![]) };
        process.apply(&commit).await.expect("the commit stands");
        assert!(head(fixture, &stream).await.state == commit.state, "a state comes back as it was");
    }
}
