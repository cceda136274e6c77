//! What is new in a stream, as partitions that can be read at once.

mod clock;
mod cursor;
mod estimate;
mod lookback;
mod mode;
mod note;
mod option;
mod repair;
mod rewritten;
mod seen;
mod settled;
mod split;
mod sweep;

use std::num::NonZeroUsize;
use std::sync::Arc;

use protocol::{
    ConfiguredStream, Error, Grain, Lifetime, Plan, PlanRequest, Planned, Result, StreamKind, SyncMode,
};

use super::answer::ask_one;
use super::connect::Client;
use super::discover::{self, Leaf, Relation};
use super::error::SQLSTATE;
use super::layout::Layout;
use super::partition::{CursorWindow, Partition, Table};
use super::session::Lease;
use super::snapshot::{Ask, Basis, Need};
use super::state::{State, lag, margin};
use super::xids::{Ends, ends};
use super::{Postgres, quote_identifier};
use cursor::{Cursor, Step};
use estimate::Estimate;
use mode::{Choice, Mode};
pub(super) use mode::{is_small, unfit};
use split::{Part, Split};

/// Plans one stream.
pub(super) async fn plan(
    source: &Postgres,
    request: &PlanRequest<'_, State>,
) -> Result<Plan<Partition, State>> {
    protocol::point!("plan.begun");
    let lease = source.sessions.lease().await?;
    let (begun, was_denied) = (std::time::Instant::now(), source.sessions.is_denied());
    let relation = discover::relation(&lease, &request.stream.name).await?;
    let layout = Arc::new(Layout::of(&relation, &request.stream.schema)?);
    source.layouts.lock().await.insert(request.stream.target.clone(), Arc::clone(&layout));
    protocol::point!("plan.described");
    let planning = Planning { source, request, stream: request.stream, relation, layout, begun, was_denied };
    match request.stream.sync_mode {
        SyncMode::FullRefresh => planning.full(lease).await,
        SyncMode::Incremental => match planning.incremental(lease).await {
            Err(error) if planning.is_denied(&error) => {
                // There may be a way that does without.
                planning.incremental(source.sessions.lease().await?).await
            }
            planned => planned,
        },
    }
}

struct Planning<'a> {
    source: &'a Postgres,
    request: &'a PlanRequest<'a, State>,
    stream: &'a ConfiguredStream,
    relation: Relation,
    layout: Arc<Layout>,
    /// Before the catalogs were asked.
    begun: std::time::Instant,
    /// Whether it was known then that the role may not see what is running.
    was_denied: bool,
}

impl<'a> Planning<'a> {
    async fn full(self, lease: Lease<'a>) -> Result<Plan<Partition, State>> {
        let mut notes = Vec::new();
        if self.request.sweep {
            notes.push("a full refresh reads all rows: there is nothing to sweep".to_owned());
        }
        let base = self.partition(None, &[]);
        let estimate = Estimate::ask(&lease, &self.relation, &self.layout, &base).await?;
        let split = self.split(&lease, None).await?;
        // One replica may be behind the one that was read last: what was read must not go back.
        let follows = *self.request.state != State::default();
        let ask = if follows && self.source.connector.has_replica() { Ask::Barrier } else { Ask::Nothing };
        let need = Need { ask, after: None, shared: self.is_session(), wait: false, durable: None };
        let basis = self.basis(lease, need).await?;
        let snapshot = self.snapshot(&basis);
        let parts = split.parts(snapshot.is_some(), &estimate);
        let partitions = planned(&base, snapshot, parts);
        let next = State { cursor: None, is_full: true };
        Ok(Plan { notes, ..self.finished(&basis, partitions, next, "full_refresh") })
    }

    /// Whether it was just found out that nobody tells what is running.
    fn is_denied(&self, error: &Error) -> bool {
        error.context_value(SQLSTATE) == Some("42501") && !self.was_denied && self.source.sessions.is_denied()
    }

    async fn incremental(&self, lease: Lease<'a>) -> Result<Plan<Partition, State>> {
        if self.request.state.is_full {
            return Err(Error::config("the target holds rows of a full refresh, which a first window would read again")
                .hint("give the stream a new `target`; or remove the target's rows and `tidegate state reset` the stream"));
        }
        let mut notes = Vec::new();
        let mut cursor = Cursor::of(self.stream, &self.relation, self.request.state, lease.server_version)?;
        let connections = self.source.sessions.connections();
        let blind = self.source.sessions.blind(&lease);
        let choice = Choice::of(&self.relation, &cursor, self.request.lifetime, connections, blind)?;
        sweep::schedule(&mut cursor, choice.mode, self.request.sweep, &lease, &mut notes).await?;
        note::about_mode(&choice, &cursor, &self.relation, &mut notes);
        cursor.is_swept |= choice.blind.is_some();
        let Choice { mode, is_alone, .. } = choice;
        if cursor.is_patchwork() {
            repair::refuse(mode, self.request.lifetime)?;
        }
        let is_seen = mode.is_by_version();
        if !is_seen {
            cursor.look(&lease, &self.relation).await?;
        }
        let new_leaves = cursor.new_leaves(&self.relation);
        let base = self.partition(cursor.open_window(mode), &new_leaves);
        let estimate = Estimate::ask(&lease, &self.relation, &self.layout, &base).await?;
        let split = self.split(&lease, base.window.as_ref()).await?;
        note::about_column(&cursor, mode, self.stream, &self.relation, &mut notes);
        let is_large = split.is_worth_it(&estimate);
        if is_seen && cursor.is_first() && is_large && !is_alone {
            // The second sync need not look at all rows then.
            cursor.look(&lease, &self.relation).await?;
        }
        // A table that was attached since the last sync must be seen by all that is read, and so must be
        // what parts have shown that were read in snapshots of their own.
        let must_be_new = !new_leaves.is_empty() || cursor.is_patchwork();
        let after = cursor.looked().or(must_be_new.then_some(self.begun));
        // A snapshot for this stream alone takes a connection: only where there is need or much to read.
        let shared = self.is_session() && (after.is_none() || is_seen || is_large);
        // Nothing is held back by what is running. But where nothing was settled yet, the next sync would
        // have to look at all rows.
        let is_blind = if cursor.is_swept {
            false
        } else if cursor.has_value() {
            cursor.looked().is_some()
        } else {
            !cursor.has_start()
        };
        let wait = (!is_seen || is_blind) && !is_alone;
        let ask = if is_alone { Ask::Alone } else { Ask::Barrier };
        let need = Need { ask, after, shared, wait, durable: cursor.durable() };
        let basis = self.basis(lease, need).await?;
        let step = if is_alone {
            match self.step_alone(&cursor, mode, &basis, &mut notes).await? {
                Some(step) => step,
                None => return Ok(self.put_off(&basis, mode, notes)),
            }
        } else {
            self.step(&cursor, mode, &basis, &mut notes).await?
        };

        let kept = basis.snapshot.as_deref().filter(|_| self.is_session());
        let snapshot = self.snapshot(&basis);
        let mut partitions = Vec::new();
        if let (Some(window), Some((patchwork, seen)), Some(kept)) = (&step.window, &step.patchwork, kept) {
            partitions = self.repair(patchwork, seen, window, kept, &mut notes).await?;
        } else if let Some(window) = &step.window {
            let base = self.partition(Some(window.clone()), &new_leaves);
            // Of a small table little is sent, and sessions would take longer than to look at it.
            let is_cheap = cursor.is_small && cursor.is_swept && !cursor.is_first();
            let mut parts = split.parts(snapshot.is_some() && !is_cheap, &estimate);
            if window.told.is_some() {
                // Of all these rows few are new.
                for part in &mut parts {
                    part.rows = None;
                }
            }
            parts.retain(|part| !new_leaves.iter().any(|new| part.is_of(new)));
            partitions = planned(&base, snapshot, parts);
        }
        let attached = self.attached(&new_leaves, &step, snapshot);
        if !attached.is_empty() {
            note::about_leaves(&new_leaves, &mut notes);
        }
        // Several standbys may be behind one address, and a part with a snapshot of its own could show less.
        let is_plain =
            step.mode == Mode::SeenSet && !is_alone && attached.is_empty() && step.patchwork.is_none();
        partitions.extend(attached);
        let (shown, mut next) = (step.shown(), step.next);
        let is_loose = match kept.filter(|_| is_plain) {
            Some(kept) => self.loosen(kept, &mut partitions, &mut next).await?,
            None => false,
        };
        let mut plan = self.finished(&basis, partitions, next, step.name);
        if is_loose {
            plan.grain = Grain::Partition;
        }
        plan.window = shown;
        plan.notes = notes;
        Ok(plan)
    }

    /// What is new, as far as `basis` allows to read it.
    async fn step(
        &self,
        cursor: &Cursor<'_>,
        mode: Mode,
        basis: &Basis,
        notes: &mut Vec<String>,
    ) -> Result<Step> {
        let barrier =
            basis.barrier.as_ref().ok_or_else(|| Error::internal("a barrier was needed and not made"))?;
        let (sessions, stream) = (&self.source.sessions, self.stream);
        let snapshot = basis.snapshot.as_ref().filter(|_| self.is_session());
        let ends = match &basis.snapshot {
            Some(snapshot) => Some(snapshot.ends),
            None if cursor.has_seen() => Some(self.ends().await?),
            None => None,
        };
        let is_seen = mode == Mode::SeenSet && snapshot.is_some();
        let slack = if is_seen { margin(stream) } else { lag(stream) };
        let mut ground = cursor.ground(barrier, ends, stream, slack, notes)?;
        match snapshot.filter(|_| is_seen) {
            Some(snapshot) => {
                let (relation, at) = (&self.relation, barrier.at());
                let place = seen::Place { snapshot, relation, sessions, at };
                let bound = seen::bound(cursor, &ground, sessions, stream).await?;
                match seen::step(cursor, ground, &place, bound, notes).await? {
                    Ok(step) => {
                        if !cursor.is_swept {
                            note::about_start(&step, barrier, notes);
                        }
                        return Ok(step);
                    }
                    Err(_) if cursor.is_patchwork() => {
                        return Err(repair::impossible("too many transactions wrote rows meanwhile"));
                    }
                    Err(given) => {
                        note::about_memory(barrier, notes);
                        ground = given;
                    }
                }
            }
            None if cursor.is_patchwork() => {
                return Err(repair::impossible("there is no connection left to keep a snapshot"));
            }
            None if mode == Mode::SeenSet => note::about_snapshot(notes),
            None => {}
        }
        sweep::put_off(cursor, notes);
        let step = settled::step(cursor, ground, sessions, stream).await?;
        note::about_blockers(&step, barrier, notes);
        Ok(step)
    }

    /// What is new where nobody tells what is running; none where the server is behind the last one.
    async fn step_alone(
        &self,
        cursor: &Cursor<'_>,
        mode: Mode,
        basis: &Basis,
        notes: &mut Vec<String>,
    ) -> Result<Option<Step>> {
        let (sessions, stream, relation) = (&self.source.sessions, self.stream, &self.relation);
        let alone = basis.alone().ok_or_else(|| Error::internal("the server was to be asked and was not"))?;
        let Some(snapshot) = &basis.snapshot else { return Err(mode::without_snapshot(mode)) };
        if lookback::is_behind(cursor.before, &alone, relation.oid, snapshot.ends) {
            return Ok(None);
        }
        let ground = cursor.ground_alone(&alone.server, snapshot.ends, stream, margin(stream), notes)?;
        let place = seen::Place { snapshot, relation, sessions, at: alone.at };
        let bound = if mode == Mode::Lookback {
            lookback::bound(cursor, &ground, &alone, &place).await?
        } else {
            seen::bound(cursor, &ground, sessions, stream).await?
        };
        let before = ground.before.clone();
        if let Ok(mut step) = seen::step(cursor, ground, &place, bound, notes).await? {
            if mode == Mode::Lookback {
                lookback::label(&mut step);
            }
            if lookback::remember(&mut step, before.as_ref()) {
                return Ok(Some(step));
            }
        }
        // Another try is to look at what has ended by then.
        sessions.retire(&snapshot.id).await;
        Err(lookback::too_many())
    }

    /// Nothing is read, and nothing is gone on with.
    fn put_off(&self, basis: &Basis, mode: Mode, mut notes: Vec<String>) -> Plan<Partition, State> {
        note::about_behind(&mut notes);
        let mut plan = self.finished(basis, Vec::new(), self.request.state.clone(), mode.name());
        plan.notes = notes;
        plan
    }

    /// Where the server's transactions stand.
    async fn ends(&self) -> Result<Ends> {
        const WHAT: &str = "could not ask for the server's transactions";
        let lease = self.source.sessions.lease().await?;
        let row = ask_one(&lease, WHAT, "SELECT txid_current_snapshot()").await?;
        lease.give_back();
        row.text(0).and_then(ends).ok_or_else(|| super::answer::unexpected(WHAT))
    }

    /// What tables that are new below the relation hold, from their beginning. Where they can't be
    /// read by themselves, or have not the policies of the relation, they are read through it.
    fn attached(&self, leaves: &[&Leaf], step: &Step, snapshot: Option<&str>) -> Vec<Planned<Partition>> {
        if !self.relation.whole {
            return Vec::new();
        }
        let window = Some(CursorWindow { told: step.told(), ..step.covered.since_the_beginning() });
        let partition = |leaf: &&Leaf| {
            let base = self.partition(window.clone(), &[]);
            let snapshot = snapshot.map(str::to_owned);
            if leaf.readable && !self.relation.row_security {
                Partition { leaf: Some(leaf_table(leaf)), leaves: None, snapshot, ..base }
            } else {
                Partition { leaves: Some(vec![leaf.oid]), snapshot, ..base }
            }
        };
        leaves.iter().map(|leaf| Planned::new(partition(leaf))).collect()
    }

    /// The whole relation, or what of it is in `window`, but for tables that are `new` below it.
    fn partition(&self, window: Option<CursorWindow>, new: &[&Leaf]) -> Partition {
        let relation = &self.relation;
        let is_divided = relation.kind == StreamKind::PartitionedTable || relation.leaves.len() > 1;
        Partition {
            relation: table(relation),
            leaf: None,
            leaves: (window.is_some() && is_divided && relation.whole).then(|| {
                let known = |leaf: &&Leaf| !new.iter().any(|new| new.oid == leaf.oid);
                relation.leaves.iter().filter(known).map(|leaf| leaf.oid).collect()
            }),
            range: None,
            window,
            filter: self.stream.filter.clone(),
            types: self.layout.types.clone(),
            snapshot: None,
            replayed: None,
            origin: None,
        }
    }

    async fn split(&self, lease: &Lease<'_>, window: Option<&CursorWindow>) -> Result<Split> {
        let parallelism = self.request.parallelism.get().min(self.source.sessions.connections());
        Split::of(lease, &self.relation, &self.layout, parallelism, window).await
    }

    /// Whether the partitions are read here and soon.
    fn is_session(&self) -> bool {
        self.request.lifetime == Lifetime::Session
    }

    async fn basis(&self, lease: Lease<'a>, need: Need) -> Result<Arc<Basis>> {
        self.source.sessions.basis(lease, &self.stream.target, need).await
    }

    /// The snapshot that partitions are read in; none where each has its own.
    fn snapshot<'b>(&self, basis: &'b Basis) -> Option<&'b str> {
        basis.snapshot().filter(|_| self.is_session())
    }

    fn finished(
        &self,
        basis: &Basis,
        mut partitions: Vec<Planned<Partition>>,
        next: State,
        mode: &str,
    ) -> Plan<Partition, State> {
        let snapshot = self.snapshot(basis);
        self.source.sessions.planned(&self.stream.target, snapshot, partitions.len());
        for planned in &mut partitions {
            // A part with a snapshot of its own is not to show less than what was planned.
            if snapshot.is_none() || planned.partition.origin.is_some() {
                planned.partition.replayed = basis.marker;
            }
        }
        Plan {
            partitions,
            next,
            max_in_flight: NonZeroUsize::new(self.source.sessions.connections()),
            grain: if self.is_session() { Grain::Plan } else { Grain::Partition },
            mode: mode.to_owned(),
            window: None,
            notes: Vec::new(),
        }
    }
}

fn planned(base: &Partition, snapshot: Option<&str>, parts: Vec<Part>) -> Vec<Planned<Partition>> {
    let partition = |part: Part| {
        let leaves = if part.leaf.is_some() { None } else { base.leaves.clone() };
        let partition = Partition {
            leaf: part.leaf,
            leaves,
            range: part.range,
            snapshot: snapshot.map(str::to_owned),
            ..base.clone()
        };
        Planned::new(partition).sized(part.rows, part.bytes)
    };
    parts.into_iter().map(partition).collect()
}

/// The relation itself. To lock it locks all below it, for which servers before 13 want a right on
/// each, and all of them have a table of locks of limited size.
fn table(relation: &Relation) -> Table {
    const MOST: usize = 32;
    let is_table = matches!(relation.kind, StreamKind::Table | StreamKind::PartitionedTable);
    let below = relation.leaves.len() <= MOST && relation.leaves.iter().all(|leaf| leaf.readable);
    let lockable = is_table && relation.whole && below;
    Table { schema: relation.schema.clone(), name: relation.name.clone(), oid: relation.oid, lockable }
}

fn leaf_table(leaf: &Leaf) -> Table {
    let lockable = leaf.kind == StreamKind::Table && leaf.readable;
    Table { schema: leaf.schema.clone(), name: leaf.name.clone(), oid: leaf.oid, lockable }
}
