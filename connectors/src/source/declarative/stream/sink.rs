//! Where a read puts what it finds.

use futures::future::BoxFuture;
use protocol::Result;

use super::recall::Recall;
use crate::source::declarative::record::Records;
use crate::source::declarative::value::Value;

/// Where a read puts what it finds, in order: a state covers all records that came before it, but for those of slices
/// that are still open, which come again after it.
pub trait Sink: Send {
    /// The records of one page, transformed and filtered. Waits while there is no room.
    fn records(&mut self, records: Records) -> BoxFuture<'_, Result<()>>;

    /// Where the stream stands.
    fn state(&mut self, progress: Progress) -> BoxFuture<'_, Result<()>>;

    /// Something that a person may want to know.
    fn log(&mut self, level: Level, message: &str);

    /// Whether a rest is wanted: no slice is begun until there was one.
    fn wants_rest(&self) -> bool {
        false
    }

    /// No slice is open: a read that goes on from `state()` gives nothing again but what its first requests include.
    fn rest<'a>(&'a mut self, state: &'a (dyn Fn() -> Value + Send + Sync)) -> BoxFuture<'a, Result<()>> {
        let _ = state;
        Box::pin(std::future::ready(Ok(())))
    }

    /// What knows the records that were handed over before, where they are not to be handed over again.
    fn recall(&mut self) -> Option<&mut Recall> {
        None
    }
}

/// Where a stream stands.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The state in the form that Airbyte knows.
    pub state: Value,
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For who looks for a fault.
    Debug,
    /// For who is curious.
    Info,
    /// Something is not as it should be.
    Warn,
}
