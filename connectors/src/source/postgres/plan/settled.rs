//! A step up to where nothing can come any more: each window is read once, and what is younger waits.

use protocol::{ConfiguredStream, Result};

use super::super::partition::{CursorWindow, Unseen};
use super::super::session::Sessions;
use super::super::state::{Bound, CursorState, State, lag, later};
use super::clock;
use super::cursor::{Cursor, Ground, Step};
use super::mode::Mode;

/// From where the last window ended to what is settled.
///
/// After a sync that read all that its snapshot showed, windows leave that out until another one does
/// the same: it reached beyond what was settled. Rows without a value wait for that one.
pub(super) async fn step(
    cursor: &Cursor<'_>,
    ground: Ground,
    sessions: &Sessions,
    stream: &ConfiguredStream,
) -> Result<Step> {
    let before = ground.before.clone();
    let was_loaded = before.as_ref().is_some_and(|before| before.loaded);
    let since = before.as_ref().and_then(CursorState::since);
    let reached = if cursor.kind.is_time() {
        match ground.instant {
            Some(instant) => {
                let instant = instant.saturating_sub(lag(stream));
                let zone = cursor.options.cursor_timezone.as_deref();
                Some(Some(clock::first(cursor.kind, instant, zone, sessions).await?))
            }
            None => None,
        }
    } else {
        ground.settled.last.as_ref().map(|mark| mark.value.clone().map(Bound::Value))
    };
    let is_settled = reached.is_some();
    let seen = before.as_ref().and_then(|before| before.seen.clone());
    let until = match reached {
        Some(reached) => later(since.clone(), reached),
        None => before.as_ref().and_then(|before| before.until.clone()),
    };
    let covered = CursorWindow {
        since: since.clone(),
        until: if is_settled { until.clone() } else { since.clone() },
        nulls: !was_loaded || ground.is_repeated,
        endless: false,
        unseen: seen.clone().map(|seen| Unseen { xmin: seen.xmin, xids: seen.xids }),
        ..cursor.window()
    };
    let is_new = is_settled && (!was_loaded || ground.is_repeated || until != since);
    let loaded = was_loaded || is_settled;
    let is_held_back = !ground.settled.open.is_empty();
    let is_put_off = ground.is_repeated && !is_settled;
    let mut next = CursorState { until, seen, loaded, ..cursor.next(ground) };
    if !loaded {
        next.leaves.clear();
    }
    next.leaves.extend(before.map(|before| before.leaves).unwrap_or_default());
    next.leaves.sort_unstable();
    next.leaves.dedup();
    // What is to be read again is so by a sync that reads at all.
    let next = if is_put_off { cursor.before.cloned() } else { Some(next) };
    let next = State { cursor: next, is_full: false };
    let window = is_new.then(|| covered.clone());
    let (mode, patchwork) = (Mode::SettledWindow, None);
    Ok(Step { mode, window, covered, next, patchwork, is_held_back, name: mode.name() })
}
