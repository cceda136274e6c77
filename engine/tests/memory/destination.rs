//! A destination whose files are bytes in memory, so that tests read rows back through Parquet.
//! It is strict: what a real one could not do without harm is a violation, which fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use protocol::{
    Audit, Commit, CommitId, CommittedFile, Compression, ConfiguredStream, Destination, Error, FileOptions,
    FileReader, Head, Prepared, Result, Stage, StagedFile, StagedWriter, Totals, WriteMode, reconcile,
};
use serde_json::json;

use super::Faults;
use super::source::Nothing;

/// What a target holds.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) head: Head,
    pub(crate) commits: Vec<Commit>,
    /// Files that readers see.
    pub(crate) visible: BTreeMap<String, Bytes>,
    /// Files that are visible and gone.
    pub(crate) lost: BTreeSet<String>,
    /// Files of an overwrite that has not ended.
    pending: BTreeMap<String, Bytes>,
}

/// The system: it outlives the processes that write to it.
#[derive(Debug)]
pub(crate) struct Store {
    targets: Mutex<BTreeMap<String, Target>>,
    /// Files that are finished and not committed.
    staged: Mutex<BTreeMap<String, Bytes>>,
    pub(crate) options: Mutex<FileOptions>,
    names: AtomicUsize,
    /// What no caller may do.
    violations: Mutex<Vec<String>>,
}

impl Default for Store {
    fn default() -> Self {
        let options = FileOptions {
            target_bytes: 64 << 20,
            row_group_bytes: 16 << 20,
            compression: Compression::None,
            folder_by: None,
        };
        Self {
            targets: Mutex::default(),
            staged: Mutex::default(),
            options: Mutex::new(options),
            names: AtomicUsize::new(0),
            violations: Mutex::default(),
        }
    }
}

impl Store {
    pub(crate) fn target<T>(&self, name: &str, look: impl FnOnce(&Target) -> T) -> T {
        look(self.targets.lock().unwrap().entry(name.to_owned()).or_default())
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Target)) {
        change(self.targets().entry(name.to_owned()).or_default());
    }

    pub(crate) fn head(&self, name: &str) -> Head {
        self.target(name, |target| target.head.clone())
    }

    /// What readers see: each file's path and rows.
    pub(crate) fn files(&self, name: &str) -> Vec<(String, Vec<RecordBatch>)> {
        let visible = self.target(name, |target| target.visible.clone());
        visible.into_iter().map(|(path, bytes)| (path, rows(bytes))).collect()
    }

    pub(crate) fn schema(&self, name: &str, path: &str) -> SchemaRef {
        let bytes = self.target(name, |target| target.visible[path].clone());
        ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().schema().clone()
    }

    pub(crate) fn staged(&self) -> Vec<String> {
        self.staged.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    fn violation(&self, text: String) -> Error {
        self.violations.lock().unwrap().push(text.clone());
        Error::internal(text)
    }

    fn targets(&self) -> MutexGuard<'_, BTreeMap<String, Target>> {
        self.targets.lock().unwrap()
    }
}

fn rows(bytes: Bytes) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

/// One process's view of the system.
pub(crate) struct MemoryDestination {
    pub(crate) store: Arc<Store>,
    pub(crate) faults: Arc<Faults>,
}

impl Destination for MemoryDestination {
    const NAME: &'static str = "memory";
    type Config = Nothing;

    async fn open(_: Nothing) -> Result<Self> {
        Ok(Self { store: Arc::default(), faults: Faults::none() })
    }

    async fn check(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn head(&self, target: &str) -> Result<Head> {
        self.faults.step("head").await?;
        Ok(self.store.head(target))
    }

    async fn prepare(&self, stream: &ConfiguredStream, schema: &SchemaRef) -> Result<Prepared> {
        self.faults.step("prepare").await?;
        let head = self.store.head(&stream.target);
        let empty = Schema::empty();
        let before = head.schema.as_deref().unwrap_or(&empty);
        let (schema, changes) = match head.schema {
            Some(_) => reconcile(before, schema, stream.on_drift)?,
            None => (schema.clone(), Vec::new()),
        };
        let stage = MemoryStage {
            store: Arc::clone(&self.store),
            faults: Arc::clone(&self.faults),
            options: self.store.options.lock().unwrap().clone(),
            prefix: format!("{}/{}", stream.target, head.sequence + 1),
        };
        Ok(Prepared { head, stage: Box::new(stage), schema, changes })
    }

    async fn commit(&self, target: &str, commit: &Commit) -> Result<Head> {
        self.faults.step("commit").await?;
        let head = self.take_effect(target, commit)?;
        self.faults.step("commit answers").await?;
        Ok(head)
    }

    async fn visible(&self, target: &str) -> Result<Vec<CommittedFile>> {
        Ok(self.store.target(target, |target| {
            let files = target.commits.iter().flat_map(|commit| {
                commit.files.iter().map(|file| CommittedFile::new(file.clone(), commit.sequence))
            });
            let is_visible = |path: &String| target.visible.contains_key(path) || target.lost.contains(path);
            files.filter(|file| is_visible(&file.path)).collect()
        }))
    }

    async fn audit(&self, target: &str) -> Result<Audit> {
        self.faults.step("audit").await?;
        let files = self.visible(target).await?;
        let named: BTreeSet<&String> = files.iter().map(|file| &file.path).collect();
        let unexpected = self.store.target(target, |target| {
            let extra = target.visible.iter().filter(|(path, _)| !named.contains(path));
            extra.map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect()
        });
        let sequence = self.store.head(target).sequence;
        Ok(Audit {
            sequence,
            commits: sequence,
            files,
            unexpected: Some(unexpected),
            is_settled: true,
            problems: Vec::new(),
        })
    }

    async fn open_file(&self, target: &str, path: &str) -> Result<Option<Box<dyn FileReader>>> {
        let bytes = self.store.target(target, |target| target.visible.get(path).cloned());
        Ok(bytes.map(|bytes| Box::new(MemoryReader(bytes)) as Box<dyn FileReader>))
    }
}

struct MemoryReader(Bytes);

impl FileReader for MemoryReader {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        async move { Ok(self.0.slice(range)) }.boxed()
    }
}

impl MemoryDestination {
    fn take_effect(&self, name: &str, commit: &Commit) -> Result<Head> {
        let mut targets = self.store.targets();
        let target = targets.entry(name.to_owned()).or_default();
        if target.commits.iter().any(|other| other.id == commit.id) {
            return Ok(target.head.clone());
        }
        if commit.sequence != target.head.sequence + 1 {
            return Err(Error::conflict(format!("the target is at {}", target.head.sequence)));
        }
        let mut staged = self.store.staged.lock().unwrap();
        for file in &commit.files {
            let Some(bytes) = staged.remove(&file.path) else {
                return Err(self.store.violation(format!("{} is not staged", file.path)));
            };
            if file.bytes != bytes.len() as u64 || file.placement != json!(file.path) {
                return Err(self.store.violation(format!("{} came back changed", file.path)));
            }
            let place = match commit.write_mode {
                WriteMode::Append | WriteMode::Merge => &mut target.visible,
                WriteMode::Overwrite => &mut target.pending,
            };
            if place.insert(file.path.clone(), bytes).is_some() {
                return Err(self.store.violation(format!("{} is committed twice", file.path)));
            }
        }
        if commit.write_mode == WriteMode::Overwrite && commit.ends_sync {
            target.visible = std::mem::take(&mut target.pending);
        }
        let files = target.commits.iter().chain([commit]).flat_map(|commit| &commit.files);
        let shown: Vec<StagedFile> =
            files.filter(|file| target.visible.contains_key(&file.path)).cloned().collect();
        let mut totals = Totals::default();
        totals.add(&shown);
        target.head = Head {
            sequence: commit.sequence,
            id: Some(commit.id),
            connection: Some(commit.connection.clone()),
            state: commit.state.clone(),
            schema: Some(commit.schema.clone()),
            at: Some(commit.at),
            totals,
        };
        target.commits.push(commit.clone());
        Ok(target.head.clone())
    }

    /// Another process commits, changing nothing but the number.
    pub(crate) fn rival_commits(store: &Store, name: &str) {
        let mut targets = store.targets();
        let target = targets.entry(name.to_owned()).or_default();
        target.head.sequence += 1;
        target.head.id = Some(CommitId::new());
    }
}

struct MemoryStage {
    store: Arc<Store>,
    faults: Arc<Faults>,
    options: FileOptions,
    prefix: String,
}

impl Stage for MemoryStage {
    fn options(&self) -> &FileOptions {
        &self.options
    }

    fn buffer_bytes(&self) -> usize {
        256 << 10
    }

    fn create<'a>(&'a self, folder: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn StagedWriter>>> {
        async move {
            self.faults.step("create").await?;
            let number = self.store.names.fetch_add(1, Ordering::SeqCst);
            let path = match folder {
                Some(folder) => format!("{}/{folder}/{number}.parquet", self.prefix),
                None => format!("{}/{number}.parquet", self.prefix),
            };
            let (store, faults) = (Arc::clone(&self.store), Arc::clone(&self.faults));
            Ok(Box::new(MemoryWriter { store, faults, path, bytes: Vec::new() }) as Box<dyn StagedWriter>)
        }
        .boxed()
    }

    fn discard<'a>(&'a self, files: &'a [StagedFile]) -> BoxFuture<'a, Result<()>> {
        async move {
            self.faults.step("discard").await?;
            for file in files {
                if self.store.staged.lock().unwrap().remove(&file.path).is_none() {
                    return Err(self.store.violation(format!("{} is discarded, not staged", file.path)));
                }
            }
            Ok(())
        }
        .boxed()
    }
}

struct MemoryWriter {
    store: Arc<Store>,
    faults: Arc<Faults>,
    path: String,
    bytes: Vec<u8>,
}

impl StagedWriter for MemoryWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            self.faults.step("write").await?;
            self.bytes.extend_from_slice(&bytes);
            Ok(())
        }
        .boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<StagedFile>> {
        async move {
            self.faults.step("finish").await?;
            let bytes = Bytes::from(self.bytes);
            let file = StagedFile {
                path: self.path.clone(),
                rows: 0,
                bytes: bytes.len() as u64,
                placement: json!(self.path),
                receipt: None,
            };
            self.store.staged.lock().unwrap().insert(self.path, bytes);
            self.faults.step("finished").await?;
            Ok(file)
        }
        .boxed()
    }

    fn abandon(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move { self.faults.step("abandon").await }.boxed()
    }
}
