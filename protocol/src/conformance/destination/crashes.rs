//! Crashes and cancelled calls: a future that is dropped after so many polls, for every number of them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::DestinationFixture;
use super::process::{Process, head, read, schema, sees, stream};
use crate::{Commit, ConfiguredStream, Destination, ErrorKind, WriteMode};

/// More polls than any call needs.
const ENDLESS: usize = 500;

/// Polls `future` so many times, then drops it: what it returned, if it did.
async fn cut<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

pub(super) async fn a_cancelled_commit_can_be_repeated<F: DestinationFixture>(fixture: &F) {
    for polls in 0..ENDLESS {
        let stream = stream("cancelled", WriteMode::Append);
        let mut process = Process::start(fixture, &stream).await;
        let files = vec![process.stage(fixture, &[1]).await, process.stage(fixture, &[2]).await];
        let commit = process.commit(files);
        let done = cut(process.destination.commit(&stream.target, &commit), polls).await;
        process
            .apply(&commit)
            .await
            .unwrap_or_else(|error| panic!("repeated after {polls} polls: {error:?}"));
        assert_eq!(process.head.id, Some(commit.id), "after {polls} polls");
        sees(fixture, &stream, &[1, 2], &format!("when a commit was repeated after {polls} polls")).await;
        process.load(fixture, &[3]).await;
        sees(fixture, &stream, &[1, 2, 3], "when the process went on").await;
        if done.is_some() {
            return;
        }
    }
    panic!("a commit never ends");
}

pub(super) async fn a_crashed_commit_is_finished_or_undone<F: DestinationFixture>(fixture: &F) {
    let setup = async |stream: &ConfiguredStream| {
        Process::start(fixture, stream).await.load(fixture, &[0]).await;
        let process = Process::start(fixture, stream).await;
        let files = vec![process.stage(fixture, &[1]).await, process.stage(fixture, &[2]).await];
        let commit = process.commit(files);
        (process, commit)
    };
    crashed(fixture, WriteMode::Append, setup, &[0], &[0, 1, 2], &[0, 1, 2, 9]).await;
}

pub(super) async fn a_crashed_overwrite_is_finished_or_undone<F: DestinationFixture>(fixture: &F) {
    let setup = async |stream: &ConfiguredStream| {
        let old = ConfiguredStream { write_mode: WriteMode::Append, ..stream.clone() };
        Process::start(fixture, &old).await.load(fixture, &[0]).await;
        let mut process = Process::start(fixture, stream).await;
        let part = process.part(vec![process.stage(fixture, &[1]).await]);
        process.apply(&part).await.expect("a part is committed");
        let commit = process.commit(vec![process.stage(fixture, &[2]).await]);
        (process, commit)
    };
    crashed(fixture, WriteMode::Overwrite, setup, &[0], &[1, 2], &[9]).await;
}

/// Cuts a commit short, then asks another process: it finds all of it or nothing, and goes on.
async fn crashed<F: DestinationFixture>(
    fixture: &F,
    write_mode: WriteMode,
    setup: impl AsyncFn(&ConfiguredStream) -> (Process<F::Destination>, Commit),
    before: &[i64],
    after: &[i64],
    last: &[i64],
) {
    for polls in 0..ENDLESS {
        let stream = stream("crashed", write_mode);
        let (process, commit) = setup(&stream).await;
        let done = cut(process.destination.commit(&stream.target, &commit), polls).await;
        drop(process);

        let mut next = Process::start(fixture, &stream).await;
        // A request that was on its way may arrive after the next process has looked.
        let stands = next.head.id == Some(commit.id);
        let seen = read(fixture, &stream).await;
        let expected = if stands { after } else { before };
        assert_eq!(seen, expected, "after a crash at poll {polls}, the commit stands: {stands}");
        if stands {
            assert_eq!(next.head.state, commit.state, "state and rows move together");
        }
        if !stands {
            let result = next.destination.commit(&stream.target, &commit).await;
            match result {
                Ok(head) => next.head = head,
                // What a process that ended left aside may be gone: then its rows are read again.
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Stale, "repeated after {polls} polls: {error:?}");
                    sees(fixture, &stream, before, "after a commit of files that are gone").await;
                    if done.is_some() {
                        return;
                    }
                    continue;
                }
            }
        }
        sees(fixture, &stream, after, &format!("when it was settled after {polls} polls")).await;
        Process::start(fixture, &stream).await.load(fixture, &[9]).await;
        sees(fixture, &stream, last, "when the next sync went on").await;
        if done.is_some() {
            return;
        }
    }
    panic!("a commit never ends");
}

pub(super) async fn a_cancelled_prepare_can_be_repeated<F: DestinationFixture>(fixture: &F) {
    for polls in 0..ENDLESS {
        let stream = stream("prepared", WriteMode::Append);
        let destination = fixture.open().await.expect("the place can be opened");
        let done = cut(destination.prepare(&stream, &schema()), polls).await.is_some();
        let mut process = Process::start(fixture, &stream).await;
        assert_eq!(process.head.sequence, 0, "a prepare that is cut short commits nothing");
        process.load(fixture, &[1]).await;
        assert_eq!(head(fixture, &stream).await.sequence, 1);
        if done {
            return;
        }
    }
    panic!("a prepare never ends");
}

pub(super) async fn a_dropped_writer_leaves_nothing_visible<F: DestinationFixture>(fixture: &F) {
    let stream = stream("dropped", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    for polls in 0..20 {
        let stage = process.stage.as_ref();
        let bytes = fixture.encode(&[7]);
        let written = async move {
            let mut writer = stage.create(None).await?;
            writer.write(bytes).await?;
            writer.finish().await
        };
        if let Some(file) = cut(written, polls).await {
            let file = file.expect("a file can be staged");
            process.stage.discard(&[file]).await.expect("a file can be discarded");
        }
    }
    sees(fixture, &stream, &[], "when writers were dropped").await;
    process.load(fixture, &[1]).await;
    sees(fixture, &stream, &[1], "after writers were dropped").await;
}
