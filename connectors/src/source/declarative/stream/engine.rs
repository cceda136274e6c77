//! The one interface of this folder: a manifest with its configuration, ready to be described, checked and read.

use std::path::PathBuf;

use protocol::Result;

use super::sink::Sink;
use crate::http;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::value::Value;

/// A manifest with its configuration.
pub struct Engine {}

/// What a catalog says of a stream.
#[derive(Debug, Clone)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// Its JSON schema.
    pub json_schema: Value,
    /// The columns of its primary key, each a path (`["id"]`); empty without one.
    pub primary_key: Vec<Vec<String>>,
    /// The cursor's field, where the stream is incremental.
    pub cursor_field: Option<String>,
}

impl Engine {
    /// Builds the source. `manifest` comes from [`manifest::load`](crate::source::declarative::manifest::load) or
    /// [`manifest::resolve`](crate::source::declarative::manifest::resolve). Sends no request, but where an
    /// authenticator does at once. Streams that can't be built fail alone, when they are used.
    pub async fn open(
        manifest: Value,
        config: Value,
        clock: Clock,
        folder: Option<PathBuf>,
        options: &http::Options,
    ) -> Result<Self> {
        let _ = (manifest, config, clock, folder, options);
        todo!()
    }

    /// The configuration after the manifest's migrations; told where it differs from what was given.
    #[must_use]
    pub fn migrated_config(&self) -> Option<&Value> {
        todo!()
    }

    /// All streams, dynamic ones included: each with its name, or its name and why it can't be read.
    pub async fn streams(&self) -> Result<Vec<Result<StreamInfo, (String, protocol::Error)>>> {
        todo!()
    }

    /// Names of all streams.
    pub async fn names(&self) -> Result<Vec<String>> {
        todo!()
    }

    /// Proves that the configuration works, by what the manifest's `check` names.
    pub async fn check(&self) -> Result<()> {
        todo!()
    }

    /// Reads one stream from `state` (Airbyte's form) on. Can be called for several streams at once: slices of all of
    /// them share the source's concurrency. A failed slice fails the stream at its end; others are read all the same.
    pub async fn read(&self, stream: &str, state: Option<&Value>, sink: &mut dyn Sink) -> Result<()> {
        let _ = (stream, state, sink);
        todo!()
    }
}
