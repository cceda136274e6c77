//! Where the engine of manifests puts a stream's records: columns, and checkpoints where no slice is open.

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{ConfiguredStream, Emitter, Error, Result};

use super::{Manifest, Partition};
use crate::source::airbyte::filler::Filler;
use crate::source::airbyte::settings::Settings;
use crate::source::declarative::Value;
use crate::source::declarative::record::Records;
use crate::source::declarative::stream::{Level, Progress, Sink};

/// The rows of one stream.
pub(super) struct Rows<'a, 'e> {
    filler: Filler<'a, 'e, Manifest>,
    settings: &'a Settings,
    /// Whether states are of use: a full refresh begins at the beginning.
    is_incremental: bool,
    stream: String,
    state: Option<serde_json::Value>,
    /// Why a changed configuration could not be kept.
    unkept: Option<Error>,
}

impl<'a, 'e> Rows<'a, 'e> {
    pub(super) fn new(
        stream: &ConfiguredStream,
        out: &'a mut Emitter<'e, Manifest>,
        settings: &'a Settings,
        is_incremental: bool,
    ) -> Result<Self> {
        let filler = Filler::new(stream, out)?;
        let stream = stream.name.clone();
        Ok(Self { filler, settings, is_incremental, stream, state: None, unkept: None })
    }

    /// Hands on what is left; says where the stream stands.
    pub(super) async fn finish(mut self) -> Result<Option<serde_json::Value>> {
        self.refuse()?;
        self.filler.flush().await?;
        Ok(self.state)
    }

    fn refuse(&mut self) -> Result<()> {
        self.unkept.take().map_or(Ok(()), Err)
    }
}

impl Sink for Rows<'_, '_> {
    fn records(&mut self, records: Records) -> BoxFuture<'_, Result<()>> {
        async move {
            self.refuse()?;
            self.filler.add(&records).await
        }
        .boxed()
    }

    fn state(&mut self, progress: Progress) -> BoxFuture<'_, Result<()>> {
        async move {
            self.refuse()?;
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
        match level {
            Level::Debug => tracing::debug!(stream = self.stream, "{message}"),
            Level::Info => tracing::info!(stream = self.stream, "{message}"),
            Level::Warn => tracing::warn!(stream = self.stream, "{message}"),
        }
    }

    fn config_changed(&mut self, config: &Value) {
        self.unkept = self.settings.keep(config).err();
    }
}
