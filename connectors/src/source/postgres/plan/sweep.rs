//! When a seen set looks at all rows, what it has to know for that, and what the next one will.

use protocol::Result;

use super::super::answer::{ask_one, unexpected};
use super::super::history::{Base, Past, Steps, Swept};
use super::super::partition::Told;
use super::super::state::{CursorState, Seen, shown_instant};
use super::super::xids::{Ends, Xids};
use super::Client;
use super::cursor::{Cursor, Ground, Step};
use super::mode::Mode;
use super::option::Sweep;
use super::seen::Place;

/// A smaller table is looked at each time. The server takes 0.6 ms for a MiB that it has in memory: by that,
/// this is 20 ms, and 200 such tables keep two cores busy for two seconds.
pub(super) const SMALL_BYTES: u64 = 32 << 20;

/// Decides whether this sync looks at all rows: if it is asked to, or the last time is long ago.
pub(super) async fn schedule(
    cursor: &mut Cursor<'_>,
    mode: Mode,
    is_asked: bool,
    client: &Client,
    notes: &mut Vec<String>,
) -> Result<()> {
    if !mode.is_by_version() {
        if is_asked {
            notes.push("the stream can't be swept: only a seen set can look at all rows".to_owned());
        }
        return Ok(());
    }
    let Some(before) = cursor.before.filter(|before| before.loaded) else { return Ok(()) };
    let is_due = match (cursor.options.sweep, &before.swept) {
        _ if is_asked => true,
        (Sweep::Every(_), None) => true,
        (Sweep::Every(age), Some(swept)) => {
            let age = i64::try_from(age.duration().as_micros()).unwrap_or(i64::MAX);
            now(client).await?.saturating_sub(swept.at) >= age
        }
        _ => false,
    };
    cursor.is_sweep = is_due;
    cursor.is_swept |= is_due;
    Ok(())
}

async fn now(client: &Client) -> Result<i64> {
    const WHAT: &str = "could not ask for the server's time";
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    ask_one(client, WHAT, sql).await?.number(0).ok_or_else(|| unexpected(WHAT))
}

/// What a look at all rows starts from.
#[derive(Debug)]
pub(super) struct Sweeping {
    pub(super) past: Option<Past>,
    /// Transactions from the new snapshot's first open one on of which it is known that it shows them.
    pub(super) xids: Xids,
    /// What counts as read, where that is not known.
    base: Option<Base>,
    /// Whether some rows may be read twice.
    is_coarse: bool,
}

/// The last sync, if what it and those before it have read can be told from what they have not.
pub(super) fn trusted(ground: &Ground) -> Option<(&CursorState, &Seen)> {
    let before = ground.before.as_ref().filter(|before| before.loaded && !ground.is_repeated)?;
    Some((before, before.seen.as_ref()?))
}

/// How all rows are looked at, by a snapshot that ends with `ends`; none where only the cursor can lead.
pub(super) fn sweeping(
    cursor: &Cursor<'_>,
    ground: &Ground,
    ends: Ends,
    notes: &mut Vec<String>,
) -> Option<Sweeping> {
    let Some((before, seen)) = trusted(ground) else {
        if ground.before.is_some() {
            put_off(cursor, notes);
        }
        return None;
    };
    let since = before.since();
    if !cursor.is_swept && since.is_some() {
        return None;
    }
    let known = before.swept.clone().map(|swept| swept.based(seen));
    let known = known.filter(|swept| swept.oldest().is_none_or(|oldest| ends.follows(oldest, seen.xmax)));
    let xids = seen.xids.iter().filter(|xid| *xid >= ends.xmin);
    let xids = xids.chain(known.iter().flat_map(|swept| swept.xids_from(ends.xmin))).collect();
    if let Some(swept) = known {
        if swept.is_coarse && !swept.steps.is_empty() {
            notes.push(format!(
                "since the last look at all rows, at {}, more was read than could be remembered: some rows with \
                 old values of the cursor may be read twice",
                shown_instant(swept.at)
            ));
        }
        let is_coarse = swept.is_coarse && !swept.steps.is_empty();
        let past = Past { steps: swept.steps, attached: swept.attached };
        return Some(Sweeping { past: (!past.is_empty()).then_some(past), xids, base: None, is_coarse });
    }
    let Some(below) = since else {
        return Some(Sweeping { past: None, xids, base: None, is_coarse: false });
    };
    notes.push(
        "it is not known which rows earlier syncs have passed by: this one finds what was written since the last, \
         and from now on all is found; `tidegate reconcile` shows what is missing"
            .to_owned(),
    );
    // A settled window has read rows there in a snapshot of its own.
    let xmin = if before.until.is_some() { ends.xmax } else { seen.xmax };
    let base = Base { below, xmin };
    let past = Past { steps: Steps::unknown(&base), attached: Vec::new() };
    Some(Sweeping { past: Some(past), xids, base: Some(base), is_coarse: false })
}

/// What the report calls a step.
pub(super) fn name(cursor: &Cursor<'_>, sweeping: Option<&Sweeping>) -> &'static str {
    match sweeping {
        Some(sweeping) if cursor.is_sweep && sweeping.is_coarse => "sweep_at_least_once",
        Some(_) if cursor.is_sweep => "sweep",
        _ => Mode::SeenSet.name(),
    }
}

/// What later sweeps have to know after a step by a snapshot that ends with `ends`; none where that is lost.
pub(super) fn remembered(
    cursor: &Cursor<'_>,
    ground: &Ground,
    place: &Place<'_>,
    ends: Ends,
    sweeping: Option<&Sweeping>,
) -> Option<Swept> {
    let now = Swept::now(place.at);
    if let Some(sweeping) = sweeping {
        return Some(Swept { base: sweeping.base.clone(), ..now });
    }
    if ground.before.as_ref().is_none_or(|before| !before.loaded) {
        // Of a large table it was not asked who wrote what lies below the bound.
        return Some(Swept { is_coarse: !cursor.is_small && ends.xmin < ends.xmax, ..now });
    }
    let (before, seen) = trusted(ground)?;
    let was_empty = before.found.is_some_and(|found| found.rows == 0);
    // A repair looks where the parts that it repairs were looked for.
    let below = before.patches().map_or_else(|| before.since(), |(patchwork, _)| patchwork.since);
    let swept = before.swept.clone()?.passed(below, seen, was_empty);
    let fresh = cursor.new_leaves(place.relation).iter().map(|leaf| leaf.oid).collect();
    Some(Swept { fresh, ..swept })
}

/// Says that a sweep that was asked for is none.
pub(super) fn put_off(cursor: &Cursor<'_>, notes: &mut Vec<String>) {
    if cursor.is_sweep {
        notes.push("the sweep is put off to the next sync: this one can't tell what is new".to_owned());
    }
}

impl Step {
    /// What is told of tables that are read from their beginning: the next sync must know who wrote them.
    pub(super) fn told(&self) -> Option<Told> {
        let seen = self.next.cursor.as_ref()?.seen.as_ref()?;
        (self.mode == Mode::SeenSet && seen.xmin < seen.xmax).then_some(Told { late: None, xmin: seen.xmin })
    }
}
