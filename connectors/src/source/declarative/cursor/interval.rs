//! What has been read: intervals of the cursor's values, merged where nothing lies between them.

use protocol::Result;

use super::point::{Axis, Point};
use crate::source::declarative::moment::Span;
use crate::source::declarative::value::{Map, Value};

/// A range that was read, and the greatest value that records in it had.
#[derive(Clone)]
pub(crate) struct Interval {
    pub(crate) start: Point,
    pub(crate) end: Point,
    pub(crate) recent: Option<Point>,
}

impl Interval {
    /// The interval that `value` says, as [`Self::write`] writes it.
    pub(crate) fn read(value: &Value, axis: &Axis) -> Result<Self> {
        const NONE: &Value = &Value::None;
        let bound = |key: &str| axis.demand(value.get(key).unwrap_or(NONE), "an interval of the state");
        let recent = value.get("most_recent_cursor_value").filter(|value| !value.is_none());
        Ok(Self {
            start: bound("start")?,
            end: bound("end")?,
            recent: recent.map(|value| axis.demand(value, "an interval of the state")).transpose()?,
        })
    }

    /// As states that keep intervals have it.
    pub(crate) fn write(&self, axis: &Axis) -> Value {
        let mut map = Map::new();
        map.insert("start", axis.write(&self.start));
        map.insert("end", axis.write(&self.end));
        if let Some(recent) = self.recent.as_ref().filter(|recent| recent.is_true()) {
            map.insert("most_recent_cursor_value", axis.write(recent));
        }
        map.into()
    }

    /// What a state of one value says where this is the first interval: the greatest value that was seen, else where
    /// it begins.
    pub(crate) fn settled(&self) -> &Point {
        self.recent.as_ref().filter(|recent| recent.is_true()).unwrap_or(&self.start)
    }

    fn absorb(&mut self, other: Self) -> Result<()> {
        if self.end.before(&other.end)? {
            self.end = other.end;
        }
        let known = self.recent.take().filter(Point::is_true);
        let new = other.recent.filter(Point::is_true);
        self.recent = match (new, known) {
            (Some(new), Some(known)) => Some(new.max(known)?),
            (new, known) => new.or(known),
        };
        Ok(())
    }
}

/// Puts intervals into order and merges those that touch: a value of `granularity` may lie between.
pub(crate) fn merge(intervals: &mut Vec<Interval>, granularity: Option<&Span>) -> Result<()> {
    if intervals.len() < 2 {
        return Ok(());
    }
    sort(intervals)?;
    let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
    for interval in intervals.drain(..) {
        match merged.last_mut() {
            Some(last) if !last.end.next(granularity)?.before(&interval.start)? => last.absorb(interval)?,
            _ => merged.push(interval),
        }
    }
    *intervals = merged;
    Ok(())
}

/// By start, then by end; a comparison that fails fails all.
fn sort(intervals: &mut [Interval]) -> Result<()> {
    let mut failure = None;
    intervals.sort_by(|left, right| {
        let order =
            left.start.order(&right.start).and_then(|order| Ok(order.then(left.end.order(&right.end)?)));
        order.unwrap_or_else(|error| {
            failure.get_or_insert(error);
            std::cmp::Ordering::Equal
        })
    });
    failure.map_or(Ok(()), Err)
}
