//! Cursors: how a stream is cut into slices, and where it stands.
//!
//! States are the reference's to the letter, so that connections can be moved there and back. What is known beside them
//! (which intervals were read) is in [`Cursor::checkpoint`].

mod bound;
mod clamp;
mod definition;
mod greatest;
mod interval;
mod many;
mod point;
mod sieve;
mod single;
mod slicer;
mod slicing;
#[cfg(test)]
mod tests;
mod tracker;
mod window;

use std::borrow::Borrow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, FixedOffset, Utc};
use protocol::{Error, Result};

use super::clock::Clock;
use super::partition::{Router, Slice};
use super::state::{NO_CURSOR, Snapshot};
use super::template::StreamSlice;
use super::value::{Map, Value};
use definition::Definition;
use greatest::Greatest;
use many::Many;
use point::Point;
use single::Single;

pub use sieve::Sieve;
pub use slicer::Slicer;
pub use slicing::Slicing;
pub use tracker::Tracker;

/// How long a state of many partitions is not told again: to write it takes as long as there are partitions.
const QUIET_SECONDS: i64 = 600;

/// Where a stream stands. Slices may be read in any order and at once; each is observed while it is read, and closed
/// when all of its records have been handed over. A slice that failed is not closed. Cheap to clone.
#[derive(Clone)]
pub struct Cursor(Arc<Inner>);

struct Inner {
    definition: Option<Arc<Definition>>,
    kind: Kind,
    clock: Clock,
    next_slice: AtomicU64,
    /// Whether all slices have been given out.
    is_cut: AtomicBool,
}

enum Kind {
    /// The stream keeps no state.
    Stateless,
    /// One cursor, and how often it changed.
    Single(Mutex<(Single, u64)>),
    /// One for each partition.
    Many(Mutex<Course>, Arc<Router>),
}

/// The cursors of partitions, and when what happened.
struct Course {
    many: Many,
    began: Option<DateTime<Utc>>,
    told: Option<DateTime<Utc>>,
}

impl Cursor {
    /// The field of records that the cursor looks at (a plain key, not a path); `None` without a cursor.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.0.definition.as_ref().map(|definition| definition.field.as_str())
    }

    /// Takes note of the cursor's values of records that *have been emitted*; [`Value::None`] where one has none.
    pub fn observe<V: Borrow<Value>>(
        &self,
        slice: &Slice,
        values: impl IntoIterator<Item = V>,
    ) -> Result<()> {
        let Some(definition) = &self.0.definition else { return Ok(()) };
        let mut greatest = Greatest::new(&definition.axis, matches!(self.0.kind, Kind::Many(..)));
        for value in values {
            greatest.add(value.borrow())?;
        }
        let Some(point) = greatest.point else { return Ok(()) };
        match &self.0.kind {
            Kind::Stateless => Ok(()),
            Kind::Single(single) => lock(single).0.observe(slice.number(), point),
            Kind::Many(course, _) => {
                let text = greatest.text.unwrap_or_default();
                lock(course).many.observe(partition(slice)?, slice.number(), point, text)
            }
        }
    }

    /// Notes that a slice is read to its end. Gives the state where the reference would emit one now: after each slice
    /// of a stream without partitions, every ten minutes with them, never without a cursor.
    pub fn close(&self, slice: &Slice) -> Result<Option<Value>> {
        let bounds = slice.stream_slice().cursor();
        match &self.0.kind {
            Kind::Stateless => Ok(None),
            Kind::Single(single) => {
                let mut single = lock(single);
                let has_changed = single.0.close(slice.number(), bounds)?;
                single.1 += 1;
                Ok(has_changed.then(|| Value::Map(single.0.state())))
            }
            Kind::Many(course, _) => {
                let now = self.0.clock.now();
                let mut course = lock(course);
                course.many.close(partition(slice)?, slice.number(), bounds)?;
                if course.told.is_some_and(|told| (now - told).num_seconds() <= QUIET_SECONDS) {
                    return Ok(None);
                }
                course.told = Some(now);
                if !course.many.is_telling() {
                    return Ok(None);
                }
                let snapshot = course.many.snapshot();
                drop(course);
                Ok(Some(snapshot.write().into()))
            }
        }
    }

    /// Ends the sync, be it a success or not: the last state, which is always emitted.
    pub fn finish(&self) -> Result<Value> {
        if let Kind::Many(course, router) = &self.0.kind {
            let (now, parents) = (self.0.clock.now(), router.parental());
            let mut course = lock(course);
            let elapsed = course.began.map_or(0, |began| {
                let elapsed = now - began;
                // Seconds that have begun: even the shortest sync has one.
                (elapsed.num_seconds() + i64::from(elapsed.subsec_nanos() > 0)).max(1)
            });
            let went_well = self.0.is_cut.load(Ordering::Acquire);
            course.many.finish(went_well, elapsed, parents);
        }
        Ok(self.state())
    }

    /// The state as the reference would write it now.
    #[must_use]
    pub fn state(&self) -> Value {
        self.snapshot().write().into()
    }

    /// The state with all that is known of what was read (merged intervals): to go on after an interruption. The
    /// reference reads it too. Once a sync has ended well, [`Self::finish`]'s is the one to keep.
    #[must_use]
    pub fn checkpoint(&self) -> Value {
        match &self.0.kind {
            Kind::Stateless => self.state(),
            Kind::Single(single) => lock(single).0.checkpoint().into(),
            Kind::Many(course, _) => lock(course).many.checkpoint().into(),
        }
    }

    /// What is to be kept of the records of `slice`. To be asked anew for each page, after it came.
    pub fn sieve(&self, slice: &Slice) -> Result<Sieve> {
        let Some(definition) = &self.0.definition else { return Ok(Sieve::all()) };
        let wanted = match &self.0.kind {
            Kind::Stateless => return Ok(Sieve::all()),
            Kind::Single(single) => lock(single).0.wanted()?,
            Kind::Many(course, _) => lock(course).many.wanted(partition(slice)?)?,
        };
        Ok(Sieve::new(Arc::clone(definition), wanted))
    }

    /// For `pagination_reset` with `SPLIT_USING_CURSOR`, anew for each slice; `None` without a cursor.
    #[must_use]
    pub fn tracker(&self) -> Option<Tracker> {
        self.0.definition.as_ref().map(|definition| Tracker::new(Arc::clone(definition)))
    }

    /// For `SPLIT_REQUEST_WINDOW`: the halves of `slice`, to be read one after the other; `None` where it can't be
    /// split further. Records of the halves count as those of the whole: observe and close the [`Slice`] they came of.
    pub fn split(&self, slice: &StreamSlice, min_window: Option<&str>) -> Result<Option<[StreamSlice; 2]>> {
        let Some(definition) = &self.0.definition else { return Ok(None) };
        let least = min_window.map(definition::span).transpose()?;
        let halves = window::halves(definition, slice.cursor(), least.as_ref())?;
        let whole = |bounds| StreamSlice::new(slice.partition().clone(), bounds, slice.extra().clone());
        Ok(halves.map(|halves| halves.map(whole)))
    }

    /// The moment that `state` stands at, for `api_retention_period`; `None` where it says none.
    #[must_use]
    pub fn moment_of(&self, state: &Value) -> Option<DateTime<FixedOffset>> {
        let state = state.as_map()?;
        let Some(definition) = &self.0.definition else {
            return state.get(NO_CURSOR)?.is_true().then(|| self.0.clock.now().fixed_offset());
        };
        let state = match &self.0.kind {
            Kind::Many(..) => state.get("state")?.as_map()?,
            _ => state,
        };
        let value = if single::keeps_intervals(state) {
            let first = state.get("slices")?.as_list()?.first()?;
            let recent = first.get("most_recent_cursor_value").filter(|value| value.is_true());
            recent.or_else(|| first.get("end"))?
        } else {
            state.get(&definition.field)?
        };
        match definition.axis.read(value).filter(|_| value.is_true())? {
            Point::Time(moment) => Some(moment.universal().and_utc().fixed_offset()),
            Point::Count(_) => None,
        }
    }

    /// What a record's cursor says, as a number: microseconds since 1970, or the count. `None` where it says nothing.
    #[must_use]
    pub fn instant(&self, value: &Value) -> Option<i64> {
        let definition = self.0.definition.as_ref()?;
        if value.is_none() {
            return None;
        }
        instant(&definition.axis.read(value)?)
    }

    /// From where on a later read gives records again if none is greater than `value`.
    #[must_use]
    pub fn again_from(&self, value: &Value) -> Option<i64> {
        let definition = self.0.definition.as_ref()?;
        let point = definition.axis.read(value)?;
        // States are often coarser than records.
        let stated = definition.axis.read(&definition.axis.write(&point)).unwrap_or_else(|| point.clone());
        let from = match definition.lookback() {
            Ok(Some(span)) => stated.ago(&span)?,
            _ => stated,
        };
        Some(instant(&from)?.min(instant(&point)?))
    }

    /// A number that grows whenever the state changes.
    pub(super) fn version(&self) -> u64 {
        match &self.0.kind {
            Kind::Stateless => 0,
            Kind::Single(single) => lock(single).1,
            Kind::Many(course, _) => lock(course).many.version,
        }
    }

    /// The state, not yet written.
    pub(super) fn snapshot(&self) -> Snapshot {
        match &self.0.kind {
            Kind::Stateless => {
                let state: Map = [(NO_CURSOR, Value::Bool(true))].into_iter().collect();
                Snapshot::Flat(Arc::new(state))
            }
            Kind::Single(single) => Snapshot::Flat(Arc::new(lock(single).0.state())),
            Kind::Many(course, _) => lock(course).many.snapshot(),
        }
    }

    fn next_number(&self) -> u64 {
        self.0.next_slice.fetch_add(1, Ordering::Relaxed)
    }
}

fn instant(point: &Point) -> Option<i64> {
    match point {
        Point::Time(moment) => Some(moment.universal().and_utc().timestamp_micros()),
        Point::Count(value) => value.as_int(),
    }
}

/// The key of a slice's partition.
fn partition(slice: &Slice) -> Result<&str> {
    let partition = slice.partition().map(|partition| &**partition);
    partition.ok_or_else(|| Error::internal("a slice of another stream's cursor"))
}

// A panic while the lock is held leaves a cursor as it was before or after one change: both are states.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
