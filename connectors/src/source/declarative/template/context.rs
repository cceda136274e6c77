//! The variables that a template sees, borrowed from whoever evaluates it.

use super::object::Object;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::value::{Map, Value};

/// Variables and the clock. Small and cheap: made anew for each record.
pub struct Context<'a> {
    pub(super) clock: Clock,
    variables: Vec<(&'a str, Variable<'a>)>,
}

#[derive(Clone, Copy)]
enum Variable<'a> {
    Value(&'a Value),
    Slice(&'a StreamSlice),
}

const NONE: &Value = &Value::None;

impl<'a> Context<'a> {
    /// No variables but `config`. Error handlers have none: they hand over [`Value::None`].
    #[must_use]
    pub fn new(clock: &Clock, config: &'a Value) -> Self {
        // Room for all that components add: a context is made for each record.
        let mut variables = Vec::with_capacity(8);
        variables.push(("config", Variable::Value(config)));
        Self { clock: clock.clone(), variables }
    }

    /// With a variable more; the last one of a name counts.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: &'a Value) -> Self {
        self.variables.push((name, Variable::Value(value)));
        self
    }

    /// With `stream_slice`, which is `stream_partition` and `stream_interval` as well.
    #[must_use]
    pub fn with_slice(mut self, slice: Option<&'a StreamSlice>) -> Self {
        let variable = slice.map_or(Variable::Value(NONE), Variable::Slice);
        self.variables.push(("stream_slice", variable));
        self
    }

    /// Gives a variable that was there another value: the next record, with the rest as it is.
    pub fn set(&mut self, name: &'a str, value: &'a Value) {
        match self.variables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, variable)) => *variable = Variable::Value(value),
            None => self.variables.push((name, Variable::Value(value))),
        }
    }

    fn variable(&self, name: &str) -> Option<Variable<'a>> {
        let name = match name {
            "stream_interval" | "stream_partition" => "stream_slice",
            name => name,
        };
        self.variables.iter().rev().find(|(known, _)| *known == name).map(|(_, variable)| *variable)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.variable(name).is_some()
    }

    pub(super) fn get(&self, name: &str) -> Option<Object<'a>> {
        self.variable(name).map(|variable| match variable {
            Variable::Value(value) => Object::from(value),
            Variable::Slice(slice) => Object::Slice(slice),
        })
    }
}

/// A part of a stream: a partition's keys, a cursor's bounds, and fields of the parent that came along.
#[derive(Debug, Clone)]
pub struct StreamSlice {
    merged: Map,
    partition: Value,
    cursor: Value,
    extra: Value,
}

impl StreamSlice {
    /// Of its parts. A key of both partition and cursor is the cursor's.
    #[must_use]
    pub fn new(partition: Map, cursor: Map, extra: Map) -> Self {
        let mut merged = partition.clone();
        for (key, value) in cursor.iter() {
            merged.insert(key, value.clone());
        }
        Self { merged, partition: partition.into(), cursor: cursor.into(), extra: extra.into() }
    }

    /// Partition and cursor together: what a template sees of it.
    #[must_use]
    pub fn merged(&self) -> &Map {
        &self.merged
    }

    /// The partition's keys.
    #[must_use]
    pub fn partition(&self) -> &Map {
        map_of(&self.partition)
    }

    /// The cursor's bounds.
    #[must_use]
    pub fn cursor(&self) -> &Map {
        map_of(&self.cursor)
    }

    /// Fields that came along from the parent.
    #[must_use]
    pub fn extra(&self) -> &Map {
        map_of(&self.extra)
    }

    pub(super) fn is_true(&self) -> bool {
        !self.merged.is_empty() || self.extra.is_true()
    }

    pub(super) fn partition_value(&self) -> &Value {
        &self.partition
    }

    pub(super) fn cursor_value(&self) -> &Value {
        &self.cursor
    }

    pub(super) fn extra_value(&self) -> &Value {
        &self.extra
    }
}

/// The three parts of a slice are objects.
fn map_of(value: &Value) -> &Map {
    static EMPTY: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::new);
    value.as_map().unwrap_or(&EMPTY)
}
