//! A file of an internal stage: encrypted and digested while it is written, uploaded once it is whole.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Result, StagedFile, StagedWriter};
use serde::{Deserialize, Serialize};

use super::cipher::Encryptor;
use super::internal::Internal;
use super::metadata;
use super::run::Entry;
use super::spool::{self, Spool};
use super::upload::{IN_FLIGHT, PART_BYTES};

/// Bytes that are digested and encrypted in turn: both find them in the processor's cache.
const PIECE_BYTES: usize = 64 << 10;

/// Most bytes that one file keeps in memory: while it is written its blocks, then its parts.
pub(super) const BUFFER_BYTES: usize =
    if spool::BUFFER_BYTES > IN_FLIGHT * PART_BYTES { spool::BUFFER_BYTES } else { IN_FLIGHT * PART_BYTES };

/// What a [`StagedFile`] of a stage carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Placement {
    /// Bytes of the object, as a listing of the stage shows them: encryption adds a few.
    pub(in super::super) stored_bytes: u64,
    /// SHA-256 of the plain content, in base64, where it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in super::super) digest: Option<String>,
}

/// A file of an internal stage. Dropped, it leaves nothing.
pub(super) struct InternalWriter {
    stage: Arc<Internal>,
    /// What stands before the file's path in the stage.
    folder: String,
    entry: Entry,
    encryptor: Option<Encryptor>,
    digest: Context,
    spool: Spool,
    bytes: u64,
}

impl InternalWriter {
    pub(super) async fn create(stage: Arc<Internal>, folder: String, entry: Entry) -> Result<Self> {
        let key = format!("{folder}{}", entry.path);
        let size = stage.grant(&key, None).await?.key_size()?;
        let encryptor = size.map(Encryptor::new).transpose()?;
        let spool = Spool::new(stage.spool.clone());
        Ok(Self { stage, folder, entry, encryptor, digest: Context::new(&SHA256), spool, bytes: 0 })
    }

    async fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        for piece in bytes.chunks(PIECE_BYTES) {
            self.digest.update(piece);
            match &mut self.encryptor {
                Some(encryptor) => encryptor.update(piece, self.spool.block())?,
                None => self.spool.block().extend_from_slice(piece),
            }
            self.spool.settle().await?;
        }
        Ok(())
    }

    async fn upload(mut self) -> Result<StagedFile> {
        let sealed = match self.encryptor.take() {
            Some(encryptor) => Some(encryptor.finish(self.spool.block())?),
            None => None,
        };
        let digest = metadata::digest(self.digest.finish().as_ref());
        let body = self.spool.finish().await?;
        let path = self.entry.path.clone();
        let key = format!("{}{path}", self.folder);
        self.entry.sent();
        protocol::point!("snowflake.upload.begun");
        self.stage.upload(&key, sealed.as_ref(), &digest, &body).await?;
        protocol::point!("snowflake.upload.ended");
        self.entry.staged();
        let placement = Placement { stored_bytes: body.bytes(), digest: Some(digest) };
        let placement = serde_json::json!(placement);
        Ok(StagedFile { path, rows: 0, bytes: self.bytes, placement, receipt: None })
    }
}

impl StagedWriter for InternalWriter {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        async move { self.append(&bytes).await }.boxed()
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<StagedFile>> {
        self.upload().boxed()
    }

    fn abandon(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        // Nothing of it has left this machine.
        async { Ok(()) }.boxed()
    }
}
