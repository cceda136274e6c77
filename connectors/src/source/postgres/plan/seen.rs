//! A step to all that a snapshot shows: what an earlier one showed is told by the transactions that
//! wrote it, and the cursor only says where to look.
//!
//! A row version that a snapshot shows and the one before did not show was written by a transaction that
//! the one before did not show at all: it had not ended. So its number is not below that snapshot's
//! first open one, and not among those above that were seen. And it can only lie where rows may still
//! come, which is from a little below the settled bound on, or have no value, or be infinitely old.
//!
//! A small table is looked at as a whole, so that rows written with old values are found too. To look at
//! more than before is always right: what the snapshot shows there is remembered with the rest.

use protocol::{ConfiguredStream, Error, Result};

use super::super::answer::unexpected;
use super::super::discover::Relation;
use super::super::partition::{CursorWindow, Unseen};
use super::super::session::Sessions;
use super::super::snapshot::Snapshot;
use super::super::state::{Bound, CursorState, Seen, State, margin};
use super::super::xids::{Ends, Xids, since};
use super::clock;
use super::cursor::{Cursor, Ground, Step};
use super::mode::Mode;

/// Most transactions that a state remembers.
pub(super) const MOST: usize = 100_000;

/// What a snapshot shows of the rows that the next step has to look at.
pub(super) struct Shown {
    /// The transactions from the snapshot's first open one on that wrote some.
    pub(super) xids: Xids,
    /// The greatest value.
    greatest: Option<String>,
    /// The greater of that and what was reached before.
    reached: Option<String>,
}

/// All that `snapshot` shows and the last one did not, or the ground that was given where too many
/// transactions had to be remembered.
pub(super) async fn step(
    cursor: &Cursor<'_>,
    ground: Ground,
    snapshot: &Snapshot,
    relation: &Relation,
    sessions: &Sessions,
    stream: &ConfiguredStream,
) -> Result<Result<Step, Ground>> {
    let ends = snapshot.ends;
    let below = bound(cursor, &ground, sessions, stream).await?;
    let since = if cursor.is_swept { None } else { below.clone() };
    protocol::point!("seen.begun");
    let Some(shown) = shown(cursor, snapshot, relation, sessions, since.clone()).await? else {
        return Ok(Err(ground));
    };
    let goes_on = ground.before.is_some() && !ground.is_repeated;
    let covered = covered(cursor, &ground);
    let is_idle = is_idle(&covered, ends);
    let greatest = if goes_on { shown.reached } else { shown.greatest };
    let next = CursorState {
        seen: Some(Seen {
            since,
            below,
            xmin: ends.xmin,
            xmax: ends.xmax,
            xids: shown.xids,
            is_lookback: false,
        }),
        greatest,
        ..cursor.next(ground)
    };
    let next = State { cursor: Some(next), is_full: false };
    let window = (!is_idle).then(|| covered.clone());
    Ok(Ok(Step { mode: Mode::SeenSet, window, covered, next, is_held_back: false }))
}

/// What the last step did not see, from where it said that more can come.
pub(super) fn covered(cursor: &Cursor<'_>, ground: &Ground) -> CursorWindow {
    let before = ground.before.as_ref().filter(|before| before.loaded);
    match before {
        None => cursor.window(),
        Some(before) => CursorWindow {
            since: before.since(),
            // A window that knew no transactions has read what there was of those.
            nulls: before.seen.is_some() || ground.is_repeated,
            unseen: before.seen.as_ref().map(|seen| Unseen { xmin: seen.xmin, xids: seen.xids.clone() }),
            ..cursor.window()
        },
    }
}

/// Whether no transaction has begun to write since.
pub(super) fn is_idle(covered: &CursorWindow, ends: Ends) -> bool {
    covered.unseen.as_ref().is_some_and(|unseen| ends.xmax <= unseen.xmin)
}

/// Where what is still to come lies, as far as cursors are what they should be: there the next step starts
/// to look, unless it looks everywhere.
async fn bound(
    cursor: &Cursor<'_>,
    ground: &Ground,
    sessions: &Sessions,
    stream: &ConfiguredStream,
) -> Result<Option<Bound>> {
    if cursor.kind.is_time() {
        let Some(instant) = ground.instant else { return Ok(None) };
        let instant = instant.saturating_sub(margin(stream));
        let zone = cursor.options.cursor_timezone.as_deref();
        return clock::first_anywhere(cursor.kind, instant, zone, sessions).await.map(Some);
    }
    let settled = ground.settled.last.as_ref().and_then(|mark| mark.value.clone().map(Bound::Value));
    Ok(settled.or_else(|| ground.before.as_ref().and_then(CursorState::below)))
}

/// Asks in the snapshot, where there is anything to ask; none where there are too many transactions.
pub(super) async fn shown(
    cursor: &Cursor<'_>,
    snapshot: &Snapshot,
    relation: &Relation,
    sessions: &Sessions,
    since: Option<Bound>,
) -> Result<Option<Shown>> {
    const WHAT: &str = "could not ask which transactions wrote the table's rows";
    let ends = snapshot.ends;
    let mut questions = Vec::new();
    if ends.xmin < ends.xmax {
        let window = CursorWindow { since, ..cursor.window() };
        questions.push(writers(&window, relation, ends));
    }
    if cursor.has_value() {
        questions.push(cursor.greatest_of(relation));
    }
    if questions.is_empty() {
        return Ok(Some(Shown { xids: Xids::default(), greatest: None, reached: None }));
    }
    let turn = sessions.turn(&snapshot.id).await?;
    let mut answers = turn.ask(WHAT, &questions.join("; ")).await.map_err(forbidden)?;
    let values = if cursor.has_value() { answers.pop().unwrap_or_default() } else { Vec::new() };
    let value = |column| values.first().and_then(|row| row.text(column)).map(str::to_owned);
    let writers = answers.pop().unwrap_or_default();
    if writers.len() > MOST {
        return Ok(None);
    }
    let xids = writers.iter().map(|row| row.number(0).map(|xmin| ends.widened(xmin)));
    let xids = xids.collect::<Option<_>>().ok_or_else(|| unexpected(WHAT))?;
    Ok(Some(Shown { xids, greatest: value(0), reached: value(1) }))
}

/// The transactions that a snapshot may or may not show, by what it shows.
fn writers(window: &CursorWindow, relation: &Relation, ends: Ends) -> String {
    let conditions: Vec<String> = window.values().into_iter().chain(since(ends.xmin)).collect();
    let (table, conditions) = (relation.qualified(), conditions.join(" AND "));
    format!("SELECT DISTINCT xmin FROM {table} WHERE {conditions} LIMIT {}", MOST + 1)
}

fn forbidden(error: Error) -> Error {
    match error.context_value(super::super::error::SQLSTATE) {
        Some("42501") => {
            error.hint("grant SELECT on the whole table, or set `options: {mode: settled_window}`")
        }
        _ => error,
    }
}
