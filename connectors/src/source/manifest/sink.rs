//! Where the engine of manifests puts a stream's records: columns, and checkpoints where no slice is open.

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{ConfiguredStream, Emitter, Error, Result};

use super::{Manifest, Partition};
use crate::source::airbyte::filler::Filler;
use crate::source::declarative::config::Mask;
use crate::source::declarative::record::Records;
use crate::source::declarative::stream::{Level, Progress, Sink};

/// The rows of one stream.
pub(super) struct Rows<'a, 'e> {
    filler: Filler<'a, 'e, Manifest>,
    /// Whether states are of use: a full refresh begins at the beginning.
    is_incremental: bool,
    stream: String,
    mask: &'a Mask,
    state: Option<serde_json::Value>,
}

impl<'a, 'e> Rows<'a, 'e> {
    pub(super) fn new(
        stream: &ConfiguredStream,
        out: &'a mut Emitter<'e, Manifest>,
        mask: &'a Mask,
        is_incremental: bool,
    ) -> Result<Self> {
        let filler = Filler::new(stream, out)?;
        let stream = stream.name.clone();
        Ok(Self { filler, is_incremental, stream, mask, state: None })
    }

    /// Hands on what is left; says where the stream stands.
    pub(super) async fn finish(mut self) -> Result<Option<serde_json::Value>> {
        self.filler.flush().await?;
        Ok(self.state)
    }
}

impl Sink for Rows<'_, '_> {
    fn records(&mut self, records: Records) -> BoxFuture<'_, Result<()>> {
        async move { self.filler.add(&records).await }.boxed()
    }

    fn state(&mut self, progress: Progress) -> BoxFuture<'_, Result<()>> {
        async move {
            if !self.is_incremental {
                return Ok(());
            }
            let state: serde_json::Value = serde_json::from_str(&progress.state.to_json())
                .map_err(|error| Error::internal("a state is no JSON").with_source(error))?;
            if progress.settled && self.filler.is_due() {
                let rest = Partition { state: Some(state.clone()) };
                self.filler.checkpoint(&rest, Some(state.clone())).await?;
            }
            self.state = Some(state);
            Ok(())
        }
        .boxed()
    }

    fn log(&mut self, level: Level, message: &str) {
        let message = self.mask.apply(message);
        match level {
            Level::Debug => tracing::debug!(stream = self.stream, "{message}"),
            Level::Info => tracing::info!(stream = self.stream, "{message}"),
            Level::Warn => tracing::warn!(stream = self.stream, "{message}"),
        }
    }
}
