//! The states of many partitions, of which copies are cheap.

use std::sync::Arc;

use crate::source::declarative::value::{Map, Value};

/// How many rows a chunk has: a change after a copy copies one chunk, a copy one pointer for each.
const CHUNK: usize = 128;

/// Rows in the order in which they came. A copy shares all rows until one side changes them.
#[derive(Clone, Default)]
pub(in crate::source::declarative) struct Table(Vec<Arc<Vec<Option<Row>>>>);

#[derive(Clone)]
struct Row {
    partition: Arc<Map>,
    state: Arc<Map>,
}

impl Table {
    /// Appends a row and gives its place.
    pub(in crate::source::declarative) fn push(&mut self, partition: Arc<Map>, state: Map) -> usize {
        let row = Some(Row { partition, state: Arc::new(state) });
        match self.0.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(row),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(row);
                self.0.push(Arc::new(chunk));
            }
        }
        (self.0.len() - 1) * CHUNK + self.0.last().map_or(0, |chunk| chunk.len() - 1)
    }

    /// Gives the row at `place` another state.
    pub(in crate::source::declarative) fn set(&mut self, place: usize, state: Map) {
        if let Some(Some(row)) = self.slot(place) {
            row.state = Arc::new(state);
        }
    }

    /// Takes the row at `place` out; the others keep their places.
    pub(in crate::source::declarative) fn remove(&mut self, place: usize) {
        if let Some(slot) = self.slot(place) {
            *slot = None;
        }
    }

    /// `states`, as they are written.
    pub(in crate::source::declarative) fn write(&self) -> Value {
        let rows = self.0.iter().flat_map(|chunk| chunk.iter().flatten());
        let written = rows.map(|row| {
            let mut map = Map::new();
            map.insert("partition", (*row.partition).clone());
            map.insert("cursor", (*row.state).clone());
            Value::Map(map)
        });
        Value::List(written.collect())
    }

    fn slot(&mut self, place: usize) -> Option<&mut Option<Row>> {
        Arc::make_mut(self.0.get_mut(place / CHUNK)?).get_mut(place % CHUNK)
    }
}
