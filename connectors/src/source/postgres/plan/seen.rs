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
use super::super::partition::{CursorWindow, Told, Unseen};
use super::super::session::Sessions;
use super::super::snapshot::Snapshot;
use super::super::state::{Bound, CursorState, Found, Seen, State, margin};
use super::super::xids::{Ends, Xids, since};
use super::clock;
use super::cursor::{Cursor, Ground, Step};
use super::mode::Mode;
use super::repair;
use super::rewritten;
use super::sweep::{self, Sweeping};

/// Most transactions that a state remembers.
pub(super) const MOST: usize = 100_000;

/// What a snapshot shows of the rows that the next step has to look at.
struct Shown {
    /// The transactions from the snapshot's first open one on that wrote some.
    xids: Xids,
    /// The greatest value.
    greatest: Option<String>,
    /// The greater of that and what was reached before.
    reached: Option<String>,
}

/// Where a step is made.
pub(super) struct Place<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) relation: &'a Relation,
    pub(super) sessions: &'a Sessions,
    /// When, by the server's clock, in µs since 1970.
    pub(super) at: i64,
}

/// All that the snapshot shows and the last one did not, as far as it lies where the last step said; the next
/// one looks from `bound` on. Or the ground that was given, where too many transactions had to be remembered.
pub(super) async fn step(
    cursor: &Cursor<'_>,
    ground: Ground,
    place: &Place<'_>,
    bound: Option<Bound>,
    notes: &mut Vec<String>,
) -> Result<Result<Step, Ground>> {
    let last = sweep::trusted(&ground).map(|(_, seen)| seen.xmin);
    // What had ended by the last snapshot has ended, whichever replica says so.
    let ends = Ends { xmin: place.snapshot.ends.xmin.max(last.unwrap_or(0)), ..place.snapshot.ends };
    let patchwork = ground.before.as_ref().filter(|before| before.loaded).and_then(CursorState::patches);
    let sweeping = match &patchwork {
        None => sweep::sweeping(cursor, &ground, ends, notes),
        Some((patchwork, _)) => {
            if patchwork.since.is_some() {
                sweep::put_off(cursor, notes);
            }
            None
        }
    };
    protocol::point!("seen.begun");
    // Where reading the rows tells who wrote them, nobody else is asked.
    let is_told = sweeping.is_some() || patchwork.is_some();
    let asked = (!is_told).then(|| window(cursor, &ground, bound.as_ref()));
    let Some(shown) = shown(cursor, place, ends, asked).await? else { return Ok(Err(ground)) };
    let (covered, xids) = match &patchwork {
        None => told(cursor, &ground, ends, sweeping.as_ref(), shown.xids),
        Some((patchwork, seen)) => repair::covered(cursor, patchwork, seen, ends),
    };
    if xids.len() > MOST {
        return Ok(Err(ground));
    }
    rewritten::about(&ground, place, &covered, notes).await?;
    let goes_on = ground.before.is_some() && !ground.is_repeated;
    let is_late_known = covered.told.as_ref().is_some_and(|told| told.late.is_some());
    let is_idle = is_idle(&covered, ends);
    let (xmin, xmax) = (ends.xmin, ends.xmax);
    let next = CursorState {
        seen: Some(Seen { since: bound, below: None, xmin, xmax, xids, is_lookback: false }),
        greatest: if goes_on { shown.reached } else { shown.greatest },
        swept: sweep::remembered(cursor, &ground, place, ends, sweeping.as_ref()),
        found: Some(Found { rows: 0, late: is_late_known.then_some(0) }),
        files: place.relation.leaves.iter().map(|leaf| leaf.file).collect(),
        ..cursor.next(ground)
    };
    let next = State { cursor: Some(next), is_full: false };
    let window = (!is_idle).then(|| covered.clone());
    let name = sweep::name(cursor, sweeping.as_ref());
    Ok(Ok(Step { mode: Mode::SeenSet, window, covered, next, patchwork, is_held_back: false, name }))
}

/// What is read, and of which transactions it is known by now that the snapshot shows them.
fn told(
    cursor: &Cursor<'_>,
    ground: &Ground,
    ends: Ends,
    sweeping: Option<&Sweeping>,
    shown: Xids,
) -> (CursorWindow, Xids) {
    let covered = covered(cursor, ground);
    let (Some(sweeping), Some((before, _))) = (sweeping, sweep::trusted(ground)) else {
        return (covered, shown);
    };
    let told = Some(Told { late: before.below(), xmin: ends.xmin });
    let (unseen, past) = (covered.unseen, sweeping.past.clone());
    (CursorWindow { unseen, past, told, ..cursor.window() }, sweeping.xids.clone())
}

/// What the last step did not see, from where it said that more can come.
fn covered(cursor: &Cursor<'_>, ground: &Ground) -> CursorWindow {
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
fn is_idle(covered: &CursorWindow, ends: Ends) -> bool {
    covered.unseen.as_ref().is_some_and(|unseen| ends.xmax <= unseen.xmin) && covered.past.is_none()
}

/// Where it is asked who wrote what the snapshot shows: where the next step looks, and for the sake of later
/// sweeps where this one does.
fn window(cursor: &Cursor<'_>, ground: &Ground, bound: Option<&Bound>) -> CursorWindow {
    let before = ground.before.as_ref().filter(|before| before.loaded);
    let since = match before {
        None if cursor.is_small => None,
        None => bound.cloned(),
        Some(before) => match (before.since(), bound) {
            (Some(Bound::Micros(since)), Some(Bound::Micros(bound))) => {
                Some(Bound::Micros(since.min(*bound)))
            }
            (Some(since), Some(_)) => Some(since),
            _ => None,
        },
    };
    CursorWindow { since, ..cursor.window() }
}

/// Where what is still to come lies, as far as cursors are what they should be: there the next step starts
/// to look, unless it looks everywhere.
pub(super) async fn bound(
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
async fn shown(
    cursor: &Cursor<'_>,
    place: &Place<'_>,
    ends: Ends,
    window: Option<CursorWindow>,
) -> Result<Option<Shown>> {
    const WHAT: &str = "could not ask which transactions wrote the table's rows";
    let mut questions = Vec::new();
    if let Some(window) = window.filter(|_| ends.xmin < ends.xmax) {
        questions.push(writers(&window, place.relation, ends));
    }
    if cursor.has_value() {
        questions.push(cursor.greatest_of(place.relation));
    }
    if questions.is_empty() {
        return Ok(Some(Shown { xids: Xids::default(), greatest: None, reached: None }));
    }
    let turn = place.sessions.turn(&place.snapshot.id).await?;
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
