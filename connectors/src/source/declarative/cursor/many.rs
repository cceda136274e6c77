//! A cursor for each partition, one for all of them where they are too many, and what parents may move on to.
//!
//! All work is in proportion to the partitions that change: none of it goes over all that are known, but for writing
//! the state, which the caller does now and then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ahash::HashMap;
use protocol::{Error, Result};

use super::definition::Definition;
use super::point::Point;
use super::single::Single;
use super::window::Windows;
use crate::source::declarative::state::{Parental, Snapshot, Spread, Table, identity, sorted};
use crate::source::declarative::value::{Map, Value};

/// How many partitions have cursors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Partitions beyond this have one cursor together.
    pub(super) apart: usize,
    /// Cursors that are kept at all.
    pub(super) kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { apart: 10_000, kept: 25_000 }
    }
}

/// The cursors of all partitions.
pub(super) struct Many {
    definition: Arc<Definition>,
    limits: Limits,
    use_global: bool,
    /// What new partitions begin with: what the last sync that went well had seen of all.
    global: Option<Map>,
    /// What this sync has seen of all partitions, as it is written.
    seen: Option<Value>,
    has_synced: bool,
    lookback_seconds: i64,
    parents: Option<Parental>,
    entries: BTreeMap<u64, Entry>,
    by_key: HashMap<Arc<str>, u64>,
    /// Entries that are not in work: the first ones to go.
    idle: BTreeSet<u64>,
    next_entry: u64,
    table: Table,
    /// How many partitions there have been.
    count: usize,
    tracks: HashMap<Arc<str>, Track>,
    next_track: u64,
    /// The numbers of partitions in work.
    working: BTreeSet<u64>,
    /// Where parents stood when partitions were made, each to be told once those up to its number are done.
    pending: VecDeque<Pending>,
    open_slices: usize,
    pub(super) version: u64,
}

struct Entry {
    key: Arc<str>,
    cursor: Single,
    place: usize,
    /// Whether this sync has made slices of it.
    is_made: bool,
}

/// A partition in work.
struct Track {
    number: u64,
    open: usize,
    /// Whether there will be no more slices of it.
    is_cut: bool,
}

struct Pending {
    parents: Parental,
    version: u64,
    number: u64,
}

/// What a partition is begun with.
pub(super) struct Begun {
    pub(super) key: Arc<str>,
    pub(super) windows: Windows,
}

impl Many {
    pub(super) fn new(
        definition: Arc<Definition>,
        limits: Limits,
        use_global: bool,
        state: &Map,
    ) -> Result<Self> {
        let mut many = Self {
            definition,
            limits,
            use_global,
            global: None,
            seen: None,
            has_synced: false,
            lookback_seconds: 0,
            parents: None,
            entries: BTreeMap::new(),
            by_key: HashMap::default(),
            idle: BTreeSet::new(),
            next_entry: 0,
            table: Table::default(),
            count: 0,
            tracks: HashMap::default(),
            next_track: 0,
            working: BTreeSet::new(),
            pending: VecDeque::new(),
            open_slices: 0,
            version: 0,
        };
        many.begin_at(state)?;
        Ok(many)
    }

    fn begin_at(&mut self, state: &Map) -> Result<()> {
        if state.contains("states") || state.contains("state") {
            self.use_global = state.get("use_global_cursor").is_some_and(Value::is_true);
            self.lookback_seconds = seconds(state.get("lookback_window"))?;
            let states = state.get("states").and_then(Value::as_list).unwrap_or_default();
            for state in states {
                let part = |key: &str| {
                    let part = state.get(key).and_then(Value::as_map);
                    part.ok_or_else(|| Error::data(format!("a partition of the state has no {key:?}")))
                };
                let cursor = Single::new(&self.definition, part("cursor")?.clone(), 0)?;
                self.enter(identity(part("partition")?).into(), part("partition")?, cursor);
            }
            if let Some(Value::Map(global)) = state.get("state") {
                self.set_global(global)?;
            }
        } else if !state.is_empty() {
            self.set_global(state)?;
        }
        if let Some(parents) = state.get("parent_state").filter(|parents| parents.is_true()) {
            self.parents = Some(Parental::Written(Arc::new(parents.clone())));
        }
        Ok(())
    }

    fn set_global(&mut self, state: &Map) -> Result<()> {
        let Some(value) = state.get(&self.definition.field) else { return Ok(()) };
        let point = self.definition.axis.demand(value, "the state's value of all partitions")?;
        self.see(self.definition.axis.write(&point), true);
        Ok(())
    }

    fn see(&mut self, value: Value, is_settled: bool) {
        if is_settled {
            self.global = Some([(self.definition.field.as_str(), value.clone())].into_iter().collect());
            self.seen = Some(value);
        } else if self.seen.as_ref().is_none_or(|seen| seen.as_text() < value.as_text()) {
            self.seen = Some(value);
        }
    }

    /// A cursor for a partition that has none yet.
    fn fresh(&self) -> Result<Single> {
        let (state, seconds) = match &self.global {
            Some(global) => (global.clone(), self.lookback_seconds),
            None => (Map::new(), 0),
        };
        Single::new(&self.definition, state, seconds)
    }

    fn enter(&mut self, key: Arc<str>, partition: &Map, cursor: Single) -> u64 {
        self.count += 1;
        // A partition that a state has twice: the last one counts, in the first one's place.
        if let Some((number, entry)) = self
            .by_key
            .get(&key)
            .and_then(|number| self.entries.get_mut(number).map(|entry| (*number, entry)))
        {
            self.table.set(entry.place, cursor.state());
            entry.cursor = cursor;
            return number;
        }
        let place = self.table.push(Arc::new(sorted(partition)), cursor.state());
        let number = self.next_entry;
        self.next_entry += 1;
        self.by_key.insert(Arc::clone(&key), number);
        self.entries.insert(number, Entry { key, cursor, place, is_made: false });
        self.idle.insert(number);
        self.version += 1;
        number
    }

    /// Begins a partition; `None` where this sync has had it already. `parents` tells where parents stand.
    pub(super) fn begin(
        &mut self,
        partition: &Map,
        version: u64,
        parents: impl FnOnce() -> Option<Parental>,
    ) -> Result<Option<Begun>> {
        self.make_room();
        let key: Arc<str> = identity(partition).into();
        let number = if let Some(number) = self.by_key.get(&key) {
            *number
        } else {
            let cursor = self.fresh()?;
            self.enter(Arc::clone(&key), partition, cursor)
        };
        let entry = self.entries.get_mut(&number).ok_or_else(|| Error::internal("a partition is gone"))?;
        if std::mem::replace(&mut entry.is_made, true) || self.tracks.contains_key(&key) {
            return Ok(None);
        }
        let windows = entry.cursor.windows()?;
        self.idle.remove(&number);
        let track = self.next_track;
        self.next_track += 1;
        self.working.insert(track);
        self.tracks.insert(Arc::clone(&key), Track { number: track, open: 0, is_cut: false });
        if self.pending.back().is_none_or(|last| last.version != version)
            && let Some(parents) = parents()
        {
            self.pending.push_back(Pending { parents, version, number: track });
        }
        Ok(Some(Begun { key, windows }))
    }

    /// Switches to one cursor for all where there are too many, and drops the oldest ones.
    fn make_room(&mut self) {
        if !self.use_global && self.count > self.limits.apart {
            self.use_global = true;
            self.version += 1;
        }
        while self.entries.len() >= self.limits.kept {
            let idle = self.idle.pop_first();
            let Some(oldest) = idle.or_else(|| self.entries.keys().next().copied()) else { return };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.by_key.remove(&entry.key);
                self.table.remove(entry.place);
                self.version += 1;
            }
        }
    }

    /// Notes that a slice of a partition was given out, and whether it was the last one.
    pub(super) fn release(&mut self, key: &str, is_last: bool) {
        if let Some(track) = self.tracks.get_mut(key) {
            track.open += 1;
            track.is_cut = is_last;
            self.open_slices += 1;
        }
    }

    /// Notes the greatest value of some records, as a point and as it is written.
    pub(super) fn observe(&mut self, key: &str, number: u64, point: Point, text: Value) -> Result<()> {
        self.has_synced = true;
        self.see(text, false);
        if !self.use_global
            && let Some(entry) = self.entry(key)
        {
            entry.cursor.observe(number, point)?;
        }
        Ok(())
    }

    /// Notes that a slice is read.
    pub(super) fn close(&mut self, key: &str, number: u64, bounds: &Map) -> Result<()> {
        let track = self.tracks.get_mut(key).filter(|track| track.open > 0);
        let track = track.ok_or_else(|| Error::internal("a slice is closed that is not open"))?;
        track.open -= 1;
        self.open_slices -= 1;
        let is_done = track.is_cut && track.open == 0;
        let track = track.number;
        if !self.use_global
            && let Some(entry) = self.entry(key)
        {
            entry.cursor.close(number, bounds)?;
            let (state, value, place) = (entry.cursor.state(), entry.cursor.value(), entry.place);
            self.table.set(place, state);
            if is_done {
                self.see(value, false);
            }
        }
        self.version += 1;
        if is_done {
            self.tracks.remove(key);
            self.working.remove(&track);
            if let Some(entry) = self.by_key.get(key) {
                self.idle.insert(*entry);
            }
        }
        self.move_parents();
        Ok(())
    }

    /// Moves parents on to where they stood when the last partition was made before which all are done.
    fn move_parents(&mut self) {
        let first = self.working.first().copied();
        while let Some(pending) = self.pending.front() {
            if first.is_some_and(|first| first <= pending.number) {
                return;
            }
            self.parents = self.pending.pop_front().map(|pending| pending.parents);
        }
    }

    /// Ends a sync. Where all went well, the next one begins new partitions with what this one has seen.
    pub(super) fn finish(&mut self, went_well: bool, elapsed_seconds: i64, parents: Option<Parental>) {
        if went_well && self.open_slices == 0 {
            if self.has_synced {
                if let Some(seen) = self.seen.clone() {
                    self.see(seen, true);
                }
                self.lookback_seconds = elapsed_seconds;
            }
            self.parents = parents;
            self.version += 1;
        }
    }

    /// Whether a state is worth to be told in between: with one cursor for all, nothing but parents moves.
    pub(super) fn is_telling(&self) -> bool {
        !self.use_global || self.parents.as_ref().is_some_and(|parents| !parents.is_empty())
    }

    /// What is wanted of the records of a partition.
    pub(super) fn wanted(&mut self, key: &str) -> Result<(Point, Point)> {
        if !self.use_global
            && let Some(entry) = self.entry(key)
        {
            return entry.cursor.wanted();
        }
        self.fresh()?.wanted()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::Spread(Arc::new(self.spread(|| self.table.clone())))
    }

    /// The state with all that is known of each partition.
    pub(super) fn checkpoint(&self) -> Map {
        let table = || {
            let mut table = self.table.clone();
            for entry in self.entries.values() {
                table.set(entry.place, entry.cursor.checkpoint());
            }
            table
        };
        self.spread(table).write()
    }

    fn spread(&self, table: impl FnOnce() -> Table) -> Spread {
        Spread {
            use_global: self.use_global,
            states: (!self.use_global).then(table),
            global: self.global.clone(),
            lookback_seconds: self.lookback_seconds,
            parents: self.parents.clone(),
        }
    }

    fn entry(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.get_mut(self.by_key.get(key)?)
    }
}

/// `lookback_window`: whole seconds.
fn seconds(value: Option<&Value>) -> Result<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "more seconds than a year has microseconds mean nothing"
    )]
    match value {
        None => Ok(0),
        Some(Value::Int(seconds)) => Ok(*seconds),
        Some(Value::Float(seconds)) => Ok(*seconds as i64),
        Some(Value::Text(text)) if text.trim().parse::<i64>().is_ok() => Ok(text.trim().parse().unwrap_or(0)),
        Some(other) => Err(Error::data(format!("`lookback_window` of the state is {}", other.kind()))),
    }
}
