//! An object store in memory that answers as S3 does, and fails when it is told to.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// It takes no effect, and the server says so: 503.
    Unavailable,
    /// It takes no effect, and the server says that another request is under way: 409.
    Busy,
    /// It takes no effect: the key is not allowed to do it.
    Forbidden,
}

/// Which calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Put,
    Get,
    Complete,
    Part,
    Delete,
}

/// How the store creates what must not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Creates {
    #[default]
    Atomically,
    /// The condition is ignored, as some servers do.
    Unconditionally,
    /// It is looked up first and written then, as other servers do.
    InTwoSteps,
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) inner: InMemory,
    pub(super) creates: Creates,
    /// Uploads that are neither completed nor aborted.
    uploads: Mutex<BTreeSet<MultipartId>>,
    /// Requests that were made.
    requests: AtomicUsize,
    /// Calls on keys that contain the text fail, each as often as it says.
    faults: Mutex<Vec<(Call, &'static str, Fault, usize)>>,
}

impl Memory {
    pub(super) fn creating(creates: Creates) -> Self {
        Self { creates, ..Self::default() }
    }

    pub(super) fn fail(&self, call: Call, key: &'static str, fault: Fault, times: usize) {
        self.faults.lock().unwrap().push((call, key, fault, times));
    }

    /// How many uploads are open: each costs money until it is aborted.
    pub(super) fn open_uploads(&self) -> usize {
        self.uploads.lock().unwrap().len()
    }

    /// Requests since it was asked last: each costs money and time.
    pub(super) fn requests(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }

    fn count(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends all faults.
    pub(super) fn heal(&self) {
        self.faults.lock().unwrap().clear();
    }

    fn fault(&self, call: Call, path: &Path) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let (.., fault, times) = faults
            .iter_mut()
            .find(|(on, key, _, times)| *on == call && path.as_ref().contains(key) && *times > 0)?;
        *times -= 1;
        Some(*fault)
    }

    async fn with_fault<T>(
        &self,
        call: Call,
        path: &Path,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.count();
        let status = |status: &str| Error::Generic {
            store: "Memory",
            source: format!("Server returned non-2xx status code: {status}").into(),
        };
        match self.fault(call, path) {
            None => work.await,
            Some(Fault::AnswerLost) => work.await.and(Err(status("500 Internal Server Error"))),
            Some(Fault::Unavailable) => Err(status("503 Service Unavailable")),
            Some(Fault::Busy) => {
                Err(Error::AlreadyExists { path: path.to_string(), source: "409 Conflict".into() })
            }
            Some(Fault::Forbidden) => {
                Err(Error::PermissionDenied { path: path.to_string(), source: "403 Forbidden".into() })
            }
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

#[async_trait]
impl ObjectStore for Memory {
    async fn put_opts(&self, path: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        self.with_fault(Call::Put, path, async move {
            if options.mode == PutMode::Create && self.creates != Creates::Atomically {
                options.mode = PutMode::Overwrite;
                if self.creates == Creates::InTwoSteps {
                    if self.inner.head(path).await.is_ok() {
                        return Err(Error::AlreadyExists { path: path.to_string(), source: "412".into() });
                    }
                    tokio::task::yield_now().await;
                }
            }
            self.inner.put_opts(path, payload, options).await
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.with_fault(Call::Get, path, self.inner.get_opts(path, options)).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.count();
        if self.fault(Call::Delete, &Path::default()).is_some() {
            let error = Error::PermissionDenied { path: String::new(), source: "403".into() };
            return Box::pin(futures::stream::once(async { Err(error) }));
        }
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.count();
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// An upload that is completed or aborted is not there, as S3 says it.
fn no_such_upload<T>(path: &Path, result: Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::Generic { source, .. } if source.to_string().contains("not found") => Error::NotFound {
            path: path.to_string(),
            source: "status code: 404 Not Found: <Code>NoSuchUpload</Code>".into(),
        },
        other => other,
    })
}

#[async_trait]
impl MultipartStore for Memory {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.count();
        let id = self.inner.create_multipart(path).await?;
        self.uploads.lock().unwrap().insert(id.clone());
        Ok(id)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        number: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let sent = self.with_fault(Call::Part, path, self.inner.put_part(path, id, number, data)).await;
        no_such_upload(path, sent)
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        let complete = async {
            let completed = self.inner.complete_multipart(path, id, parts).await?;
            self.uploads.lock().unwrap().remove(id);
            Ok(completed)
        };
        let completed = self.with_fault(Call::Complete, path, complete).await;
        no_such_upload(path, completed)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.count();
        self.uploads.lock().unwrap().remove(id);
        no_such_upload(path, self.inner.abort_multipart(path, id).await)
    }
}
