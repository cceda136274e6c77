//! What was read in other snapshots than the one that a state speaks of, and what such parts rely on.
//!
//! A large plan's parts may be committed apart. A part that is read in the snapshot that it was planned in
//! belongs to what the state says was seen. One that is read later, in a snapshot of its own, is a *piece*:
//! blocks of one table, and what that snapshot showed. While there are pieces the state is not settled: a
//! row that moved from blocks that were read late to blocks that were read early is in neither. The repair
//! (`plan/repair.rs`) reads of each range what its own snapshot did not show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::partition::{Partition, Range, Unseen};
use super::state::{Bound, State};
use super::xids::{Ends, Xids};

/// What a part that may be read in another snapshot than the planned one relies on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The cluster's number; none where the server does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<String>,
    /// The database's number.
    pub(super) database: u32,
    /// The ends of the snapshot that it was planned in.
    pub(super) xmin: u64,
    pub(super) xmax: u64,
    /// The file of its table: in another one rows lie in other blocks.
    pub(super) file: u32,
}

impl Origin {
    pub(super) fn ends(&self) -> Ends {
        Ends { xmin: self.xmin, xmax: self.xmax }
    }
}

/// The snapshot of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Own {
    pub(super) xmin: u64,
    pub(super) xmax: u64,
    /// The file that the table had then.
    pub(super) file: u32,
}

/// What a plan of parts read, where not all of them were read in its snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Patchwork {
    /// From which value of the cursor on; none from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Bound>,
    /// The tables that were planned, by number, and the file of each.
    pub(super) files: BTreeMap<u32, u32>,
    /// What was read in other snapshots. No two overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) pieces: Vec<Piece>,
}

/// Blocks of one table, and what the snapshot showed that they were read in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) table: u32,
    pub(super) from: u32,
    /// Excluded; none for all to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<u32>,
    #[serde(flatten)]
    pub(super) own: Own,
    #[serde(default, skip_serializing_if = "Xids::is_empty")]
    pub(super) xids: Xids,
}

impl Piece {
    /// Row versions that its snapshot did not show.
    pub(super) fn unseen(&self) -> Unseen {
        Unseen { xmin: self.own.xmin, xids: self.xids.clone() }
    }
}

impl Patchwork {
    /// Adds a part that was read in a snapshot of its own.
    pub(super) fn patch(&mut self, partition: &Partition, own: Own, xids: Xids) {
        if let Some((from, to)) = blocks(partition) {
            self.pieces.push(Piece { table: partition.table().oid, from, to, own, xids });
        }
    }

    /// Whether transactions go on to `ends` from those of every piece.
    pub(super) fn is_followed_by(&self, ends: Ends) -> bool {
        self.pieces.iter().all(|piece| ends.follows(piece.own.xmin, piece.own.xmax))
    }
}

/// The blocks of a part, if it is of blocks.
pub(super) fn blocks(partition: &Partition) -> Option<(u32, Option<u32>)> {
    match &partition.range {
        None => Some((0, None)),
        Some(Range::Blocks { from, to }) => Some((*from, *to)),
        Some(Range::Keys { .. }) => None,
    }
}

/// Whether all was read in one snapshot.
pub(super) fn is_settled(state: &State) -> bool {
    let patchwork = state.cursor.as_ref().and_then(|cursor| cursor.patchwork.as_ref());
    patchwork.is_none_or(|patchwork| patchwork.pieces.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sight::Sight;
    use super::*;

    fn planned() -> State {
        let cursor = json!({
            "column": "at", "kind": "timestamptz", "loaded": true,
            "identity": { "system": null, "timeline": null, "database": 1, "relation": 7 },
            "seen": { "xmin": 10, "xmax": 20, "xids": Xids::from_iter([12]) },
            "patchwork": { "files": { "7": 70 } },
        });
        State { cursor: Some(serde_json::from_value(cursor).unwrap()), is_full: false }
    }

    fn partition() -> Partition {
        serde_json::from_value(json!({
            "relation": { "schema": "s", "name": "t", "oid": 7 }, "types": [],
            "range": { "blocks": { "from": 5, "to": 9 } },
        }))
        .unwrap()
    }

    #[test]
    fn what_the_planned_snapshot_showed_is_seen() {
        let mut state = planned();
        state.add(&partition(), Sight { xids: Xids::from_iter([15, 12]), ..Sight::default() });
        assert!(is_settled(&state));
        assert_eq!(state.cursor.unwrap().seen.unwrap().xids, [12, 15].into_iter().collect());
    }

    #[test]
    fn what_another_snapshot_showed_is_a_piece_and_not_settled() {
        let (mut state, own) = (planned(), Own { xmin: 30, xmax: 40, file: 70 });
        let sight = Sight { xids: Xids::from_iter([35]), own: Some(own.clone()), ..Sight::default() };
        state.add(&partition(), sight);
        assert!(!is_settled(&state));
        let again: State = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
        assert_eq!(again, state);
        let (patchwork, seen) = state.cursor.unwrap().patches().unwrap();
        assert_eq!(seen.xids, Xids::from_iter([12]));
        assert_eq!(
            patchwork.pieces,
            [Piece { table: 7, from: 5, to: Some(9), own, xids: Xids::from_iter([35]) }]
        );
        assert!(patchwork.is_followed_by(Ends { xmin: 50, xmax: 60 }));
        assert!(!patchwork.is_followed_by(Ends { xmin: 25, xmax: 35 }), "numbers went back");
    }
}
