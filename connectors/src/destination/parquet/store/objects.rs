//! An object store as a store. Files wait as uploads that are not completed, which no reader sees;
//! a commit is created by a conditional put.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use protocol::{Error, Result, StagedFile, StagedWriter};
use serde::{Deserialize, Serialize};

use super::directory::wrong_size;
use super::{Begun, Creation, Freshness, Listing, Record, RecordName, Run, Worker};
use crate::destination::parquet::error;
use crate::destination::parquet::layout::{Layout, checked, is_file};
use crate::destination::parquet::stage::multipart::UploadWriter;

/// Requests for different files at once.
const PARALLEL: usize = 16;
/// Most objects that are looked at to find one of ours: others may have put millions there.
const MOST_LOOKED_AT: usize = 10_000;
/// Objects that one answer lists.
const PAGE: usize = 1000;
/// Attempts to complete an upload that another process may be completing.
const COMPLETE_ATTEMPTS: u32 = 4;

/// A bucket and a prefix.
#[derive(Clone)]
pub(in super::super) struct Objects {
    store: Arc<dyn ObjectStore>,
    uploads: Arc<dyn MultipartStore>,
    prefix: Path,
    /// What stands before a key in messages: `s3://bucket/prefix`.
    url: Arc<str>,
    /// Most bytes of a file that the settings ask for: sets the size of a part.
    target_bytes: u64,
}

/// What a [`StagedFile`] of an object store carries: its upload.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Upload {
    pub(in super::super) upload: String,
    pub(in super::super) parts: Vec<String>,
}

impl Upload {
    fn of(file: &StagedFile) -> Result<Self> {
        serde_json::from_value(file.placement.clone()).map_err(|error| {
            Error::data(format!("file {:?} was not staged in an object store", file.path)).with_source(error)
        })
    }
}

impl Objects {
    pub(in super::super) fn new<S: ObjectStore + MultipartStore>(
        store: Arc<S>,
        prefix: Path,
        url: &str,
        target_bytes: u64,
    ) -> Self {
        Self { store: store.clone(), uploads: store, prefix, url: url.into(), target_bytes }
    }

    pub(in super::super) fn place(&self, key: &str) -> String {
        format!("{}/{key}", self.url)
    }

    /// A key as the store knows it. Keys are made of escaped segments: they can't be refused.
    pub(in super::super) fn location(&self, key: &str) -> Result<Path> {
        let path = if self.prefix.is_root() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        Path::parse(path)
            .map_err(|error| Error::internal(format!("{key:?} is no name of an object")).with_source(error))
    }

    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    fn failed(&self, action: &str, key: &str, error: &object_store::Error) -> Error {
        error::store(action, &self.place(key), error)
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Bytes>> {
        let read =
            async { self.store.get(&self.location(key)?).await?.bytes().await.map_err(Failure::Store) };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Failure::Store(error)) if error::is_missing(&error) => Ok(None),
            Err(Failure::Store(error)) => Err(self.failed("can't read", key, &error)),
            Err(Failure::Own(error)) => Err(error),
        }
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>> {
        match self.store.head(&self.location(key)?).await {
            Ok(object) => Ok(Some(object.size)),
            Err(error) if error::is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("can't read", key, &error)),
        }
    }

    pub(super) async fn create(&self, key: &str, bytes: Bytes) -> Result<Creation> {
        let location = self.location(key)?;
        protocol::point!("put.begun");
        match self.store.put_opts(&location, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => {
                protocol::point!("put.answered");
                Ok(Creation::Created)
            }
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Creation::Exists)
            }
            Err(error) => Err(self.failed("can't create", key, &error)),
        }
    }

    pub(super) async fn replace(&self, key: &str, bytes: Bytes) -> Result<()> {
        let put = self.store.put(&self.location(key)?, bytes.into()).await;
        put.map(drop).map_err(|error| self.failed("can't write", key, &error))
    }

    pub(super) async fn list(&self, folder: &str, after: Option<&str>) -> Result<Vec<String>> {
        let prefix = self.location(folder)?;
        let objects = match after {
            Some(after) => {
                let after = self.location(&format!("{folder}/{after}"))?;
                self.store.list_with_offset(Some(&prefix), &after)
            }
            None => self.store.list(Some(&prefix)),
        };
        let mut names: Vec<String> = objects
            .try_filter_map(async |object| {
                let mut inside = object.location.prefix_match(&prefix).into_iter().flatten();
                Ok(match (inside.next(), inside.next()) {
                    (Some(name), None) => Some(name.as_ref().to_owned()),
                    _ => None,
                })
            })
            .try_collect()
            .await
            .map_err(|error| self.failed("can't list", folder, &error))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Manifests sort before the stage folder: both come with one request.
    pub(super) async fn listing(&self, layout: &Layout, after: &str) -> Result<Listing> {
        let (manifests, stage) = (layout.manifests(), layout.stage());
        let (manifests, stage) = (self.location(&manifests)?, self.location(&stage)?);
        let after = manifests.clone().join(after);
        let folder = self.location(&layout.metadata())?;
        let mut found = self.store.list_with_offset(Some(&folder), &after);
        let mut listing = Listing::default();
        let failed = |error| self.failed("can't list", &layout.metadata(), &error);
        while let Some(object) = found.try_next().await.map_err(failed)? {
            for (folder, names) in [(&manifests, &mut listing.manifests), (&stage, &mut listing.stage)] {
                let mut inside = object.location.prefix_match(folder).into_iter().flatten();
                if let (Some(name), None) = (inside.next(), inside.next()) {
                    names.push(name.as_ref().to_owned());
                }
            }
        }
        Ok(listing)
    }

    pub(super) async fn workers(&self, layout: &Layout, run: &Run) -> Result<Vec<Worker>> {
        let own = run.id();
        let mut names = self.list(&layout.stage(), None).await?;
        names.retain(|name| RecordName::parse(name).is_some_and(|name| name.run != own && name.page == 0));
        Ok(names.into_iter().map(Worker).collect())
    }

    pub(super) async fn worker(&self, layout: &Layout, worker: &Worker) -> Result<Option<Record>> {
        let document = self.read(&layout.staged(&worker.0)).await?;
        Ok(document.and_then(|document| Record::read(&document)))
    }

    /// Waits for all of many requests, some of them at once.
    pub(in super::super) async fn all(&self, requests: Vec<impl Future<Output = Result<()>>>) -> Result<()> {
        stream::iter(requests).buffer_unordered(PARALLEL).try_collect().await
    }

    pub(super) async fn any_below(&self, folder: &str, wanted: fn(&str) -> bool) -> Result<bool> {
        let objects = self.store.list(Some(&self.location(folder)?)).take(MOST_LOOKED_AT);
        let found = objects.try_filter(|object| {
            let wanted = object.location.filename().is_some_and(wanted);
            async move { wanted }
        });
        let mut found = std::pin::pin!(found);
        Ok(found.try_next().await.map_err(|error| self.failed("can't list", folder, &error))?.is_some())
    }

    pub(super) async fn any_file_after(&self, folder: &str, after: &str) -> Result<bool> {
        let prefix = self.location(folder)?;
        let offset = self.location(&format!("{folder}/{after}"))?;
        // One page: folders with many files come behind all that is looked for.
        let objects = self.store.list_with_offset(Some(&prefix), &offset).take(PAGE);
        let found = objects.try_filter(|object| {
            let mut inside = object.location.prefix_match(&prefix).into_iter().flatten();
            let is_ours = inside.next().is_some_and(|name| is_file(name.as_ref())) && inside.next().is_none();
            async move { is_ours }
        });
        let mut found = std::pin::pin!(found);
        Ok(found.try_next().await.map_err(|error| self.failed("can't list", folder, &error))?.is_some())
    }

    pub(super) async fn remove(&self, keys: Vec<String>) -> Result<()> {
        let locations = keys.iter().map(|key| self.location(key)).collect::<Result<Vec<_>>>()?;
        let mut removed = self.store.delete_stream(stream::iter(locations.into_iter().map(Ok)).boxed());
        while let Some(result) = removed.next().await {
            match result {
                Err(error) if !error::is_missing(&error) => {
                    let key = keys.first().map_or("", String::as_str);
                    return Err(self.failed("can't remove", key, &error));
                }
                _ => {
                    protocol::point!("objects.removed");
                }
            }
        }
        Ok(())
    }

    pub(super) async fn stage(
        &self,
        layout: &Layout,
        run: &Run,
        path: String,
        sequence: u64,
    ) -> Result<Box<dyn StagedWriter>> {
        let key = layout.file(&path);
        let writer = UploadWriter::create(
            self.uploads.clone(),
            self.location(&key)?,
            path.clone(),
            self.place(&key),
            self.target_bytes,
            run.clone(),
        )
        .await?;
        let begun = Begun { path, upload: writer.upload().to_owned() };
        // Invariant: nothing is sent that another process could not find and abort.
        match run.ledger.begin(self, layout, begun, sequence, run.claims()).await {
            Ok(()) => {
                protocol::point!("upload.noted");
                Ok(Box::new(writer))
            }
            Err(error) => {
                // Why the note could not be written says more.
                let _ = Box::new(writer).abandon().await;
                Err(error)
            }
        }
    }

    /// Aborts an upload; one that is not open counts as aborted.
    pub(in super::super) async fn abort(&self, layout: &Layout, begun: &Begun) -> Result<()> {
        let key = layout.file(checked(&begun.path)?);
        match self.uploads.abort_multipart(&self.location(&key)?, &begun.upload).await {
            Err(error) if !error::is_missing(&error) => Err(self.failed("can't abort", &key, &error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn publish(
        &self,
        layout: &Layout,
        files: &[StagedFile],
        freshness: Freshness,
    ) -> Result<Vec<String>> {
        let published: Vec<_> = files.iter().map(|file| self.publish_one(layout, file, freshness)).collect();
        let lost = stream::iter(published).buffer_unordered(PARALLEL);
        lost.try_filter_map(async |lost| Ok(lost)).try_collect().await
    }

    /// The path of a file that is neither visible nor waiting.
    async fn publish_one(
        &self,
        layout: &Layout,
        file: &StagedFile,
        freshness: Freshness,
    ) -> Result<Option<String>> {
        let key = layout.file(checked(&file.path)?);
        let visible = freshness == Freshness::Unknown && self.is_visible(&key, file.bytes).await?;
        let done = visible || self.complete(&key, file).await?;
        Ok((!done).then(|| file.path.clone()))
    }

    /// Whether the object is there. Fails when it is another.
    async fn is_visible(&self, key: &str, bytes: u64) -> Result<bool> {
        match self.size(key).await? {
            Some(size) if size == bytes => Ok(true),
            Some(size) => Err(wrong_size(&self.place(key), size, bytes)),
            None => Ok(false),
        }
    }

    /// Completes an upload, or finds it completed: `false` where there is neither upload nor object.
    async fn complete(&self, key: &str, file: &StagedFile) -> Result<bool> {
        let placement = Upload::of(file)?;
        let location = self.location(key)?;
        let mut attempt = 0;
        loop {
            let parts = placement.parts.iter().map(|id| PartId { content_id: id.clone() }).collect();
            let completed = self.uploads.complete_multipart(&location, &placement.upload, parts).await;
            let Err(error) = completed else {
                protocol::point!("publish.completed");
                return Ok(true);
            };
            // The answer may be lost, or another process may have been faster.
            if self.is_visible(key, file.bytes).await? {
                return Ok(true);
            }
            attempt += 1;
            // A store may show an object some moments after it has completed it.
            let is_missing = error::is_missing(&error);
            let error = self.failed("can't complete", key, &error);
            match attempt {
                COMPLETE_ATTEMPTS if is_missing => return Ok(false),
                1..COMPLETE_ATTEMPTS if is_missing || error.kind().is_retryable() => {}
                _ => return Err(error),
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
    }

    pub(super) async fn discard(&self, layout: &Layout, files: &[StagedFile]) -> Result<()> {
        let discarded: Vec<_> = files.iter().map(|file| self.discard_one(layout, file)).collect();
        stream::iter(discarded).buffer_unordered(PARALLEL).try_collect().await
    }

    async fn discard_one(&self, layout: &Layout, file: &StagedFile) -> Result<()> {
        let upload = Upload::of(file)?.upload;
        self.abort(layout, &Begun { path: file.path.clone(), upload }).await
    }
}

/// What can go wrong while an object is read.
enum Failure {
    Own(Error),
    Store(object_store::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}
