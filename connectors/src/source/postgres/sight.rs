//! What reading a partition tells, besides its rows.

use serde::{Deserialize, Serialize};

use super::partition::Partition;
use super::patchwork::Own;
use super::state::State;
use super::xids::Xids;

/// What one partition showed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) rows: u64,
    /// Those that lay where the cursor would not have led to them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) late: u64,
    /// The transactions that wrote its rows, of those that the next sync has to know: from the first
    /// open one of the snapshot on that it was read in.
    #[serde(default, skip_serializing_if = "Xids::is_empty")]
    pub(super) xids: Xids,
    /// That snapshot, where it is another than the one that was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<Own>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl State {
    /// Adds what was found in one partition.
    pub(super) fn add(&mut self, partition: &Partition, sight: Sight) {
        let Some(cursor) = &mut self.cursor else { return };
        if let Some(found) = &mut cursor.found {
            found.rows += sight.rows;
            found.late = found.late.map(|late| late + sight.late);
        }
        match (sight.own, &mut cursor.patchwork, &mut cursor.seen) {
            (Some(own), Some(patchwork), _) => patchwork.patch(partition, own, sight.xids),
            (None, _, Some(seen)) => seen.xids.merge(&sight.xids),
            _ => {}
        }
    }

    /// Rows that the last sync found where the cursor would not have led to them.
    pub(super) fn late_rows(&self) -> Option<u64> {
        self.cursor.as_ref()?.found?.late
    }
}
