//! Waiting for a replica until it has seen what the primary's barrier has.

use std::time::{Duration, Instant};

use protocol::{Error, Result};
use tokio_postgres::Client;

use super::answer::{ask_one, unexpected};
use super::barrier::Server;
use super::error::SQLSTATE;

/// Longest time that a replica may be behind.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until `reader` has replayed all that was committed on `primary` before the call: an empty
/// transaction is committed there, and awaited here.
///
/// Fails with [`Config`](protocol::ErrorKind::Config) when the two are not of one cluster, and with
/// [`Transient`](protocol::ErrorKind::Transient) when the replica is too far behind.
pub(super) async fn catch_up(primary: &Client, reader: &Client, server: &Server) -> Result<()> {
    const WHAT: &str = "could not ask the replica what it has replayed";
    let (marker, system) = futures::join!(
        ask_one(primary, "could not mark the primary's last transaction", "SELECT txid_current()"),
        ask_one(reader, WHAT, "SELECT system_identifier FROM pg_control_system()"),
    );
    let marker: u64 = marker?.number(0).ok_or_else(|| unexpected(WHAT))?;
    let system = system.ok().and_then(|row| row.text(0).map(str::to_owned));
    if let (Some(here), Some(there)) = (&system, &server.system)
        && here != there
    {
        return Err(Error::config("`read_from` is not a replica of the server: they are different clusters"));
    }
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
