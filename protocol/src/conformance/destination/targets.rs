//! Targets: owners, schemas and names.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use futures::future::join_all;
use uuid::Uuid;

use super::DestinationFixture;
use super::process::{Process, head, named_stream, schema, sees, stream};
use crate::{Change, Commit, ConfiguredStream, Destination, DriftPolicy, ErrorKind, WriteMode};

/// Names that end in the same random text: each is a target of its own, or refused.
const HOSTILE: [&str; 25] = [
    "..",
    "../",
    "./",
    "/",
    "//",
    "\\",
    ".",
    "_",
    "_tidegate/",
    "%2e%2e",
    "%",
    "a/b",
    "a%2Fb",
    "a b",
    "\"; drop table x;--",
    "'",
    "$1",
    "{{ x }}",
    "*",
    "?#&",
    "CON",
    "é",
    "\u{202e}abc",
    "🦀",
    "nul\0",
];

pub(super) async fn a_target_belongs_to_one_connection<F: DestinationFixture>(fixture: &F) {
    let stream = stream("owner", WriteMode::Append);
    let mut owner = Process::start(fixture, &stream).await;
    owner.load(fixture, &[1]).await;
    let stranger = ConfiguredStream { connection: "another".into(), ..stream.clone() };
    let destination = fixture.open().await.expect("the place can be opened");
    let refused = destination.prepare(&stranger, &schema()).await.err().expect("a stranger is refused");
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused:?}");
    let commit = Commit { connection: "another".into(), ..owner.commit(vec![]) };
    let refused = destination.commit(&stream.target, &commit).await.expect_err("a stranger is refused");
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused:?}");
    assert_eq!(head(fixture, &stream).await.sequence, 1);
}

pub(super) async fn schemas_widen_and_never_change_their_meaning<F: DestinationFixture>(fixture: &F) {
    let stream = stream("schema", WriteMode::Append);
    let mut process = Process::start(fixture, &stream).await;
    process.load(fixture, &[1]).await;
    let id = Field::new("id", DataType::Int64, true);
    let wider = Arc::new(Schema::new(vec![id.clone(), Field::new("note", DataType::Utf8, true)]));
    let destination = fixture.open().await.expect("the place can be opened");
    let prepared = destination.prepare(&stream, &wider).await.expect("a new column is added");
    assert_eq!(prepared.changes, [Change::Added { column: "note".into(), to: "Utf8".into() }]);
    assert_eq!(prepared.schema, wider);
    let commit = Commit { schema: prepared.schema, ..process.commit(vec![]) };
    destination.commit(&stream.target, &commit).await.expect("the commit stands");
    let widened = head(fixture, &stream).await.schema.expect("there is a commit");
    assert_eq!(widened.fields().len(), 2, "columns after one was added");

    let narrower = destination.prepare(&stream, &schema()).await.expect("a column may be gone");
    assert_eq!(narrower.changes, [Change::Removed { column: "note".into() }]);
    assert_eq!(narrower.schema.fields().len(), 2, "a target keeps its columns");

    let other = Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, true)]));
    let refused = destination.prepare(&stream, &other).await.err().expect("another meaning is refused");
    assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
    let frozen = ConfiguredStream { on_drift: DriftPolicy::Freeze, ..stream.clone() };
    let refused = destination.prepare(&frozen, &schema()).await.err().expect("a frozen schema stays");
    assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
}

pub(super) async fn hostile_names_are_kept_apart<F: DestinationFixture>(fixture: &F) {
    let random = Uuid::now_v7().simple().to_string();
    let mut taken = Vec::new();
    for (id, name) in (0..).zip(HOSTILE) {
        let stream = named_stream(&format!("{name}{random}"), WriteMode::Append);
        let destination = fixture.open().await.expect("the place can be opened");
        match destination.prepare(&stream, &schema()).await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Config, "{name:?}: {error:?}"),
            Ok(prepared) => {
                assert_eq!(prepared.head.sequence, 0, "{name:?} is a target of its own");
                Process::start(fixture, &stream).await.load(fixture, &[id]).await;
                taken.push((id, stream));
            }
        }
    }
    assert!(taken.len() >= HOSTILE.len() / 2, "most names can be targets");
    for (id, stream) in &taken {
        sees(fixture, stream, &[*id], &format!("in {:?}", stream.target)).await;
        assert_eq!(head(fixture, stream).await.sequence, 1, "{:?}", stream.target);
    }
    let endless = named_stream(&"x".repeat(10_000), WriteMode::Append);
    let destination = fixture.open().await.expect("the place can be opened");
    for name in ["", &endless.target] {
        let refused = destination.head(name).await.expect_err("no target has such a name");
        assert_eq!(refused.kind(), ErrorKind::Config, "{refused:?}");
    }
}

pub(super) async fn different_targets_are_committed_at_once<F: DestinationFixture>(fixture: &F) {
    let destination = fixture.open().await.expect("the place can be opened");
    let streams: Vec<_> = (0..6).map(|at| stream(&format!("at_once_{at}"), WriteMode::Append)).collect();
    join_all((0..).zip(&streams).map(|(id, stream)| {
        let destination = &destination;
        async move {
            let prepared =
                destination.prepare(stream, &schema()).await.expect("targets are prepared at once");
            for sequence in 1..=2 {
                let bytes = fixture.encode(&[id * 10 + i64::from(sequence == 2)]);
                let file = super::process::stage(prepared.stage.as_ref(), bytes, 1).await;
                let template = Process::start(fixture, stream).await;
                let commit = Commit { sequence, ..template.commit(vec![file.expect("a file is staged")]) };
                destination.commit(&stream.target, &commit).await.expect("targets are committed at once");
            }
        }
    }))
    .await;
    for (id, stream) in (0..).zip(&streams) {
        sees(fixture, stream, &[id * 10, id * 10 + 1], "in one of several targets").await;
    }
}
