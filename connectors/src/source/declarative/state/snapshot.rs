//! The state of a stream at one moment, not yet written: a child keeps one for each step of its parents.

use std::sync::Arc;

use super::table::Table;
use crate::source::declarative::value::{Map, Value};

/// The state of one stream. Cheap to clone.
#[derive(Clone)]
pub(in crate::source::declarative) enum Snapshot {
    /// Of a stream without partitions.
    Flat(Arc<Map>),
    /// Of a stream with partitions.
    Spread(Arc<Spread>),
}

/// The state of a stream with partitions.
pub(in crate::source::declarative) struct Spread {
    pub(in crate::source::declarative) use_global: bool,
    pub(in crate::source::declarative) states: Option<Table>,
    pub(in crate::source::declarative) global: Option<Map>,
    pub(in crate::source::declarative) lookback_seconds: i64,
    pub(in crate::source::declarative) parents: Option<Parental>,
}

/// The states of parents by their names. Cheap to clone.
#[derive(Clone)]
pub(in crate::source::declarative) enum Parental {
    /// As a state had it.
    Written(Arc<Value>),
    /// As parents stand.
    Live(Arc<Vec<(String, Snapshot)>>),
}

impl Snapshot {
    /// The state as it is emitted.
    pub(in crate::source::declarative) fn write(&self) -> Map {
        match self {
            Self::Flat(state) => (**state).clone(),
            Self::Spread(spread) => spread.write(),
        }
    }
}

impl Spread {
    /// The state as it is emitted.
    pub(in crate::source::declarative) fn write(&self) -> Map {
        let mut state = Map::new();
        state.insert("use_global_cursor", self.use_global);
        if let Some(states) = &self.states {
            state.insert("states", states.write());
        }
        if let Some(global) = &self.global {
            state.insert("state", global.clone());
        }
        state.insert("lookback_window", self.lookback_seconds);
        if let Some(parents) = &self.parents {
            state.insert("parent_state", parents.write());
        }
        state
    }
}

impl Parental {
    /// `parent_state`, as it is emitted.
    pub(in crate::source::declarative) fn write(&self) -> Value {
        match self {
            Self::Written(value) => (**value).clone(),
            Self::Live(parents) => {
                let entries = parents.iter().map(|(name, snapshot)| (name.as_str(), snapshot.write()));
                Value::Map(entries.collect())
            }
        }
    }

    /// Whether there is any parent in it.
    pub(in crate::source::declarative) fn is_empty(&self) -> bool {
        match self {
            Self::Written(value) => !value.is_true(),
            Self::Live(parents) => parents.is_empty(),
        }
    }
}
