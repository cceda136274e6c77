//! Waiting for a replica until it has seen what the primary's barrier has.

use std::time::{Duration, Instant};

use protocol::{Error, Result};
use tokio_postgres::Client;

use super::answer::{ask_one, unexpected};
use super::barrier::Server;
use super::error::SQLSTATE;

/// Longest time that a replica may be behind.
const PATIENCE: Duration = Duration::from_mins(2);

const WHAT: &str = "could not ask the replica what it has replayed";

/// Commits an empty transaction on the primary and returns its number: who has replayed that has
/// replayed all that was committed before.
pub(super) async fn marker(primary: &Client) -> Result<u64> {
    const WHAT: &str = "could not mark the primary's last transaction";
    ask_one(primary, WHAT, "SELECT txid_current()").await?.number(0).ok_or_else(|| unexpected(WHAT))
}

/// Fails with [`Config`](protocol::ErrorKind::Config) when `reader` is not of the primary's cluster.
pub(super) async fn check(reader: &Client, primary: &Server) -> Result<()> {
    let system = ask_one(reader, WHAT, "SELECT system_identifier FROM pg_control_system()").await;
    let system = system.ok().and_then(|row| row.text(0).map(str::to_owned));
    match (&system, &primary.system) {
        (Some(here), Some(there)) if here != there => {
            Err(Error::config("`read_from` is not a replica of the server: they are different clusters"))
        }
        _ => Ok(()),
    }
}

/// Waits until `reader` has replayed the primary's transaction `marker`.
///
/// Fails with [`Transient`](protocol::ErrorKind::Transient) when it is too far behind.
pub(super) async fn catch_up(reader: &Client, marker: u64) -> Result<()> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    let sql = format!("SELECT txid_status({marker})");
    loop {
        match ask_one(reader, WHAT, &sql).await {
            Ok(row) if row.text(0) == Some("committed") => return Ok(()),
            Ok(row) if row.text(0) == Some("aborted") => return Err(unexpected(WHAT)),
            Ok(_) => {}
            // It has not heard of that transaction yet.
            Err(error) if error.context_value(SQLSTATE) == Some("22023") => {}
            Err(error) => return Err(error),
        }
        if start.elapsed() > PATIENCE {
            return Err(Error::transient(format!(
                "the replica is more than {} s behind the server",
                PATIENCE.as_secs()
            ))
            .hint("wait until it has caught up, or read from the server itself"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}
