//! The sessions of a sync: one that keeps the exported snapshot, and those that read in it.
//!
//! All streams of a sync share a snapshot, made by the first one that is planned. A stream gets a
//! younger one where the shared one does not do: it was made without a barrier, before a value that
//! must be settled was seen, or a table was rewritten since. Such an older snapshot is let go once
//! what was planned in it is read.
//!
//! No more than `connections` sessions are open on the server that is read from; each has a slot. The
//! session that keeps a snapshot reads in it too while no other slot is free.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::FutureExt;
use protocol::{Error, ErrorKind, Result};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard, OwnedSemaphorePermit};
use tokio::task::AbortHandle;

use super::answer::{ask, ask_one, unexpected};
use super::barrier::{Barrier, SNAPSHOT_NAME};
use super::connect::{Client, Connector};
use super::error::SQLSTATE;
use super::replica;

/// How long a session may sit in its transaction before the server ends it: a process that is stopped
/// or cut off holds back no vacuum for long.
const IDLE_LIMIT: &str = "10min";
/// How often a session that keeps a snapshot says something.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// What a stream needs of the snapshot it is read in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// Whether a barrier must have been made before it.
    pub(super) barrier: bool,
    /// The moment after which the barrier must have been made.
    pub(super) after: Option<Instant>,
    /// Whether several sessions shall read in it.
    pub(super) shared: bool,
}

/// A barrier, and a snapshot that was taken after it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) barrier: Option<Barrier>,
    /// None where each partition is read in a snapshot of its own.
    pub(super) snapshot: Option<Arc<Snapshot>>,
}

/// An exported snapshot, and the session that keeps it.
pub(super) struct Snapshot {
    pub(super) id: String,
    /// Held by whoever reads.
    client: Arc<Turns<Client>>,
    is_lost: AtomicBool,
    /// Partitions by the stream's target that are planned in it and not read.
    planned: Mutex<HashMap<String, usize>>,
    heartbeat: Mutex<Option<AbortHandle>>,
    _slot: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(heartbeat) = locked(&self.heartbeat).take() {
            heartbeat.abort();
        }
    }
}

impl Snapshot {
    /// Whether nobody can begin to read in it any more.
    fn is_lost(&self) -> bool {
        // Who holds it finds out by himself.
        let is_closed = self.client.try_lock().is_ok_and(|client| client.is_closed());
        self.is_lost.load(Ordering::Relaxed) || is_closed
    }

    fn is_used(&self) -> bool {
        !self.is_lost() && self.left() > 0
    }

    /// Whether at most one partition is left to be read in it.
    fn is_last(&self) -> bool {
        self.left() <= 1
    }

    fn left(&self) -> usize {
        locked(&self.planned).values().sum()
    }

    /// Says something now and then while nobody reads.
    fn keep_alive(self: &Arc<Self>) {
        let weak: Weak<Self> = Arc::downgrade(self);
        let beat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let Some(snapshot) = weak.upgrade() else { return };
                let Ok(client) = snapshot.client.try_lock() else { continue };
                if client.simple_query("SELECT 1").await.is_err() {
                    snapshot.is_lost.store(true, Ordering::Relaxed);
                    return;
                }
            }
        });
        *locked(&self.heartbeat) = Some(beat.abort_handle());
    }
}

/// What a sync keeps open.
pub(super) struct Sessions {
    connector: Arc<Connector>,
    connections: usize,
    barrier_wait: Duration,
    /// The one for the next stream to be planned.
    current: Turns<Option<Arc<Session>>>,
    snapshots: Mutex<HashMap<String, Arc<Snapshot>>>,
    idle: Mutex<Vec<Reader>>,
}

/// A session that reads.
struct Reader {
    client: Client,
    /// The snapshot of its open transaction.
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
        locked(&self.sessions.idle).push(self.reader);
    }
}

impl Sessions {
    pub(super) fn new(connector: Arc<Connector>, connections: usize, barrier_wait: Duration) -> Self {
        Self {
            connector,
            connections,
            barrier_wait,
            current: Turns::new(None),
            snapshots: Mutex::default(),
            idle: Mutex::default(),
        }
    }

    /// Most partitions that can be read at once.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    /// A session outside of any transaction. Waits for a slot.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let slot = self.connector.slot().await;
        self.reader(slot, None).await
    }

    /// A session for whoever holds `slot`: one that is inside `snapshot` already, or any.
    async fn reader(&self, slot: OwnedSemaphorePermit, snapshot: Option<&str>) -> Result<Lease<'_>> {
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

    /// A session that does what is needed: the current one, or else a new one, for which `lease` may be
    /// used up. What is planned for `target` in earlier ones is not read any more.
    pub(super) async fn session<'a>(
        &'a self,
        lease: Lease<'a>,
        target: &str,
        mut need: Need,
    ) -> Result<(Arc<Session>, Option<Lease<'a>>)> {
        need.shared &= self.connections > 1;
        let mut current = self.current.lock().await;
        self.planned(target, None, 0);
        let (session, lease) = match current.as_ref().filter(|session| session.does(need)) {
            Some(session) => (Arc::clone(session), Some(lease)),
            None => self.make(lease, need).await?,
        };
        // One that could not be shared though it should is for this stream alone.
        if session.snapshot.is_some() || !need.shared {
            *current = Some(Arc::clone(&session));
        }
        // Holds the snapshot until the stream's partitions are known.
        self.planned(target, session.snapshot.as_ref().map(|snapshot| snapshot.id.as_str()), 1);
        Ok((session, lease))
    }

    async fn make<'a>(&'a self, lease: Lease<'a>, need: Need) -> Result<(Arc<Session>, Option<Lease<'a>>)> {
        let barrier = if need.barrier { Some(self.barrier(&lease).await?) } else { None };
        let (snapshot, lease) = if need.shared && self.has_room() {
            match self.export(lease).await? {
                Exported::Snapshot(snapshot) => (Some(snapshot), None),
                Exported::Refused(lease) => (None, Some(lease)),
            }
        } else {
            (None, Some(lease))
        };
        Ok((Arc::new(Session { barrier, snapshot }), lease))
    }

    async fn barrier(&self, reader: &Client) -> Result<Barrier> {
        if !self.connector.has_replica() {
            return Barrier::make(reader, self.barrier_wait).await;
        }
        let primary = self.connector.primary().await?;
        let barrier = Barrier::make(&primary, self.barrier_wait).await?;
        replica::catch_up(&primary, reader, &barrier.server).await?;
        Ok(barrier)
    }

    /// Whether one more session may keep a snapshot: one slot at least is left to others. Lets go the
    /// snapshots that nothing is left to be read in.
    fn has_room(&self) -> bool {
        let mut snapshots = locked(&self.snapshots);
        snapshots.retain(|_, snapshot| {
            let is_used = snapshot.is_used();
            snapshot.is_lost.fetch_or(!is_used, Ordering::Relaxed);
            is_used
        });
        let kept = snapshots.len();
        locked(&self.idle)
            .retain(|reader| reader.inside.as_ref().is_none_or(|inside| snapshots.contains_key(inside)));
        kept + 1 < self.connections
    }

    /// Makes `lease` keep a snapshot.
    async fn export<'a>(&'a self, lease: Lease<'a>) -> Result<Exported<'a>> {
        const WHAT: &str = "could not export a snapshot";
        let sql = format!("{}; SELECT pg_export_snapshot(); {}", begin(&lease, None), named());
        let id = match ask_one(&lease, WHAT, &sql).await {
            Ok(row) => row.text(0).ok_or_else(|| unexpected(WHAT))?.to_owned(),
            // Some that speak PostgreSQL's protocol export no snapshots.
            Err(error) if matches!(error.context_value(SQLSTATE), Some("0A000" | "42883" | "55000")) => {
                run(&lease, "ROLLBACK").await?;
                return Ok(Exported::Refused(lease));
            }
            Err(error) => return Err(error),
        };
        let Lease { reader, slot, .. } = lease;
        let snapshot = Arc::new(Snapshot {
            id: id.clone(),
            client: Arc::new(Turns::new(reader.client)),
            is_lost: AtomicBool::new(false),
            planned: Mutex::default(),
            heartbeat: Mutex::default(),
            _slot: slot,
        });
        snapshot.keep_alive();
        locked(&self.snapshots).insert(id, Arc::clone(&snapshot));
        Ok(Exported::Snapshot(snapshot))
    }

    /// Notes what is planned for a stream in `snapshot`, and that nothing is in any other.
    pub(super) fn planned(&self, target: &str, snapshot: Option<&str>, partitions: usize) {
        for (id, kept) in locked(&self.snapshots).iter() {
            let mut planned = locked(&kept.planned);
            if snapshot == Some(id.as_str()) {
                planned.insert(target.to_owned(), partitions);
            } else {
                planned.remove(target);
            }
        }
    }

    /// Notes that one partition of a stream was read.
    pub(super) fn read(&self, target: &str, snapshot: Option<&str>) {
        let Some(snapshot) = snapshot.and_then(|id| locked(&self.snapshots).get(id).cloned()) else { return };
        if let Some(left) = locked(&snapshot.planned).get_mut(target) {
            *left = left.saturating_sub(1);
        }
    }

    /// No stream shall be planned in this snapshot any more.
    pub(super) async fn retire(&self, id: &str) {
        let mut current = self.current.lock().await;
        let is_it = |session: &Arc<Session>| session.snapshot.as_ref().is_some_and(|kept| kept.id == id);
        if current.as_ref().is_some_and(is_it) {
            *current = None;
        }
    }

    /// A session in a transaction that sees `snapshot`, or one of its own. Waits until one is free.
    ///
    /// Fails with [`ErrorKind::Stale`] when the snapshot is gone.
    pub(super) async fn turn(&self, snapshot: Option<&str>) -> Result<Turn<'_>> {
        let Some(id) = snapshot else {
            let mut lease = self.lease().await?;
            enter(&mut lease.reader, None).await?;
            return Ok(Turn(Some(Held::Lease(lease))));
        };
        let snapshot = locked(&self.snapshots).get(id).cloned();
        let snapshot = snapshot.filter(|snapshot| !snapshot.is_lost()).ok_or_else(lost)?;
        let keeper = Arc::clone(&snapshot.client);
        // To open a session for a small increment would take longer than to read it.
        let is_small = snapshot.is_last() && locked(&self.idle).is_empty();
        let early = if is_small { Arc::clone(&keeper).try_lock_owned().ok() } else { None };
        let slot = if let Some(client) = early {
            Err(client)
        } else if let Some(slot) = self.connector.slot().now_or_never() {
            Ok(slot)
        } else {
            tokio::select! {
                biased;
                client = keeper.lock_owned() => Err(client),
                slot = self.connector.slot() => Ok(slot),
            }
        };
        match slot {
            Ok(slot) => {
                let mut lease = self.reader(slot, Some(id)).await?;
                enter(&mut lease.reader, Some(id)).await?;
                Ok(Turn(Some(Held::Lease(lease))))
            }
            Err(client) => {
                run(&client, "SAVEPOINT reading").await.map_err(|error| lost().with_source(error))?;
                Ok(Turn(Some(Held::Keeper { snapshot, client })))
            }
        }
    }

    /// Whether partitions in this snapshot can't be read any more.
    pub(super) fn is_lost(&self, id: &str) -> bool {
        locked(&self.snapshots).get(id).is_none_or(|snapshot| snapshot.is_lost())
    }

    /// Ends all sessions that nobody is using.
    pub(super) async fn close(&self) {
        *self.current.lock().await = None;
        locked(&self.snapshots).clear();
        locked(&self.idle).clear();
    }
}

impl Session {
    /// Whether it does for what is needed.
    fn does(&self, need: Need) -> bool {
        let snapshot = match &self.snapshot {
            Some(snapshot) => !snapshot.is_lost(),
            None => !need.shared,
        };
        let barrier = match (&self.barrier, need.after) {
            (Some(barrier), Some(after)) => barrier.listed >= after,
            (Some(_), None) => true,
            (None, _) => !need.barrier,
        };
        snapshot && barrier
    }
}

enum Exported<'a> {
    Snapshot(Arc<Snapshot>),
    Refused(Lease<'a>),
}

/// A session that is inside its transaction. Dropping it before [`finish`](Self::finish) ends the
/// session, and with it the snapshot if it is the one that keeps it.
pub(super) struct Turn<'a>(Option<Held<'a>>);

enum Held<'a> {
    Lease(Lease<'a>),
    Keeper { snapshot: Arc<Snapshot>, client: OwnedMutexGuard<Client> },
}

impl std::ops::Deref for Turn<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        match self.0.as_ref().expect("it is taken only when it ends") {
            Held::Lease(lease) => lease,
            Held::Keeper { client, .. } => client,
        }
    }
}

impl std::ops::DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        match self.0.as_mut().expect("it is taken only when it ends") {
            Held::Lease(lease) => &mut lease.reader.client,
            Held::Keeper { client, .. } => client,
        }
    }
}

impl Turn<'_> {
    /// Ends what was read. The session goes on to serve others.
    pub(super) async fn finish(mut self) -> Result<()> {
        match self.0.as_ref().expect("it is taken only when it ends") {
            Held::Lease(lease) if lease.reader.inside.is_some() => {}
            Held::Lease(lease) => run(lease, "COMMIT").await?,
            Held::Keeper { client, .. } => run(client, "RELEASE SAVEPOINT reading").await?,
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
            snapshot.is_lost.store(true, Ordering::Relaxed);
        }
    }
}

/// How a transaction that reads begins.
fn begin(client: &Client, snapshot: Option<&str>) -> String {
    let import = snapshot.map(|id| format!("; SET TRANSACTION SNAPSHOT '{id}'")).unwrap_or_default();
    // It exists from PostgreSQL 17 on, and an administrator may have set it for all.
    let endless = if client.server_version >= 170_000 { "; SET LOCAL transaction_timeout = 0" } else { "" };
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{import}; \
         SET LOCAL idle_in_transaction_session_timeout = '{IDLE_LIMIT}'{endless}"
    )
}

/// Names the session so that no barrier, of whichever sync, waits for it.
///
/// A statement that takes a snapshot: in a transaction of its own it must come after the lock.
pub(super) fn named() -> String {
    format!(
        "SELECT set_config('application_name', \
         left(replace(current_setting('application_name'), '{SNAPSHOT_NAME}', ''), 40) || '{SNAPSHOT_NAME}', true)"
    )
}

/// Begins a transaction in `snapshot`, unless the session is in it already.
async fn enter(reader: &mut Reader, snapshot: Option<&str>) -> Result<()> {
    if snapshot.is_some() && reader.inside.as_deref() == snapshot {
        return Ok(());
    }
    let mut sql = begin(&reader.client, snapshot);
    if let Some(id) = snapshot {
        sql = format!("{sql}; {}", named());
        reader.inside = Some(id.to_owned());
    }
    run(&reader.client, &sql).await.map_err(|error| match error.context_value(SQLSTATE) {
        Some("22023" | "42704" | "0A000" | "55000") if snapshot.is_some() => lost().with_source(error),
        _ => error,
    })
}

async fn run(client: &Client, sql: &str) -> Result<()> {
    ask(client, "could not begin or end a transaction", sql).await.map(drop)
}

/// The snapshot that partitions were planned in is gone.
pub(super) fn lost() -> Error {
    Error::new(ErrorKind::Stale, "the snapshot that was planned in is gone")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
