//! Plans whose parts may be committed apart, and the scan that makes of such parts one snapshot again.
//!
//! A part that is read after the plan's snapshot was lost is read in one of its own. The union of all
//! parts is then no snapshot's: of a row that moved between two parts both versions were read, or none.
//! Versions do not move. One that the repair's snapshot shows was read if and only if the snapshot showed
//! it in which its blocks were read. So each range of blocks is scanned for what its own snapshot did not
//! show; all of it, wherever the cursor stands, since a row that moved without a new cursor value would
//! else be gone altogether.

use std::collections::BTreeMap;

use protocol::{Error, Lifetime, Planned, Result, StreamKind};

use super::super::answer::unexpected;
use super::super::discover::Leaf;
use super::super::partition::{CursorWindow, Partition, Range, Told, Unseen};
use super::super::patchwork::{Origin, Patchwork, blocks};
use super::super::snapshot::Snapshot;
use super::super::state::{Seen, State};
use super::super::xids::{Ends, Xids};
use super::Planning;
use super::cursor::Cursor;
use super::mode::Mode;

/// Blocks of which one session scans no more at once: half a gigabyte.
const STRIDE: u32 = 1 << 16;
/// What was seen is repeated in each part that is left, and so in each commit.
const MOST_REPEATED: usize = 1_000_000;

/// Fails where what was read in several snapshots can't be made one.
pub(super) fn refuse(mode: Mode, lifetime: Lifetime) -> Result<()> {
    if mode == Mode::SeenSet && lifetime == Lifetime::Session {
        return Ok(());
    }
    Err(Error::config(
        "the first load was read in several snapshots, and what changed in between was not read yet",
    )
    .hint(
        "run `tidegate sync` once with `connections: 2` or more and without `mode` in the stream's `options`",
    ))
}

/// There is no snapshot to make them one in.
pub(super) fn impossible(why: &str) -> Error {
    Error::transient(format!("what changed between the snapshots of the first load can't be read now: {why}"))
        .hint("what was read is committed; run the sync again, and raise `connections` if this is said again")
}

/// What the repair looks at, and the transactions of which it is known by now that its snapshot, which
/// ends with `ends`, shows them.
pub(super) fn covered(
    cursor: &Cursor<'_>,
    patchwork: &Patchwork,
    seen: &Seen,
    ends: Ends,
) -> (CursorWindow, Xids) {
    let pieces = patchwork.pieces.iter().flat_map(|piece| piece.xids.iter());
    let xids = seen.xids.iter().chain(pieces).filter(|xid| *xid >= ends.xmin).collect();
    // Each part has its own way to tell what is new.
    let told = (ends.xmin < ends.xmax).then_some(Told { late: None, xmin: ends.xmin });
    (CursorWindow { since: patchwork.since.clone(), told, ..cursor.window() }, xids)
}

impl Planning<'_> {
    /// Lets the parts of a plan be committed apart, where each can be read without the others and another
    /// snapshot can tell what this one showed. Says whether it does.
    pub(super) async fn loosen(
        &self,
        snapshot: &Snapshot,
        partitions: &mut [Planned<Partition>],
        next: &mut State,
    ) -> Result<bool> {
        let Some(cursor) = next.cursor.as_mut() else { return Ok(false) };
        let window = partitions.first().and_then(|first| first.partition.window.clone());
        let (Some(window), Some(seen)) = (window, &cursor.seen) else { return Ok(false) };
        let repeated = window.unseen.as_ref().map_or(0, |unseen| unseen.xids.len()) * partitions.len();
        let is_first = window.unseen.is_none();
        let fits = partitions.len() > 1
            && repeated <= MOST_REPEATED
            // A replica does not tell whether it goes on from another.
            && (is_first || !self.source.connector.has_replica())
            && partitions.iter().all(|planned| self.is_of_one_table(&planned.partition));
        if !fits {
            return Ok(false);
        }
        let files = self.files(snapshot).await?;
        let (xmin, xmax) = (seen.xmin, seen.xmax);
        let origin = |file| Origin {
            system: cursor.identity.system.clone(),
            database: cursor.identity.database,
            xmin,
            xmax,
            file,
        };
        let mut origins = Vec::with_capacity(partitions.len());
        for planned in partitions.iter() {
            let Some(file) = files.get(&planned.partition.table().oid) else { return Ok(false) };
            origins.push(origin(*file));
        }
        for (planned, origin) in partitions.iter_mut().zip(origins) {
            planned.partition.origin = Some(origin);
        }
        cursor.patchwork = Some(Patchwork { since: window.since, files, pieces: Vec::new() });
        Ok(true)
    }

    /// Whether its rows lie in the blocks of one table, and not below that.
    fn is_of_one_table(&self, partition: &Partition) -> bool {
        let relation = &self.relation;
        let is_table = matches!(relation.kind, StreamKind::Table | StreamKind::PartitionedTable);
        let leaf = relation.leaves.iter().find(|leaf| leaf.oid == partition.table().oid);
        let is_heap = leaf.is_some_and(|leaf| leaf.access_method.as_deref() == Some("heap"));
        let is_alone = partition.leaf.is_some() || relation.leaves.len() == 1;
        is_table && is_heap && is_alone && blocks(partition).is_some()
    }

    /// The files of all tables, as they are now: a snapshot does not show them.
    async fn files(&self, snapshot: &Snapshot) -> Result<BTreeMap<u32, u32>> {
        const WHAT: &str = "could not ask for the files of the tables";
        let oids: Vec<String> = self.relation.leaves.iter().map(|leaf| leaf.oid.to_string()).collect();
        let sql = format!(
            "SELECT oid, pg_relation_filenode(oid) FROM unnest('{{{}}}'::oid[]) AS oid \
             WHERE pg_relation_filenode(oid) IS NOT NULL",
            oids.join(",")
        );
        let turn = self.source.sessions.turn(&snapshot.id).await?;
        let rows = turn.ask(WHAT, &sql).await?.into_iter().next().unwrap_or_default();
        let files = rows.iter().map(|row| Some((row.number(0)?, row.number(1)?)));
        files.collect::<Option<_>>().ok_or_else(|| unexpected(WHAT))
    }

    /// What of each range of blocks its own snapshot did not show, to be read in this one.
    pub(super) async fn repair(
        &self,
        patchwork: &Patchwork,
        seen: &Seen,
        window: &CursorWindow,
        snapshot: &Snapshot,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Planned<Partition>>> {
        notes.push(format!(
            "the first snapshot was lost or given up: {} parts were read in others, and what changed in between \
             is read now",
            patchwork.pieces.len()
        ));
        let files = self.files(snapshot).await?;
        let mut partitions = Vec::new();
        for leaf in &self.relation.leaves {
            // One that is new is read as a whole.
            let Some(planned) = patchwork.files.get(&leaf.oid) else { continue };
            let now = files.get(&leaf.oid);
            let mut pieces = patchwork.pieces.iter().filter(|piece| piece.table == leaf.oid).peekable();
            // A piece was read of another file than the planned one only where that is all new. But where
            // the file is another than ever before, blocks mean nothing, and only the first snapshot
            // tells for all of them what is older.
            let is_known = now == Some(planned) || pieces.clone().any(|piece| Some(&piece.own.file) == now);
            if !is_known && pieces.peek().is_some() {
                notes.push(format!(
                    "{} was rewritten after it was read: what changed between its parts may be there twice",
                    leaf.qualified()
                ));
            }
            let ranges = if is_known { ranges(patchwork, seen, leaf) } else { vec![(0, None, first(seen))] };
            for (from, to, unseen) in ranges {
                let window = CursorWindow { unseen: Some(unseen), ..window.clone() };
                partitions.extend(strides(from, to, leaf.pages).map(|range| {
                    let base = self.partition(Some(window.clone()), &[]);
                    let table = (self.relation.leaves.len() > 1 || leaf.oid != self.relation.oid)
                        .then(|| super::leaf_table(leaf));
                    let leaves = if table.is_some() { None } else { base.leaves.clone() };
                    let snapshot = Some(snapshot.id.clone());
                    Planned::new(Partition { leaf: table, leaves, range, snapshot, ..base })
                }));
            }
        }
        Ok(partitions)
    }
}

/// What the snapshot of the plan did not show.
fn first(seen: &Seen) -> Unseen {
    Unseen { xmin: seen.xmin, xids: seen.xids.clone() }
}

/// All blocks of a table, each with what the snapshot did not show that it was read in.
fn ranges(patchwork: &Patchwork, seen: &Seen, leaf: &Leaf) -> Vec<(u32, Option<u32>, Unseen)> {
    let mut pieces: Vec<_> = patchwork.pieces.iter().filter(|piece| piece.table == leaf.oid).collect();
    pieces.sort_by_key(|piece| piece.from);
    let (mut ranges, mut end) = (Vec::new(), Some(0));
    for piece in pieces {
        if let Some(end) = end.filter(|end| *end < piece.from) {
            ranges.push((end, Some(piece.from), first(seen)));
        }
        ranges.push((piece.from, piece.to, piece.unseen()));
        end = piece.to;
    }
    if let Some(end) = end {
        ranges.push((end, None, first(seen)));
    }
    ranges
}

/// A range in parts that are not too large. The last one has an end only if the range has.
fn strides(from: u32, to: Option<u32>, pages: u64) -> impl Iterator<Item = Option<Range>> {
    let last = to.unwrap_or_else(|| u32::try_from(pages).unwrap_or(u32::MAX)).max(from);
    let count = (last - from).div_ceil(STRIDE).max(1);
    (0..count).map(move |index| {
        let from = from + index * STRIDE;
        let to = if index + 1 < count { Some(from + STRIDE) } else { to };
        (from > 0 || to.is_some()).then_some(Range::Blocks { from, to })
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::patchwork::{Own, Piece};
    use super::*;

    fn piece(from: u32, to: Option<u32>, xmin: u64) -> Piece {
        let own = Own { xmin, xmax: xmin, file: 5 };
        Piece { table: 7, from, to, own, xids: [xmin + 1].into_iter().collect() }
    }

    #[test]
    fn each_block_is_scanned_once_for_what_its_own_snapshot_did_not_show() {
        let leaf = Leaf {
            oid: 7,
            schema: "s".into(),
            name: "t".into(),
            kind: StreamKind::Table,
            access_method: None,
            pages: 90,
            bytes: 0,
            readable: true,
            file: 5,
        };
        let seen =
            Seen { since: None, below: None, xmin: 1, xmax: 1, xids: Xids::default(), is_lookback: false };
        let of = |pieces: Vec<Piece>| {
            let patchwork = Patchwork { since: None, files: BTreeMap::from([(7, 5)]), pieces };
            let ranges = ranges(&patchwork, &seen, &leaf);
            ranges.into_iter().map(|(from, to, unseen)| (from, to, unseen.xmin)).collect::<Vec<_>>()
        };
        assert_eq!(of(vec![]), [(0, None, 1)]);
        assert_eq!(of(vec![piece(0, None, 9)]), [(0, None, 9)]);
        assert_eq!(
            of(vec![piece(60, None, 9), piece(10, Some(20), 4), piece(20, Some(30), 5)]),
            [(0, Some(10), 1), (10, Some(20), 4), (20, Some(30), 5), (30, Some(60), 1), (60, None, 9)]
        );
        assert_eq!(of(vec![piece(0, Some(60), 3)]), [(0, Some(60), 3), (60, None, 1)]);
    }

    #[test]
    fn a_long_range_is_scanned_by_several_sessions() {
        let blocks = |from, to| Some(Range::Blocks { from, to });
        let all = |from, to, pages| strides(from, to, pages).collect::<Vec<_>>();
        assert_eq!(all(0, None, 0), [None]);
        assert_eq!(all(5, None, 3), [blocks(5, None)], "the table has shrunk");
        assert_eq!(all(5, Some(9), 100), [blocks(5, Some(9))]);
        let (one, two) = (STRIDE, 2 * STRIDE);
        assert_eq!(
            all(0, None, u64::from(two) + 1),
            [blocks(0, Some(one)), blocks(one, Some(two)), blocks(two, None)]
        );
        assert_eq!(all(1, Some(one + 2), 7), [blocks(1, Some(one + 1)), blocks(one + 1, Some(one + 2))]);
    }
}
