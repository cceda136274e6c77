//! Tells a server that works in silence from a line on which nothing will come any more.
//!
//! A sort of many rows or a lock can keep a server from saying anything for hours, and a line that
//! nobody forwards looks just the same; the kernel's probes are answered by whoever holds its other
//! end. So the server is asked, on a line of its own, what the session is doing.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::binding::Bind;
use super::driver::Driver;
use super::socket::Line;

/// When the server was started, as whole microseconds: tells servers behind one address apart.
pub(super) const SERVER: &str = "\
    (pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) * 1000000)::pg_catalog.int8";

/// After so many doubts, with nothing heard in between, the line is dead.
const DOUBTS: u32 = 2;
/// How long the other line may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(20);

/// Whom a session is with.
#[derive(Debug)]
pub(super) struct Peer {
    /// The number of the server's process.
    pub(super) process: i32,
    /// See [`SERVER`].
    pub(super) server: String,
}

/// What a session is doing, as far as can be known.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// At work, or nobody can tell.
    Patience,
    /// It has said what it had to say, or says it and we hear nothing; or nobody is there.
    Doubt(&'static str),
}

/// Returns when nothing will come any more on the line of `driver`; never while the server is at work,
/// or where connections are not to be probed.
pub(super) async fn until_dead(driver: &Driver) {
    let Some(period) = driver.way.settings.keepalive.map(|keepalive| keepalive.idle) else {
        return std::future::pending().await;
    };
    let (mut doubts, mut heard) = (0, None);
    loop {
        let silent = driver.wire.silent_since();
        let silence = silent.map_or(Duration::ZERO, |since| since.elapsed());
        if silence < period {
            sleep(period.saturating_sub(silence)).await;
            continue;
        }
        if silent != heard {
            (doubts, heard) = (0, silent);
        }
        let last = doubts + 1 == DOUBTS;
        match ask(driver, heard.filter(|_| last)).await {
            Verdict::Patience => doubts = 0,
            Verdict::Doubt(_) if driver.wire.silent_since() != heard => doubts = 0,
            Verdict::Doubt(why) => {
                doubts += 1;
                tracing::debug!(server = %driver.host, why, doubts, "a session is silent");
                if doubts == DOUBTS {
                    tracing::warn!(server = %driver.host, why, "no answer: the connection is given up");
                    return;
                }
            }
        }
        sleep(period).await;
    }
}

/// Asks the server what it is doing for the session. A session of which nothing was `heard` since then
/// either is told to end where it is useless, so that nothing is held for nobody.
async fn ask(driver: &Driver, heard: Option<Instant>) -> Verdict {
    const UNREACHABLE: Verdict = Verdict::Doubt("the server can't be reached");
    let settings = &driver.way.settings;
    let asked = timeout(settings.connect_timeout, async {
        let encrypt = driver.way.encrypt.as_ref();
        let line = Line::open("could not ask", &driver.endpoint, &driver.host, settings, encrypt).await;
        let Ok(line) = line else { return UNREACHABLE };
        let connected = driver.login.connect_raw(line.stream, Bind(line.binding)).await;
        let (client, connection) = match connected {
            Ok(connected) => connected,
            // Full, about to stop, or changed its mind about us: somebody is there.
            Err(error) if error.as_db_error().is_some() => return Verdict::Patience,
            Err(_) => return UNREACHABLE,
        };
        let mut connection = std::pin::pin!(connection);
        let verdict = tokio::select! {
            _ = &mut connection => UNREACHABLE,
            verdict = ask_on(&client, driver, heard) => verdict,
        };
        drop(client);
        let _ = timeout(GOODBYE, connection).await;
        verdict
    });
    asked.await.unwrap_or(UNREACHABLE)
}

async fn ask_on(client: &tokio_postgres::Client, driver: &Driver, heard: Option<Instant>) -> Verdict {
    // Behind a pooler nobody can tell which process works for us.
    let Some(peer) = driver.peer.get() else { return Verdict::Patience };
    let process = peer.process;
    let sql = format!(
        "SELECT {SERVER}, a.pid, a.state, a.wait_event FROM (SELECT 1) AS one \
         LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = {process}"
    );
    let Ok(answer) = client.simple_query(&sql).await else { return Verdict::Patience };
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let verdict = row.map_or(Verdict::Patience, |row| judge(row, peer));
    let is_useless = heard.is_some() && driver.wire.silent_since() == heard;
    if is_useless && matches!(verdict, Verdict::Doubt(_)) {
        // It may be blocked in sending to us, where only this reaches it.
        let _ = client.simple_query(&format!("SELECT pg_catalog.pg_terminate_backend({process})")).await;
    }
    verdict
}

fn judge(row: &SimpleQueryRow, peer: &Peer) -> Verdict {
    let [server, process, state, event] = [0, 1, 2, 3].map(|column| row.get(column));
    verdict(server == Some(&peer.server), process.is_some(), state, event)
}

fn verdict(is_same: bool, is_there: bool, state: Option<&str>, event: Option<&str>) -> Verdict {
    match (state, event) {
        // One address may stand for several servers.
        _ if !is_same => Verdict::Patience,
        _ if !is_there => Verdict::Doubt("the server knows the session no more"),
        (Some("active"), Some("ClientWrite")) => Verdict::Doubt("what the server sends does not arrive"),
        (Some("active"), Some("ClientRead")) => Verdict::Doubt("what was sent does not arrive"),
        (Some(state), _) if state.starts_with("idle") => Verdict::Doubt("the server waits for us"),
        // At work, or it does not note what sessions do.
        _ => Verdict::Patience,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_at_work_is_waited_for() {
        for event in [None, Some("PgSleep"), Some("relation"), Some("DataFileRead")] {
            assert_eq!(verdict(true, true, Some("active"), event), Verdict::Patience, "{event:?}");
        }
        assert_eq!(verdict(true, true, Some("disabled"), None), Verdict::Patience);
        assert_eq!(verdict(false, false, None, None), Verdict::Patience, "another server");
    }

    #[test]
    fn a_server_that_has_nothing_more_to_say_or_says_it_in_vain_is_doubted() {
        for (state, event) in [
            ("active", "ClientWrite"),
            ("active", "ClientRead"),
            ("idle", "ClientRead"),
            ("idle in transaction", "ClientRead"),
            ("idle in transaction (aborted)", "ClientRead"),
        ] {
            let doubted = matches!(verdict(true, true, Some(state), Some(event)), Verdict::Doubt(_));
            assert!(doubted, "{state} {event}");
        }
        assert!(matches!(verdict(true, false, None, None), Verdict::Doubt(_)));
    }
}
