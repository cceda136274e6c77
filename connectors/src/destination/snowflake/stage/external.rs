//! An external stage: a bucket of the user's, which Snowflake reads by the stage object that the user made.
//! Files go there as into any bucket.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt};
use protocol::{Error, Result, StagedFile, StagedWriter};

use super::run::Entry;
use super::spool::Spooled;
use super::sql::StageName;
use super::upload::{self, Failure, IN_FLIGHT, PART_BYTES, Upload};
use super::writer::Placement;
use super::{Listed, check_path};
use crate::storage::{Access, bucket_and_prefix, error, s3};

/// An external stage on S3.
pub(super) struct External {
    pub(super) name: StageName,
    store: Arc<dyn ObjectStore>,
    /// What every key begins with; empty or with a slash at its end.
    prefix: String,
    /// What stands before a key in messages.
    url: String,
}

impl External {
    /// The stage whose `URL` that is. Connects to nothing yet.
    pub(super) fn open(name: StageName, url: &str, access: &Access) -> Result<Self> {
        let place = url.strip_prefix("s3://").ok_or_else(|| {
            Error::config("the external stage's `url` is no bucket of S3")
                .hint("write what the stage was made with: `s3://bucket/prefix/`")
        })?;
        let (bucket, prefix) = bucket_and_prefix(place)?;
        let prefix = if prefix.is_root() { String::new() } else { format!("{prefix}/") };
        let url = format!("s3://{bucket}/{prefix}");
        let store = s3(access, bucket)?.build().map_err(|error| error::store("can't use", &url, &error))?;
        Ok(Self { name, store: Arc::new(store), prefix, url })
    }

    fn location(&self, path: &str) -> Result<Path> {
        Path::parse(format!("{}{path}", self.prefix))
            .map_err(|error| Error::internal(format!("{path:?} is no name of an object")).with_source(error))
    }

    fn failed(&self, action: &str, path: &str, error: &object_store::Error) -> Error {
        error::store(action, &format!("{}{path}", self.url), error)
    }

    fn refused(&self, path: &str, failure: Failure) -> Error {
        match failure {
            Failure::Own(error) => error,
            Failure::Store(error) => self.failed("can't upload", path, &error),
        }
    }

    pub(super) async fn put(&self, path: &str, content: &Bytes) -> Result<()> {
        let location = self.location(path)?;
        upload::put_small(self.store.as_ref(), &location, content.clone())
            .await
            .map_err(|error| self.failed("can't write", path, &error))
    }

    pub(super) async fn get(&self, path: &str, most: u64) -> Result<Option<Bytes>> {
        let got = match self.store.get(&self.location(path)?).await {
            Ok(got) => got,
            Err(error) if error::is_missing(&error) => return Ok(None),
            Err(error) => return Err(self.failed("can't read", path, &error)),
        };
        super::remote::refuse_large(&format!("{}{path}", self.url), got.meta.size, most)?;
        let content = got.bytes().await.map_err(|error| self.failed("can't read", path, &error))?;
        Ok(Some(content))
    }

    /// Lists the files whose paths begin with `path`.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Listed>> {
        // Stores list whole folders.
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let root =
            Path::parse(format!("{}{folder}", self.prefix).trim_end_matches('/')).map_err(|error| {
                Error::internal(format!("{path:?} is no name of a folder")).with_source(error)
            })?;
        let found = self.store.list(Some(&root)).try_filter_map(async |object| {
            let key = object.location.as_ref();
            let file = key.strip_prefix(&self.prefix).filter(|known| known.starts_with(path));
            Ok(file.map(|file| Listed { path: file.to_owned(), bytes: object.size }))
        });
        let mut files: Vec<Listed> =
            found.try_collect().await.map_err(|error| self.failed("can't list", path, &error))?;
        files.sort();
        Ok(files)
    }

    /// Removes the files whose paths begin with `path`.
    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        check_path(path)?;
        let files = self.list(path).await?;
        let locations = files.iter().map(|file| self.location(&file.path)).collect::<Result<Vec<_>>>()?;
        let mut removed = self.store.delete_stream(stream::iter(locations.into_iter().map(Ok)).boxed());
        while let Some(result) = removed.next().await {
            match result {
                Err(error) if !error::is_missing(&error) => {
                    return Err(self.failed("can't remove", path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A file of an external stage. It has no name in the bucket before it is finished.
pub(super) struct ExternalWriter {
    stage: Arc<External>,
    folder: String,
    entry: Entry,
    part: BytesMut,
    upload: Option<Upload>,
    bytes: u64,
}

/// Most bytes that one file keeps in memory.
pub(super) const BUFFER_BYTES: usize = IN_FLIGHT * PART_BYTES;

impl ExternalWriter {
    pub(super) fn new(stage: Arc<External>, folder: String, entry: Entry) -> Self {
        Self { stage, folder, entry, part: BytesMut::new(), upload: None, bytes: 0 }
    }

    fn key(&self) -> String {
        format!("{}{}", self.folder, self.entry.path)
    }

    fn attributes() -> Attributes {
        [(Attribute::ContentType, "application/vnd.apache.parquet")].into_iter().collect()
    }

    async fn fill(&mut self, mut bytes: Bytes) -> Result<(), Failure> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.part.is_empty() && self.upload.is_some() {
                self.part.reserve(PART_BYTES);
            }
            // Copied: a slice would keep all of what it was cut from.
            let next = bytes.split_to(bytes.len().min(PART_BYTES - self.part.len()));
            self.part.extend_from_slice(&next);
            if self.part.len() == PART_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Failure> {
        let part = self.part.split().freeze();
        if self.upload.is_none() {
            let location = self.stage.location(&self.key())?;
            let begun = Upload::begin(&self.stage.store, &location, Self::attributes()).await?;
            self.upload = Some(begun);
        }
        if let Some(upload) = &mut self.upload {
            upload.send(part.into());
            // One more is filled besides those on their way.
            upload.room(IN_FLIGHT).await?;
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), Failure> {
        if self.upload.is_some() && !self.part.is_empty() {
            self.send().await?;
        }
        if let Some(upload) = self.upload.take() {
            return Ok(upload.complete().await?);
        }
        let location = self.stage.location(&self.key())?;
        let body = Spooled::from(self.part.split().freeze());
        upload::put(&self.stage.store, &location, Self::attributes(), &body).await
    }
}

impl StagedWriter for ExternalWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            let written = self.fill(bytes).await;
            written.map_err(|failure| self.stage.refused(&self.key(), failure))
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<StagedFile>> {
        async move {
            self.entry.sent();
            let completed = self.complete().await;
            completed.map_err(|failure| self.stage.refused(&self.key(), failure))?;
            self.entry.staged();
            let placement = serde_json::json!(Placement { stored_bytes: self.bytes, digest: None });
            let (path, bytes) = (self.entry.path.clone(), self.bytes);
            Ok(StagedFile { path, rows: 0, bytes, placement, receipt: None })
        }
        .boxed()
    }

    fn abandon(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            let Some(upload) = self.upload.take() else { return Ok(()) };
            match upload.abort().await {
                Err(error) if !error::is_missing(&error) => {
                    Err(self.stage.failed("can't abort the upload of", &self.key(), &error))
                }
                _ => Ok(()),
            }
        }
        .boxed()
    }
}
