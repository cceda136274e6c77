//! A destination that commits nothing: files are staged where they would be, or nowhere at all, and
//! discarded in the end.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::SchemaRef;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{
    Commit, ConfiguredStream, Destination, DynDestination, Error, FileOptions, Head, Prepared, Result, Stage,
    StagedFile, StagedWriter,
};

/// Where a destination is needed and none is meant: refuses everything.
#[derive(Debug, Clone, Copy)]
pub struct Nowhere;

/// A destination that commits nothing.
pub(super) struct Apart {
    inner: Arc<dyn DynDestination>,
    /// Whether files go nowhere.
    is_dry: bool,
    /// What a commit would have made visible.
    left: Arc<Mutex<Vec<StagedFile>>>,
}

impl Apart {
    pub(super) fn new(inner: Arc<dyn DynDestination>, is_dry: bool) -> Self {
        Self { inner, is_dry, left: Arc::default() }
    }
}

fn unused() -> Error {
    Error::unsupported("a bench has no committed files")
}

impl Destination for Nowhere {
    const NAME: &'static str = "nowhere";
    type Config = ();

    async fn open((): ()) -> Result<Self> {
        Ok(Self)
    }

    async fn check(&self) -> Result<Vec<String>> {
        Err(unused())
    }

    async fn head(&self, _: &str) -> Result<Head> {
        Err(unused())
    }

    async fn prepare(&self, _: &ConfiguredStream, _: &SchemaRef) -> Result<Prepared> {
        Err(unused())
    }

    async fn commit(&self, _: &str, _: &Commit) -> Result<Head> {
        Err(unused())
    }
}

impl Destination for Apart {
    const NAME: &'static str = "apart";
    type Config = ();

    async fn open((): ()) -> Result<Self> {
        Err(unused())
    }

    async fn check(&self) -> Result<Vec<String>> {
        Err(unused())
    }

    async fn head(&self, _: &str) -> Result<Head> {
        Err(unused())
    }

    async fn prepare(&self, stream: &ConfiguredStream, schema: &SchemaRef) -> Result<Prepared> {
        let prepared = self.inner.prepare(stream, schema).await?;
        if prepared.head.sequence > 0 {
            return Err(Error::config(format!("target {:?} has commits", stream.target))
                .hint("the bench stages files for it and commits none: give the stream that writes there another `target`"));
        }
        let left = Arc::clone(&self.left);
        let stage = Box::new(ApartStage { inner: prepared.stage, is_dry: self.is_dry, left });
        Ok(Prepared { stage, ..prepared })
    }

    async fn commit(&self, _: &str, commit: &Commit) -> Result<Head> {
        if !self.is_dry {
            self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(commit.files.iter().cloned());
        }
        let (id, schema) = (Some(commit.id), Some(commit.schema.clone()));
        Ok(Head { sequence: commit.sequence, id, schema, state: commit.state.clone(), ..Head::default() })
    }
}

/// A stage whose files all end here.
struct ApartStage {
    inner: Box<dyn Stage>,
    is_dry: bool,
    left: Arc<Mutex<Vec<StagedFile>>>,
}

impl Stage for ApartStage {
    fn options(&self) -> &FileOptions {
        self.inner.options()
    }

    fn buffer_bytes(&self) -> usize {
        self.inner.buffer_bytes()
    }

    fn create<'a>(&'a self, folder: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn StagedWriter>>> {
        if self.is_dry {
            return async { Ok(Box::new(Counting::default()) as Box<dyn StagedWriter>) }.boxed();
        }
        self.inner.create(folder)
    }

    fn discard<'a>(&'a self, files: &'a [StagedFile]) -> BoxFuture<'a, Result<()>> {
        if self.is_dry {
            return async { Ok(()) }.boxed();
        }
        self.inner.discard(files)
    }

    fn claim(&self) {
        if !self.is_dry {
            self.inner.claim();
        }
    }

    fn release(&self) -> BoxFuture<'_, ()> {
        async {
            let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
            if let Err(error) = self.inner.discard(&left).await {
                tracing::warn!("files of the bench could not be removed: {error:#}");
            }
            self.inner.release().await;
        }
        .boxed()
    }
}

/// A file that goes nowhere.
#[derive(Default)]
struct Counting {
    bytes: u64,
}

impl StagedWriter for Counting {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.bytes += bytes.len() as u64;
        async { Ok(()) }.boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<StagedFile>> {
        async move {
            Ok(StagedFile {
                path: "nowhere".to_owned(),
                rows: 0,
                bytes: self.bytes,
                placement: serde_json::Value::Null,
                receipt: None,
            })
        }
        .boxed()
    }

    fn abandon(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async { Ok(()) }.boxed()
    }
}
