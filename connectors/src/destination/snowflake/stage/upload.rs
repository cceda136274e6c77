//! One object that is uploaded, in parts where it is large.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attributes, MultipartUpload, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
};
use protocol::Error;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::spool::Spooled;

/// Bytes of a part. Stores want all but the last to be at least 5 MiB and of one size.
pub(super) const PART_BYTES: usize = 8 << 20;
/// Parts of one object in memory at once.
pub(super) const IN_FLIGHT: usize = 3;
/// Most bytes of an object: stores take ten thousand parts.
pub(super) const LARGEST: u64 = PART_BYTES as u64 * 10_000;

/// Why an object is not there.
pub(super) enum Failure {
    /// What was to be uploaded can't be read.
    Own(Error),
    /// The store says no.
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

/// Puts a whole file, whether or not there is one.
pub(super) async fn put(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    attributes: Attributes,
    body: &Spooled,
) -> Result<(), Failure> {
    if body.bytes() <= PART_BYTES as u64 {
        let content = body.part(0, PART_BYTES).await?;
        let options = PutOptions { attributes, ..PutOptions::default() };
        store.put_opts(location, content.into(), options).await?;
        return Ok(());
    }
    let mut upload = Upload::begin(store, location, attributes).await?;
    match parts(&mut upload, body).await {
        Ok(()) => Ok(upload.complete().await?),
        Err(failure) => {
            // Why it failed says more than why that can't be undone.
            let _ = upload.abort().await;
            Err(failure)
        }
    }
}

async fn parts(upload: &mut Upload, body: &Spooled) -> Result<(), Failure> {
    let mut sent = 0;
    while sent < body.bytes() {
        // Waits before the part is in memory.
        upload.room(IN_FLIGHT).await?;
        let part = body.part(sent, PART_BYTES).await?;
        sent += part.len() as u64;
        upload.send(part.into());
    }
    Ok(upload.room(1).await?)
}

/// An upload in parts. Dropped before it is complete, it is aborted in the background.
pub(super) struct Upload {
    upload: Option<Box<dyn MultipartUpload>>,
    sending: JoinSet<object_store::Result<()>>,
}

impl Upload {
    pub(super) async fn begin(
        store: &Arc<dyn ObjectStore>,
        location: &Path,
        attributes: Attributes,
    ) -> object_store::Result<Self> {
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let (store, location) = (Arc::clone(store), location.clone());
        // A task of its own: where nobody waits for the answer any more, there is an upload to abort.
        let begun = tokio::spawn(async move {
            let upload = store.put_multipart_opts(&location, options).await?;
            Ok(Self { upload: Some(upload), sending: JoinSet::new() })
        });
        begun.await.map_err(|source| object_store::Error::JoinError { source })?
    }

    fn upload(&mut self) -> &mut Box<dyn MultipartUpload> {
        self.upload.as_mut().expect("taken only by what ends the upload")
    }

    /// Waits until fewer than `most` parts are on their way.
    pub(super) async fn room(&mut self, most: usize) -> object_store::Result<()> {
        while self.sending.len() >= most {
            match self.sending.join_next().await {
                Some(Ok(sent)) => sent?,
                Some(Err(source)) => return Err(object_store::Error::JoinError { source }),
                None => {}
            }
        }
        Ok(())
    }

    /// Sends the next part.
    pub(super) fn send(&mut self, part: PutPayload) {
        let part = self.upload().put_part(part);
        self.sending.spawn(part);
    }

    /// Makes the object of its parts, once all have arrived.
    pub(super) async fn complete(mut self) -> object_store::Result<()> {
        self.room(1).await?;
        self.upload().complete().await?;
        self.upload = None;
        Ok(())
    }

    pub(super) async fn abort(mut self) -> object_store::Result<()> {
        // A part that arrives after the abort would keep its space.
        self.sending.shutdown().await;
        let mut upload = self.upload.take().expect("taken only by what ends the upload");
        upload.abort().await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else { return };
        let mut sending = std::mem::take(&mut self.sending);
        runtime.spawn(async move {
            sending.shutdown().await;
            // Best effort: what this does not reach is removed by the rules of the bucket.
            let _ = upload.abort().await;
        });
    }
}

/// Puts a small object.
pub(super) async fn put_small(
    store: &dyn ObjectStore,
    location: &Path,
    content: Bytes,
) -> object_store::Result<()> {
    store.put(location, content.into()).await.map(drop)
}
