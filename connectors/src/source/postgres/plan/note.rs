//! What the person should know about a plan.

use protocol::{ConfiguredStream, StreamKind};

use super::super::barrier::{Barrier, Running};
use super::super::discover::{Leaf, Relation};
use super::super::state::{CursorKind, shown_instant};
use super::cursor::{Cursor, Step};
use super::mode::{Choice, Mode};
use super::option::Sweep;
use super::quote_identifier;

/// A smaller table is read in no time, index or not.
const SMALL_BYTES: u64 = 16 << 20;

/// What is to be known about the cursor's column.
pub(super) fn about_column(
    cursor: &Cursor<'_>,
    mode: Mode,
    stream: &ConfiguredStream,
    relation: &Relation,
    notes: &mut Vec<String>,
) {
    let column = quote_identifier(&cursor.column);
    let is_large = relation.leaves.iter().map(|leaf| leaf.bytes).sum::<u64>() > SMALL_BYTES;
    let is_indexed = relation.indexes.iter().any(|index| index.leading == cursor.column);
    if is_large && !is_indexed && !cursor.is_swept {
        let table = relation.qualified();
        notes.push(match relation.kind {
            StreamKind::PartitionedTable => format!(
                "no index leads with the cursor, and every sync reads all partitions of the table: run \
                 CREATE INDEX CONCURRENTLY ON … ({column}) for each partition of {table}"
            ),
            _ => format!(
                "no index leads with the cursor, and every sync reads the whole table: run \
                 CREATE INDEX CONCURRENTLY ON {table} ({column})"
            ),
        });
    }
    let is_nullable = relation.column(&cursor.column).is_some_and(|column| !column.not_null);
    if mode == Mode::SettledWindow
        && is_nullable
        && !matches!(relation.kind, StreamKind::View | StreamKind::ForeignTable)
    {
        notes.push(format!("{column} may be NULL: rows without a value are read by the first sync only"));
    }
    if cursor.has_value() && stream.lag.is_some_and(|lag| !lag.is_zero()) {
        notes.push(format!("{column} holds no time: `lag` means nothing to it"));
    }
    if matches!(cursor.kind, CursorKind::Timestamp | CursorKind::Date)
        && cursor.options.cursor_timezone.is_none()
    {
        notes.push(match mode {
            Mode::SeenSet | Mode::Lookback => format!(
                "{column} has no time zone, and every sync looks at the rows of a day more than it would have \
                 to: set `options: {{cursor_timezone: …}}` to spare that"
            ),
            Mode::SettledWindow => format!(
                "{column} has no time zone and is taken as UTC: set `options: {{cursor_timezone: …}}` if it is not"
            ),
        });
    }
}

/// Who keeps the window from reaching up to now.
pub(super) fn about_blockers(step: &Step, barrier: &Barrier, notes: &mut Vec<String>) {
    let blockers = barrier.blockers();
    if !step.is_held_back || blockers.is_empty() {
        return;
    }
    let what = match &step.covered.until {
        Some(until) => format!("rows from {} on wait", step.covered.kind.shown(until)),
        None => "nothing is read yet".to_owned(),
    };
    notes.push(format!("{what} for transactions that have not ended: {}", listed(&blockers)));
}

/// Why the stream is not read in the best mode, what that costs, or what it loses.
pub(super) fn about_mode(choice: &Choice, cursor: &Cursor<'_>, relation: &Relation, notes: &mut Vec<String>) {
    if let Some(reason) = &choice.reason {
        notes.push(format!("the mode is settled_window: {reason}"));
    }
    if let Some(blind) = choice.blind {
        notes.push(format!(
            "every sync reads the whole table {} on the server, as nothing else loses no rows where {}: {}",
            relation.qualified(),
            blind.why(),
            blind.cure()
        ));
    }
    if choice.mode == Mode::Lookback && !cursor.is_sweep {
        let until = match cursor.options.sweep {
            Sweep::Every(_) => ", until the next sweep finds them",
            _ => "",
        };
        notes.push(format!(
            "the mode is lookback: rows of transactions that are open for longer than {} are lost{until}",
            cursor.options.lookback()
        ));
    }
}

/// Why nothing is read.
pub(super) fn about_behind(notes: &mut Vec<String>) {
    notes.push(
        "nothing is read this time: the standby is behind the server that the last sync read, and shows nothing \
         that was not read"
            .to_owned(),
    );
}

/// Why the next sync has to look at all rows.
pub(super) fn about_start(step: &Step, barrier: &Barrier, notes: &mut Vec<String>) {
    let seen = step.next.cursor.as_ref().and_then(|cursor| cursor.seen.as_ref());
    let blockers = barrier.blockers();
    if step.covered.kind.is_time() && seen.is_some_and(|seen| seen.since.is_none()) && !blockers.is_empty() {
        notes.push(format!(
            "the next sync looks at all rows: nobody knows what still comes from transactions that have not \
             ended: {}",
            listed(&blockers)
        ));
    }
}

/// Why this sync is read as a settled window.
pub(super) fn about_memory(barrier: &Barrier, notes: &mut Vec<String>) {
    let blockers = barrier.blockers();
    let who = if blockers.is_empty() { String::new() } else { format!(": {}", listed(&blockers)) };
    notes.push(format!(
        "the mode is settled_window this time: too many transactions have written rows since the oldest began \
         that has not ended{who}"
    ));
}

/// The same, where no connection is left.
pub(super) fn about_snapshot(notes: &mut Vec<String>) {
    notes.push(
        "the mode is settled_window this time: there is no connection left to keep a snapshot; raise `connections`"
            .to_owned(),
    );
}

fn listed(blockers: &[&Running]) -> String {
    const MOST: usize = 3;
    let mut who: Vec<String> = blockers.iter().take(MOST).map(|running| described(running)).collect();
    if blockers.len() > MOST {
        who.push(format!("{} more", blockers.len() - MOST));
    }
    who.join(", ")
}

fn described(running: &Running) -> String {
    let user = running.user.as_ref().map(|user| format!(" of user {user}")).unwrap_or_default();
    let since = running.since.map(|since| format!(" since {}", shown_instant(since))).unwrap_or_default();
    match (&running.prepared, running.process) {
        (Some(name), _) => format!("the prepared transaction {name:?}"),
        (None, Some(process)) => format!("process {process}{user}{since}"),
        (None, None) => "a prepared transaction".to_owned(),
    }
}

/// Which tables are read from their beginning.
pub(super) fn about_leaves(leaves: &[&Leaf], notes: &mut Vec<String>) {
    const MOST: usize = 3;
    let mut names: Vec<String> = leaves.iter().take(MOST).map(|leaf| leaf.qualified()).collect();
    if leaves.len() > MOST {
        names.push(format!("{} more", leaves.len() - MOST));
    }
    notes.push(format!("new partitions are read from their beginning: {}", names.join(", ")));
}
