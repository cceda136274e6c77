//! Where a seen set looks when nobody tells what is running: from some time before the greatest value on.
//!
//! Which versions were seen is told by transactions, as for a seen set: each is read once, however often
//! the window looks at it. A standby lists no transactions that are running, but its snapshot has an
//! oldest one nevertheless, and shows all of a transaction at once or nothing.
//!
//! What the snapshot does not show yet is committed after the greatest value that it shows. If its
//! transaction is not open for longer than the lookback, its stamp is younger than that value less the
//! lookback, and the next step looks at it. Rows of longer transactions are lost until a sweep finds them:
//! this is no more than most tools promise, and it must be asked for by name.

use protocol::{Error, Result};

use super::super::alone::Alone;
use super::super::answer::{quote_literal, unexpected};
use super::super::state::{Bound, CursorKind, CursorState, Identity, later, shown_instant};
use super::super::xids::Ends;
use super::clock;
use super::cursor::{Cursor, Ground, Step};
use super::mode::Mode;
use super::seen::Place;
use super::{quote_identifier, seen};

/// In µs.
const DAY: i64 = 86_400_000_000;

/// From where on the next step looks. `alone` was asked before the snapshot was taken.
pub(super) async fn bound(
    cursor: &Cursor<'_>,
    ground: &Ground,
    alone: &Alone,
    place: &Place<'_>,
) -> Result<Option<Bound>> {
    let ends = place.snapshot.ends;
    let zone = cursor.options.cursor_timezone.as_deref();
    let latest = clock::first_anywhere(cursor.kind, alone.at, zone, place.sessions).await?;
    check_clock(cursor, ground, alone, ends, &latest)?;
    let greatest = greatest(cursor, place, &latest).await?;
    let since = greatest.map(|greatest| looked_back(cursor, greatest));
    let before = ground.before.as_ref().and_then(|before| before.seen.as_ref());
    let is_same = before.is_some_and(|before| (before.xmin, before.xmax) == (ends.xmin, ends.xmax));
    Ok(if is_same { later(ground.before.as_ref().and_then(CursorState::since), since) } else { since })
}

/// Says of a step what it is, unless it looks at all rows this once.
pub(super) fn label(step: &mut Step) {
    if step.name == Mode::SeenSet.name() {
        step.name = Mode::Lookback.name();
    }
    if let Some(seen) = step.next.cursor.as_mut().and_then(|next| next.seen.as_mut()) {
        seen.is_lookback = true;
    }
}

/// Keeps what was seen `before` where the snapshot of `step` has the same ends: it may be that of a standby
/// which is behind by a commit that has moved neither. Returns whether that is not too much to remember.
pub(super) fn remember(step: &mut Step, before: Option<&CursorState>) -> bool {
    let before = before.and_then(|before| before.seen.as_ref());
    let next = step.next.cursor.as_mut().and_then(|next| next.seen.as_mut());
    match (before, next) {
        (Some(before), Some(next)) if (before.xmin, before.xmax) == (next.xmin, next.xmax) => {
            next.xids.merge(&before.xids);
            next.xids.len() <= seen::MOST
        }
        _ => true,
    }
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
