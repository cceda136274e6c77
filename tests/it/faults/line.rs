//! The line to PostgreSQL: cut, silent, slow, at several places of a sync. Nothing hangs, and nothing
//! is lost or doubled.

use std::time::Duration;

use lab::postgres::Tls;
use lab::{Cluster, Options};
use serde_json::{Value, json};

use super::refusal::error_of;
use crate::support::{Break, Cable, Ledger, Side};

/// How long a connection may be silent here before the server is asked about it.
const KEEPALIVE: &str = "1s";
const READS: &str = "query LIKE 'COPY%' AND state = 'active'";

/// Reads the ledger through a line that can be broken.
fn through_a_cable(ledger: &mut Ledger) -> Cable {
    let server = format!("127.0.0.1:{}", ledger.database.port());
    let cable = Cable::to(&server);
    let url = cable.instead_of(&server, &ledger.database.url());
    let source = &mut ledger.project.configuration()["sources"]["db"];
    source["url"] = json!(url);
    source["keepalive"] = json!(KEEPALIVE);
    source["connect_timeout"] = json!("700ms");
    cable
}

fn connection(ledger: &mut Ledger) -> &mut Value {
    &mut ledger.project.configuration()["connections"]["db_to_lake"]
}

#[tokio::test]
async fn a_server_that_can_t_be_reached_is_named_in_bounded_time() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    ledger.add(20).await;
    let cable = through_a_cable(&mut ledger);
    connection(&mut ledger)["retries"] = json!(0);
    for how in [Break::Reset, Break::Close, Break::Silence] {
        cable.break_new(how);
        let document = ledger.fails(75, &["could not connect to", &cable.address()]);
        assert_eq!(document["error"]["kind"], "transient", "{document:#}");
    }
    cable.mend();
    ledger.recovers().await;
}

#[tokio::test]
async fn a_line_that_breaks_after_any_number_of_bytes_loses_and_doubles_nothing() {
    let mut ledger = Ledger::incremental(100).await;
    ledger.project.sync();
    let cable = through_a_cable(&mut ledger);
    // From log-in over the catalogs into the rows.
    let places = [1, 450, 3_000, 9_000, 60_000];
    for (at, how) in places.iter().zip([Break::Reset, Break::Close].iter().cycle()) {
        ledger.add(500).await;
        cable.break_after(*at, Side::Server, 1, *how);
        let report = ledger.project.sync();
        assert_eq!(report["totals"]["rows_written"], 500, "after {at} bytes: {report:#}");
        assert_eq!(cable.left(), 0, "no connection carried {at} bytes");
    }
    cable.mend();
    ledger.recovers().await;
}

#[tokio::test]
async fn a_line_that_falls_silent_amid_the_rows_is_given_up_and_read_again() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let cable = through_a_cable(&mut ledger);
    ledger.add(20_000).await;
    cable.break_after(100_000, Side::Server, 1, Break::Silence);
    let ran = ledger.start().wait().exits(0).says("no answer: the connection is given up");
    let document = ran.json();
    assert_eq!(cable.left(), 0);
    assert!(document["totals"]["retries"].as_u64() >= Some(1), "{document:#}");
    assert_eq!(document["totals"]["rows_written"], 20_000, "{document:#}");
    ledger.is_whole().await;
    // The session that sent in vain is ended, and holds back no vacuum.
    crate::support::until_true("the end of the session", async || {
        let count =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'";
        ledger.database.value(count).await.as_deref() == Some("0")
    })
    .await;
}

#[tokio::test]
async fn a_question_that_is_never_answered_is_given_up_and_asked_again() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let cable = through_a_cable(&mut ledger);
    ledger.add(100).await;
    // Amid the catalogs, after the log-in.
    cable.break_after(3_000, Side::Server, 1, Break::Silence);
    ledger.start().wait().exits(0).says("no answer: the connection is given up");
    assert_eq!(cable.left(), 0);
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_network_that_swallows_everything_ends_the_sync_in_bounded_time() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let cable = through_a_cable(&mut ledger);
    connection(&mut ledger)["retries"] = json!(0);
    ledger.add(400).await;
    ledger.slow(100, 0.5);
    let running = ledger.start();
    ledger.until_session(READS).await;
    cable.break_new(Break::Silence);
    cable.break_open(Break::Silence);
    let document = running.wait().exits(75).json();
    let error = error_of(&document);
    assert!(error["message"].as_str().is_some_and(|text| text.contains("no answer in time")), "{error:#}");
    assert_eq!(document["totals"]["rows_written"], 0, "{document:#}");
    cable.mend();
    ledger.fast();
    ledger.recovers().await;
}

#[tokio::test]
async fn all_sessions_of_a_full_refresh_that_fall_silent_mean_planning_again() {
    let mut ledger = Ledger::full(15_000).await;
    let cable = through_a_cable(&mut ledger);
    ledger.slow(5000, 0.2);
    let running = ledger.start();
    ledger.until_session(READS).await;
    cable.break_open(Break::Silence);
    ledger.database.execute("UPDATE ledger SET version = 2").await;
    let document = running.wait().exits(0).json();
    assert!(document["totals"]["retries"].as_u64() >= Some(1), "{document:#}");
    ledger.is_whole().await;
    let mut versions = ledger.lake.rows(["version"]).await;
    versions.dedup();
    assert_eq!(versions.len(), 1, "rows of two snapshots are mixed: {versions:?}");
}

#[tokio::test]
async fn a_server_that_works_in_silence_is_waited_for() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let _cable = through_a_cable(&mut ledger);
    connection(&mut ledger)["retries"] = json!(0);
    ledger.add(10).await;
    // It neither sends nor waits for a lock, several times as long as a silent line is given.
    ledger.slow(30, 3.5);
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 10, "{report:#}");
    ledger.fast();
    ledger.add(10).await;
    let locker = ledger.database.client().await;
    locker.batch_execute("BEGIN; LOCK TABLE ledger").await.unwrap();
    let running = ledger.start();
    ledger.until_session("wait_event_type = 'Lock'").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    locker.batch_execute("COMMIT").await.unwrap();
    let document = running.wait().exits(0).json();
    assert_eq!(
        (&document["totals"]["rows_written"], &document["totals"]["retries"]),
        (&json!(10), &json!(0))
    );
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_slow_line_is_no_silent_one() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let cable = through_a_cable(&mut ledger);
    let connection = connection(&mut ledger);
    connection["retries"] = json!(0);
    ledger.add(300).await;
    // Whatever is said takes its time, and the server is done long before the last row arrives.
    ledger.project.configuration()["sources"]["db"]["connect_timeout"] = json!("20s");
    cable.slow(700, Duration::from_millis(30));
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 300, "{report:#}");
    assert_eq!(report["totals"]["retries"], 0, "{report:#}");
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_bit_that_is_flipped_under_encryption_breaks_the_line_and_no_row() {
    let tls = Tls::new();
    let cluster = Cluster::start(Options::default().tls(&tls));
    let mut ledger = Ledger::of(&cluster, 20, Ledger::incremental_stream(), None).await;
    let cable = through_a_cable(&mut ledger);
    let source = &mut ledger.project.configuration()["sources"]["db"];
    source["sslrootcert"] = json!(tls.authority_path());
    ledger.project.sync();
    for at in [3_000, 30_000] {
        ledger.add(500).await;
        cable.break_after(at, Side::Server, 1, Break::Flip);
        let report = ledger.project.sync();
        assert_eq!(cable.left(), 0, "no connection carried {at} bytes");
        assert_eq!(report["totals"]["rows_written"], 500, "after {at} bytes: {report:#}");
        ledger.is_whole().await;
    }
}

#[tokio::test]
async fn an_address_of_the_sixth_version_is_one_like_others() {
    let mut ledger = Ledger::incremental(20).await;
    let server = format!("127.0.0.1:{}", ledger.database.port());
    let Ok(cable) = Cable::from("[::1]", &server) else {
        eprintln!("NOT TESTED: this machine has no loopback address of IPv6");
        return;
    };
    let url = cable.instead_of(&server, &ledger.database.url());
    ledger.project.configuration()["sources"]["db"]["url"] = json!(url);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_server_that_is_stopped_is_given_up_and_one_that_goes_on_is_gone_on_with() {
    let cluster = Cluster::start(Options::default());
    let mut ledger = Ledger::of(&cluster, 20, Ledger::incremental_stream(), None).await;
    ledger.project.sync();
    let _cable = through_a_cable(&mut ledger);
    connection(&mut ledger)["retries"] = json!(0);
    ledger.add(200).await;
    ledger.slow(100, 1.0);
    let running = ledger.start();
    ledger.until_session(READS).await;
    // All of its processes, as a machine that hangs does: the kernel answers, and nobody else.
    let pid = cluster.pid().expect("it runs").to_string();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let signal = |name: &str| {
        let pids = children.split_whitespace().chain([pid.as_str()]);
        let sent = std::process::Command::new("kill").arg(name).args(pids).status();
        assert!(sent.expect("kill is always there").success());
    };
    signal("-STOP");
    let ran = running.wait();
    signal("-CONT");
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    ledger.fast();
    ledger.recovers().await;
}
