//! Write modes: what an overwrite shows, hides and removes.

use super::DestinationFixture;
use super::process::{Process, head, sees, stream};
use crate::{ConfiguredStream, SyncId, WriteMode};

fn appending(stream: &ConfiguredStream) -> ConfiguredStream {
    ConfiguredStream { write_mode: WriteMode::Append, ..stream.clone() }
}

/// Commits rows of a sync that goes on.
async fn load_part<F: DestinationFixture>(fixture: &F, process: &mut Process<F::Destination>, ids: &[i64]) {
    let file = process.stage(fixture, ids).await;
    let part = process.part(vec![file]);
    process.apply(&part).await.expect("a part of a sync is committed");
}

/// The same sync, in another process, as the state asks for.
async fn continued<F: DestinationFixture>(
    fixture: &F,
    stream: &ConfiguredStream,
    sync: SyncId,
) -> Process<F::Destination> {
    let mut process = Process::start(fixture, stream).await;
    let unfinished = process.head.state.unfinished.as_ref().expect("the sync is unfinished");
    assert_eq!(unfinished.sync, sync, "the sync that is unfinished");
    process.sync = sync;
    process
}

pub(super) async fn an_overwrite_becomes_visible_with_its_last_commit<F: DestinationFixture>(fixture: &F) {
    let stream = stream("overwrite", WriteMode::Overwrite);
    Process::start(fixture, &appending(&stream)).await.load(fixture, &[1]).await;
    Process::start(fixture, &appending(&stream)).await.load(fixture, &[2]).await;

    let mut process = Process::start(fixture, &stream).await;
    load_part(fixture, &mut process, &[10]).await;
    load_part(fixture, &mut process, &[11]).await;
    sees(fixture, &stream, &[1, 2], "while an overwrite goes on").await;
    assert_eq!(process.head.totals.rows, 2, "rows counted while an overwrite goes on");
    process.load(fixture, &[12]).await;
    sees(fixture, &stream, &[10, 11, 12], "after an overwrite").await;
    assert_eq!((process.head.totals.rows, process.head.totals.files), (3, 3), "after an overwrite");

    Process::start(fixture, &stream).await.load(fixture, &[20]).await;
    sees(fixture, &stream, &[20], "after one more overwrite").await;
    assert_eq!(head(fixture, &stream).await.totals.rows, 1);
}

pub(super) async fn an_overwrite_with_no_rows_empties_the_target<F: DestinationFixture>(fixture: &F) {
    let stream = stream("emptied", WriteMode::Overwrite);
    Process::start(fixture, &stream).await.load(fixture, &[1]).await;
    let mut process = Process::start(fixture, &stream).await;
    let commit = process.commit(vec![]);
    process.apply(&commit).await.expect("an overwrite without files stands");
    sees(fixture, &stream, &[], "after an overwrite without rows").await;
    assert_eq!(process.head.totals.files, 0);
}

pub(super) async fn an_interrupted_overwrite_is_continued_by_another_process<F: DestinationFixture>(
    fixture: &F,
) {
    let stream = stream("continued", WriteMode::Overwrite);
    Process::start(fixture, &stream).await.load(fixture, &[1]).await;
    let mut first = Process::start(fixture, &stream).await;
    let sync = first.sync;
    load_part(fixture, &mut first, &[10]).await;
    drop(first);
    let mut second = continued(fixture, &stream, sync).await;
    load_part(fixture, &mut second, &[11]).await;
    drop(second);
    sees(fixture, &stream, &[1], "while an overwrite is interrupted").await;
    continued(fixture, &stream, sync).await.load(fixture, &[12]).await;
    sees(fixture, &stream, &[10, 11, 12], "after three processes overwrote").await;
}

pub(super) async fn an_overwrite_that_was_given_up_is_never_seen<F: DestinationFixture>(fixture: &F) {
    for (name, next, expected) in [
        ("given_up_overwrite", WriteMode::Overwrite, vec![20, 21]),
        ("given_up_append", WriteMode::Append, vec![1, 20, 21]),
    ] {
        let stream = stream(name, WriteMode::Overwrite);
        Process::start(fixture, &stream).await.load(fixture, &[1]).await;
        let mut given_up = Process::start(fixture, &stream).await;
        load_part(fixture, &mut given_up, &[10]).await;
        load_part(fixture, &mut given_up, &[11]).await;
        drop(given_up);

        // Another sync: the rest of the first could not be read as what is configured now.
        let mut process =
            Process::start(fixture, &ConfiguredStream { write_mode: next, ..stream.clone() }).await;
        load_part(fixture, &mut process, &[20]).await;
        process.load(fixture, &[21]).await;
        sees(fixture, &stream, &expected, "after an overwrite was given up").await;
        assert_eq!(process.head.totals.rows, expected.len() as u64);
        Process::start(fixture, &stream).await.load(fixture, &[30]).await;
        sees(fixture, &stream, &[30], "after the next overwrite").await;
    }
}

pub(super) async fn appends_follow_an_overwrite<F: DestinationFixture>(fixture: &F) {
    let stream = stream("followed", WriteMode::Overwrite);
    Process::start(fixture, &stream).await.load(fixture, &[1]).await;
    Process::start(fixture, &stream).await.load(fixture, &[2]).await;
    for id in [3, 4] {
        Process::start(fixture, &appending(&stream)).await.load(fixture, &[id]).await;
    }
    sees(fixture, &stream, &[2, 3, 4], "after appends to an overwritten target").await;
    Process::start(fixture, &stream).await.load(fixture, &[5]).await;
    sees(fixture, &stream, &[5], "after all were overwritten").await;
}

/// The configuration may change between two processes of one sync.
pub(super) async fn a_changed_write_mode_loses_and_doubles_nothing<F: DestinationFixture>(fixture: &F) {
    use WriteMode::{Append, Overwrite};
    for modes in [
        [Overwrite, Append, Append],
        [Append, Overwrite, Overwrite],
        [Overwrite, Append, Overwrite],
        [Append, Overwrite, Append],
        [Overwrite, Overwrite, Append],
    ] {
        let stream = stream("switched", Append);
        Process::start(fixture, &stream).await.load(fixture, &[1]).await;
        let sync = SyncId::new();
        for (id, write_mode) in (10..).zip(modes) {
            let stream = ConfiguredStream { write_mode, ..stream.clone() };
            let mut process = Process::start(fixture, &stream).await;
            process.sync = sync;
            let file = process.stage(fixture, &[id]).await;
            let commit = if id == 12 { process.commit(vec![file]) } else { process.part(vec![file]) };
            process.apply(&commit).await.expect("the commit stands");
        }
        let expected: &[i64] = if modes[2] == Overwrite { &[10, 11, 12] } else { &[1, 10, 11, 12] };
        sees(fixture, &stream, expected, &format!("after {modes:?}")).await;
        let head = head(fixture, &stream).await;
        assert_eq!(head.totals.rows, expected.len() as u64, "rows counted after {modes:?}");
    }
}
