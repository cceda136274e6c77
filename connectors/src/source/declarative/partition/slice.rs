//! One part of a stream that is read on its own.

use std::sync::Arc;

use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::Value;

/// A slice: what templates see of it, and what its cursor knows it by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Slice(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stream_slice: Arc<StreamSlice>,
    child: Option<Value>,
    number: u64,
    partition: Option<Arc<str>>,
}

impl Slice {
    pub(in crate::source::declarative) fn new(
        stream_slice: StreamSlice,
        child: Option<Value>,
        number: u64,
        partition: Option<Arc<str>>,
    ) -> Self {
        Self(Arc::new(Inner { stream_slice: Arc::new(stream_slice), child, number, partition }))
    }

    /// What templates see.
    #[must_use]
    pub fn stream_slice(&self) -> &Arc<StreamSlice> {
        &self.0.stream_slice
    }

    /// What `lazy_read_pointer` found in the parent's record: the first page of this slice, as a body.
    #[must_use]
    pub fn child_response(&self) -> Option<&Value> {
        self.0.child.as_ref()
    }

    /// Its number within its cursor.
    pub(in crate::source::declarative) fn number(&self) -> u64 {
        self.0.number
    }

    /// The identity of its partition, where the cursor keeps partitions apart.
    pub(in crate::source::declarative) fn partition(&self) -> Option<&Arc<str>> {
        self.0.partition.as_ref()
    }
}
