//! Staged files: unseen, whole, and gone when they are given up.

use bytes::Bytes;
use futures::future::try_join_all;

use super::DestinationFixture;
use super::process::{Process, read, sees, stream};
use crate::{StagedFile, WriteMode};

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

pub(super) async fn what_one_process_staged_another_commits<F: DestinationFixture>(fixture: &F) {
    let stream = stream("handover", WriteMode::Append);
    let mut planner = Process::start(fixture, &stream).await;
    let sync = planner.sync;
    let plan = planner.part(vec![]);
    planner.apply(&plan).await.expect("the plan is committed");
    drop(planner);

    let mut handed_over = Vec::new();
    for id in 1..=3 {
        let reader = Process::start(fixture, &stream).await;
        let file = reader.stage(fixture, &[id]).await;
        handed_over.push(serde_json::to_string(&file).expect("a staged file serialises"));
    }
    // In two commits: the second takes files that were staged before the first.
    let (one, two) = handed_over.split_at(1);
    for (files, ends) in [(one, false), (two, true)] {
        let files = files.iter().map(|json| serde_json::from_str(json).expect("and comes back")).collect();
        let mut committer = Process::start(fixture, &stream).await;
        committer.sync = sync;
        let commit = if ends { committer.commit(files) } else { committer.part(files) };
        committer.apply(&commit).await.expect("files of another process are committed");
    }
    sees(fixture, &stream, &[1, 2, 3], "of files that other processes staged").await;
}
