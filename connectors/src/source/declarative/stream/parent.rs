//! How a substream reads its parents: the boundary between partition routers and streams.

use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::Result;

use crate::source::declarative::component::Component;
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::Value;

/// Makes parents' readers for partition routers that are being built.
pub trait Parents: Send + Sync {
    /// The reader of the stream that stands in `stream` of a `ParentStreamConfig`.
    fn reader(&self, stream: &Component<'_>) -> Result<Arc<dyn ParentReader>>;
}

/// A parent stream: can be read as often as wanted.
pub trait ParentReader: Send + Sync {
    /// Its name, as it stands in `parent_state`.
    fn name(&self) -> &str;

    /// Begins to read it, with a cursor of its own that starts at `state`.
    fn open(&self, state: Option<&Value>) -> Result<Box<dyn ParentRead>>;
}

/// One reading of a parent.
pub trait ParentRead: Send {
    /// What comes next; `None` at the end, when its last slice is closed. The parent's cursor has observed a page
    /// when it is given out, and has closed a slice when that is told.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<ParentEvent>>>;

    /// Where the parent stands after what `next` gave last; `None` without a cursor.
    fn state(&self) -> Option<Value>;
}

/// What happens while a parent is read.
pub enum ParentEvent {
    /// Records of one page of a slice.
    Page {
        /// The parent's slice that they belong to.
        slice: Arc<StreamSlice>,
        /// The records, transformed and filtered.
        records: Vec<Value>,
    },
    /// A slice is closed: no more pages of it will come.
    Closed {
        /// The parent's slice.
        slice: Arc<StreamSlice>,
    },
}
