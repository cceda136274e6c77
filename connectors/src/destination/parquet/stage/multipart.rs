//! A file that is written as a multipart upload, which stays incomplete until its commit stands.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::MultipartId;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use protocol::{Error, Result, StagedFile, StagedWriter};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::destination::parquet::error;
use crate::destination::parquet::store::{Run, Upload};

/// Parts on their way at once, besides the one that is filled.
const IN_FLIGHT: usize = 2;
/// Most parts that S3 takes for one upload.
const MOST_PARTS: usize = 10_000;
/// The usual size of a part: the least that stores take. All but the last must be of one size.
const PART_BYTES: u64 = 5 << 20;

/// Size of the parts of a file of about `target_bytes`: so that twice as many bytes fit.
fn part_bytes(target_bytes: u64) -> usize {
    let needed = target_bytes.div_ceil(MOST_PARTS as u64 / 2);
    usize::try_from(needed.max(PART_BYTES)).unwrap_or(usize::MAX)
}

/// Most bytes that one writer keeps.
pub(in super::super) fn buffer_bytes(target_bytes: u64) -> usize {
    part_bytes(target_bytes).saturating_mul(IN_FLIGHT + 1)
}

/// An upload. Dropped before it is finished, it is aborted in the background.
pub(in super::super) struct UploadWriter {
    upload: Open,
    /// Where it will be visible.
    path: String,
    part_bytes: usize,
    part: BytesMut,
    /// Parts in order; `None` while on their way.
    parts: Vec<Option<String>>,
    sending: JoinSet<(usize, object_store::Result<PartId>, Bytes)>,
    /// Memory of a part that has arrived, for the next.
    free: Option<BytesMut>,
    bytes: u64,
}

/// An upload that is neither finished nor aborted.
struct Open {
    store: Arc<dyn MultipartStore>,
    location: Path,
    /// The location as people know it.
    place: String,
    id: Option<MultipartId>,
    /// Of its staged file, as the run knows it.
    path: String,
    run: Run,
}

impl Open {
    fn id(&self) -> &MultipartId {
        self.id.as_ref().expect("taken only by what ends the upload")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), Handle::try_current()) else { return };
        let (store, location) = (self.store.clone(), self.location.clone());
        let (path, run) = (std::mem::take(&mut self.path), self.run.clone());
        // Best effort: the run's release, or another process, aborts what this does not reach.
        runtime.spawn(async move {
            if store.abort_multipart(&location, &id).await.is_ok() {
                run.end(&path);
            }
        });
    }
}

impl UploadWriter {
    pub(in super::super) async fn create(
        store: Arc<dyn MultipartStore>,
        location: Path,
        path: String,
        place: String,
        target_bytes: u64,
        run: Run,
    ) -> Result<Self> {
        let id = store
            .create_multipart(&location)
            .await
            .map_err(|error| error::store("can't start the upload of", &place, &error))?;
        protocol::point!("upload.created");
        Ok(Self {
            upload: Open { store, location, place, id: Some(id), path: path.clone(), run },
            path,
            part_bytes: part_bytes(target_bytes),
            part: BytesMut::new(),
            parts: Vec::new(),
            sending: JoinSet::new(),
            free: None,
            bytes: 0,
        })
    }

    /// Id of the upload.
    pub(in super::super) fn upload(&self) -> &str {
        self.upload.id()
    }

    /// Sends what is filled, once there is room for one more part on its way.
    async fn send(&mut self) -> Result<()> {
        if self.parts.len() == MOST_PARTS {
            return Err(Error::config(format!(
                "{} grows beyond {MOST_PARTS} parts of {} bytes",
                self.upload.place, self.part_bytes
            ))
            .hint("a row group is far larger than `file_size`: raise `file_size`"));
        }
        while self.sending.len() >= IN_FLIGHT {
            self.receive().await?;
        }
        let (store, location, id) =
            (self.upload.store.clone(), self.upload.location.clone(), self.upload.id().clone());
        let (number, bytes) = (self.parts.len(), std::mem::take(&mut self.part).freeze());
        self.parts.push(None);
        self.sending.spawn(async move {
            let sent = store.put_part(&location, &id, number, bytes.clone().into()).await;
            (number, sent, bytes)
        });
        Ok(())
    }

    /// Waits for one part to arrive.
    async fn receive(&mut self) -> Result<()> {
        let Some(sent) = self.sending.join_next().await else { return Ok(()) };
        let (number, part, bytes) =
            sent.map_err(|error| Error::internal("an upload did not end").with_source(error))?;
        let part = part.map_err(|error| error::store("can't upload", &self.upload.place, &error))?;
        self.parts[number] = Some(part.content_id);
        // The client may hold on to it; then memory is taken anew.
        self.free = bytes.try_into_mut().ok();
        protocol::point!("upload.part");
        Ok(())
    }

    async fn fill(&mut self, mut bytes: Bytes) -> Result<()> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.part.is_empty() {
                self.part = self.free.take().unwrap_or_default();
                self.part.clear();
                self.part.reserve(self.part_bytes);
            }
            // Copied: a slice would keep all of what it was cut from.
            let room = self.part_bytes - self.part.len();
            let next = bytes.split_to(room.min(bytes.len()));
            self.part.extend_from_slice(&next);
            if self.part.len() == self.part_bytes {
                self.send().await?;
            }
        }
        Ok(())
    }
}

impl StagedWriter for UploadWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.fill(bytes).boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<StagedFile>> {
        async move {
            if !self.part.is_empty() {
                self.send().await?;
            }
            while !self.sending.is_empty() {
                self.receive().await?;
            }
            let parts = std::mem::take(&mut self.parts).into_iter().flatten().collect();
            let upload = self.upload.id.take().expect("taken only by what ends the upload");
            let placement = serde_json::json!(Upload { upload, parts });
            let path = std::mem::take(&mut self.path);
            Ok(StagedFile { path, rows: 0, bytes: self.bytes, placement, receipt: None })
        }
        .boxed()
    }

    fn abandon(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            // A part that arrives after the abort would keep its space.
            self.sending.shutdown().await;
            let id = self.upload.id.take().expect("taken only by what ends the upload");
            match self.upload.store.abort_multipart(&self.upload.location, &id).await {
                Err(error) if !error::is_missing(&error) => {
                    Err(error::store("can't abort the upload of", &self.upload.place, &error))
                }
                _ => {
                    self.upload.run.end(&self.path);
                    Ok(())
                }
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_only_for_huge_files() {
        assert_eq!(part_bytes(128 << 20), 5 << 20);
        assert_eq!(part_bytes(24 << 30), 5 << 20);
        for target in [26_u64 << 30, 1 << 40, 5 << 40] {
            assert!(part_bytes(target) as u64 * MOST_PARTS as u64 >= 2 * target, "{target}");
        }
        assert_eq!(buffer_bytes(1), 15 << 20);
    }
}
