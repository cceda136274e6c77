//! The sessions of a sync: those that keep a snapshot, and those that read in it.
//!
//! All streams of a sync share a snapshot, made by the first one that is planned. A stream gets a
//! younger one where the shared one does not do: it was made without a barrier, before a value that
//! must be settled was seen, or a table was rewritten since. Such an older snapshot is let go once
//! what was planned in it is read.
//!
//! No more than `connections` sessions are open on the server that is read from; each has a slot. The
//! session that keeps a snapshot reads in it too while no other slot is free.

mod age;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use protocol::{Error, ErrorKind, Result};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard, OwnedSemaphorePermit};

use super::alone::{Alone, Blind};
use super::answer::{Rows, ask, ask_one, unexpected};
use super::barrier::Barrier;
use super::connect::{Client, Connector};
use super::durable;
use super::error::SQLSTATE;
use super::replica;
use super::snapshot::{Ask, Basis, Need, RELEASE, SAVE, Snapshot, begin, locked, lost, named};
use super::xids::ends;

/// What a sync keeps open.
pub(super) struct Sessions {
    connector: Arc<Connector>,
    connections: usize,
    barrier_wait: Duration,
    /// Zero for any.
    max_snapshot_age: Duration,
    current: Turns<Current>,
    snapshots: Mutex<HashMap<String, Arc<Snapshot>>>,
    idle: Mutex<Vec<Reader>>,
    /// Whether the role was found not to be allowed to read `pg_locks`.
    is_denied: AtomicBool,
}

/// What the next stream's plan is based on, if it does.
#[derive(Default)]
struct Current {
    /// With a snapshot for all.
    shared: Option<Arc<Basis>>,
    /// With none.
    bare: Option<Arc<Basis>>,
}

impl Current {
    fn that_does(&self, need: Need) -> Option<Arc<Basis>> {
        self.shared.iter().chain(&self.bare).find(|basis| basis.does(need)).cloned()
    }

    /// The last barrier that was waited at.
    fn barrier(&self) -> Option<&Barrier> {
        let barriers = self.shared.iter().chain(&self.bare).filter_map(|basis| basis.barrier.as_ref());
        barriers.filter(|barrier| barrier.has_waited).max_by_key(|barrier| barrier.listed)
    }
}

/// A session that reads.
struct Reader {
    client: Client,
    /// The snapshot that its open transaction has imported.
    inside: Option<String>,
}

/// A session and the right to use it. Dropping it ends the session.
pub(super) struct Lease<'a> {
    sessions: &'a Sessions,
    reader: Reader,
    slot: OwnedSemaphorePermit,
}

impl std::ops::Deref for Lease<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.reader.client
    }
}

impl Lease<'_> {
    /// Keeps the session for the next one who needs it.
    pub(super) fn give_back(self) {
        // Inside a snapshot that was let go it would go on to hold it.
        if self.reader.inside.as_deref().is_none_or(|id| self.sessions.kept(id).is_some()) {
            locked(&self.sessions.idle).push(self.reader);
        }
    }
}

impl Sessions {
    pub(super) fn new(
        connector: Arc<Connector>,
        connections: usize,
        barrier_wait: Duration,
        max_snapshot_age: Duration,
    ) -> Self {
        Self {
            connector,
            connections,
            barrier_wait,
            max_snapshot_age,
            current: Turns::default(),
            snapshots: Mutex::default(),
            idle: Mutex::default(),
            is_denied: AtomicBool::new(false),
        }
    }

    /// Most partitions that can be read at once.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether the role was found not to be allowed to see what is running.
    pub(super) fn is_denied(&self) -> bool {
        self.is_denied.load(Ordering::Relaxed)
    }

    /// Why nobody tells what is running, as far as is known before a barrier was tried.
    pub(super) fn blind(&self, reader: &Client) -> Option<Blind> {
        if reader.is_in_recovery && !self.connector.has_replica() {
            Some(Blind::Standby)
        } else {
            self.is_denied().then_some(Blind::Denied)
        }
    }

    /// A session outside of any transaction. Waits for a slot.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let slot = self.connector.slot().await;
        self.session(slot, None).await
    }

    /// A session for whoever holds `slot`: one that is inside `snapshot` already, or any.
    async fn session(&self, slot: OwnedSemaphorePermit, snapshot: Option<&str>) -> Result<Lease<'_>> {
        let reader = {
            let mut idle = locked(&self.idle);
            idle.retain(|reader| !reader.client.is_closed());
            let inside = idle.iter().position(|reader| reader.inside.as_deref() == snapshot);
            let at = inside.or(idle.len().checked_sub(1));
            at.map(|at| idle.swap_remove(at))
        };
        let mut reader = match reader {
            Some(reader) => reader,
            None => Reader { client: self.connector.reader().await?, inside: None },
        };
        if reader.inside.is_some() && reader.inside.as_deref() != snapshot {
            run(&reader.client, "ROLLBACK").await?;
            reader.inside = None;
        }
        Ok(Lease { sessions: self, reader, slot })
    }

    /// What a plan for `target` can be based on: what others are, or something new, for which `lease`
    /// may be used up. What was planned for `target` before is not read any more.
    pub(super) async fn basis<'a>(
        &'a self,
        lease: Lease<'a>,
        target: &str,
        mut need: Need,
    ) -> Result<Arc<Basis>> {
        need.shared &= self.connections > 1;
        let mut current = self.current.lock().await;
        self.planned(target, None, 0);
        let basis = if let Some(basis) = current.that_does(need) {
            lease.give_back();
            basis
        } else {
            let basis = Arc::new(self.make(lease, need, current.barrier()).await?);
            let place = if basis.snapshot.is_some() { &mut current.shared } else { &mut current.bare };
            *place = Some(Arc::clone(&basis));
            basis
        };
        // Holds the snapshot until the stream's partitions are known.
        self.planned(target, basis.snapshot(), 1);
        Ok(basis)
    }

    async fn make(&self, lease: Lease<'_>, need: Need, earlier: Option<&Barrier>) -> Result<Basis> {
        let ((barrier, marker), alone) = match need.ask {
            Ask::Nothing => ((None, None), None),
            Ask::Alone => ((None, None), Some(Alone::ask(&lease, lease.is_in_recovery).await?)),
            Ask::Barrier => (self.barrier(&lease, need.wait, earlier).await?, None),
        };
        let snapshot = if need.shared && self.has_room() {
            if let Some(marker) = marker {
                replica::catch_up(&lease, marker).await?;
            }
            self.export(lease, need).await?
        } else {
            if need.ask != Ask::Nothing {
                durable::settled(&lease, false).await?;
            }
            lease.give_back();
            None
        };
        Ok(Basis { barrier, alone, snapshot, marker })
    }

    /// A barrier, and where rows are read from a replica, the transaction that it must replay.
    async fn barrier(
        &self,
        reader: &Client,
        wait: bool,
        earlier: Option<&Barrier>,
    ) -> Result<(Option<Barrier>, Option<u64>)> {
        let wait = wait.then_some(self.barrier_wait);
        let primary = if self.connector.has_replica() { Some(self.connector.primary().await?) } else { None };
        let barrier = Barrier::make(primary.as_ref().unwrap_or(reader), wait, earlier).await;
        let barrier = barrier.inspect_err(|error| {
            let is_denied = error.context_value(SQLSTATE) == Some("42501");
            self.is_denied.fetch_or(is_denied, Ordering::Relaxed);
        })?;
        let Some(primary) = primary else { return Ok((Some(barrier), None)) };
        replica::check(reader, &barrier.server).await?;
        Ok((Some(barrier), Some(replica::marker(&primary).await?)))
    }

    /// Whether one more session may keep a snapshot: one slot at least is left to others. Lets go the
    /// snapshots that nothing is left to be read in.
    fn has_room(&self) -> bool {
        let mut snapshots = locked(&self.snapshots);
        snapshots.retain(|_, snapshot| {
            let is_used = !snapshot.is_lost() && snapshot.left() > 0;
            if !is_used {
                snapshot.lose();
            }
            is_used
        });
        let kept = snapshots.len();
        locked(&self.idle)
            .retain(|reader| reader.inside.as_ref().is_none_or(|inside| snapshots.contains_key(inside)));
        kept + 1 < self.connections
    }

    /// Makes `lease` keep a snapshot. Some that speak PostgreSQL's protocol export none.
    async fn export(&self, lease: Lease<'_>, need: Need) -> Result<Option<Arc<Snapshot>>> {
        const WHAT: &str = "could not export a snapshot";
        let sql = format!(
            "{}; SELECT pg_export_snapshot(), txid_current_snapshot(); {}",
            begin(&lease, None),
            named()
        );
        let answers = match ask(&lease, WHAT, &sql).await {
            Ok(answers) => answers,
            Err(error) if matches!(error.context_value(SQLSTATE), Some("0A000" | "42883" | "55000")) => {
                run(&lease, "ROLLBACK").await?;
                lease.give_back();
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let text = |statement: usize, column| Some(answers.get(statement)?.first()?.text(column)?.to_owned());
        let ends = text(0, 1).and_then(|snapshot| ends(&snapshot));
        let (Some(id), Some(ends), Some(server)) = (text(0, 0), ends, text(1, 1)) else {
            return Err(unexpected(WHAT));
        };
        protocol::point!("snapshot.exported");
        if need.ask != Ask::Nothing
            && need.durable.is_none_or(|before| (ends.xmin, ends.xmax) != (before, before))
        {
            durable::settled(&lease, true).await?;
        }
        let Lease { reader, slot, .. } = lease;
        let snapshot = Snapshot::kept(id.clone(), server, ends, reader.client, slot);
        locked(&self.snapshots).insert(id, Arc::clone(&snapshot));
        Ok(Some(snapshot))
    }

    /// Notes how many partitions are planned for `target` in `snapshot`, and that none are in any other.
    pub(super) fn planned(&self, target: &str, snapshot: Option<&str>, partitions: usize) {
        for (id, kept) in locked(&self.snapshots).iter() {
            kept.plan(target, if snapshot == Some(id.as_str()) { partitions } else { 0 });
        }
    }

    /// Notes that one partition for `target` was read.
    pub(super) fn read(&self, target: &str, snapshot: Option<&str>) {
        if let Some(snapshot) = snapshot.and_then(|id| self.kept(id)) {
            snapshot.read(target);
        }
    }

    fn kept(&self, id: &str) -> Option<Arc<Snapshot>> {
        locked(&self.snapshots).get(id).cloned()
    }

    /// No stream shall be planned in this snapshot any more.
    pub(super) async fn retire(&self, id: &str) {
        let mut current = self.current.lock().await;
        if current.shared.as_ref().is_some_and(|basis| basis.snapshot() == Some(id)) {
            current.shared = None;
        }
    }

    /// A session in a transaction with a snapshot of its own, which a replica takes once it has
    /// `replayed` that transaction. Waits until one is free.
    pub(super) async fn own_turn(&self, replayed: Option<u64>) -> Result<Turn<'_>> {
        let lease = self.lease().await?;
        self.own_turn_of(lease, replayed).await
    }

    /// The same, in this session.
    pub(super) async fn own_turn_of<'a>(
        &'a self,
        lease: Lease<'a>,
        replayed: Option<u64>,
    ) -> Result<Turn<'a>> {
        if let Some(marker) = replayed.filter(|_| lease.is_in_recovery) {
            replica::catch_up(&lease, marker).await?;
        }
        run(&lease, &begin(&lease, None)).await?;
        protocol::point!("snapshot.own");
        Ok(Turn(Some(Held::Lease(Box::new(lease)))))
    }

    /// A session in a transaction that sees the snapshot `id`. Waits until one is free.
    ///
    /// Fails with [`Stale`](protocol::ErrorKind::Stale) when the snapshot is gone.
    pub(super) async fn turn(&self, id: &str) -> Result<Turn<'_>> {
        let snapshot = self.kept(id).filter(|snapshot| !snapshot.is_lost()).ok_or_else(lost)?;
        // To open a session for the last partition would take longer than to wait for this one.
        let is_last = snapshot.left() <= 1 && locked(&self.idle).is_empty();
        let keeper = Arc::clone(&snapshot.client);
        if is_last && let Ok(client) = Arc::clone(&keeper).try_lock_owned() {
            return Ok(Turn(Some(Held::Keeper { snapshot, client })));
        }
        while !snapshot.is_alone() {
            let slot = if let Some(slot) = self.connector.slot().now_or_never() {
                slot
            } else {
                tokio::select! {
                    biased;
                    client = Arc::clone(&keeper).lock_owned() => {
                        return Ok(Turn(Some(Held::Keeper { snapshot, client })));
                    }
                    slot = self.connector.slot() => slot,
                }
            };
            let lease = self.session(slot, Some(id)).await?;
            match Turn::enter(lease, &snapshot).await {
                // It is there, and so this is another server: one address can stand for several replicas.
                Err(error) if error.kind() == ErrorKind::Stale && !snapshot.is_lost() => {
                    tracing::debug!("a session is with another replica than the snapshot");
                    snapshot.met_stranger();
                }
                turn => return turn,
            }
        }
        let client = keeper.lock_owned().await;
        Ok(Turn(Some(Held::Keeper { snapshot, client })))
    }

    /// Whether partitions in this snapshot can't be read any more.
    pub(super) fn is_lost(&self, id: &str) -> bool {
        self.kept(id).is_none_or(|snapshot| snapshot.is_lost())
    }

    /// Ends all sessions that nobody is using.
    pub(super) async fn close(&self) {
        *self.current.lock().await = Current::default();
        locked(&self.snapshots).clear();
        locked(&self.idle).clear();
    }
}

/// A session that is inside its transaction. Dropping it before [`finish`](Self::finish) ends the
/// session, and with it the snapshot if it is the one that keeps it.
pub(super) struct Turn<'a>(Option<Held<'a>>);

enum Held<'a> {
    Lease(Box<Lease<'a>>),
    Keeper { snapshot: Arc<Snapshot>, client: OwnedMutexGuard<Client> },
}

const TAKEN: &str = "it is taken only when the turn ends";

impl std::ops::Deref for Turn<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        match self.0.as_ref().expect(TAKEN) {
            Held::Lease(lease) => lease,
            Held::Keeper { client, .. } => client,
        }
    }
}

impl std::ops::DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        match self.0.as_mut().expect(TAKEN) {
            Held::Lease(lease) => &mut lease.reader.client,
            Held::Keeper { client, .. } => client,
        }
    }
}

impl<'a> Turn<'a> {
    /// Begins a transaction in `snapshot`, unless the session is in it already.
    async fn enter(mut lease: Lease<'a>, snapshot: &Snapshot) -> Result<Self> {
        const WHAT: &str = "could not import a snapshot";
        if lease.reader.inside.as_ref() != Some(&snapshot.id) {
            let begun = begin(&lease, Some(&snapshot.id));
            let sql = format!("{begun}; {}, txid_current_snapshot()", named());
            let row = ask_one(&lease, WHAT, &sql).await.map_err(import_failed)?;
            // After a crash the server has the same start, and another session's snapshot may have this name.
            let is_same = row.text(2).and_then(ends) == Some(snapshot.ends);
            if row.text(1) != Some(&snapshot.server) || !is_same {
                return Err(lost());
            }
            lease.reader.inside = Some(snapshot.id.clone());
            protocol::point!("snapshot.imported");
        }
        Ok(Self(Some(Held::Lease(Box::new(lease)))))
    }

    /// Asks in a shared snapshot, and ends the turn. Locks are given back, and the snapshot is kept
    /// whatever the server answers.
    pub(super) async fn ask(mut self, what: &str, sql: &str) -> Result<Vec<Rows>> {
        let answers = ask(&self, what, &format!("{SAVE}; {sql}; {RELEASE}")).await;
        if answers.is_err() {
            run(&self, RELEASE).await?;
        }
        if let Some(Held::Lease(lease)) = self.0.take() {
            lease.give_back();
        }
        answers
    }

    /// Ends what was read, and gives the locks back. The session goes on to serve others.
    pub(super) async fn finish(mut self) -> Result<()> {
        match self.0.as_ref().expect(TAKEN) {
            Held::Lease(lease) if lease.reader.inside.is_none() => run(lease, "COMMIT").await?,
            Held::Lease(lease) => run(lease, RELEASE).await?,
            Held::Keeper { client, .. } => run(client, RELEASE).await?,
        }
        if let Some(Held::Lease(lease)) = self.0.take() {
            lease.give_back();
        }
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(Held::Keeper { snapshot, .. }) = &self.0 {
            snapshot.lose();
        }
    }
}

/// The server says in several ways that there is no such snapshot.
fn import_failed(error: Error) -> Error {
    match error.context_value(SQLSTATE) {
        Some("22023" | "42704" | "0A000" | "55000") => lost().with_source(error),
        _ => error,
    }
}

async fn run(client: &Client, sql: &str) -> Result<()> {
    ask(client, "could not begin or end a transaction", sql).await.map(drop)
}
