//! A file that is written in a directory's stage folder.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Error, Result, StagedFile, StagedWriter};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::destination::parquet::error;
use crate::destination::parquet::store::{Placement, blocking, remove_file};

/// Bytes that are handed to the file system at once.
const BLOCK_BYTES: usize = 1 << 20;
/// One block is filled while another is written.
pub(in super::super) const BUFFER_BYTES: usize = 2 * BLOCK_BYTES;

/// A file of a directory. Its name ends in `.part` until it is finished.
pub(in super::super) struct LocalWriter {
    /// Where it will be visible.
    path: String,
    /// Its finished name in the stage folder.
    temp: String,
    place: PathBuf,
    part: Part,
    file: Arc<File>,
    block: BytesMut,
    writing: Option<JoinHandle<Result<Bytes>>>,
    /// Memory of a block that is written, for the next.
    free: Option<BytesMut>,
    bytes: u64,
}

/// The file while it is written: removed when it is dropped.
struct Part(Option<PathBuf>);

impl Part {
    fn path(&self) -> &Path {
        self.0.as_deref().expect("taken only by what ends the file")
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Best effort: a later clean-up removes what this does not reach.
        match (self.0.take(), Handle::try_current()) {
            (Some(path), Ok(runtime)) => drop(runtime.spawn_blocking(move || fs::remove_file(path))),
            (Some(path), Err(_)) => drop(fs::remove_file(path)),
            (None, _) => {}
        }
    }
}

impl LocalWriter {
    pub(in super::super) async fn create(
        path: String,
        temp: String,
        place: PathBuf,
    ) -> Result<Box<dyn StagedWriter>> {
        let part = place.with_extension("part");
        let created = part.clone();
        let file = blocking(move || {
            File::create_new(&created).map_err(|error| error::file("can't create", &created, error))
        })
        .await?;
        protocol::point!("local.created");
        Ok(Box::new(Self {
            path,
            temp,
            place,
            part: Part(Some(part)),
            file: Arc::new(file),
            block: BytesMut::new(),
            writing: None,
            free: None,
            bytes: 0,
        }))
    }

    /// Waits for the block before, then hands `block` over.
    async fn hand_over(&mut self, block: Bytes) -> Result<()> {
        self.settle().await?;
        let (file, part) = (self.file.clone(), self.part.path().to_owned());
        self.writing = Some(tokio::task::spawn_blocking(move || {
            (&*file).write_all(&block).map_err(|error| error::file("can't write", &part, error))?;
            Ok(block)
        }));
        Ok(())
    }

    /// Waits until all that was handed over is written.
    async fn settle(&mut self) -> Result<()> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await;
        self.writing = None;
        let block = written.map_err(|error| Error::internal("a write did not end").with_source(error))??;
        if let Ok(mut block) = block.try_into_mut()
            && (BLOCK_BYTES..=2 * BLOCK_BYTES).contains(&block.capacity())
        {
            block.clear();
            self.free = Some(block);
        }
        Ok(())
    }
}

impl StagedWriter for LocalWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        async move {
            self.bytes += bytes.len() as u64;
            if bytes.len() >= BLOCK_BYTES {
                // Large ones are not copied, and waited for: they may hold more than a block.
                let block = std::mem::take(&mut self.block).freeze();
                if !block.is_empty() {
                    self.hand_over(block).await?;
                }
                self.hand_over(bytes).await?;
                return self.settle().await;
            }
            if self.block.len() + bytes.len() > BLOCK_BYTES {
                let block = std::mem::take(&mut self.block).freeze();
                self.hand_over(block).await?;
            }
            if self.block.is_empty() {
                self.block = self.free.take().unwrap_or_default();
                self.block.reserve(BLOCK_BYTES);
            }
            self.block.extend_from_slice(&bytes);
            Ok(())
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<StagedFile>> {
        async move {
            let block = std::mem::take(&mut self.block).freeze();
            self.hand_over(block).await?;
            self.settle().await?;
            let Self { path, temp, place, mut part, file, bytes, .. } = *self;
            let unfinished = part.path().to_owned();
            blocking(move || {
                file.sync_all().map_err(|error| error::file("can't write", &unfinished, error))?;
                protocol::point!("local.synced");
                fs::rename(&unfinished, &place).map_err(|error| error::file("can't finish", &place, error))
            })
            .await?;
            part.0 = None;
            let placement = serde_json::json!(Placement { temp });
            Ok(StagedFile { path, rows: 0, bytes, placement, receipt: None })
        }
        .boxed()
    }

    fn abandon(mut self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        async move {
            // Whether the last block was written no longer matters.
            let _ = self.settle().await;
            let part = self.part.0.take().expect("taken only by what ends the file");
            blocking(move || remove_file(&part)).await
        }
        .boxed()
    }
}
