//! Which transactions can still write rows with old stamps: the barrier of a sync.
//!
//! A row's stamp is as old as its transaction, and it is seen only once that has ended. So a sync
//! notes the server's time T and *then* lists the transactions that are running. Once all of them
//! have ended, whatever commits later began after T, and carries a stamp from T on. Such a noted
//! moment is a [`Mark`]; one that is not settled when the sync stops waiting is kept in the state.
//!
//! `pg_locks` shows every running transaction to every role, also one that has written nothing yet and
//! one that is prepared. It does so only on the primary: nothing here works on a standby.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use protocol::{Error, Result};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::answer::{Row, Rows, ask, ask_one, unexpected};
use super::error::SQLSTATE;

/// Ends the application name of a session that reads rows. Its transaction is read only: it writes no
/// rows and holds nothing back, in whichever sync it is.
pub(super) const SNAPSHOT_NAME: &str = " (tidegate snapshot)";

/// The server's time, and when it was started. A session takes the time when a message comes in, and
/// shows its transaction some microseconds later: it gets the time for that.
const MARK: &str = "SELECT pg_is_in_recovery(), (extract(epoch FROM clock_timestamp()) * 1000000)::int8, \
                    (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8; SELECT pg_sleep(0.01)";

/// Transactions of this database that may still write rows, and when they began, as far as the role may
/// know; and the time that the next rows of a session that is at work can carry.
///
/// A vacuum's transaction writes no rows, nor does that of a session that sends changes to a subscriber,
/// nor that of one without a user, which is a worker of autovacuum. A session that is not in
/// `pg_stat_activity`, or has no database there, is logging in or gone: if it runs a transaction after
/// all, that has begun since the two views were looked at, and so after the mark.
///
/// In a message of several transactions the later ones carry the time of the message. That is the start
/// of the one that runs, or between two of them the start of the query.
const RUNNING: &str = "\
    SELECT l.virtualtransaction, l.pid, a.usename, (extract(epoch FROM a.xact_start) * 1000000)::int8, \
           (SELECT p.gid FROM pg_locks t JOIN pg_prepared_xacts p ON p.transaction = t.transactionid \
             WHERE l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid' \
               AND t.virtualtransaction = l.virtualtransaction LIMIT 1) \
      FROM (SELECT virtualtransaction, pid, coalesce(bool_or(database = d.oid), false) AS here, \
                   coalesce(bool_or(database NOT IN (0, d.oid)), false) AS elsewhere \
              FROM pg_locks, (SELECT oid FROM pg_database WHERE datname = current_database()) d \
             WHERE locktype = 'virtualxid' OR pid IS NULL GROUP BY 1, 2) l \
      LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
     WHERE l.pid IS DISTINCT FROM pg_backend_pid() \
       AND (l.pid IS NOT NULL OR l.here OR NOT l.elsewhere) \
       AND (l.pid IS NULL \
            OR a.datname = current_database() AND a.usesysid IS NOT NULL \
               AND right(coalesce(a.application_name, ''), 20) <> ' (tidegate snapshot)') \
       AND coalesce(l.pid, 0) <> ALL (SELECT v.pid FROM pg_stat_progress_vacuum v) \
       AND coalesce(l.pid, 0) <> ALL (SELECT r.pid FROM pg_stat_replication r); \
    SELECT (extract(epoch FROM min(coalesce(xact_start, query_start))) * 1000000)::int8 \
      FROM pg_stat_activity \
     WHERE datname = current_database() AND backend_type = 'client backend' AND state <> 'idle' \
       AND pid <> pg_backend_pid() \
       AND right(coalesce(application_name, ''), 20) <> ' (tidegate snapshot)' \
       AND pid <> ALL (SELECT v.pid FROM pg_stat_progress_vacuum v)";

/// Most marks that a state keeps.
const MARKS: usize = 64;

/// A moment, and the transactions running then that have not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The server's clock, in µs since 1970.
    pub(super) at: i64,
    /// When the server was started, in µs since 1970. A restart ends every transaction.
    pub(super) started: i64,
    /// Virtual transaction ids.
    pub(super) open: BTreeSet<String>,
    /// The greatest value seen before the transactions were listed; of cursors that hold no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
}

/// A transaction that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) id: String,
    /// None for a prepared transaction.
    pub(super) process: Option<i32>,
    pub(super) user: Option<String>,
    /// When it began, in µs since 1970, where the role may know.
    pub(super) since: Option<i64>,
    /// The name of a prepared transaction.
    pub(super) prepared: Option<String>,
}

/// The cluster and database that were asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// The cluster's number; none where the server does not tell.
    pub(super) system: Option<String>,
    /// None likewise.
    pub(super) timeline: Option<u32>,
    pub(super) database: u32,
}

/// A mark that was made, and what was running when the wait for it ended.
#[derive(Debug)]
pub(super) struct Barrier {
    pub(super) server: Server,
    /// When the transactions were first listed, by our clock: values seen before that may rely on it.
    pub(super) listed: Instant,
    /// Whether it was waited for them as long as was allowed.
    pub(super) has_waited: bool,
    mark: Mark,
    running: Vec<Running>,
    /// The earliest time that a row of a session at work can carry, in µs since 1970, as far as the role
    /// may know.
    busy_since: Option<i64>,
}

/// Which of a stream's marks are settled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settled {
    /// The last one that is.
    pub(super) last: Option<Mark>,
    /// Those after it.
    pub(super) open: Vec<Mark>,
}

impl Barrier {
    /// Makes a mark on the primary and waits for its transactions, at most for `wait`, and not for those
    /// that an `earlier` barrier of this sync has waited for in vain.
    pub(super) async fn make(
        primary: &Client,
        wait: Option<Duration>,
        earlier: Option<&Self>,
    ) -> Result<Self> {
        let server = Server::ask(primary);
        let listed = Instant::now();
        let sql = format!("{MARK}; {RUNNING}");
        let (server, answers) = futures::join!(server, listing(primary, &sql));
        let mut answers = answers?.into_iter();
        let mark = answers.next().and_then(|rows| rows.into_iter().next()).unwrap_or_default();
        if mark.is_true(0) {
            return Err(Error::config(
                "the server is a standby, which does not know what is running on its primary",
            )
            .hint("name the primary as the server, and this one under `read_from`"));
        }
        let (Some(at), Some(started)) = (mark.number(1), mark.number(2)) else {
            return Err(unexpected(WHAT));
        };
        let (running, busy_since) = understood(answers.skip(1).collect())?;
        let open = running.iter().map(|running| running.id.clone()).collect();
        let mark = Mark { at, started, open, value: None };
        let has_waited = wait.is_some() || mark.open.is_empty();
        protocol::point!("barrier.marked");
        let mut barrier = Self { server: server?, listed, has_waited, mark, running, busy_since };
        if let Some(wait) = wait {
            let hopeless = earlier.map(|earlier| &earlier.mark.open);
            barrier.wait(primary, wait, hopeless.unwrap_or(&BTreeSet::new())).await?;
            protocol::point!("barrier.waited");
        }
        Ok(barrier)
    }

    /// Lists again and again until everything in the mark has ended.
    async fn wait(&mut self, primary: &Client, wait: Duration, hopeless: &BTreeSet<String>) -> Result<()> {
        let mut pause = Duration::from_millis(20);
        while !self.mark.open.is_subset(hopeless) && self.listed.elapsed() < wait {
            tokio::time::sleep(pause.min(wait.saturating_sub(self.listed.elapsed()))).await;
            pause = (pause * 2).min(Duration::from_millis(250));
            (self.running, self.busy_since) = understood(listing(primary, RUNNING).await?)?;
            let running = &self.running;
            self.mark.open.retain(|id| running.iter().any(|running| running.id == *id));
        }
        tracing::debug!(
            at = self.mark.at, open = self.mark.open.len(), waited = ?self.listed.elapsed(), "barrier made"
        );
        Ok(())
    }

    /// The server's clock when the mark was made, in µs since 1970.
    pub(super) fn at(&self) -> i64 {
        self.mark.at
    }

    /// The transactions that keep the mark from being settled, oldest first where that is known.
    pub(super) fn blockers(&self) -> Vec<&Running> {
        let waits = |running: &&Running| self.mark.open.contains(&running.id) || is_undated(&running.id);
        let mut blockers: Vec<&Running> = self.running.iter().filter(waits).collect();
        blockers.sort_by_key(|running| running.since.unwrap_or(i64::MAX));
        blockers
    }

    fn ids(&self) -> BTreeSet<&str> {
        self.running.iter().map(|running| running.id.as_str()).collect()
    }

    /// Judges the marks that earlier syncs left, and this one with the greatest `value` that was seen
    /// before it.
    pub(super) fn settle(&self, earlier: &[Mark], value: Option<String>) -> Settled {
        let running = self.ids();
        let undated = running.iter().any(|id| is_undated(id));
        let mut marks: Vec<Mark> = earlier.iter().filter(|mark| mark.at < self.mark.at).cloned().collect();
        marks.push(Mark { value, ..self.mark.clone() });
        let mut last = None;
        let mut open: Vec<Mark> = Vec::new();
        for mut mark in marks {
            let restarted = mark.started != self.mark.started;
            mark.open.retain(|id| !restarted && running.contains(id.as_str()));
            if mark.open.is_empty() && !undated {
                last = Some(mark);
                open.clear();
                continue;
            }
            // What waits for the same or more and would yield less is of no use.
            open.retain(|older| !mark.open.is_subset(&older.open));
            open.push(mark);
        }
        thin(&mut open);
        Settled { last, open }
    }

    /// The instant before which nothing can come any more, in µs since 1970.
    pub(super) fn instant(&self, settled: &Settled) -> Option<i64> {
        let mark = settled.last.as_ref().map(|mark| mark.at);
        // Where it is known when each one began, what is older than the oldest can't come any more.
        let running = self.ids();
        let blockers = self.blockers();
        let dated = !running.iter().any(|id| is_undated(id))
            && self
                .mark
                .open
                .iter()
                .all(|id| blockers.iter().any(|running| running.id == *id && running.since.is_some()));
        let oldest = blockers.iter().filter_map(|running| running.since).min();
        let begun = if dated { oldest.map(|since| since.min(self.mark.at)) } else { None };
        let instant = mark.max(begun)?;
        Some(self.busy_since.map_or(instant, |since| instant.min(since)))
    }
}

const WHAT: &str = "could not list the running transactions";

async fn listing(primary: &Client, sql: &str) -> Result<Vec<Rows>> {
    ask(primary, WHAT, sql).await.map_err(|error| match error.context_value(SQLSTATE) {
        Some("42501") => error.hint("run GRANT SELECT ON pg_locks, pg_stat_activity to the role"),
        _ => error,
    })
}

/// What [`RUNNING`] says.
fn understood(answers: Vec<Rows>) -> Result<(Vec<Running>, Option<i64>)> {
    let Ok([running, busy]) = <[Rows; 2]>::try_from(answers) else { return Err(unexpected(WHAT)) };
    let running = running.iter().map(Running::read).collect::<Option<_>>().ok_or_else(|| unexpected(WHAT))?;
    Ok((running, busy.first().and_then(|row| row.number(0))))
}

/// Whether it is a prepared transaction that has outlived the server it was prepared on: nobody knows
/// when it began.
fn is_undated(id: &str) -> bool {
    id.starts_with('-')
}

/// Leaves out marks evenly, but neither the first nor the last, until few enough are left.
fn thin(marks: &mut Vec<Mark>) {
    while marks.len() > MARKS {
        let last = marks.len() - 1;
        let mut at = 0;
        marks.retain(|_| {
            at += 1;
            at == 1 || at - 1 == last || at % 2 == 0
        });
    }
}

impl Running {
    fn read(row: &Row) -> Option<Self> {
        Some(Self {
            id: row.text(0)?.to_owned(),
            process: row.number(1),
            user: row.text(2).map(str::to_owned),
            since: row.number(3),
            prepared: row.text(4).map(str::to_owned),
        })
    }
}

impl Server {
    /// Which cluster and database this is. Managed servers may refuse to tell all of it.
    pub(super) async fn ask(client: &Client) -> Result<Self> {
        const TIMELINE: &str = "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)";
        Self::told(client, TIMELINE).await
    }

    /// The same of a standby. Its control file knows the timeline soon after it has changed.
    pub(super) async fn ask_standby(client: &Client) -> Result<Self> {
        const TIMELINE: &str = "SELECT to_hex(greatest((SELECT timeline_id FROM pg_control_checkpoint()), \
                                (SELECT min_recovery_end_timeline FROM pg_control_recovery())))";
        Self::told(client, TIMELINE).await
    }

    async fn told(client: &Client, timeline: &str) -> Result<Self> {
        const WHAT: &str = "could not ask which cluster this is";
        let (database, system, timeline) = futures::join!(
            ask_one(client, WHAT, "SELECT oid FROM pg_database WHERE datname = current_database()"),
            ask_one(client, WHAT, "SELECT system_identifier FROM pg_control_system()"),
            ask_one(client, WHAT, timeline),
        );
        let database = database?.number(0).ok_or_else(|| unexpected(WHAT))?;
        let system = system.ok().and_then(|row| row.text(0).map(str::to_owned));
        let timeline = timeline.ok().and_then(|row| u32::from_str_radix(row.text(0)?, 16).ok());
        Ok(Self { system, timeline, database })
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
