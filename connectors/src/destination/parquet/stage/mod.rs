//! Where the engine writes files aside.

pub(super) mod local;
pub(super) mod multipart;

use std::sync::Arc;

use arrow_schema::SchemaRef;
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Error, FileOptions, Result, Stage, StagedFile, StagedWriter};

use super::claim;
use super::layout::new_file;
use super::store::Store;
use super::target::Target;

/// The stage of one target.
pub(super) struct ParquetStage {
    pub(super) store: Arc<Store>,
    pub(super) target: Arc<Target>,
    pub(super) options: FileOptions,
    pub(super) connection: String,
    pub(super) schema: SchemaRef,
}

impl Stage for ParquetStage {
    fn options(&self) -> &FileOptions {
        &self.options
    }

    fn buffer_bytes(&self) -> usize {
        self.store.buffer_bytes(self.options.target_bytes)
    }

    fn create<'a>(&'a self, folder: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn StagedWriter>>> {
        async move {
            let sequence = self.target.next_sequence();
            let path = new_file(folder, sequence)?;
            let writer = self.store.stage(&self.target.layout, &self.target.run, path, sequence).await?;
            if let Err(error) = claim::hold(&self.store, &self.target, &self.connection, &self.schema).await {
                // Why the claim was refused says more.
                let _ = writer.abandon().await;
                return Err(error);
            }
            Ok(writer)
        }
        .boxed()
    }

    fn discard<'a>(&'a self, files: &'a [StagedFile]) -> BoxFuture<'a, Result<()>> {
        async move {
            // A commit without an answer may stand: without its files its rows would be lost.
            if let Some(file) = files.iter().find(|file| self.target.is_in_doubt(file)) {
                return Err(Error::transient(format!(
                    "file {:?} is kept: whether its commit took effect is not known",
                    file.path
                ))
                .hint("the next sync of this stream finds out and cleans up"));
            }
            self.store.discard(&self.target.layout, files).await?;
            self.target.run.ended(files);
            Ok(())
        }
        .boxed()
    }

    fn claim(&self) {
        self.target.run.claim();
    }

    fn release(&self) -> BoxFuture<'_, ()> {
        claim::release(&self.store, &self.target).boxed()
    }
}
