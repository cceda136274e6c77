//! What tests share: places to write to, and one process of the engine on them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path as FilePath;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use chrono::Utc;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use protocol::conformance::destination::DestinationFixture;
use protocol::{
    Commit, CommitId, ConfiguredStream, Destination, DriftPolicy, Error, Prepared, Result, StagedFile,
    StreamState, SyncId, SyncMode, UnfitPolicy, Versioned, WriteMode,
};
use serde_json::{Value, json};

use super::super::layout::segment;
use super::super::store::{Objects, Store};
use super::super::{Config, Parquet};
use super::memory::Memory;

/// A place in memory.
pub(super) struct InMemory(pub(super) Arc<Memory>);

impl InMemory {
    pub(super) fn new() -> Self {
        Self(Arc::new(Memory::default()))
    }

    pub(super) fn destination(&self) -> Parquet {
        let objects = Objects::new(self.0.clone(), Path::from("lake"), "memory://lake", 1);
        let config: Config = serde_json::from_value(json!({ "url": "./unused" })).unwrap();
        Parquet::new(Store::Objects(objects), config.file_options().unwrap())
    }

    pub(super) async fn keys(&self) -> Vec<String> {
        keys(self.0.as_ref(), "").await
    }
}

/// A directory.
pub(super) struct Directory(pub(super) tempfile::TempDir);

impl Directory {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self) -> &FilePath {
        self.0.path()
    }

    pub(super) async fn destination(&self) -> Parquet {
        opened(json!({ "url": self.path(), "folders": {} })).await.unwrap()
    }
}

pub(super) async fn opened(config: Value) -> Result<Parquet> {
    Parquet::open(serde_json::from_value(config).expect("the settings are known")).await
}

/// Paths of the files below a folder, relative to it, sorted.
pub(super) fn tree(folder: &FilePath) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inner) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&inner) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// Keys below a prefix, as whoever lists it sees them.
pub(super) async fn keys(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let prefix = Path::parse(prefix).unwrap();
    let objects: Vec<_> = store.list(Some(&prefix)).try_collect().await.unwrap();
    let mut keys: Vec<String> = objects.into_iter().map(|object| object.location.to_string()).collect();
    keys.sort();
    keys
}

/// Files hold one number a line: the destination never looks inside.
pub(super) fn encoded(ids: &[i64]) -> Bytes {
    let mut text = String::new();
    for id in ids {
        writeln!(text, "{id}").unwrap();
    }
    text.into()
}

pub(super) fn decoded(bytes: &[u8]) -> Vec<i64> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

pub(super) async fn rows(store: &dyn ObjectStore, prefix: &str) -> Vec<i64> {
    let mut ids = Vec::new();
    for key in keys(store, prefix).await {
        let object = store.get(&Path::parse(key).unwrap()).await.unwrap();
        ids.extend(decoded(&object.bytes().await.unwrap()));
    }
    ids
}

impl DestinationFixture for InMemory {
    type Destination = Parquet;

    async fn open(&self) -> Result<Parquet> {
        Ok(self.destination())
    }

    fn encode(&self, ids: &[i64]) -> Bytes {
        encoded(ids)
    }

    async fn read(&self, target: &str) -> Vec<i64> {
        rows(self.0.as_ref(), &format!("lake/{}", segment(target))).await
    }
}

impl DestinationFixture for Directory {
    type Destination = Parquet;

    async fn open(&self) -> Result<Parquet> {
        Ok(self.destination().await)
    }

    fn encode(&self, ids: &[i64]) -> Bytes {
        encoded(ids)
    }

    async fn read(&self, target: &str) -> Vec<i64> {
        let folder = self.path().join(segment(target));
        tree(&folder).iter().flat_map(|file| decoded(&std::fs::read(folder.join(file)).unwrap())).collect()
    }
}

pub(super) fn stream(write_mode: WriteMode) -> ConfiguredStream {
    ConfiguredStream {
        connection: "shop".into(),
        name: "public.orders".into(),
        target: "public.orders".into(),
        schema: schema(DataType::Int64),
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

pub(super) fn schema(data_type: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", data_type, true)]))
}

/// A destination with its target `public.orders` prepared.
pub(super) struct Process {
    pub(super) parquet: Parquet,
    pub(super) prepared: Prepared,
    pub(super) sync: SyncId,
    write_mode: WriteMode,
}

impl Process {
    pub(super) async fn start(parquet: Parquet) -> Self {
        Self::started(parquet, WriteMode::Append).await.unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(super) async fn started(parquet: Parquet, write_mode: WriteMode) -> Result<Self> {
        let prepared = parquet.prepare(&stream(write_mode), &schema(DataType::Int64)).await?;
        Ok(Self { parquet, prepared, sync: SyncId::new(), write_mode })
    }

    pub(super) async fn stage(&self, ids: &[i64]) -> Result<StagedFile> {
        let mut writer = self.prepared.stage.create(None).await?;
        writer.write(encoded(ids)).await?;
        let file = writer.finish().await?;
        Ok(StagedFile { rows: ids.len() as u64, ..file })
    }

    /// The next commit, which ends its sync.
    pub(super) fn next(&self, files: Vec<StagedFile>) -> Commit {
        let sequence = self.prepared.head.sequence + 1;
        let source = Versioned { source: "test".into(), version: 1, value: json!(sequence) };
        Commit {
            id: CommitId::new(),
            sequence,
            sync: self.sync,
            connection: "shop".into(),
            files,
            state: StreamState { source: Some(source), unfinished: None },
            schema: self.prepared.schema.clone(),
            write_mode: self.write_mode,
            ends_sync: true,
            at: Utc::now(),
        }
    }

    pub(super) async fn commit(&mut self, commit: &Commit) -> Result<()> {
        self.prepared.head = self.parquet.commit("public.orders", commit).await?;
        Ok(())
    }

    pub(super) async fn load(&mut self, ids: &[i64]) {
        let file = self.stage(ids).await.unwrap();
        let commit = self.next(vec![file]);
        self.commit(&commit).await.unwrap();
        self.prepared.stage.release().await;
    }

    /// A process that commits what it stages itself, as a sync does.
    pub(super) async fn syncing(parquet: Parquet) -> Self {
        let process = Self::start(parquet).await;
        process.prepared.stage.claim();
        process
    }
}

/// The failure that was expected.
pub(super) fn refused<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("it was expected to fail"),
        Err(error) => error,
    }
}
