//! What the syncs since the last look at all rows have read, as far as a later look has to know.
//!
//! An increment looks from a bound of the cursor on. A row version that its snapshot is the first to
//! show, and that lies below the bound, is passed by: it was written with an old value. Which versions
//! these are is known exactly. Let the bounds be those of the syncs since, each not below the one before.
//! Then a version at `c` was looked at by the syncs whose bound is not above `c`, which are the first few,
//! and it was read by one of them if it is visible to the snapshot of the last of these. So there is one
//! snapshot for each range of values, and what that does not show was never read.
//!
//! A snapshot shows what transactions before its first open one have written, and those that it was found
//! to show beyond. As each snapshot shows what the former ones did, of these only the new ones are kept.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::answer::quote_literal;
use super::quote_identifier;
use super::state::{Bound, CursorKind, Seen};
use super::xids::{Xids, narrowed, since, since_without};

/// Most bytes of steps in a state.
const MOST_BYTES: usize = 64 << 10;

/// The last look at all rows, and what was read since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Swept {
    /// When it was, by the server's clock, in µs since 1970.
    pub(super) at: i64,
    /// The snapshots since, but for the last one.
    #[serde(default, skip_serializing_if = "Steps::is_empty")]
    pub(super) steps: Steps,
    /// Tables that were attached since, and what of each was read whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attached: Vec<Attached>,
    /// Tables that the last sync read whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) fresh: Vec<u32>,
    /// What counts as read by a look at all rows that did not know what was read before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Base>,
    /// Whether the last step's snapshot shows what the last sync but one did, of what lies above.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_next: bool,
    /// Whether it is known of all rows whether they were read. Of others it is taken that they were not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_coarse: bool,
}

/// What transactions before `xmin` have written with values below this bound counts as read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    pub(super) below: Bound,
    pub(super) xmin: u64,
}

/// Tables of which all was read that a snapshot showed, wherever it lay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attached {
    pub(super) leaves: Vec<u32>,
    pub(super) xmin: u64,
    #[serde(default, skip_serializing_if = "Xids::is_empty")]
    pub(super) xids: Xids,
}

/// Below this bound, and not below that of the step before, what this snapshot shows was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) below: Bound,
    /// The snapshot's first open transaction.
    pub(super) xmin: u64,
    /// Those from there on that it shows, and no step before.
    pub(super) added: Vec<u64>,
}

/// Steps in the order of their bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Steps(Vec<Step>);

impl Swept {
    /// All that there was has been looked at.
    pub(super) fn now(at: i64) -> Self {
        let (steps, attached, fresh) = (Steps::default(), Vec::new(), Vec::new());
        Self { at, steps, attached, fresh, base: None, is_next: false, is_coarse: false }
    }

    /// The same with its base as the first step. The sync that left it has `seen` all rows.
    pub(super) fn based(mut self, seen: &Seen) -> Self {
        if let Some(Base { below, xmin }) = self.base.take() {
            let (xmin, added) = (xmin.max(seen.xmin), seen.xids.iter().collect());
            self.steps = Steps(vec![Step { below, xmin, added }]);
        }
        self
    }

    /// The same after one more sync, which looked from `below` on: below it, what the sync before has
    /// `seen` is the last that was read. `was_empty` if that sync has read nothing.
    pub(super) fn passed(self, below: Option<Bound>, seen: &Seen, was_empty: bool) -> Self {
        let mut swept = self.based(seen);
        swept.pass(below, seen, was_empty);
        swept
    }

    fn pass(&mut self, below: Option<Bound>, seen: &Seen, was_empty: bool) {
        if !self.fresh.is_empty() {
            let leaves = std::mem::take(&mut self.fresh);
            self.attached.push(Attached { leaves, xmin: seen.xmin, xids: seen.xids.clone() });
        }
        let Some(below) = below else { return };
        let steps = &mut self.steps.0;
        match steps.last_mut() {
            Some(last) if !is_above(&below, &last.below) => {
                // Nothing lies in between, so that the snapshot is of no use. Where the bound went back, as
                // when the margin grew, what was read there meanwhile is taken for not read.
                self.is_coarse |= last.below != below;
                self.is_next &= was_empty;
            }
            Some(last) if was_empty && self.is_next => last.below = below,
            _ => {
                let known: BTreeSet<u64> = steps.iter().flat_map(|step| &step.added).copied().collect();
                let added = seen.xids.iter().filter(|xid| !known.contains(xid)).collect();
                steps.push(Step { below, xmin: seen.xmin, added });
                self.is_next = true;
            }
        }
        self.is_coarse |= self.steps.thin(MOST_BYTES);
    }

    /// The transactions from `xmin` on that it is known to show.
    pub(super) fn xids_from(&self, xmin: u64) -> impl Iterator<Item = u64> {
        let added = self.steps.0.iter().flat_map(|step| step.added.iter().copied());
        let attached = self.attached.iter().flat_map(|attached| attached.xids.iter());
        added.chain(attached).filter(move |xid| *xid >= xmin)
    }

    /// The first open transaction of the oldest snapshot.
    pub(super) fn oldest(&self) -> Option<u64> {
        let steps = self.steps.0.first().map(|step| step.xmin);
        steps.into_iter().chain(self.attached.iter().map(|attached| attached.xmin)).min()
    }
}

/// Values are compared by the server only, and a new one that is another is greater.
fn is_above(new: &Bound, old: &Bound) -> bool {
    match (new, old) {
        (Bound::Micros(new), Bound::Micros(old)) => new > old,
        (new, old) => new != old,
    }
}

impl Steps {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing is known but what counts as read.
    pub(super) fn unknown(base: &Base) -> Self {
        Self(vec![Step { below: base.below.clone(), xmin: base.xmin, added: Vec::new() }])
    }

    /// Joins steps until they take no more than `most` bytes. Of two, the older snapshot stays: what only
    /// the younger one shows may be read twice. The other way it could be lost. Returns whether any were.
    fn thin(&mut self, most: usize) -> bool {
        let mut is_thinned = false;
        while self.0.len() > 2 && self.packed().len() > most {
            let steps = std::mem::take(&mut self.0);
            let (mut carried, last) = (Vec::new(), steps.len() - 1);
            for (at, mut step) in steps.into_iter().enumerate() {
                match self.0.last_mut() {
                    Some(before) if at % 2 == 1 && at < last => {
                        before.below = step.below;
                        carried.append(&mut step.added);
                    }
                    _ => {
                        step.added.append(&mut carried);
                        self.0.push(step);
                    }
                }
            }
            is_thinned = true;
        }
        is_thinned
    }

    fn packed(&self) -> String {
        let mut bytes = Vec::new();
        let (mut micros, mut xmin) = (0_i64, 0_u64);
        for step in &self.0 {
            match &step.below {
                Bound::Micros(below) => {
                    bytes.push(0);
                    put(&mut bytes, zigzag(below.wrapping_sub(micros)));
                    micros = *below;
                }
                Bound::Value(value) => {
                    bytes.push(1);
                    put(&mut bytes, value.len() as u64);
                    bytes.extend_from_slice(value.as_bytes());
                }
            }
            put(&mut bytes, zigzag(step.xmin.wrapping_sub(xmin).cast_signed()));
            xmin = step.xmin;
            put(&mut bytes, step.added.len() as u64);
            let mut before = step.xmin;
            for xid in &step.added {
                put(&mut bytes, zigzag(xid.wrapping_sub(before).cast_signed()));
                before = *xid;
            }
        }
        BASE64.encode(bytes)
    }

    fn unpacked(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        let (mut rest, mut steps) = (bytes.as_slice(), Vec::new());
        let (mut micros, mut xmin) = (0_i64, 0_u64);
        while let Some((kind, after)) = rest.split_first() {
            rest = after;
            let below = match kind {
                0 => {
                    micros = micros.wrapping_add(unzigzag(take(&mut rest)?));
                    Bound::Micros(micros)
                }
                1 => {
                    let length = usize::try_from(take(&mut rest)?).ok()?;
                    let (value, after) = rest.split_at_checked(length)?;
                    rest = after;
                    Bound::Value(String::from_utf8(value.to_vec()).ok()?)
                }
                _ => return None,
            };
            xmin = xmin.wrapping_add(unzigzag(take(&mut rest)?).cast_unsigned());
            let (count, mut before, mut added) = (take(&mut rest)?, xmin, Vec::new());
            for _ in 0..count {
                before = before.wrapping_add(unzigzag(take(&mut rest)?).cast_unsigned());
                added.push(before);
            }
            steps.push(Step { below, xmin, added });
        }
        Some(Self(steps))
    }
}

/// Seven bits a byte, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0_u64, 0_u32);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        if shift > 63 {
            return None;
        }
    }
}

/// Small numbers of either sign as small ones.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

impl Serialize for Steps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.packed())
    }
}

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::unpacked(&text).ok_or_else(|| D::Error::custom("these are no steps of a cursor"))
    }
}

/// What was read of a table in the course of several syncs, the last of which left `xmin` and `xids`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    #[serde(default, skip_serializing_if = "Steps::is_empty")]
    pub(super) steps: Steps,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) attached: Vec<Attached>,
}

impl Past {
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.attached.is_empty()
    }

    /// The conditions for versions that none of these syncs have read, by the cursor in `column`. Of the
    /// one table `leaf`, if given, or of all that are attached or were there.
    pub(super) fn conditions(
        &self,
        column: &str,
        kind: CursorKind,
        (xmin, xids): (u64, &Xids),
        leaf: Option<u32>,
    ) -> Vec<String> {
        let mut conditions = if self.steps.is_empty() {
            since_without(xmin, xids)
        } else {
            self.by_steps(column, kind, xmin, xids)
        };
        for attached in
            self.attached.iter().filter(|attached| leaf.is_none_or(|leaf| attached.leaves.contains(&leaf)))
        {
            let unseen = since_without(attached.xmin, &attached.xids).join(" AND ");
            if leaf.is_some() {
                conditions.push(unseen);
            } else {
                let leaves: Vec<String> = attached.leaves.iter().map(u32::to_string).collect();
                conditions.push(format!("(tableoid <> ALL ('{{{}}}'::oid[]) OR {unseen})", leaves.join(",")));
            }
        }
        conditions
    }

    /// The oldest snapshot leaves out nearly all rows. Of the rest, the number of bounds that are not above
    /// the cursor tells the snapshot that decides.
    fn by_steps(&self, column: &str, kind: CursorKind, xmin: u64, xids: &Xids) -> Vec<String> {
        let steps = &self.steps.0;
        let place = self.place(column, kind);
        let oldest = steps.iter().map(|step| step.xmin).min().unwrap_or(xmin).min(xmin);
        let firsts: Vec<String> =
            steps.iter().map(|step| step.xmin).chain([xmin]).map(|xmin| narrowed(xmin).to_string()).collect();
        let mut conditions = since(oldest);
        conditions.push(format!("age(xmin) <= age(('{{{}}}'::xid[])[1 + {place}])", firsts.join(",")));
        let mut shown: BTreeMap<u64, usize> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            for xid in &step.added {
                shown.entry(*xid).or_insert(at);
            }
        }
        for xid in xids.iter() {
            shown.entry(xid).or_insert(steps.len());
        }
        if !shown.is_empty() {
            let xids: Vec<String> = shown.keys().map(|xid| narrowed(*xid).to_string()).collect();
            let places: Vec<String> = shown.values().map(usize::to_string).collect();
            conditions.push(format!(
                "NOT EXISTS (SELECT FROM unnest('{{{}}}'::xid[], '{{{}}}'::int4[]) \
                 AS \"tidegate seen\" (\"tidegate xid\", \"tidegate place\") \
                 WHERE \"tidegate xid\" = xmin AND \"tidegate place\" <= {place})",
                xids.join(","),
                places.join(",")
            ));
        }
        conditions
    }

    /// How many bounds a row's cursor has reached, in SQL. It reaches a time that it equals, and a value
    /// that it exceeds; what has no value, or is infinitely old, is looked at by all.
    fn place(&self, column: &str, kind: CursorKind) -> String {
        let steps = &self.steps.0;
        let column = format!("{}::{}", quote_identifier(column), kind.sql());
        let bounds: Vec<String> =
            steps.iter().map(|step| quote_literal(&kind.written(&step.below))).collect();
        let bounds = format!("ARRAY[{}]::{}[]", bounds.join(","), kind.sql());
        let all = steps.len();
        if kind.is_time() {
            let oldest = format!("'-infinity'::{}", kind.sql());
            format!("(CASE WHEN {column} > {oldest} THEN width_bucket({column}, {bounds}) ELSE {all} END)")
        } else {
            format!(
                "(CASE WHEN {column} IS NOT NULL THEN width_bucket({column}, {bounds}) \
                 - ({column} = ANY ({bounds}))::int4 ELSE {all} END)"
            )
        }
    }
}

#[cfg(test)]
mod tests;
