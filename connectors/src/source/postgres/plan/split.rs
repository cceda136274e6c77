//! How a table is cut into parts that are read at once.

mod weigh;

use std::collections::HashMap;

use protocol::{Result, StreamKind};
use tokio_postgres::Client;

use super::super::answer::ask_one;
use super::super::discover::{Leaf, Relation};
use super::super::layout::Layout;
use super::super::partition::{CursorWindow, Range, Table};
use super::estimate::Estimate;
use super::{leaf_table, quote_identifier};
use weigh::Weights;

/// About as many bytes of the table make a part.
const PART_BYTES: u64 = 96 << 20;
/// A table of fewer bytes is read in one go.
pub(super) const SMALL_BYTES: u64 = 8 << 20;
/// A table of more bytes is read in more parts than there are sessions.
const LARGE_BYTES: u64 = 64 << 20;
/// Where a window is thought to hold less than this share of the rows, its index is better than to
/// read all blocks.
const LARGE_SHARE: f64 = 0.2;
/// The first version that reads ranges of blocks without reading all others.
const BLOCK_RANGES: u32 = 140_000;

/// A part of a relation.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) leaf: Option<Table>,
    pub(super) range: Option<Range>,
    pub(super) rows: Option<u64>,
    pub(super) bytes: Option<u64>,
}

impl Part {
    /// Whether it is of that table alone.
    pub(super) fn is_of(&self, leaf: &Leaf) -> bool {
        self.leaf.as_ref().is_some_and(|own| own.oid == leaf.oid)
    }
}

/// How a relation could be cut.
#[derive(Debug)]
pub(super) struct Split {
    parts: Vec<Part>,
    /// Its bytes.
    bytes: Option<u64>,
    /// Whether all of it is wanted.
    is_whole: bool,
}

impl Split {
    /// Looks at a relation that is to be read by about `parallelism` sessions, all of it or what is in
    /// `window`.
    pub(super) async fn of(
        client: &super::Lease<'_>,
        relation: &Relation,
        layout: &Layout,
        parallelism: usize,
        window: Option<&CursorWindow>,
    ) -> Result<Self> {
        let bytes = relation.leaves.iter().map(|leaf| leaf.bytes).sum::<u64>();
        let is_whole = window.is_none_or(|window| window.since.is_none());
        let sizes = Sizes { all: bytes, part: part_bytes(bytes, parallelism) };
        let parts = if bytes < SMALL_BYTES || parallelism < 2 {
            Vec::new()
        } else if client.server_version >= BLOCK_RANGES && can_read_blocks(relation) {
            let weights = if is_whole { weighed(client, relation, layout).await } else { HashMap::new() };
            by_blocks(relation, sizes, &weights)
        } else {
            match whole_number_key(relation) {
                Some(key) => by_keys(client, relation, key, sizes).await?,
                None => Vec::new(),
            }
        };
        Ok(Self { parts, bytes: (!relation.leaves.is_empty()).then_some(bytes), is_whole })
    }

    /// Whether so many rows are better read in several parts.
    pub(super) fn is_worth_it(&self, estimate: &Estimate) -> bool {
        !self.parts.is_empty() && (self.is_whole || estimate.share >= LARGE_SHARE)
    }

    /// The parts, largest first. Where the sessions do not share a snapshot, it is one.
    pub(super) fn parts(self, is_shared: bool, estimate: &Estimate) -> Vec<Part> {
        if !is_shared || !self.is_worth_it(estimate) {
            let bytes = self.bytes.map(|bytes| scaled(bytes, estimate.share));
            return vec![Part { rows: estimate.rows, bytes, ..Part::default() }];
        }
        let mut parts = self.parts;
        let all = parts.iter().filter_map(|part| part.bytes).sum::<u64>().max(1);
        for part in &mut parts {
            let share = part.bytes.unwrap_or_default();
            part.rows = estimate.rows.map(|rows| rows.saturating_mul(share) / all);
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
        parts
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; the share is between 0 and 1"
)]
fn scaled(bytes: u64, share: f64) -> u64 {
    (bytes as f64 * share) as u64
}

#[derive(Clone, Copy)]
struct Sizes {
    all: u64,
    part: u64,
}

/// Bytes of a part: enough parts for all sessions, twice as many where one of them could take much
/// longer than the others, and none that takes long to repeat.
fn part_bytes(all: u64, parallelism: usize) -> u64 {
    let sessions = u64::try_from(parallelism).unwrap_or(u64::MAX).max(1);
    let parts = if all > LARGE_BYTES { sessions.saturating_mul(2) } else { sessions };
    all.div_ceil(parts).clamp(1, PART_BYTES)
}

/// System columns need the right to read the whole table. A policy's conditions come before ours.
fn can_read_blocks(relation: &Relation) -> bool {
    relation.whole
        && !relation.row_security
        && relation.leaves.iter().any(is_heap)
        && (relation.leaves.iter().all(|leaf| leaf.readable) || relation.leaves.iter().all(is_heap))
}

fn is_heap(leaf: &Leaf) -> bool {
    leaf.access_method.as_deref() == Some("heap")
}

/// Where the bytes of those tables lie of which the blocks don't tell it, by their numbers.
async fn weighed(client: &Client, relation: &Relation, layout: &Layout) -> HashMap<u32, Weights> {
    let mut weights = HashMap::new();
    for leaf in relation.leaves.iter().filter(|leaf| leaf.readable && is_heap(leaf) && Weights::matter(leaf))
    {
        if let Some(found) = Weights::ask(client, leaf, layout).await {
            weights.insert(leaf.oid, found);
        }
    }
    weights
}

fn by_blocks(relation: &Relation, sizes: Sizes, weights: &HashMap<u32, Weights>) -> Vec<Part> {
    if relation.leaves.iter().all(|leaf| leaf.readable) {
        let parts = |leaf: &Leaf| blocks_of(relation, leaf, sizes, weights.get(&leaf.oid));
        relation.leaves.iter().flat_map(parts).collect()
    } else {
        blocks_of_all(relation, sizes)
    }
}

/// One table's blocks in about equal parts, the last without an end: the table may have grown.
fn blocks_of(relation: &Relation, leaf: &Leaf, sizes: Sizes, weights: Option<&Weights>) -> Vec<Part> {
    let table = (relation.leaves.len() > 1 || leaf.oid != relation.oid).then(|| leaf_table(leaf));
    let count = if is_heap(leaf) { leaf.bytes.div_ceil(sizes.part).clamp(1, leaf.pages.max(1)) } else { 1 };
    // The block that each part begins with, and its bytes.
    let starts: Vec<(u64, u64)> = match weights {
        Some(weights) => {
            let bytes = |share: u64| leaf.bytes / 1000 * share;
            weights.cut(leaf.pages, count).into_iter().map(|(first, share)| (first, bytes(share))).collect()
        }
        None => (0..count).map(|index| (leaf.pages * index / count, leaf.bytes / count)).collect(),
    };
    let ends = starts.iter().skip(1).map(|(first, _)| Some(block(*first))).chain([None]);
    starts
        .iter()
        .zip(ends)
        .map(|((first, bytes), end)| Part {
            leaf: table.clone(),
            range: range(block(*first), end),
            rows: None,
            bytes: Some(*bytes),
        })
        .collect()
}

/// The same blocks of all tables below one that the role may read only through it. Cut where about
/// equally many blocks lie between.
fn blocks_of_all(relation: &Relation, sizes: Sizes) -> Vec<Part> {
    let before = |end: u64| relation.leaves.iter().map(|leaf| leaf.pages.min(end)).sum::<u64>();
    let longest = relation.leaves.iter().map(|leaf| leaf.pages).max().unwrap_or_default();
    let all = before(longest).max(1);
    let count = sizes.all.div_ceil(sizes.part).clamp(1, longest.max(1));
    let mut cuts: Vec<u64> =
        (1..count).map(|index| first_block(longest, |end| before(end) >= all * index / count)).collect();
    cuts.dedup();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().map(Some).chain([None]);
    starts
        .zip(ends)
        .map(|(from, to)| {
            let blocks = before(to.unwrap_or(longest)) - before(from);
            Part {
                leaf: None,
                range: range(block(from), to.map(block)),
                rows: None,
                bytes: Some(sizes.all.saturating_mul(blocks) / all),
            }
        })
        .collect()
}

/// The smallest block number from 1 to `longest` that is `enough`.
fn first_block(longest: u64, enough: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (1, longest.max(1));
    while low < high {
        let middle = u64::midpoint(low, high);
        if enough(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

fn range(from: u32, to: Option<u32>) -> Option<Range> {
    (from > 0 || to.is_some()).then_some(Range::Blocks { from, to })
}

fn block(number: u64) -> u32 {
    // A table has fewer than 2³² blocks.
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A primary key of one whole number.
fn whole_number_key(relation: &Relation) -> Option<&str> {
    let [key] = relation.primary_key.as_slice() else { return None };
    if relation.kind != StreamKind::Table || relation.row_security {
        return None;
    }
    let native = relation.column(key)?.native.base();
    (native.schema == "pg_catalog" && matches!(native.name.as_str(), "int2" | "int4" | "int8")).then_some(key)
}

/// Ranges of the key, equally wide; the first without a beginning, the last without an end.
async fn by_keys(client: &Client, relation: &Relation, key: &str, sizes: Sizes) -> Result<Vec<Part>> {
    let column = quote_identifier(key);
    let sql = format!("SELECT min({column}), max({column}) FROM {}", relation.qualified());
    let row = ask_one(client, "could not ask for the range of keys", &sql).await?;
    let (Some(low), Some(high)) = (row.number::<i64>(0), row.number::<i64>(1)) else { return Ok(Vec::new()) };
    let count = i128::from(sizes.all.div_ceil(sizes.part));
    let (low, span) = (i128::from(low), i128::from(high) - i128::from(low) + 1);
    let count = count.min(span);
    let cut = |index: i128| i64::try_from(low + span * index / count).ok();
    let part = |index: i128| Part {
        leaf: None,
        range: Some(Range::Keys {
            column: key.to_owned(),
            from: if index == 0 { None } else { cut(index) },
            to: if index + 1 == count { None } else { cut(index + 1) },
        }),
        rows: None,
        bytes: u64::try_from(i128::from(sizes.all) / count).ok(),
    };
    Ok((0..count).map(part).collect())
}

#[cfg(test)]
mod tests;
