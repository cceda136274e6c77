//! Where the engine of manifests puts a stream's records: columns, and checkpoints where no slice is open.

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{ConfiguredStream, Emitter, Error, Result};

use super::{Manifest, Partition, State};
use crate::source::airbyte::filler::Filler;
use crate::source::declarative::Value;
use crate::source::declarative::config::Mask;
use crate::source::declarative::record::Records;
use crate::source::declarative::stream::{Level, Memory, Progress, Recall, Sink};

/// The rows of one stream.
pub(super) struct Rows<'a, 'e> {
    filler: Filler<'a, 'e, Manifest>,
    /// Whether states are of use: a full refresh begins at the beginning.
    is_incremental: bool,
    stream: String,
    mask: &'a Mask,
    /// What the engine said last.
    state: Option<serde_json::Value>,
    recall: Option<Recall>,
}

impl<'a, 'e> Rows<'a, 'e> {
    pub(super) fn new(
        stream: &ConfiguredStream,
        out: &'a mut Emitter<'e, Manifest>,
        mask: &'a Mask,
        is_incremental: bool,
        recall: Option<Recall>,
    ) -> Result<Self> {
        let filler = Filler::new(stream, out)?;
        let stream = stream.name.clone();
        Ok(Self { filler, is_incremental, stream, mask, state: None, recall })
    }

    /// Hands on what is left; says where the stream stands.
    pub(super) async fn finish(mut self) -> Result<Option<State>> {
        self.filler.flush().await?;
        let memory = self.memory();
        Ok(self.state.map(|state| State { airbyte: Some(state), memory }))
    }

    fn memory(&self) -> Memory {
        self.recall.as_ref().map(Recall::memory).unwrap_or_default()
    }
}

fn plain(state: &Value) -> Result<serde_json::Value> {
    serde_json::from_str(&state.to_json())
        .map_err(|error| Error::internal("a state is no JSON").with_source(error))
}

impl Sink for Rows<'_, '_> {
    fn records(&mut self, records: Records) -> BoxFuture<'_, Result<()>> {
        async move { self.filler.add(&records).await }.boxed()
    }

    fn state(&mut self, progress: Progress) -> BoxFuture<'_, Result<()>> {
        let taken = if self.is_incremental {
            plain(&progress.state).map(|state| self.state = Some(state))
        } else {
            Ok(())
        };
        async { taken }.boxed()
    }

    fn wants_rest(&self) -> bool {
        self.is_incremental && self.filler.is_due()
    }

    fn rest<'a>(&'a mut self, state: &'a (dyn Fn() -> Value + Send + Sync)) -> BoxFuture<'a, Result<()>> {
        async move {
            if !self.wants_rest() {
                return Ok(());
            }
            let (state, memory) = (plain(&state())?, self.memory());
            let rest = Partition { state: Some(state.clone()), memory: memory.clone() };
            self.filler.checkpoint(&rest, Some(State { airbyte: Some(state), memory })).await
        }
        .boxed()
    }

    fn recall(&mut self) -> Option<&mut Recall> {
        self.recall.as_mut()
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
