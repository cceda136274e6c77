//! Where a file waits until it is whole: its digest stands in the object's metadata, which goes before the
//! content.
//!
//! Little stays in memory, the rest in a file that has no name from its first moment on, where the system
//! can do that: whatever ends the process, nothing is left. What is in it is encrypted already, unless the
//! stage takes files as they are.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use protocol::{Error, Result};
use tokio::task::JoinHandle;

use crate::storage::error;

/// Bytes that are handed to the file system at once, and most of a file that never sees it.
const BLOCK_BYTES: usize = 1 << 20;
/// One block is filled while another is written. Encryption may add to the one, and grow it for that.
pub(super) const BUFFER_BYTES: usize = 3 * BLOCK_BYTES;

/// A file that is being written.
pub(super) struct Spool {
    directory: Arc<Path>,
    block: BytesMut,
    file: Option<Arc<File>>,
    writing: Option<JoinHandle<Result<()>>>,
    /// Bytes that were handed over.
    written: u64,
}

/// A file that is whole.
#[derive(Debug, Clone)]
pub(super) struct Spooled {
    place: Place,
    bytes: u64,
}

#[derive(Debug, Clone)]
enum Place {
    Memory(Bytes),
    File(Arc<File>, PathBuf),
}

impl Spool {
    /// A file in that directory, once it is too large for memory.
    pub(super) fn new(directory: Arc<Path>) -> Self {
        Self { directory, block: BytesMut::new(), file: None, writing: None, written: 0 }
    }

    /// What is appended to; [`Spool::settle`] follows.
    pub(super) fn block(&mut self) -> &mut BytesMut {
        &mut self.block
    }

    /// Takes what was appended, and waits while too much of it is on its way to the disk.
    pub(super) async fn settle(&mut self) -> Result<()> {
        if self.block.len() < BLOCK_BYTES {
            return Ok(());
        }
        self.hand_over().await
    }

    async fn hand_over(&mut self) -> Result<()> {
        self.wait().await?;
        let block =
            std::mem::replace(&mut self.block, BytesMut::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8));
        self.written += block.len() as u64;
        let (known, directory) = (self.file.clone(), self.directory.clone());
        let file = if let Some(file) = known {
            file
        } else {
            let place = directory.clone();
            let created = tokio::task::spawn_blocking(move || tempfile::tempfile_in(&place));
            let file = joined(created.await)?
                .map_err(|error| advised(error::file("can't make a file in", &directory, error)))?;
            self.file.insert(Arc::new(file)).clone()
        };
        self.writing = Some(tokio::task::spawn_blocking(move || {
            (&*file)
                .write_all(&block)
                .map_err(|error| advised(error::file("can't write a file in", &directory, error)))
        }));
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await;
        self.writing = None;
        joined(written)?
    }

    /// Ends the file.
    pub(super) async fn finish(mut self) -> Result<Spooled> {
        if self.file.is_some() && !self.block.is_empty() {
            self.hand_over().await?;
        }
        self.wait().await?;
        Ok(match self.file {
            Some(file) => {
                Spooled { place: Place::File(file, self.directory.to_path_buf()), bytes: self.written }
            }
            None => Spooled::from(self.block.freeze()),
        })
    }
}

impl From<Bytes> for Spooled {
    fn from(content: Bytes) -> Self {
        let bytes = content.len() as u64;
        Self { place: Place::Memory(content), bytes }
    }
}

impl Spooled {
    /// Its bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// At most `most` of its bytes from `offset` on: fewer at its end only.
    pub(super) async fn part(&self, offset: u64, most: usize) -> Result<Bytes> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = left.min(most);
        match &self.place {
            Place::Memory(content) => {
                let begin = content.len() - left;
                Ok(content.slice(begin..begin + length))
            }
            Place::File(file, directory) => {
                let (file, directory) = (file.clone(), directory.clone());
                // Not in the other thread: allocators keep something for each thread that asks.
                let mut part = vec![0; length];
                let read = tokio::task::spawn_blocking(move || {
                    file.read_exact_at(&mut part, offset)
                        .map_err(|error| error::file("can't read a file in", &directory, error))?;
                    Ok(Bytes::from(part))
                });
                joined(read.await)?
            }
        }
    }
}

fn joined<T>(result: Result<T, tokio::task::JoinError>) -> Result<T> {
    result.map_err(|error| Error::internal("a call to the file system did not end").with_source(error))
}

fn advised(error: Error) -> Error {
    error.hint(
        "files for Snowflake are kept there until they are uploaded: name a directory with room in `spool`",
    )
}

#[cfg(test)]
mod tests {
    use protocol::ErrorKind;

    use super::*;

    async fn spooled(directory: &Path, bytes: &[u8]) -> Spooled {
        let mut spool = Spool::new(directory.into());
        for piece in bytes.chunks(300_000) {
            spool.block().extend_from_slice(piece);
            spool.settle().await.unwrap();
        }
        spool.finish().await.unwrap()
    }

    #[tokio::test]
    async fn what_was_written_is_read_in_parts_and_leaves_no_name() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 1, 300_000, BLOCK_BYTES, 5 * BLOCK_BYTES + 7] {
            let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(size).collect();
            let file = spooled(folder.path(), &bytes).await;
            assert_eq!(file.bytes(), size as u64);
            let is_small = matches!(file.place, Place::Memory(_));
            assert_eq!(is_small, size < BLOCK_BYTES, "{size}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file with a name");
            let mut read = Vec::new();
            while read.len() < size {
                read.extend_from_slice(&file.part(read.len() as u64, 700_000).await.unwrap());
            }
            assert!(read == bytes, "{size}");
            assert_eq!(file.part(size as u64, 10).await.unwrap().len(), 0);
        }
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path().join("absent").into());
        spool.block().resize(BLOCK_BYTES, 0);
        let error = spool.settle().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("absent") && error.advice().unwrap().contains("`spool`"));
    }
}
