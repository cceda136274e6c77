//! The cursor of an incremental stream: its column, where it stands, and whether it can go on from there.

use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use protocol::{ConfiguredStream, Error, Result, StreamKind, Window, WriteMode};

use super::super::answer::{ask_one, quote_literal};
use super::super::barrier::{Barrier, Server, Settled};
use super::super::discover::{Leaf, Relation};
use super::super::partition::CursorWindow;
use super::super::patchwork::Patchwork;
use super::super::state::{Bound, CursorKind, CursorState, Identity, Seen, State, shown_instant};
use super::super::xids::Ends;
use super::clock;
use super::mode::{Mode, is_small};
use super::option::{OnReplaced, Options, Sweep};
use super::quote_identifier;

/// The cursor of a stream, and where it stands.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    pub(super) column: String,
    pub(super) kind: CursorKind,
    pub(super) options: Options,
    pub(super) before: Option<&'a CursorState>,
    /// Numbers of the tables below the relation, if it is divided.
    leaves: Vec<u32>,
    relation: u32,
    server_version: u32,
    /// Whether a seen set looks at all rows, wherever their cursor stands.
    pub(super) is_swept: bool,
    /// Whether it does so this time only.
    pub(super) is_sweep: bool,
    /// Whether to look at all rows costs next to nothing.
    pub(super) is_small: bool,
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

/// What a step starts from.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) identity: Identity,
    /// What the last sync left, as far as it still holds.
    pub(super) before: Option<CursorState>,
    /// Whether some rows are read again, as it does not.
    pub(super) is_repeated: bool,
    /// Which marks are settled.
    pub(super) settled: Settled,
    /// The settled instant; of cursors that hold a time.
    pub(super) instant: Option<i64>,
    /// The greatest value seen before the barrier; of others.
    pub(super) value: Option<String>,
    /// The filter's digest.
    filter: Option<String>,
}

/// What the last sync left, and whether it still holds.
struct Left {
    identity: Identity,
    before: Option<CursorState>,
    is_repeated: bool,
    filter: Option<String>,
}

/// One sync's step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) mode: Mode,
    /// What is to be read; none where nothing can be new.
    pub(super) window: Option<CursorWindow>,
    /// The same, or an empty window.
    pub(super) covered: CursorWindow,
    pub(super) next: State,
    /// What was read in other snapshots than the one of what was seen, where that is to be made one.
    pub(super) patchwork: Option<(Patchwork, Seen)>,
    /// Whether rows wait for what is running.
    pub(super) is_held_back: bool,
    /// What the report calls it.
    pub(super) name: &'static str,
}

impl<'a> Cursor<'a> {
    /// The configured cursor, if the column can be one and is the one that the state speaks of.
    pub(super) fn of(
        stream: &ConfiguredStream,
        relation: &Relation,
        state: &'a State,
        server_version: u32,
    ) -> Result<Self> {
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
        let options = Options::of(stream)?;
        let is_small = is_small(relation);
        let is_swept = match options.sweep {
            Sweep::Auto => is_small,
            Sweep::Always => true,
            Sweep::Never | Sweep::Every(_) => false,
        };
        Ok(Self {
            column: name.clone(),
            kind,
            options,
            is_swept,
            is_sweep: false,
            is_small,
            before,
            leaves,
            relation: relation.oid,
            server_version,
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
        let row = ask_one(client, WHAT, &self.greatest_of(relation)).await?;
        self.greatest =
            Greatest { seen: row.text(0).map(str::to_owned), reached: row.text(1).map(str::to_owned) };
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// Asks for the greatest value in the table, and there or in the state.
    pub(super) fn greatest_of(&self, relation: &Relation) -> String {
        let column = quote_identifier(&self.column);
        let reached = self.before.and_then(|before| before.greatest.clone().map(Bound::Value));
        let since = match reached.or_else(|| self.before.and_then(CursorState::since)) {
            Some(since) => format!("{}::{}", quote_literal(&self.kind.written(&since)), self.kind.sql()),
            None => "NULL".to_owned(),
        };
        let from = relation.qualified();
        // What is greater than all numbers is no bound: nothing would ever come after it. Nor is
        // what is no number, in versions that know no infinity.
        let finite = match self.kind {
            CursorKind::Numeric if self.server_version >= 140_000 => {
                format!(" WHERE {column} < 'Infinity'::numeric")
            }
            CursorKind::Numeric => format!(" WHERE {column} < 'NaN'::numeric"),
            _ => String::new(),
        };
        format!("SELECT max({column})::text, greatest(max({column}), {since})::text FROM {from}{finite}")
    }

    /// Whether nothing was read yet.
    pub(super) fn is_first(&self) -> bool {
        self.before.is_none_or(|before| !before.loaded)
    }

    /// Whether the next window starts somewhere: what lies before needs no look.
    pub(super) fn has_start(&self) -> bool {
        self.before.is_some_and(|before| before.loaded && before.since().is_some())
    }

    /// Whether what was read is of several snapshots.
    pub(super) fn is_patchwork(&self) -> bool {
        self.before.is_some_and(|before| before.patches().is_some())
    }

    /// The last snapshot that the state speaks of.
    pub(super) fn has_seen(&self) -> bool {
        self.before.is_some_and(|before| before.seen.is_some())
    }

    /// The number before which all transactions had ended at the last sync, if that was so of all there
    /// were: then it has waited until none of them could be undone by a crash.
    pub(super) fn durable(&self) -> Option<u64> {
        let seen = self.before?.seen.as_ref()?;
        (seen.xmin == seen.xmax).then_some(seen.xmax)
    }

    /// The window as far as it is known before the barrier; none for the first.
    pub(super) fn open_window(&self, mode: Mode) -> Option<CursorWindow> {
        let before = self.before.filter(|before| before.loaded && !self.is_swept)?;
        let since = before.since()?;
        let until = if self.kind.is_time() {
            Some(Bound::Value("infinity".to_owned()))
        } else {
            self.greatest.reached.clone().map(Bound::Value)
        };
        let endless = mode.is_by_version();
        let nulls = endless && before.seen.is_some();
        Some(CursorWindow { since: Some(since), until, nulls, endless, ..self.window() })
    }

    /// All values.
    pub(super) fn window(&self) -> CursorWindow {
        CursorWindow {
            column: self.column.clone(),
            kind: self.kind,
            since: None,
            until: None,
            nulls: true,
            endless: true,
            unseen: None,
            past: None,
            told: None,
        }
    }

    /// Tables below the relation that were not there at the last sync.
    pub(super) fn new_leaves<'r>(&self, relation: &'r Relation) -> Vec<&'r Leaf> {
        let Some(before) = self.before.filter(|before| before.loaded && !self.leaves.is_empty()) else {
            return Vec::new();
        };
        // One that had no heirs was read as itself.
        let is_known = |leaf: &Leaf| before.leaves.contains(&leaf.oid) || leaf.oid == self.relation;
        relation.leaves.iter().filter(|leaf| !is_known(leaf)).collect()
    }

    /// What a step after `barrier` starts from. `ends` are those of a snapshot that was taken after it,
    /// and `slack` is by how much rows may be older than what is settled.
    pub(super) fn ground(
        &self,
        barrier: &Barrier,
        ends: Option<Ends>,
        stream: &ConfiguredStream,
        slack: i64,
        notes: &mut Vec<String>,
    ) -> Result<Ground> {
        let Left { identity, before, is_repeated, filter } =
            self.found(&barrier.server, ends, stream, slack, notes)?;
        let value = match self.looked {
            Some(looked) if barrier.listed >= looked => {
                if before.is_some() && !is_repeated {
                    self.greatest.reached.clone()
                } else {
                    self.greatest.seen.clone()
                }
            }
            _ => before.as_ref().and_then(|before| before.greatest.clone()),
        };
        let marks = before.as_ref().map_or(&[][..], |before| &before.marks);
        let settled = barrier.settle(marks, value.clone());
        let mut instant = before.as_ref().and_then(|before| before.settled);
        if self.kind.is_time() {
            self.check_clock(instant, barrier.at(), slack)?;
            instant = instant.max(barrier.instant(&settled));
        }
        Ok(Ground { identity, before, is_repeated, settled, instant, value, filter })
    }

    /// What a step starts from on a server that can't tell what is running: nothing more is settled.
    pub(super) fn ground_alone(
        &self,
        server: &Server,
        ends: Ends,
        stream: &ConfiguredStream,
        slack: i64,
        notes: &mut Vec<String>,
    ) -> Result<Ground> {
        let Left { identity, before, is_repeated, filter } =
            self.found(server, Some(ends), stream, slack, notes)?;
        let last = before.clone();
        let (open, instant, value) =
            last.map(|last| (last.marks, last.settled, last.greatest)).unwrap_or_default();
        let settled = Settled { last: None, open };
        Ok(Ground { identity, before, is_repeated, settled, instant, value, filter })
    }

    /// What the last sync left, as far as it holds for `server`.
    fn found(
        &self,
        server: &Server,
        ends: Option<Ends>,
        stream: &ConfiguredStream,
        slack: i64,
        notes: &mut Vec<String>,
    ) -> Result<Left> {
        let identity = Identity {
            system: server.system.clone(),
            timeline: server.timeline,
            database: server.database,
            relation: self.relation,
        };
        let (before, is_repeated) = match self.continued(&identity, stream, notes)? {
            Some(before) => self.trusted(before, &identity, ends, slack, notes),
            None => (None, false),
        };
        let filter = stream.filter.as_ref().map(|filter| fingerprint(filter));
        if before.as_ref().is_some_and(|before| before.loaded && before.filter != filter) {
            notes.push("the filter changed: rows that it lets in now are not read if they are older than the last sync".to_owned());
        }
        Ok(Left { identity, before, is_repeated, filter })
    }

    /// What the last sync left, as far as numbers of transactions still mean what they did. Where they
    /// do not, what was settled stays so, and what was seen after that is read again.
    fn trusted(
        &self,
        before: &CursorState,
        now: &Identity,
        ends: Option<Ends>,
        slack: i64,
        notes: &mut Vec<String>,
    ) -> (Option<CursorState>, bool) {
        // A server that was made the primary has a clock of its own.
        const LEAST_SLACK: i64 = 300_000_000;
        let Some(seen) = &before.seen else { return (Some(before.clone()), false) };
        let then = &before.identity;
        let is_other = matches!((&then.system, &now.system), (Some(then), Some(now)) if then != now);
        let is_same = !is_other && then.database == now.database && then.relation == now.relation;
        let is_promoted = matches!((then.timeline, now.timeline), (Some(then), Some(now)) if then != now);
        let goes_on = |ends: Ends| {
            let pieces = before.patches().is_none_or(|(patchwork, _)| patchwork.is_followed_by(ends));
            pieces && ends.follows(seen.xmin, seen.xmax)
        };
        if is_same && !is_promoted && ends.is_some_and(goes_on) {
            return (Some(before.clone()), false);
        }
        let slack = if is_same { slack.max(LEAST_SLACK) } else { 0 };
        let since = match before.since() {
            Some(Bound::Micros(since)) => Some(Bound::Micros(since.saturating_sub(slack))),
            // All rows were looked at.
            None if self.kind.is_time() => before.settled.map(|settled| {
                let anywhere = if self.kind == CursorKind::Timestamptz { 0 } else { clock::ALL_ZONES };
                Bound::Micros(settled.saturating_sub(slack).saturating_sub(anywhere))
            }),
            since => since,
        };
        let from = since.as_ref().map(|since| format!(" from {} on", self.kind.shown(since)));
        notes.push(format!(
            "the server's numbers of transactions do not go on from those of the last sync: rows{} are read \
             again, most of them for a second time",
            from.unwrap_or_default()
        ));
        // Sequences have not gone on either.
        let (greatest, marks) = (None, Vec::new());
        let (seen, patchwork) = (None, None);
        (Some(CursorState { until: since, seen, greatest, marks, patchwork, ..before.clone() }), true)
    }

    /// What the next sync goes on from, but for what was read.
    pub(super) fn next(&self, ground: Ground) -> CursorState {
        CursorState {
            column: self.column.clone(),
            kind: self.kind,
            identity: ground.identity,
            until: None,
            seen: None,
            greatest: ground.value,
            loaded: true,
            settled: ground.instant,
            marks: ground.settled.open,
            leaves: self.leaves.clone(),
            filter: ground.filter,
            swept: None,
            found: None,
            files: Vec::new(),
            patchwork: None,
        }
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
    fn check_clock(&self, settled: Option<i64>, at: i64, slack: i64) -> Result<()> {
        match settled {
            Some(settled) if at < settled.saturating_sub(slack) => Err(Error::config(format!(
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
        let shown = |bound: &Bound| {
            let shown = covered.kind.shown(bound);
            let next = || shown.parse::<i64>().ok()?.checked_add(1).map(|next| next.to_string());
            if covered.kind == CursorKind::Integer { next() } else { Some(shown) }
        };
        let until = if covered.endless { None } else { Some(shown(covered.until.as_ref()?)?) };
        Some(Window { since: covered.since.as_ref().and_then(shown), until })
    }
}
