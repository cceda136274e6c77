//! How what is left to read is cut into windows: one after the other, made when they are asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::Result;

use super::definition::{Definition, Step};
use super::point::Point;
use crate::source::declarative::value::{Map, Value};

/// The windows of a cursor.
pub(super) struct Windows {
    definition: Arc<Definition>,
    start: Point,
    step: Step,
    ranges: VecDeque<Range>,
    current: Option<Cut>,
}

/// A range that is not read yet.
pub(super) enum Range {
    /// Before or between what is read: its upper bound is read already.
    Gap { lower: Point, upper: Point },
    /// After all that is read, up to the end.
    Tail { lower: Point },
}

/// A range that is being cut.
struct Cut {
    lower: Point,
    upper: Point,
    is_tail: bool,
}

impl Windows {
    pub(super) fn new(definition: Arc<Definition>, start: Point, step: Step, ranges: Vec<Range>) -> Self {
        Self { definition, start, step, ranges: ranges.into(), current: None }
    }

    /// The bounds of the next window, as requests have them.
    pub(super) fn next(&mut self) -> Result<Option<Map>> {
        loop {
            if let Some(cut) = self.current.take() {
                if let Some((lower, upper)) = self.cut(cut)? {
                    return Ok(Some(self.bounds(&lower, &upper)));
                }
                continue;
            }
            let Some(range) = self.ranges.pop_front() else { return Ok(None) };
            let cut = match range {
                Range::Gap { lower, upper } => Cut { lower, upper, is_tail: false },
                Range::Tail { lower } => Cut { lower, upper: self.definition.end()?, is_tail: true },
            };
            if let Some((lower, upper)) = self.begin(cut)? {
                return Ok(Some(self.bounds(&lower, &upper)));
            }
        }
    }

    /// The only window of a range that is no longer than a step; a longer one is cut from now on.
    fn begin(&mut self, cut: Cut) -> Result<Option<(Point, Point)>> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let definition = Arc::clone(&self.definition);
        let Cut { lower, upper, is_tail } = cut;
        let granularity = definition.granularity.as_ref();
        match lower.order(&upper)? {
            Greater => {
                if is_tail {
                    definition.tell_ahead(&lower, &upper)?;
                }
                return Ok(None);
            }
            Equal if granularity.is_none() => return Ok(None),
            _ => {}
        }
        let mut lower = lower;
        if self.start.is_true() {
            if upper.before(&self.start)? {
                return Ok(None);
            }
            lower = lower.max(self.start.clone())?;
        }
        lower = definition.clamp.ceil(lower);
        match lower.order(&upper)? {
            Greater => return Ok(None),
            Equal if definition.is_strict || !is_tail => return Ok(None),
            Equal | Less => {}
        }
        if self.step != Step::Whole && self.reach(&lower)?.before(&upper)? {
            self.current = Some(Cut { lower, upper, is_tail });
            return Ok(None);
        }
        Ok(Some(match granularity {
            Some(_) if is_tail => (lower, upper),
            Some(granularity) => {
                let upper = definition.clamp.ceil(upper);
                (lower, upper.ago(granularity).unwrap_or(upper))
            }
            None => (lower, definition.clamp.ceil(upper)),
        }))
    }

    /// The next window of a range that is longer than a step; `None` when it is used up.
    fn cut(&mut self, cut: Cut) -> Result<Option<(Point, Point)>> {
        use std::cmp::Ordering::{Equal, Less};
        let definition = Arc::clone(&self.definition);
        let Cut { lower, upper, is_tail } = cut;
        let reached = self.reach(&lower)?.min(upper.clone())?;
        let is_upper = reached.order(&upper)? == Equal;
        let clamped_upper = if is_upper { reached } else { definition.clamp.ceil(reached) };
        let is_last = is_upper || clamped_upper.order(&upper)? == Equal;
        let clamped_lower = definition.clamp.ceil(lower);
        if clamped_lower.order(&clamped_upper)? != Less {
            return Ok(None);
        }
        let end = match &definition.granularity {
            Some(granularity) if !is_tail || !is_last => {
                clamped_upper.ago(granularity).unwrap_or_else(|| clamped_upper.clone())
            }
            _ => clamped_upper.clone(),
        };
        if !is_last {
            self.current = Some(Cut { lower: clamped_upper, upper, is_tail });
        }
        Ok(Some((clamped_lower, end)))
    }

    /// Where a window that begins at `lower` ends.
    fn reach(&self, lower: &Point) -> Result<Point> {
        let reached = match &self.step {
            Step::Span(span) => lower.after(span),
            Step::Whole | Step::Endless => None,
        };
        reached.map_or_else(|| self.definition.end(), Ok)
    }

    fn bounds(&self, lower: &Point, upper: &Point) -> Map {
        let Definition { axis, keys, .. } = &*self.definition;
        let mut map = Map::new();
        map.insert(keys.0.as_str(), axis.write(lower));
        map.insert(keys.1.as_str(), axis.write(upper));
        map
    }
}

/// The two halves of the window between `lower` and `upper`; `None` where it can't be split.
pub(super) fn halves(
    definition: &Definition,
    bounds: &Map,
    least: Option<&crate::source::declarative::moment::Span>,
) -> Result<Option<[Map; 2]>> {
    use crate::source::declarative::moment::{Delta, Span};
    const NONE: &Value = &Value::None;
    let Some(granularity) = &definition.granularity else { return Ok(None) };
    let bound =
        |key: &String| definition.axis.demand(bounds.get(key).unwrap_or(NONE), "a bound of a request window");
    let (Point::Time(lower), Point::Time(upper)) = (bound(&definition.keys.0)?, bound(&definition.keys.1)?)
    else {
        return Ok(None);
    };
    let (Span::Fixed(unit), span) =
        (granularity, i128::from(upper.epoch_micros()) - i128::from(lower.epoch_micros()))
    else {
        return Err(protocol::Error::config(
            "a request window can't be split by a granularity of months or years",
        ));
    };
    if span <= 0 || matches!(least, Some(Span::Fixed(least)) if span <= least.0) || unit.0 <= 0 {
        return Ok(None);
    }
    let units = span / unit.0 + 1;
    if units <= 1 {
        return Ok(None);
    }
    let first_end = lower.plus(Delta((units / 2 - 1) * unit.0));
    let second_start = first_end.and_then(|moment| moment.plus(*unit));
    let (Some(first_end), Some(second_start)) = (first_end, second_start) else { return Ok(None) };
    let ordered = lower.universal() <= first_end.universal()
        && first_end.universal() < second_start.universal()
        && second_start.universal() <= upper.universal();
    if !ordered {
        return Ok(None);
    }
    let half = |from, to| {
        let mut map = Map::new();
        map.insert(definition.keys.0.as_str(), definition.axis.write(&Point::Time(from)));
        map.insert(definition.keys.1.as_str(), definition.axis.write(&Point::Time(to)));
        map
    };
    Ok(Some([half(lower, first_end), half(second_start, upper)]))
}
