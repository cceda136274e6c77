//! What a snapshot shows, and a crash of the server could take back.
//!
//! With `synchronous_commit = off` a transaction is seen before its end is on disk. A crash undoes it, and
//! its number, like the sequences' values that it took, is given out again, to rows that would pass for
//! some that were read. So a plan waits until all is on disk that its snapshot shows: that is so as soon as
//! the log was flushed that far, and three rounds of the process that flushes it later in any case.
//! Usually there is nothing to wait for.

use std::time::{Duration, Instant};

use protocol::Result;

use super::answer::{Rows, ask};
use super::connect::Client;
use super::snapshot::{RELEASE, SAVE};

/// Rounds after which the end of every transaction is on disk, as PostgreSQL promises, and one more.
const ROUNDS: u32 = 4;
/// The setting goes up to 10 s.
const LONGEST: Duration = Duration::from_secs(45);

/// Where the log ends, how far it is on disk, and the time between two rounds in milliseconds.
const STATE: &str = "SELECT pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(), \
                     (extract(epoch FROM current_setting('wal_writer_delay')::interval) * 1000)::int8";
const FLUSHED: &str = "SELECT pg_current_wal_flush_lsn()";

/// Waits until nothing that the session sees now can be undone by a crash. A standby shows nothing else.
pub(super) async fn settled(client: &Client, is_inside: bool) -> Result<()> {
    if client.is_in_recovery {
        return Ok(());
    }
    let begin = Instant::now();
    // Servers that only speak the protocol have other logs, and tell nothing of them.
    let Some(state) = told(client, is_inside, STATE).await? else { return Ok(()) };
    let row = state.first();
    let position = |column| row.and_then(|row| row.text(column)).and_then(position);
    let (Some(shown), Some(mut flushed)) = (position(0).map(end_of_last_record), position(1)) else {
        return Ok(());
    };
    let round = Duration::from_millis(row.and_then(|row| row.number(2)).unwrap_or(200));
    let patience = (round * ROUNDS).min(LONGEST);
    let mut pause = Duration::from_millis(2);
    while flushed < shown && begin.elapsed() < patience {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
        let Some(answer) = told(client, is_inside, FLUSHED).await? else { return Ok(()) };
        let Some(now) = answer.first().and_then(|row| row.text(0)).and_then(self::position) else {
            return Ok(());
        };
        flushed = now;
    }
    tracing::debug!(waited = ?begin.elapsed(), is_flushed = flushed >= shown, "what is seen is on disk");
    Ok(())
}

/// The answer, without an end to the transaction that the session may be inside; none where the server
/// refuses it.
async fn told(client: &Client, is_inside: bool, sql: &str) -> Result<Option<Rows>> {
    const WHAT: &str = "could not ask how far the server's log is on disk";
    if !is_inside {
        return Ok(ask(client, WHAT, sql).await.ok().and_then(|answers| answers.into_iter().next()));
    }
    match ask(client, WHAT, &format!("{SAVE}; {sql}; {RELEASE}")).await {
        Ok(answers) => Ok(answers.into_iter().next()),
        Err(_) => ask(client, WHAT, RELEASE).await.map(|_| None),
    }
}

/// `16/B374D848` as a number.
fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from(u32::from_str_radix(high, 16).ok()?) << 32 | u64::from(u32::from_str_radix(low, 16).ok()?))
}

/// The place after the last record. The log says where the next one begins, which is behind a header on a
/// new page: that is flushed with the record only.
fn end_of_last_record(next: u64) -> u64 {
    const PAGE: u64 = 8192;
    const HEADER: u64 = 24;
    /// The least size of the files that the log is divided into, and the header of the first page.
    const FILE: u64 = 1 << 20;
    const LONG_HEADER: u64 = 40;
    match (next % PAGE, next % FILE) {
        (HEADER, _) => next - HEADER,
        (_, LONG_HEADER) => next - LONG_HEADER,
        _ => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_log_is_understood() {
        assert_eq!(position("16/B374D848"), Some(0x16_B374_D848));
        for wrong in ["", "16", "x/1", "1/100000000"] {
            assert_eq!(position(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_log_that_ends_with_a_page_ends_before_the_next_header() {
        assert_eq!(end_of_last_record(0x16_0000_2018), 0x16_0000_2000);
        assert_eq!(end_of_last_record(0x16_0300_0028), 0x16_0300_0000, "a new file");
        assert_eq!(end_of_last_record(0x16_0000_2028), 0x16_0000_2028, "the end of a record");
    }
}
