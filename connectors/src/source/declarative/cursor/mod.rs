//! Cursors: how a stream is cut into slices, and where it stands.

use std::borrow::Borrow;

use chrono::{DateTime, FixedOffset};
use protocol::Result;

use super::component::Component;
use super::partition::{Parents, Slice};
use super::request::Parts;
use super::scope::Scope;
use super::template::StreamSlice;
use super::value::Value;

/// How one stream is cut into slices, and where it stands: its `incremental_sync`, its `partition_router` and its
/// state together.
pub struct Slicing {}

impl Slicing {
    /// Of a `DeclarativeStream`. `state` is what the stream emitted last (migrations are done here). `chosen` is the
    /// cursor field that the configured catalog names, which counts only where the manifest allows it.
    pub fn build(
        stream: &Component<'_>,
        scope: &Scope,
        state: Option<&Value>,
        chosen: Option<&str>,
        parents: &dyn Parents,
    ) -> Result<Self> {
        let _ = (stream, scope, state, chosen, parents);
        todo!()
    }

    /// The slices, lazily. To be called once.
    pub fn slicer(&self) -> Result<Slicer> {
        todo!()
    }

    /// Where the stream stands. Cheap to clone.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        todo!()
    }

    /// What a slice adds to a request: the router's and the cursor's options. Call it again for slices that
    /// [`Cursor::split`] or [`Cursor::reduce`] made.
    pub fn options(&self, slice: &StreamSlice) -> Result<Parts> {
        let _ = slice;
        todo!()
    }

    /// Whether the state is one that a stream keeps: it has a cursor.
    #[must_use]
    pub fn is_incremental(&self) -> bool {
        todo!()
    }

    /// `is_data_feed`: pagination ends when a page's last record does not pass the [`Sieve`], and records that do not
    /// are dropped after paging.
    #[must_use]
    pub fn is_data_feed(&self) -> bool {
        todo!()
    }

    /// `is_client_side_incremental`: the record selector drops what does not pass the [`Sieve`] (not where the stream
    /// is a data feed), and transforms before it filters by default.
    #[must_use]
    pub fn is_client_side(&self) -> bool {
        todo!()
    }
}

/// Gives slices one after the other.
pub struct Slicer {}

impl Slicer {
    /// The next slice; `None` at the end. Reads parents where partitions come from them. After an error it is over.
    pub async fn next(&mut self) -> Result<Option<Slice>> {
        todo!()
    }
}

/// Where a stream stands. Slices may be read in any order and at once; each is observed while it is read, and closed
/// when all of its records have been handed over. A slice that failed is not closed. Cheap to clone.
#[derive(Clone)]
pub struct Cursor {}

impl Cursor {
    /// The field of records that the cursor looks at (a plain key, not a path); `None` without a cursor.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        todo!()
    }

    /// Takes note of the cursor's values of records that *have been emitted*; [`Value::None`] where one has none.
    pub fn observe<V: Borrow<Value>>(
        &self,
        slice: &Slice,
        values: impl IntoIterator<Item = V>,
    ) -> Result<()> {
        let _ = (slice, values.into_iter().count());
        todo!()
    }

    /// Notes that a slice is read to its end. Gives the state where the reference would emit one now: after each slice
    /// of a stream without partitions, every ten minutes with them, never without a cursor.
    pub fn close(&self, slice: &Slice) -> Result<Option<Value>> {
        let _ = slice;
        todo!()
    }

    /// Ends the sync, be it a success or not: the last state, which is always emitted.
    pub fn finish(&self) -> Result<Value> {
        todo!()
    }

    /// The state as the reference would write it now.
    pub fn state(&self) -> Result<Value> {
        todo!()
    }

    /// The state with all that is known of what was read (merged intervals): to go on after an interruption. The
    /// reference reads it too. Once a sync has ended well, [`Self::finish`]'s is the one to keep.
    pub fn checkpoint(&self) -> Result<Value> {
        todo!()
    }

    /// What should be kept of the records of `slice`. To be asked anew for each page, after it came.
    pub fn sieve(&self, slice: &Slice) -> Result<Sieve> {
        let _ = slice;
        todo!()
    }

    /// For `RESET` of pagination: the slice from its greatest observed value on.
    pub fn reduce(&self, slice: &Slice) -> Result<StreamSlice> {
        let _ = slice;
        todo!()
    }

    /// For `SPLIT_REQUEST_WINDOW`: the halves of `slice`, to be read one after the other; `None` where it can't be
    /// split further. Records of the halves count as those of the whole: observe and close the [`Slice`] they came of.
    pub fn split(&self, slice: &StreamSlice, min_window: Option<&str>) -> Result<Option<[StreamSlice; 2]>> {
        let _ = (slice, min_window);
        todo!()
    }

    /// The moment that `state` stands at, for `api_retention_period`; `None` where it says none.
    #[must_use]
    pub fn moment_of(&self, state: &Value) -> Option<DateTime<FixedOffset>> {
        let _ = state;
        todo!()
    }
}

/// Which records are to be kept, by their cursor's values.
pub struct Sieve {}

impl Sieve {
    /// Whether a record with this value (or [`Value::None`]) is to be kept.
    pub fn keeps(&mut self, value: &Value) -> Result<bool> {
        let _ = value;
        todo!()
    }
}
