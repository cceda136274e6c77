//! A step where nobody tells what is running: to all that a snapshot shows, looked for from some time
//! before the greatest value on.
//!
//! Which versions were seen is told by transactions, as for a seen set: each is read once, however often
//! the window looks at it. A standby lists no transactions that are running, but its snapshot has an
//! oldest one nevertheless, and shows all of a transaction at once or nothing.
//!
//! What the snapshot does not show yet is committed after the greatest value that it shows. If its
//! transaction is not open for longer than the lookback, its stamp is younger than that value less the
//! lookback, and the next step looks at it. Rows of longer transactions are lost: this is no more than
//! most tools promise, and it must be asked for by name.

use protocol::{Error, Result};

use super::super::alone::Alone;
use super::super::answer::{quote_literal, unexpected};
use super::super::partition::CursorWindow;
use super::super::state::{Bound, CursorKind, CursorState, Identity, Seen, State, later, shown_instant};
use super::super::xids::Ends;
use super::clock;
use super::cursor::{Cursor, Ground, Step};
use super::mode::Mode;
use super::seen::Place;
use super::{quote_identifier, seen};

/// In µs.
const DAY: i64 = 86_400_000_000;

/// All that the snapshot shows and the last one did not, as far as it lies where the last step said; none
/// where too many transactions had to be remembered. `alone` was asked before the snapshot was taken.
pub(super) async fn step(
    cursor: &Cursor<'_>,
    ground: Ground,
    alone: &Alone,
    place: &Place<'_>,
) -> Result<Option<Step>> {
    let ends = place.snapshot.ends;
    let zone = cursor.options.cursor_timezone.as_deref();
    let latest = clock::first_anywhere(cursor.kind, alone.at, zone, place.sessions).await?;
    check_clock(cursor, &ground, alone, ends, &latest)?;
    let before = ground.before.as_ref().and_then(|before| before.seen.as_ref());
    let greatest = greatest(cursor, place, &latest).await?;
    let mut since = greatest.map(|greatest| looked_back(cursor, greatest));
    if before.is_some_and(|before| (before.xmin, before.xmax) == (ends.xmin, ends.xmax)) {
        since = later(ground.before.as_ref().and_then(CursorState::since), since);
    }
    let window = CursorWindow { since: since.clone(), ..cursor.window() };
    let shown = seen::shown(cursor, place, ends, Some(window)).await?;
    let Some(shown) = shown else { return Ok(None) };
    let covered = seen::covered(cursor, &ground);
    let is_idle = seen::is_idle(&covered, ends);
    let seen =
        Seen { since, below: None, xmin: ends.xmin, xmax: ends.xmax, xids: shown.xids, is_lookback: true };
    let next = CursorState { seen: Some(seen), ..cursor.next(ground) };
    let next = State { cursor: Some(next), is_full: false };
    let window = (!is_idle).then(|| covered.clone());
    let (mode, patchwork) = (Mode::Lookback, None);
    Ok(Some(Step { mode, window, covered, next, patchwork, is_held_back: false, name: mode.name() }))
}

/// `step`, and what was seen `before` where its snapshot has the same ends: it may be that of a standby
/// which is behind by a commit that has moved neither. None where that is too much to remember.
pub(super) fn remembering(mut step: Step, before: Option<&CursorState>) -> Option<Step> {
    let before = before.and_then(|before| before.seen.as_ref());
    let next = step.next.cursor.as_mut().and_then(|next| next.seen.as_mut());
    if let (Some(before), Some(next)) = (before, next)
        && (before.xmin, before.xmax) == (next.xmin, next.xmax)
    {
        next.xids.merge(&before.xids);
        if next.xids.len() > seen::MOST {
            return None;
        }
    }
    Some(step)
}

/// Whether a standby shows less than the server that was read last, as one of several may: what it shows
/// was read, and it knows less of what is still to come.
pub(super) fn is_behind(before: Option<&CursorState>, alone: &Alone, relation: u32, ends: Ends) -> bool {
    let Some((before, seen)) = before.and_then(|before| Some((before, before.seen.as_ref()?))) else {
        return false;
    };
    let server = &alone.server;
    let now = Identity {
        system: server.system.clone(),
        timeline: server.timeline,
        database: server.database,
        relation,
    };
    alone.is_standby && before.identity == now && (ends.xmax < seen.xmax || ends.xmin < seen.xmin)
}

/// Nothing but a seen set can go on where too many transactions would have to be remembered.
pub(super) fn too_many() -> Error {
    Error::transient(format!(
        "more than {} transactions have written rows since the oldest began that has not ended",
        seen::MOST
    ))
    .hint("the next sync that finds it ended goes on, and nothing is lost by waiting")
}

/// The greatest value that is a time of the past, in µs since 1970.
async fn greatest(cursor: &Cursor<'_>, place: &Place<'_>, latest: &Bound) -> Result<Option<i64>> {
    const WHAT: &str = "could not ask for the cursor's greatest value";
    let (column, kind) = (quote_identifier(&cursor.column), cursor.kind);
    let cast = if kind == CursorKind::Date { "::timestamp" } else { "" };
    let sql = format!(
        "SELECT (extract(epoch FROM max({column}){cast}) * 1000000)::int8 FROM {} \
          WHERE {column} <= {}::{sql} AND {column} > '-infinity'::{sql}",
        place.relation.qualified(),
        quote_literal(&kind.written(latest)),
        sql = kind.sql(),
    );
    let turn = place.sessions.turn(&place.snapshot.id).await?;
    let answers = turn.ask(WHAT, &sql).await?;
    let row = answers.first().and_then(|rows| rows.first()).ok_or_else(|| unexpected(WHAT))?;
    Ok(row.number(0))
}

fn looked_back(cursor: &Cursor<'_>, greatest: i64) -> Bound {
    let back = i64::try_from(cursor.options.lookback().duration().as_micros()).unwrap_or(i64::MAX);
    let since = greatest.saturating_sub(back);
    Bound::Micros(if cursor.kind == CursorKind::Date { since.div_euclid(DAY) * DAY } else { since })
}

/// Rows that are written while the clock stands below where the next step looks would never be read.
fn check_clock(
    cursor: &Cursor<'_>,
    ground: &Ground,
    alone: &Alone,
    ends: Ends,
    latest: &Bound,
) -> Result<()> {
    let Some(before) = &ground.before else { return Ok(()) };
    // A standby's time is that of the last transaction that it has replayed, and may be long ago.
    let is_new = before.seen.as_ref().is_some_and(|seen| ends.xmax > seen.xmax);
    match (before.since(), latest) {
        (Some(Bound::Micros(since)), Bound::Micros(latest))
            if *latest < since && (is_new || !alone.is_standby) =>
        {
            Err(Error::config(format!(
                "the server's clock shows {}, and at the last sync it was past {} already",
                shown_instant(alone.at),
                cursor.kind.shown(&Bound::Micros(since))
            ))
            .context("column", cursor.column.clone())
            .hint(
                "set the clock right; rows that were stamped while it was wrong are read only after \
                 `tidegate state reset`",
            ))
        }
        _ => Ok(()),
    }
}
