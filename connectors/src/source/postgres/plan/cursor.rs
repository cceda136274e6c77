//! How far an incremental stream can go: from where its last window ended to what is settled.

use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use protocol::{ConfiguredStream, Error, Result, StreamKind, Window, WriteMode};

use super::super::answer::{ask_one, quote_literal, unexpected};
use super::super::barrier::Barrier;
use super::super::discover::{Leaf, Relation};
use super::super::error::SQLSTATE;
use super::super::partition::CursorWindow;
use super::super::session::Sessions;
use super::super::state::{Bound, CursorKind, CursorState, Identity, State, lag, shown_instant};
use super::option::{OnReplaced, Options};
use super::quote_identifier;
use tokio_postgres::Client;

/// The cursor of a stream, and where it stands.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) column: String,
    pub(super) kind: CursorKind,
    pub(super) options: Options,
    before: Option<&'a CursorState>,
    /// Numbers of the tables below the relation, if it is divided.
    leaves: Vec<u32>,
    relation: u32,
    greatest: Greatest,
    looked: Option<Instant>,
}

/// Greatest values of the column, of cursors that hold no time.
#[derive(Debug, Default)]
struct Greatest {
    /// In the table.
    seen: Option<String>,
    /// There or in the state: rows are deleted, and the cursor does not go back.
    reached: Option<String>,
}

/// One sync's step.
#[derive(Debug)]
pub(super) struct Step {
    /// What is to be read; none where nothing can be new.
    pub(super) window: Option<CursorWindow>,
    /// The same, or an empty window.
    pub(super) covered: CursorWindow,
    pub(super) next: State,
    /// The settled instant, or none: of a cursor that holds no time, whether any is.
    pub(super) is_held_back: bool,
}

impl<'a> Cursor<'a> {
    /// The configured cursor, if the column can be one and is the one that the state speaks of.
    pub(super) fn of(stream: &ConfiguredStream, relation: &Relation, state: &'a State) -> Result<Self> {
        let name = stream.cursor.as_ref().ok_or_else(|| {
            Error::config("an incremental stream needs a cursor")
                .hint("set `cursor` to a column that grows with every change, or `sync_mode: full_refresh`")
        })?;
        let column = relation.column(name).ok_or_else(|| {
            Error::config(format!("the cursor {name:?} is not a column of {}", relation.stream_name()))
                .context("column", name)
        })?;
        let kind = CursorKind::of(&column.native).ok_or_else(|| {
            Error::config(format!("column {name:?} of type {} can't be a cursor", column.native.display))
                .context("column", name)
                .hint("a cursor is a timestamp, date, whole number, numeric or text")
        })?;
        let before = state.cursor.as_ref();
        if let Some(before) = before.filter(|before| before.column != *name || before.kind != kind) {
            return Err(Error::config(format!(
                "the cursor is {name:?} of type {}, and was {:?} of type {} at the last sync",
                kind.sql(),
                before.column,
                before.kind.sql()
            ))
            .context("column", name)
            .hint("`tidegate state reset` makes the next sync read everything anew"));
        }
        let is_divided = relation.kind == StreamKind::PartitionedTable || relation.leaves.len() > 1;
        let leaves =
            if is_divided { relation.leaves.iter().map(|leaf| leaf.oid).collect() } else { Vec::new() };
        Ok(Self {
            column: name.clone(),
            kind,
            options: Options::of(stream)?,
            before,
            leaves,
            relation: relation.oid,
            greatest: Greatest::default(),
            looked: None,
        })
    }

    /// Whether only a value that was seen tells what is settled.
    pub(super) fn has_value(&self) -> bool {
        !self.kind.is_time()
    }

    /// When the greatest value was seen.
    pub(super) fn looked(&self) -> Option<Instant> {
        self.looked
    }

    /// Asks for the greatest value, where that is needed. Every transaction that holds a smaller one
    /// is in a barrier made after it.
    pub(super) async fn look(&mut self, client: &super::Client, relation: &Relation) -> Result<()> {
        const WHAT: &str = "could not ask for the cursor's greatest value";
        if self.kind.is_time() {
            return Ok(());
        }
        let column = quote_identifier(&self.column);
        let since = match self.since() {
            Some(since) => format!("{}::{}", quote_literal(&self.kind.written(since)), self.kind.sql()),
            None => "NULL".to_owned(),
        };
        let from = relation.qualified();
        // What is greater than all numbers is no bound: nothing would ever come after it.
        let finite = match self.kind {
            CursorKind::Numeric if client.server_version >= 140_000 => {
                format!(" WHERE {column} < 'Infinity'::numeric")
            }
            CursorKind::Numeric => format!(" WHERE {column} < 'NaN'::numeric"),
            _ => String::new(),
        };
        let sql =
            format!("SELECT max({column})::text, greatest(max({column}), {since})::text FROM {from}{finite}");
        let row = ask_one(client, WHAT, &sql).await?;
        self.greatest =
            Greatest { seen: row.text(0).map(str::to_owned), reached: row.text(1).map(str::to_owned) };
        self.looked = Some(Instant::now());
        Ok(())
    }

    fn since(&self) -> Option<&'a Bound> {
        self.before.and_then(|before| before.until.as_ref())
    }

    fn is_loaded(&self) -> bool {
        self.before.is_some_and(|before| before.loaded)
    }

    /// The window as far as it is known before the barrier; none for the first.
    pub(super) fn open_window(&self) -> Option<CursorWindow> {
        let since = self.since().filter(|_| self.is_loaded())?;
        let until = if self.kind.is_time() {
            Some(Bound::Value("infinity".to_owned()))
        } else {
            self.greatest.reached.clone().map(Bound::Value)
        };
        Some(CursorWindow {
            column: self.column.clone(),
            kind: self.kind,
            since: Some(since.clone()),
            until,
            nulls: false,
        })
    }

    /// Tables below the relation that were not there at the last sync.
    pub(super) fn new_leaves<'r>(&self, relation: &'r Relation) -> Vec<&'r Leaf> {
        let Some(before) = self.before.filter(|before| before.loaded && !self.leaves.is_empty()) else {
            return Vec::new();
        };
        relation.leaves.iter().filter(|leaf| !before.leaves.contains(&leaf.oid)).collect()
    }

    /// From where the last window ended to what is settled.
    pub(super) async fn step(
        &self,
        barrier: &Barrier,
        sessions: &Sessions,
        stream: &ConfiguredStream,
        notes: &mut Vec<String>,
    ) -> Result<Step> {
        let identity = Identity {
            system: barrier.server.system.clone(),
            timeline: barrier.server.timeline,
            database: barrier.server.database,
            relation: self.relation,
        };
        let before = self.continued(&identity, stream, notes)?;
        let filter = stream.filter.as_ref().map(|filter| fingerprint(filter));
        if before.is_some_and(|before| before.loaded && before.filter != filter) {
            notes.push("the filter changed: rows that it lets in now are not read if they are older than the last sync".to_owned());
        }
        let since = before.and_then(|before| before.until.clone());
        let value = if before.is_some() { &self.greatest.reached } else { &self.greatest.seen };
        let settled = barrier.settle(before.map_or(&[][..], |before| &before.marks), value.clone());
        let mut instant = before.and_then(|before| before.settled);
        let reached = if self.kind.is_time() {
            self.check_clock(instant, barrier.at(), lag(stream))?;
            instant = instant.max(barrier.instant(&settled));
            match instant {
                Some(instant) => Some(Some(self.bound(instant.saturating_sub(lag(stream)), sessions).await?)),
                None => None,
            }
        } else {
            settled.last.as_ref().map(|mark| mark.value.clone().map(Bound::Value))
        };
        let was_loaded = before.is_some_and(|before| before.loaded);
        let is_settled = reached.is_some();
        let until = later(since.clone(), reached.flatten());
        let covered = CursorWindow {
            column: self.column.clone(),
            kind: self.kind,
            since: since.clone(),
            until: until.clone(),
            nulls: !was_loaded,
        };
        let is_new = is_settled && (!was_loaded || until != since);
        let loaded = was_loaded || is_settled;
        let mut leaves = before.map(|before| before.leaves.clone()).unwrap_or_default();
        if loaded {
            leaves.extend(&self.leaves);
        }
        leaves.sort_unstable();
        leaves.dedup();
        let is_held_back = !settled.open.is_empty();
        let next = CursorState {
            column: self.column.clone(),
            kind: self.kind,
            identity,
            until,
            loaded,
            settled: instant,
            marks: settled.open,
            leaves,
            filter,
        };
        let next = State { cursor: Some(next), is_full: false };
        Ok(Step { window: is_new.then(|| covered.clone()), covered, next, is_held_back })
    }

    /// What the last sync left, if this is the table that it read.
    fn continued(
        &self,
        now: &Identity,
        stream: &ConfiguredStream,
        notes: &mut Vec<String>,
    ) -> Result<Option<&'a CursorState>> {
        let Some(before) = self.before else { return Ok(None) };
        let then = &before.identity;
        let differ = |now: &Option<String>, then: &Option<String>| matches!((now, then), (Some(now), Some(then)) if now != then);
        let what = if differ(&now.system, &then.system) {
            "the server is another cluster than at the last sync"
        } else if now.database != then.database {
            "the database was created anew since the last sync"
        } else if now.relation != then.relation {
            "the table was created anew since the last sync"
        } else {
            if let (Some(now), Some(then)) = (now.timeline, then.timeline)
                && now != then
            {
                notes.push(format!(
                    "another server is the primary since the last sync (timeline {then} is now {now}): what the \
                     former one lost in the change stays at the destination"
                ));
            }
            return Ok(Some(before));
        };
        if self.options.on_replaced == OnReplaced::Continue {
            notes.push(format!("{what}, and is taken for the same (`on_replaced: continue`)"));
            return Ok(Some(before));
        }
        if stream.write_mode == WriteMode::Overwrite {
            notes.push(format!("{what}: all of it is read"));
            return Ok(None);
        }
        Err(Error::config(what).hint(
            "`tidegate state reset` makes the next sync read everything anew; if it holds the same rows, as after \
             an upgrade, set `options: {on_replaced: continue}`",
        ))
    }

    /// Rows written while the clock stood below the last window's end would never be read.
    fn check_clock(&self, settled: Option<i64>, at: i64, lag: i64) -> Result<()> {
        match settled {
            Some(settled) if at < settled.saturating_sub(lag) => Err(Error::config(format!(
                "the server's clock shows {}, and at the last sync it was past {} already",
                shown_instant(at),
                shown_instant(settled)
            ))
            .context("column", self.column.clone())
            .hint(
                "set the clock right; rows that were stamped while it was wrong are read only after \
                 `tidegate state reset`",
            )),
            _ => Ok(()),
        }
    }

    /// The first value that a row stamped from `instant` on can have.
    async fn bound(&self, instant: i64, sessions: &Sessions) -> Result<Bound> {
        if self.kind == CursorKind::Timestamptz {
            return Ok(Bound::Micros(instant));
        }
        let local = match self.options.cursor_timezone.as_deref() {
            None | Some("UTC") => instant,
            Some(zone) => {
                let lease = sessions.lease().await?;
                let local = earliest_local(&lease, instant, zone).await?;
                lease.give_back();
                local
            }
        };
        Ok(Bound::Micros(if self.kind == CursorKind::Date { local.div_euclid(DAY) * DAY } else { local }))
    }
}

/// In µs.
const DAY: i64 = 86_400_000_000;

/// The earliest that clocks in `zone` show from `instant` on: they are put back once a year.
async fn earliest_local(client: &Client, instant: i64, zone: &str) -> Result<i64> {
    const WHAT: &str = "could not ask for the time in `cursor_timezone`";
    let start = CursorKind::Timestamptz.written(&Bound::Micros(instant));
    let zone = quote_literal(zone);
    // Clocks are changed at full quarters of an hour.
    let sql = format!(
        "SELECT (extract(epoch FROM min(t AT TIME ZONE {zone})) * 1000000)::int8 \
           FROM (SELECT '{start}'::timestamptz AS t UNION ALL \
                 SELECT g FROM generate_series(date_trunc('hour', '{start}'::timestamptz), \
                                               '{start}'::timestamptz + interval '26 hours', interval '15 minutes') g \
                  WHERE g > '{start}'::timestamptz) times"
    );
    let row = ask_one(client, WHAT, &sql).await.map_err(|error| match error.context_value(SQLSTATE) {
        Some("22023") => Error::config("`cursor_timezone` is no time zone that the server knows")
            .hint("name it like `Europe/Berlin`")
            .with_source(error),
        _ => error,
    })?;
    row.number(0).ok_or_else(|| unexpected(WHAT))
}

/// The later of two bounds. Values are compared by the server only, and the new one is never smaller.
fn later(before: Option<Bound>, now: Option<Bound>) -> Option<Bound> {
    match (before, now) {
        (Some(Bound::Micros(before)), Some(Bound::Micros(now))) => Some(Bound::Micros(before.max(now))),
        (before, now) => now.or(before),
    }
}

fn fingerprint(filter: &str) -> String {
    let digest = digest(&SHA256, filter.as_bytes());
    let head = digest.as_ref().first_chunk().expect("it has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*head))
}

impl Step {
    /// The window for people; none where it has no end yet. It is half-open: after the greatest whole
    /// number comes the next.
    pub(super) fn shown(&self) -> Option<Window> {
        let covered = &self.covered;
        let shown = |bound: &Option<Bound>| {
            let bound = bound.as_ref()?;
            let shown = covered.kind.shown(bound);
            let next = || shown.parse::<i64>().ok()?.checked_add(1).map(|next| next.to_string());
            if covered.kind == CursorKind::Integer { next() } else { Some(shown) }
        };
        covered.until.as_ref()?;
        Some(Window { since: shown(&covered.since), until: shown(&covered.until) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of an instant of 2026-10-25, UTC. Clocks in Berlin are put back at 01:00, from 03:00 to 02:00.
    fn at(hour: i64, minute: i64) -> i64 {
        (1_792_886_400 + hour * 3600 + minute * 60) * 1_000_000
    }

    #[tokio::test]
    async fn an_hour_that_clocks_show_twice_is_waited_for() {
        let database = lab::Cluster::shared().database();
        let client = database.client().await;
        for (instant, shown, zone) in [
            (at(-2, 0), at(0, 0), "Europe/Berlin"),
            (at(-1, 59), at(1, 59), "Europe/Berlin"),
            (at(0, 0), at(2, 0), "Europe/Berlin"),
            (at(0, 1), at(2, 0), "Europe/Berlin"),
            (at(0, 59), at(2, 0), "Europe/Berlin"),
            (at(1, 0), at(2, 0), "Europe/Berlin"),
            (at(1, 1), at(2, 1), "Europe/Berlin"),
            (at(12, 0), at(8, 0), "America/New_York"),
            (at(12, 7), at(12, 7), "UTC"),
        ] {
            let earliest = earliest_local(&client, instant, zone).await.unwrap();
            assert_eq!(shown_instant(earliest), shown_instant(shown), "{} in {zone}", shown_instant(instant));
        }
        assert!(earliest_local(&client, 0, "Mars/Olympus").await.is_err());
    }
}
