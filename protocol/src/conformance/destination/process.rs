//! One process of the engine, as a destination sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::DestinationFixture;
use crate::{
    Commit, CommitId, ConfiguredStream, Destination, DriftPolicy, Head, Prepared, Result, Stage, StagedFile,
    StreamState, SyncId, SyncMode, Unfinished, UnfitPolicy, Versioned, WriteMode,
};

/// A stream into a target whose name nobody else has.
pub(super) fn stream(what: &str, write_mode: WriteMode) -> ConfiguredStream {
    named_stream(&format!("conformance.{what}.{}", Uuid::now_v7().simple()), write_mode)
}

pub(super) fn named_stream(target: &str, write_mode: WriteMode) -> ConfiguredStream {
    ConfiguredStream {
        connection: "conformance".into(),
        name: "conformance".into(),
        target: target.into(),
        schema: schema(),
        primary_key: vec!["id".into()],
        sync_mode: SyncMode::FullRefresh,
        write_mode,
        cursor: None,
        soft_delete: None,
        lag: None,
        filter: None,
        on_unfit: UnfitPolicy::default(),
        on_drift: DriftPolicy::default(),
        options: BTreeMap::new(),
    }
}

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]))
}

pub(super) fn state(value: Value) -> StreamState {
    let source = Versioned { source: "conformance".into(), version: 1, value };
    StreamState { source: Some(source), unfinished: None }
}

/// The state of a sync of which partitions are left.
pub(super) fn unfinished(sync: SyncId) -> StreamState {
    let next = Versioned { source: "conformance".into(), version: 1, value: json!(1) };
    let unfinished = Unfinished {
        sync,
        fingerprint: "conformance".into(),
        mode: "full_refresh".into(),
        max_in_flight: None,
        next,
        remaining: vec![json!("a partition")],
    };
    StreamState { source: None, unfinished: Some(unfinished) }
}

/// An instance with a prepared target.
pub(super) struct Process<D> {
    pub(super) destination: D,
    pub(super) stream: ConfiguredStream,
    pub(super) stage: Box<dyn Stage>,
    pub(super) head: Head,
    pub(super) schema: SchemaRef,
    pub(super) sync: SyncId,
}

impl<D: Destination> Process<D> {
    pub(super) async fn start<F: DestinationFixture<Destination = D>>(
        fixture: &F,
        stream: &ConfiguredStream,
    ) -> Self {
        let destination = fixture.open().await.expect("the place can be opened");
        let Prepared { head, stage, schema, .. } =
            destination.prepare(stream, &schema()).await.expect("the target can be prepared");
        Self { destination, stream: stream.clone(), stage, head, schema, sync: SyncId::new() }
    }

    /// A finished file with those rows.
    pub(super) async fn stage<F: DestinationFixture>(&self, fixture: &F, ids: &[i64]) -> StagedFile {
        let bytes = fixture.encode(ids);
        stage(self.stage.as_ref(), bytes, ids.len()).await.expect("a file can be staged")
    }

    /// The next commit, which ends its sync.
    pub(super) fn commit(&self, files: Vec<StagedFile>) -> Commit {
        let sequence = self.head.sequence + 1;
        Commit {
            id: CommitId::new(),
            sequence,
            sync: self.sync,
            connection: self.stream.connection.clone(),
            files,
            state: state(json!(sequence)),
            schema: self.schema.clone(),
            write_mode: self.stream.write_mode,
            ends_sync: true,
            at: chrono::Utc::now(),
        }
    }

    /// The next commit, after which partitions are left.
    pub(super) fn part(&self, files: Vec<StagedFile>) -> Commit {
        let state = unfinished(self.sync);
        Commit { ends_sync: false, state, ..self.commit(files) }
    }

    pub(super) async fn apply(&mut self, commit: &Commit) -> Result<Head> {
        self.head = self.destination.commit(&self.stream.target, commit).await?;
        Ok(self.head.clone())
    }

    /// Stages rows and commits them.
    pub(super) async fn load<F: DestinationFixture>(&mut self, fixture: &F, ids: &[i64]) {
        let file = self.stage(fixture, ids).await;
        let commit = self.commit(vec![file]);
        self.apply(&commit).await.expect("rows can be committed");
        self.stage.release().await;
    }
}

pub(super) async fn stage(stage: &dyn Stage, bytes: Bytes, rows: usize) -> Result<StagedFile> {
    let mut writer = stage.create(None).await?;
    writer.write(bytes).await?;
    let mut file = writer.finish().await?;
    file.rows = rows as u64;
    Ok(file)
}

/// What a reader sees, sorted.
pub(super) async fn read<F: DestinationFixture>(fixture: &F, stream: &ConfiguredStream) -> Vec<i64> {
    let mut ids = fixture.read(&stream.target).await;
    ids.sort_unstable();
    ids
}

/// Asserts what a reader sees.
pub(super) async fn sees<F: DestinationFixture>(
    fixture: &F,
    stream: &ConfiguredStream,
    ids: &[i64],
    when: &str,
) {
    assert_eq!(read(fixture, stream).await, ids, "rows that a reader sees {when}");
}

/// Where another process finds the target.
pub(super) async fn head<F: DestinationFixture>(fixture: &F, stream: &ConfiguredStream) -> Head {
    let destination = fixture.open().await.expect("the place can be opened");
    destination.head(&stream.target).await.expect("the head can be read")
}

/// Asserts that two heads are the same, in every field.
pub(super) fn same(one: &Head, other: &Head, when: &str) {
    let json = |head: &Head| serde_json::to_value(head).expect("a head serialises");
    assert_eq!(json(one), json(other), "heads {when}");
}
