//! One cursor: of a stream without partitions, or of one partition.

use std::sync::Arc;

use ahash::HashMap;
use protocol::{Error, Result};

use super::definition::{Definition, is_zero};
use super::interval::{Interval, merge};
use super::point::Point;
use super::window::{Range, Windows};
use crate::source::declarative::moment::{Delta, Span};
use crate::source::declarative::value::{Map, Value};

/// What of one partition has been read, and what is being read.
pub(super) struct Single {
    definition: Arc<Definition>,
    /// Where reading begins at all.
    start: Point,
    /// What the state says: where this sync goes on.
    from: Point,
    lookback: Option<Span>,
    intervals: Vec<Interval>,
    /// The state that this began with: its other keys are kept.
    legacy: Map,
    /// The greatest value that each open slice has seen.
    recent: HashMap<u64, Point>,
    has_closed: bool,
}

impl Single {
    /// A cursor that begins at `state`, looking back so many seconds more than the manifest says.
    pub(super) fn new(definition: &Arc<Definition>, mut state: Map, lookback_seconds: i64) -> Result<Self> {
        let start = definition.start()?;
        let lookback = definition.lookback()?;
        if lookback_seconds > 0 {
            look_back(definition, &mut state, lookback_seconds)?;
        }
        let fresh = |from: Point, intervals, legacy| Self {
            definition: Arc::clone(definition),
            start: start.clone(),
            from,
            lookback,
            intervals,
            legacy,
            recent: HashMap::default(),
            has_closed: false,
        };
        if keeps_intervals(&state) {
            let slices = state.get("slices").and_then(Value::as_list).unwrap_or_default();
            let intervals: Vec<Interval> =
                slices.iter().map(|slice| Interval::read(slice, &definition.axis)).collect::<Result<_>>()?;
            let legacy = state.get("legacy").and_then(Value::as_map).cloned().unwrap_or_default();
            if let Some(first) = intervals.first() {
                let from = first.recent.clone().unwrap_or_else(|| first.end.clone());
                let from = if from.is_true() { from } else { start.clone() };
                return Ok(fresh(from, intervals, legacy));
            }
            return Ok(fresh(start.clone(), vec![whole(&start, &start)], legacy));
        }
        let known = state.get(&definition.field);
        let known = known.map(|value| definition.axis.demand(value, "the state's value")).transpose()?;
        let from = match known {
            Some(known) if known.is_true() && !known.before(&start)? => known,
            _ => start.clone(),
        };
        let intervals = vec![whole(&start, &from)];
        Ok(fresh(from, intervals, state))
    }

    /// What is left to read.
    pub(super) fn windows(&mut self) -> Result<Windows> {
        let granularity = self.definition.granularity.as_ref();
        merge(&mut self.intervals, granularity)?;
        let mut ranges = Vec::new();
        if let Some(first) = self.intervals.first()
            && self.start.before(&first.start)?
        {
            ranges.push(Range::Gap { lower: self.start.clone(), upper: first.start.clone() });
        }
        for pair in self.intervals.windows(2) {
            let [left, right] = pair else { continue };
            let lower = granularity.and_then(|span| left.end.after(span));
            ranges.push(Range::Gap {
                lower: lower.unwrap_or_else(|| left.end.clone()),
                upper: right.start.clone(),
            });
        }
        if let Some(last) = self.intervals.last() {
            let lower = self.lookback.and_then(|span| last.end.ago(&span));
            ranges.push(Range::Tail { lower: lower.unwrap_or_else(|| last.end.clone()) });
        }
        let step = self.definition.step()?;
        Ok(Windows::new(Arc::clone(&self.definition), self.start.clone(), step, ranges))
    }

    /// Notes the greatest value of some records of the slice `number`.
    pub(super) fn observe(&mut self, number: u64, point: Point) -> Result<()> {
        match self.recent.get_mut(&number) {
            Some(known) => {
                if known.before(&point)? {
                    *known = point;
                }
            }
            None => {
                self.recent.insert(number, point);
            }
        }
        Ok(())
    }

    /// Notes that the slice `number`, with these bounds, is read. Whether that changed anything.
    pub(super) fn close(&mut self, number: u64, bounds: &Map) -> Result<bool> {
        let recent = self.recent.remove(&number);
        let interval = if self.definition.is_time() {
            const NONE: &Value = &Value::None;
            let Definition { axis, keys, .. } = &*self.definition;
            let bound = |key: &String| {
                axis.demand(bounds.get(key).unwrap_or(NONE), "a bound of a slice that was read")
            };
            Interval { start: bound(&keys.0)?, end: bound(&keys.1)?, recent }
        } else {
            let closed_before = std::mem::replace(&mut self.has_closed, true);
            let Some(recent) = recent.filter(Point::is_true) else { return Ok(false) };
            if closed_before {
                return Err(Error::internal("a counting cursor has more than one slice"));
            }
            Interval { start: self.from.clone(), end: recent.clone(), recent: Some(recent) }
        };
        self.intervals.push(interval);
        merge(&mut self.intervals, self.definition.granularity.as_ref())?;
        Ok(true)
    }

    /// The value that the state has: all records up to it have been read.
    pub(super) fn value(&self) -> Value {
        self.intervals.first().map_or(Value::None, |first| self.definition.axis.write(first.settled()))
    }

    /// The state in the form that the reference writes.
    pub(super) fn state(&self) -> Map {
        let mut state = self.legacy.clone();
        state.insert(self.definition.field.as_str(), self.value());
        state
    }

    /// The state with all intervals.
    pub(super) fn checkpoint(&self) -> Map {
        let Definition { axis, .. } = &*self.definition;
        let kind = if self.definition.is_time() { "date-range" } else { "integer" };
        let mut state = Map::new();
        state.insert("state_type", kind);
        let slices: Vec<Value> = self.intervals.iter().map(|interval| interval.write(axis)).collect();
        state.insert("slices", slices);
        if !self.legacy.is_empty() {
            state.insert("legacy", self.legacy.clone());
        }
        state
    }

    /// The least and the greatest value of records that are wanted now.
    pub(super) fn wanted(&self) -> Result<(Point, Point)> {
        let end = self.definition.end()?;
        let Some(lower) = self.lookback.and_then(|span| self.from.ago(&span)) else {
            return Ok((self.from.clone(), end));
        };
        if !self.start.is_true() {
            return Ok((lower, end));
        }
        // Never below the start; where the state is below it, from the state on.
        let floor = self.from.clone().min(self.start.clone())?;
        Ok((lower.max(floor)?, end))
    }
}

/// What a state of one value says was read.
fn whole(start: &Point, end: &Point) -> Interval {
    Interval { start: start.clone(), end: end.clone(), recent: Some(end.clone()) }
}

/// Whether a state keeps intervals: what [`Single::checkpoint`] writes.
pub(super) fn keeps_intervals(state: &Map) -> bool {
    matches!(state.get("state_type").and_then(Value::as_text), Some("date-range" | "integer"))
}

fn look_back(definition: &Definition, state: &mut Map, seconds: i64) -> Result<()> {
    let span = Span::Fixed(Delta(i128::from(seconds) * 1_000_000));
    let Some(value) = state.get(&definition.field).filter(|value| value.is_true()) else { return Ok(()) };
    let point = definition.axis.demand(value, "the state's value")?;
    if !is_zero(&span) {
        let earlier = point.ago(&span).unwrap_or(point);
        state.insert(definition.field.as_str(), definition.axis.write(&earlier));
    }
    Ok(())
}
