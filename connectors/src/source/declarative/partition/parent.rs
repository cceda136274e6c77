//! How a substream reads its parents: the boundary between partition routers and streams.

use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::Result;

use super::slice::Slice;
use crate::source::declarative::component::Component;
use crate::source::declarative::cursor::Slicing;
use crate::source::declarative::value::Value;

/// Makes the parents of the streams of one manifest.
pub trait Parents: Send + Sync {
    /// The stream that stands in `stream` of a `ParentStreamConfig`, built anew and with a [`Slicing`] of its own that
    /// begins at `state`. A state delegating stream is its incremental one where there is a state.
    fn open(&self, stream: &Component<'_>, state: Option<&Value>) -> Result<Arc<dyn Parent>>;
}

/// A parent stream, to be read once. Who walks over it moves its cursor.
pub trait Parent: Send + Sync {
    /// Its name, as it stands in `parent_state`.
    fn name(&self) -> &str;

    /// How it is cut, and where it stands.
    fn slicing(&self) -> &Slicing;

    /// Begins to read one slice. Must not touch the cursor.
    fn read(&self, slice: &Slice) -> Result<Box<dyn Pages>>;
}

/// The pages of one slice, one after the other.
pub trait Pages: Send {
    /// The records of the next page, transformed and filtered; `None` at the end of the slice.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Value>>>>;
}
