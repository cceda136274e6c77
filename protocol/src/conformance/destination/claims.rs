//! Claims and repairs: processes that meet others, and targets that have lost nothing.

use super::DestinationFixture;
use super::process::{Process, head, same, sees, stage, stream};
use crate::{Destination, ErrorKind, WriteMode};

pub(super) async fn who_claims_commits_as_often_as_it_likes<F: DestinationFixture>(fixture: &F) {
    let stream = stream("claimed", WriteMode::Append);
    for round in 1..=2 {
        let mut process = Process::start(fixture, &stream).await;
        process.stage.claim();
        let waits = process.stage(fixture, &[round * 10]).await;
        let first = process.stage(fixture, &[round * 10 + 1]).await;
        let part = process.part(vec![first]);
        process.apply(&part).await.expect("a part is committed");
        // Others look, and may clean up: what waits for the next commit is left alone.
        Process::start(fixture, &stream).await;
        let last = process.commit(vec![waits]);
        process.apply(&last).await.expect("the rest is committed");
        process.stage.release().await;
    }
    sees(fixture, &stream, &[10, 11, 20, 21], "of syncs that claimed the target").await;
}

pub(super) async fn of_two_that_claim_one_commits<F: DestinationFixture>(fixture: &F) {
    let stream = stream("contested", WriteMode::Append);
    let mut first = Process::start(fixture, &stream).await;
    first.stage.claim();
    let file = first.stage(fixture, &[1]).await;
    let mut second = Process::start(fixture, &stream).await;
    second.stage.claim();
    let bytes = fixture.encode(&[2]);
    let met = stage(second.stage.as_ref(), bytes, 1).await;
    let commit = first.commit(vec![file]);
    first.apply(&commit).await.expect("who was first commits");
    first.stage.release().await;
    let error = match met {
        Err(error) => error,
        Ok(file) => {
            let late = second.commit(vec![file]);
            second.apply(&late).await.expect_err("who was second does not commit")
        }
    };
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    second.stage.release().await;
    sees(fixture, &stream, &[1], "when two claimed the target").await;
    let mut third = Process::start(fixture, &stream).await;
    third.stage.claim();
    third.load(fixture, &[3]).await;
    sees(fixture, &stream, &[1, 3], "after two claimed the target").await;
}

pub(super) async fn what_has_lost_nothing_is_not_repaired<F: DestinationFixture>(fixture: &F) {
    let stream = stream("whole", WriteMode::Append);
    let destination = fixture.open().await.expect("the place can be opened");
    for ids in [&[][..], &[1], &[1, 2]] {
        if let Some(id) = ids.last() {
            Process::start(fixture, &stream).await.load(fixture, &[*id]).await;
        }
        let before = head(fixture, &stream).await;
        for apply in [false, true] {
            let repaired = destination.repair(&stream.target, apply, chrono::Utc::now()).await;
            assert_eq!(repaired.expect("a target can be looked at"), None, "nothing is lost");
        }
        same(&head(fixture, &stream).await, &before, "before and after a repair of nothing");
        sees(fixture, &stream, ids, "after a repair of nothing").await;
    }
}
