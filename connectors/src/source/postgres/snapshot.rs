//! An exported snapshot, and what a plan is based on.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use protocol::{Error, ErrorKind};
use tokio::sync::{Mutex as Turns, OwnedSemaphorePermit};
use tokio::task::AbortHandle;

use super::alone::Alone;
use super::barrier::{Barrier, SNAPSHOT_NAME};
use super::connect::Client;
use super::xids::Ends;

/// How long a session may sit in its transaction before the server ends it: a process that is stopped
/// or cut off holds back no vacuum for long.
const IDLE_LIMIT: &str = "10min";
/// How often a session that keeps a snapshot says something.
const HEARTBEAT: Duration = Duration::from_mins(1);
/// After so many heartbeats a log says how old the snapshot is.
const TOLD: u32 = 10;

/// Begins what is done in a snapshot for one partition.
pub(super) const SAVE: &str = "SAVEPOINT reading";
/// Ends it: the locks are given back, the snapshot is kept.
pub(super) const RELEASE: &str = "ROLLBACK TO SAVEPOINT reading; RELEASE SAVEPOINT reading";

/// After so many sessions with other servers, the one that keeps a snapshot reads alone.
const STRANGERS: usize = 8;

/// What a stream needs its plan to be based on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// What must have been asked before the snapshot.
    pub(super) ask: Ask,
    /// The moment after which the barrier must have been made, or the server been asked.
    pub(super) after: Option<Instant>,
    /// Whether several sessions shall read in one snapshot.
    pub(super) shared: bool,
    /// Whether the barrier must have waited for what was running.
    pub(super) wait: bool,
    /// Transactions before this number had ended at the last sync, and could not be undone any more.
    pub(super) durable: Option<u64>,
}

/// What a server is asked before a snapshot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Nothing,
    /// Who it is, and how late it is there; a barrier says so too.
    Alone,
    /// A barrier.
    Barrier,
}

/// A barrier, and a snapshot that was taken after it.
#[derive(Debug)]
pub(super) struct Basis {
    pub(super) barrier: Option<Barrier>,
    /// What the server said by itself.
    pub(super) alone: Option<Alone>,
    /// None where each partition is read in a snapshot of its own, which is younger still.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// The primary's transaction after the barrier, where rows are read from a replica.
    pub(super) marker: Option<u64>,
}

impl Basis {
    /// Whether it does for what is needed.
    pub(super) fn does(&self, need: Need) -> bool {
        let snapshot = match &self.snapshot {
            Some(snapshot) => !snapshot.is_lost(),
            None => !need.shared,
        };
        let barrier = match (&self.barrier, need.after) {
            (Some(barrier), after) => {
                after.is_none_or(|after| barrier.listed >= after) && (barrier.has_waited || !need.wait)
            }
            (None, after) => match need.ask {
                Ask::Nothing => true,
                Ask::Alone => {
                    let alone = self.alone.as_ref();
                    alone.is_some_and(|alone| after.is_none_or(|after| alone.asked >= after))
                }
                Ask::Barrier => false,
            },
        };
        snapshot && barrier
    }

    /// What the server said, by itself or with its barrier.
    pub(super) fn alone(&self) -> Option<Alone> {
        self.alone.clone().or_else(|| self.barrier.as_ref().map(Alone::of))
    }

    /// The name of the snapshot.
    pub(super) fn snapshot(&self) -> Option<&str> {
        self.snapshot.as_ref().map(|snapshot| snapshot.id.as_str())
    }
}

/// An exported snapshot, and the session that keeps it.
pub(super) struct Snapshot {
    /// Its name among the sessions of the server.
    pub(super) id: String,
    /// When that server was started. One address can stand for several replicas.
    pub(super) server: String,
    /// Whose rows it shows.
    pub(super) ends: Ends,
    /// How many sessions were found to be with other servers.
    strangers: AtomicUsize,
    /// Held by whoever reads.
    pub(super) client: Arc<Turns<Client>>,
    is_lost: AtomicBool,
    taken: Instant,
    /// Partitions, by the stream's target, that are planned in it and not read.
    planned: Mutex<HashMap<String, usize>>,
    heartbeat: Mutex<Option<AbortHandle>>,
    _slot: OwnedSemaphorePermit,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// The snapshot of that name, which the open transaction of `client` has exported.
    pub(super) fn kept(
        id: String,
        server: String,
        ends: Ends,
        client: Client,
        slot: OwnedSemaphorePermit,
    ) -> Arc<Self> {
        let snapshot = Arc::new(Self {
            id,
            server,
            ends,
            strangers: AtomicUsize::new(0),
            client: Arc::new(Turns::new(client)),
            is_lost: AtomicBool::new(false),
            taken: Instant::now(),
            planned: Mutex::default(),
            heartbeat: Mutex::default(),
            _slot: slot,
        });
        let beat = tokio::spawn(beat(Arc::downgrade(&snapshot)));
        *locked(&snapshot.heartbeat) = Some(beat.abort_handle());
        snapshot
    }

    /// Whether nobody can begin to read in it any more.
    pub(super) fn is_lost(&self) -> bool {
        // Who holds it finds out by himself.
        let is_closed = self.client.try_lock().is_ok_and(|client| client.is_closed());
        self.is_lost.load(Ordering::Relaxed) || is_closed
    }

    /// How long it has been held.
    pub(super) fn age(&self) -> Duration {
        self.taken.elapsed()
    }

    /// Lets nobody read in it any more.
    pub(super) fn lose(&self) {
        self.is_lost.store(true, Ordering::Relaxed);
    }

    /// Notes that a session was with another server.
    pub(super) fn met_stranger(&self) {
        self.strangers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it makes no sense to open sessions in the hope that they can read in it.
    pub(super) fn is_alone(&self) -> bool {
        self.strangers.load(Ordering::Relaxed) >= STRANGERS
    }

    /// How many partitions are planned in it and not read.
    pub(super) fn left(&self) -> usize {
        locked(&self.planned).values().sum()
    }

    /// Notes how many partitions of a target are planned in it.
    pub(super) fn plan(&self, target: &str, partitions: usize) {
        locked(&self.planned).insert(target.to_owned(), partitions);
    }

    /// Notes that one of them was read.
    pub(super) fn read(&self, target: &str) {
        if let Some(left) = locked(&self.planned).get_mut(target) {
            *left = left.saturating_sub(1);
        }
    }
}

/// Says something now and then while nobody reads.
async fn beat(snapshot: Weak<Snapshot>) {
    for beats in 1_u32.. {
        tokio::time::sleep(HEARTBEAT).await;
        let Some(snapshot) = snapshot.upgrade() else { return };
        if beats.is_multiple_of(TOLD) {
            let (age_min, left) = (snapshot.age().as_secs() / 60, snapshot.left());
            tracing::info!(age_min, left, "a snapshot is held, and vacuum held back");
        }
        let Ok(client) = snapshot.client.try_lock() else { continue };
        if client.simple_query("SELECT 1").await.is_err() {
            return snapshot.lose();
        }
    }
}

/// How a transaction that reads begins, in a snapshot or one of its own.
pub(super) fn begin(client: &Client, snapshot: Option<&str>) -> String {
    let import = snapshot.map(|id| format!("; SET TRANSACTION SNAPSHOT '{id}'")).unwrap_or_default();
    // It exists from PostgreSQL 17 on, and an administrator may have set it for all.
    let endless = if client.server_version >= 170_000 { "; SET LOCAL transaction_timeout = 0" } else { "" };
    format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{import}; \
         SET LOCAL idle_in_transaction_session_timeout = '{IDLE_LIMIT}'{endless}"
    )
}

/// Names the session, until its transaction ends, so that no barrier of whichever sync waits for it, and
/// asks when its server was started.
///
/// A statement that takes a snapshot: in a transaction of its own it must come after the lock.
pub(super) fn named() -> String {
    format!(
        "SELECT set_config('application_name', \
         left(replace(current_setting('application_name'), '{SNAPSHOT_NAME}', ''), 40) || '{SNAPSHOT_NAME}', true), \
         pg_postmaster_start_time()"
    )
}

/// The snapshot that partitions were planned in is gone.
pub(super) fn lost() -> Error {
    Error::new(ErrorKind::Stale, "the snapshot that was planned in is gone")
}

/// The value, also after a panic elsewhere: none of ours is left half changed.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
