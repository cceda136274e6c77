//! The states of streams as Airbyte writes them: what partitions are known by, migrations of older shapes, the state
//! that a parent begins with, and snapshots that cost little.

mod identity;
mod migration;
mod parent;
mod snapshot;
mod table;

pub(super) use identity::{identity, sorted};
pub(super) use migration::migrate;
pub(super) use parent::parent_state;
pub(super) use snapshot::{Parental, Snapshot, Spread};
pub(super) use table::Table;

/// The key of the state of streams that have no cursor.
pub(super) const NO_CURSOR: &str = "__ab_no_cursor_state_message";
