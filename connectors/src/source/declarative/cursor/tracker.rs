//! What has been seen of slices, for paginations that start over.

use std::borrow::Borrow;
use std::sync::Arc;

use ahash::HashMap;
use protocol::Result;

use super::definition::Definition;
use super::greatest::Greatest;
use super::point::Point;
use crate::source::declarative::state::identity;
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::Value;

/// For `pagination_reset` with `SPLIT_USING_CURSOR`: the greatest values of slices, apart from any state.
pub struct Tracker {
    definition: Arc<Definition>,
    seen: HashMap<String, Point>,
}

impl Tracker {
    pub(super) fn new(definition: Arc<Definition>) -> Self {
        Self { definition, seen: HashMap::default() }
    }

    /// Takes note of records' values.
    pub fn observe<V: Borrow<Value>>(
        &mut self,
        slice: &StreamSlice,
        values: impl IntoIterator<Item = V>,
    ) -> Result<()> {
        let mut greatest = Greatest::new(&self.definition.axis, false);
        for value in values {
            greatest.add(value.borrow())?;
        }
        let Some(point) = greatest.point else { return Ok(()) };
        let key = identity(slice.merged());
        let point = match self.seen.remove(&key) {
            Some(known) => known.max(point)?,
            None => point,
        };
        self.seen.insert(key, point);
        Ok(())
    }

    /// The slice from its greatest value on; the same one where nothing was seen of it.
    #[must_use]
    pub fn reduce(&self, slice: &StreamSlice) -> StreamSlice {
        let Some(point) = self.seen.get(&identity(slice.merged())) else { return slice.clone() };
        let mut bounds = slice.cursor().clone();
        bounds.insert(self.definition.keys.0.as_str(), self.definition.axis.write(point));
        StreamSlice::new(slice.partition().clone(), bounds, slice.extra().clone())
    }
}
