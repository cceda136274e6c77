//! Staged files: unseen, whole, and gone when they are given up.

use bytes::Bytes;
use futures::future::try_join_all;

use super::DestinationFixture;
use super::process::{Process, read, sees, stream};
use crate::{ConfiguredStream, StagedFile, WriteMode};

/// Rows of a file that does not fit into a writer's memory at once.
const MANY: i64 = 4_000_000;
/// Files that are open at once.
const WRITERS: i64 = 6;

pub(super) async fn what_is_staged_is_unseen<F: DestinationFixture>(fixture: &F) {
    let stream = stream("stage", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    let options = process.stage.options();
    assert!(options.target_bytes > 0 && options.row_group_bytes > 0, "{options:?}");
    assert!(process.stage.buffer_bytes() > 0, "a writer keeps some bytes");

    let kept = process.stage(fixture, &[1]).await;
    let discarded = process.stage(fixture, &[2]).await;
    let mut abandoned = process.stage.create(None).await.expect("a file can be begun");
    abandoned.write(fixture.encode(&[3])).await.expect("bytes can be written");
    sees(fixture, &stream, &[], "while files are staged").await;
    abandoned.abandon().await.expect("an open file can be abandoned");
    process.stage.discard(std::slice::from_ref(&discarded)).await.expect("a file can be discarded");
    process.stage.discard(&[discarded]).await.expect("a file that is gone counts as discarded");
    sees(fixture, &stream, &[], "before the commit").await;
    let commit = process.commit(vec![kept]);
    process.apply(&commit).await.expect("the commit stands");
    sees(fixture, &stream, &[1], "after the commit of one of three files").await;
}

pub(super) async fn large_files_arrive_whole<F: DestinationFixture>(fixture: &F) {
    let stream = stream("large", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    let ids: Vec<i64> = (0..MANY).collect();
    let mut rest: Bytes = fixture.encode(&ids);
    let length = rest.len() as u64;
    let mut writer = process.stage.create(None).await.expect("a file can be begun");
    // Pieces of every size, from one byte to more than a part of an upload.
    let mut piece = 1;
    while !rest.is_empty() {
        let bytes = rest.split_to(piece.min(rest.len()));
        writer.write(bytes).await.expect("bytes can be written");
        piece = if piece > 10_000_000 { 1 } else { piece * 3 + 1 };
    }
    let mut file = writer.finish().await.expect("the file can be finished");
    assert_eq!(file.bytes, length, "bytes of a staged file");
    file.rows = ids.len() as u64;
    let commit = process.commit(vec![file]);
    process.apply(&commit).await.expect("the commit stands");
    assert!(read(fixture, &stream).await == ids, "a large file arrives whole");
}

pub(super) async fn files_are_written_at_once<F: DestinationFixture>(fixture: &F) {
    let stream = stream("parallel", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    let stage = process.stage.as_ref();
    let folder = stage.options().folder_by.as_ref().map(|by| format!("{}=2026-11-22", by.folder_name()));
    let files = try_join_all((0..WRITERS).map(|id| {
        let folder = folder.as_deref().filter(|_| id % 2 == 0);
        async move {
            let mut writer = stage.create(folder).await?;
            writer.write(fixture.encode(&[id])).await?;
            writer.finish().await.map(|file| StagedFile { rows: 1, ..file })
        }
    }))
    .await
    .expect("files can be staged at once");
    let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), files.len(), "no two files have one path");
    let commit = process.commit(files);
    process.apply(&commit).await.expect("the commit stands");
    sees(fixture, &stream, &(0..WRITERS).collect::<Vec<_>>(), "of files written at once").await;
}

/// Stages a file in a process that ends well, and returns it as what it printed.
async fn handed_over<F: DestinationFixture>(fixture: &F, stream: &ConfiguredStream, id: i64) -> String {
    let reader = Process::start(fixture, stream).await;
    let file = reader.stage(fixture, &[id]).await;
    serde_json::to_string(&file).expect("a staged file serialises")
}

fn received(printed: &[String]) -> Vec<StagedFile> {
    printed.iter().map(|json| serde_json::from_str(json).expect("a staged file comes back")).collect()
}

/// A scheduler runs `read` for each partition of a plan, then `commit`.
pub(super) async fn what_one_process_staged_another_commits<F: DestinationFixture>(fixture: &F) {
    let stream = stream("handover", WriteMode::Append);
    let mut expected = Vec::new();
    for round in 1..=2 {
        let mut printed = Vec::new();
        for id in [round * 10, round * 10 + 1, round * 10 + 2] {
            printed.push(handed_over(fixture, &stream, id).await);
            expected.push(id);
        }
        let mut committer = Process::start(fixture, &stream).await;
        let commit = committer.commit(received(&printed));
        committer.apply(&commit).await.expect("files of other processes are committed");
        sees(fixture, &stream, &expected, "of files that other processes staged").await;
    }
}

/// The second commit of a sync takes files that were staged before the first.
pub(super) async fn files_may_wait_for_a_later_commit_of_their_sync<F: DestinationFixture>(fixture: &F) {
    let stream = stream("waiting", WriteMode::Append);
    let mut printed = Vec::new();
    for id in 1..=3 {
        printed.push(handed_over(fixture, &stream, id).await);
    }
    let (one, two) = printed.split_at(1);
    let mut first = Process::start(fixture, &stream).await;
    let part = first.part(received(one));
    first.apply(&part).await.expect("a part is committed");
    let mut second = Process::start(fixture, &stream).await;
    second.sync = first.sync;
    drop(first);
    let commit = second.commit(received(two));
    second.apply(&commit).await.expect("the rest is committed");
    sees(fixture, &stream, &[1, 2, 3], "of files that waited for their commit").await;
}
