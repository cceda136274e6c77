//! What a server can say where nobody tells which transactions are running: a standby by itself, or a
//! server whose `pg_locks` may not be read.

use std::time::Instant;

use protocol::Result;
use tokio_postgres::Client;

use super::answer::{ask_one, unexpected};
use super::barrier::{Barrier, Server};

/// Whether it is a standby, and the time of the primary's clock that it has come to, in µs since 1970:
/// what it does not show yet was committed later. One that was just started may not know that time.
const CLOCK: &str = "\
    SELECT pg_is_in_recovery(), \
           (extract(epoch FROM coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_xact_replay_timestamp() END, \
                                        clock_timestamp())) * 1000000)::int8";

/// Who the server is, and how late it is there. Asked before a snapshot is taken.
#[derive(Debug, Clone)]
pub(super) struct Alone {
    pub(super) server: Server,
    /// By our clock.
    pub(super) asked: Instant,
    pub(super) is_standby: bool,
    /// By the primary's clock, in µs since 1970.
    pub(super) at: i64,
}

impl Alone {
    /// The same, as a barrier says it: it is made before a snapshot too, and a replica has replayed it.
    pub(super) fn of(barrier: &Barrier) -> Self {
        let server = barrier.server.clone();
        Self { server, asked: barrier.listed, is_standby: false, at: barrier.at() }
    }

    pub(super) async fn ask(client: &Client, is_standby: bool) -> Result<Self> {
        const WHAT: &str = "could not ask how late it is at the server";
        let asked = Instant::now();
        let server =
            async { if is_standby { Server::ask_standby(client).await } else { Server::ask(client).await } };
        let (server, clock) = futures::join!(server, ask_one(client, WHAT, CLOCK));
        let clock = clock?;
        let at = clock.number(1).ok_or_else(|| unexpected(WHAT))?;
        Ok(Self { server: server?, asked, is_standby: clock.is_true(0), at })
    }
}

/// Why nobody tells which transactions are running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blind {
    /// The server is a standby, and its primary is not configured.
    Standby,
    /// `pg_locks` may not be read.
    Denied,
}

impl Blind {
    /// What is the matter.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Standby => "the server is a standby, which does not know what is running on its primary",
            Self::Denied => "the role may not read pg_locks, which tells what is running",
        }
    }

    /// What to do about it.
    pub(super) fn cure(self) -> &'static str {
        match self {
            Self::Standby => "name the primary as the server, and this one under `read_from`",
            Self::Denied => {
                "run GRANT SELECT ON pg_locks and GRANT EXECUTE ON FUNCTION pg_lock_status() to the role"
            }
        }
    }
}
