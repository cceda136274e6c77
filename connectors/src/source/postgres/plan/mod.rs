//! What is new in a stream, as partitions that can be read at once.

mod cursor;
mod estimate;
mod note;
mod option;
mod split;

use std::num::NonZeroUsize;
use std::sync::Arc;

use protocol::{
    ConfiguredStream, Error, Grain, Lifetime, Plan, PlanRequest, Planned, Result, StreamKind, SyncMode,
};

use super::connect::Client;
use super::discover::{self, Leaf, Relation};
use super::layout::Layout;
use super::partition::{CursorWindow, Partition, Table};
use super::session::Lease;
use super::snapshot::{Basis, Need};
use super::state::State;
use super::{Postgres, quote_identifier};
use cursor::Cursor;
use estimate::Estimate;
use split::{Part, Split};

/// Plans one stream.
pub(super) async fn plan(
    source: &Postgres,
    request: &PlanRequest<'_, State>,
) -> Result<Plan<Partition, State>> {
    protocol::point!("plan.begun");
    let lease = source.sessions.lease().await?;
    let begun = std::time::Instant::now();
    let relation = discover::relation(&lease, &request.stream.name).await?;
    let layout = Arc::new(Layout::of(&relation, &request.stream.schema)?);
    source.layouts.lock().await.insert(request.stream.target.clone(), Arc::clone(&layout));
    protocol::point!("plan.described");
    let planning = Planning { source, request, stream: request.stream, relation, layout, begun };
    match request.stream.sync_mode {
        SyncMode::FullRefresh => planning.full(lease).await,
        SyncMode::Incremental => planning.incremental(lease).await,
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
}

impl<'a> Planning<'a> {
    async fn full(self, lease: Lease<'a>) -> Result<Plan<Partition, State>> {
        let base = self.partition(None);
        let estimate = Estimate::ask(&lease, &self.relation, &self.layout, &base).await?;
        let split = self.split(&lease, None).await?;
        let need = Need { barrier: false, after: None, shared: self.is_session() };
        let basis = self.basis(lease, need).await?;
        let snapshot = self.snapshot(&basis);
        let parts = split.parts(snapshot.is_some(), &estimate);
        let partitions = planned(&base, snapshot, parts);
        let next = State { cursor: None, is_full: true };
        Ok(self.finished(&basis, partitions, next, "full_refresh"))
    }

    async fn incremental(self, lease: Lease<'a>) -> Result<Plan<Partition, State>> {
        if self.request.state.is_full {
            return Err(Error::config("the target holds rows of a full refresh, which a first window would read again")
                .hint("give the stream a new `target`; or remove the target's rows and `tidegate state reset` the stream"));
        }
        let mut notes = Vec::new();
        let mut cursor = Cursor::of(self.stream, &self.relation, self.request.state)?;
        cursor.look(&lease, &self.relation).await?;
        let new_leaves = cursor.new_leaves(&self.relation);
        // A table that was attached since the last sync must be seen by all that is read.
        let after = if cursor.has_value() || !new_leaves.is_empty() { Some(self.begun) } else { None };
        let base = self.partition(cursor.open_window());
        let estimate = Estimate::ask(&lease, &self.relation, &self.layout, &base).await?;
        let split = self.split(&lease, base.window.as_ref()).await?;
        note::about_column(&cursor, self.stream, &self.relation, &mut notes);
        let after = cursor.looked().or(after);
        // A snapshot for this stream alone takes a connection: only where there is much to read.
        let shared = self.is_session() && (after.is_none() || split.is_worth_it(&estimate));
        let basis = self.basis(lease, Need { barrier: true, after, shared }).await?;
        let barrier =
            basis.barrier.as_ref().ok_or_else(|| Error::internal("a barrier was needed and not made"))?;
        let step = cursor.step(barrier, &self.source.sessions, self.stream, &mut notes).await?;
        note::about_blockers(&step, barrier, &mut notes);

        let snapshot = self.snapshot(&basis);
        let mut partitions = Vec::new();
        if let Some(window) = &step.window {
            let base = self.partition(Some(window.clone()));
            partitions = planned(&base, snapshot, split.parts(snapshot.is_some(), &estimate));
        }
        let attached = self.attached(&new_leaves, &step.covered, snapshot);
        if !attached.is_empty() {
            note::about_leaves(&new_leaves, &mut notes);
        }
        partitions.extend(attached);
        let shown = step.shown();
        let mut plan = self.finished(&basis, partitions, step.next, "settled_window");
        plan.window = shown;
        plan.notes = notes;
        Ok(plan)
    }

    /// What tables that are new below the relation hold from before the window. Where they can't be
    /// read by themselves, or have not the policies of the relation, they are read through it.
    fn attached(
        &self,
        leaves: &[&Leaf],
        covered: &CursorWindow,
        snapshot: Option<&str>,
    ) -> Vec<Planned<Partition>> {
        let Some(before) = covered.before().filter(|_| self.relation.whole) else { return Vec::new() };
        let partition = |leaf: &&Leaf| {
            let base = self.partition(Some(before.clone()));
            let snapshot = snapshot.map(str::to_owned);
            if leaf.readable && !self.relation.row_security {
                Partition { leaf: Some(leaf_table(leaf)), leaves: None, snapshot, ..base }
            } else {
                Partition { leaves: Some(vec![leaf.oid]), snapshot, ..base }
            }
        };
        leaves.iter().map(|leaf| Planned::new(partition(leaf))).collect()
    }

    /// The whole relation, or what of it is in `window`.
    fn partition(&self, window: Option<CursorWindow>) -> Partition {
        let relation = &self.relation;
        let is_divided = relation.kind == StreamKind::PartitionedTable || relation.leaves.len() > 1;
        Partition {
            relation: table(relation),
            leaf: None,
            leaves: (window.is_some() && is_divided && relation.whole)
                .then(|| relation.leaves.iter().map(|leaf| leaf.oid).collect()),
            range: None,
            window,
            filter: self.stream.filter.clone(),
            types: self.layout.types.clone(),
            snapshot: None,
            replayed: None,
        }
    }

    async fn split(&self, lease: &Lease<'_>, window: Option<&CursorWindow>) -> Result<Split> {
        let parallelism = self.request.parallelism.get().min(self.source.sessions.connections());
        Split::of(lease, &self.relation, parallelism, window).await
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
        if snapshot.is_none() {
            for planned in &mut partitions {
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
