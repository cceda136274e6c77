//! Reading back: what readers see, as the destination itself tells and opens it.

use super::DestinationFixture;
use super::process::{Process, stream};
use crate::{CommittedFile, Destination, Digest, ErrorKind, Receipt, StagedFile, WriteMode, WrittenReceipt};

/// The files that another process finds; `None` where the destination offers no reading back.
async fn visible<F: DestinationFixture>(fixture: &F, target: &str) -> Option<Vec<CommittedFile>> {
    let destination = fixture.open().await.expect("the place can be opened");
    match destination.visible(target).await {
        Ok(files) => Some(files),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            None
        }
    }
}

fn committed(files: &[StagedFile], sequence: u64) -> Vec<CommittedFile> {
    files.iter().map(|file| CommittedFile::new(file.clone(), sequence)).collect()
}

pub(super) async fn visible_files_are_those_of_the_commits<F: DestinationFixture>(fixture: &F) {
    let stream = stream("visible", WriteMode::Append);
    let Some(none) = visible(fixture, &stream.target).await else { return };
    assert_eq!(none, [], "files of a target that is not there");
    let mut process = Process::start(fixture, &stream).await;
    let receipt = Receipt {
        version: 1,
        content: Digest::new(u128::MAX),
        encoded: Digest::new(7),
        written: Some(WrittenReceipt { added: vec!["at".into()], content: Digest::new(1) }),
    };
    let with_receipt = StagedFile { receipt: Some(receipt), ..process.stage(fixture, &[1, 2]).await };
    let first = vec![with_receipt, process.stage(fixture, &[3]).await];
    let commit = process.commit(first.clone());
    process.apply(&commit).await.expect("the commit stands");
    let second = vec![process.stage(fixture, &[4]).await];
    let commit = process.commit(second.clone());
    process.apply(&commit).await.expect("the commit stands");
    let expected = [committed(&first, 1), committed(&second, 2)].concat();
    assert_eq!(visible(fixture, &stream.target).await.expect("it is offered"), expected);

    let overwrite = crate::ConfiguredStream { write_mode: WriteMode::Overwrite, ..stream.clone() };
    let mut process = Process::start(fixture, &overwrite).await;
    let parts = vec![process.stage(fixture, &[5]).await];
    let part = process.part(parts.clone());
    process.apply(&part).await.expect("a part of an overwrite stands");
    assert_eq!(visible(fixture, &stream.target).await.expect("it is offered"), expected);
    let rest = vec![process.stage(fixture, &[6]).await];
    let last = process.commit(rest.clone());
    process.apply(&last).await.expect("the end of an overwrite stands");
    let mut paths: Vec<String> = Vec::new();
    for file in visible(fixture, &stream.target).await.expect("it is offered") {
        assert_eq!(file.rows, 1, "rows of a file after an overwrite");
        paths.push(file.path);
    }
    assert_eq!(paths, [&parts[0].path, &rest[0].path].map(Clone::clone), "files after an overwrite");
}

pub(super) async fn visible_files_can_be_read_by_ranges<F: DestinationFixture>(fixture: &F) {
    let stream = stream("opened", WriteMode::Append);
    if visible(fixture, &stream.target).await.is_none() {
        return;
    }
    let mut process = Process::start(fixture, &stream).await;
    let bytes = fixture.encode(&[1, 2, 3]);
    process.load(fixture, &[1, 2, 3]).await;
    let destination = fixture.open().await.expect("the place can be opened");
    let files = destination.visible(&stream.target).await.expect("the files are told");
    let file = destination.open_file(&stream.target, &files[0].path).await.expect("a file can be opened");
    let file = file.expect("a visible file is there");
    let size = bytes.len() as u64;
    assert_eq!((file.size(), files[0].bytes), (size, size));
    for range in [0..size, 0..1, size - 2..size, 3..3] {
        let read = file.read(range.clone()).await.expect("a range can be read");
        let at = |end: u64| usize::try_from(end).expect("the file is small");
        assert_eq!(read, bytes.slice(at(range.start)..at(range.end)), "bytes {range:?}");
    }
    let beyond = file.read(size - 1..size + 1).await.expect_err("no file has bytes behind its end");
    assert_eq!(beyond.kind(), ErrorKind::Data, "{beyond:?}");

    let missing = destination.open_file(&stream.target, "missing.parquet").await;
    assert!(missing.expect("a missing file is no failure").is_none());
    for path in ["../x", "/x", ""] {
        let refused =
            destination.open_file(&stream.target, path).await.err().expect("no such path is opened");
        assert_eq!(refused.kind(), ErrorKind::Data, "{path:?}: {refused:?}");
    }
}

pub(super) async fn an_audit_finds_what_the_commits_say<F: DestinationFixture>(fixture: &F) {
    let stream = stream("audited", WriteMode::Append);
    let destination = fixture.open().await.expect("the place can be opened");
    let none = match destination.audit(&stream.target).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => return,
        none => none.expect("a target that is not there can be audited"),
    };
    assert_eq!((none.sequence, none.commits, none.files.len()), (0, 0, 0), "of a target that is not there");
    Process::start(fixture, &stream).await.load(fixture, &[1]).await;
    Process::start(fixture, &stream).await.load(fixture, &[2]).await;
    let audit = destination.audit(&stream.target).await.expect("a target can be audited");
    assert_eq!((audit.sequence, audit.commits, audit.is_settled), (2, 2, true));
    assert_eq!(audit.files, destination.visible(&stream.target).await.expect("the files are told"));
    assert!(audit.unexpected.is_none_or(|files| files.is_empty()), "no file is one too many");
    assert_eq!(audit.problems, Vec::<String>::new());
    let overwrite = crate::ConfiguredStream { write_mode: WriteMode::Overwrite, ..stream.clone() };
    Process::start(fixture, &overwrite).await.load(fixture, &[3]).await;
    let audit = destination.audit(&stream.target).await.expect("a target can be audited");
    assert_eq!((audit.sequence, audit.files.len()), (3, 1), "after an overwrite");
    assert!(audit.unexpected.is_none_or(|files| files.is_empty()), "what was overwritten is gone");
    assert_eq!(audit.problems, Vec::<String>::new());
}
