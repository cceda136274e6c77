//! What a PostgreSQL server does to sessions: ends them, refuses them, takes their rights, conflicts
//! with them, becomes another server, runs out of transaction numbers.

use std::collections::BTreeSet;
use std::time::Instant;

use lab::postgres::Standby;
use lab::{Cluster, Options};
use serde_json::{Value, json};

use super::refusal::error_of;
use crate::support::Ledger;

fn source(ledger: &mut Ledger) -> &mut Value {
    &mut ledger.project.configuration()["sources"]["db"]
}

fn connection(ledger: &mut Ledger) -> &mut Value {
    &mut ledger.project.configuration()["connections"]["db_to_lake"]
}

#[tokio::test]
async fn sessions_terminated_at_any_moment_lose_and_double_nothing() {
    let seed = std::env::var("TIDEGATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("TIDEGATE_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::incremental(2000).await;
    let begin = Instant::now();
    ledger.project.sync();
    let usual = begin.elapsed();
    let mut ended = 0;
    for _ in 0..8 {
        ledger.add(random.i64(1..2000)).await;
        let running = ledger.start();
        tokio::time::sleep(usual.mul_f64(random.f64())).await;
        ended += ledger.terminate("application_name LIKE 'tidegate%'").await;
        running.wait().exits(0);
        ledger.is_whole().await;
    }
    assert!(ended > 0, "no session was met in 8 syncs of {usual:?}");
}

#[tokio::test]
async fn limits_that_a_role_has_by_default_end_no_sync() {
    let mut ledger = Ledger::incremental(20).await;
    let role = ledger.database.role(
        "limited",
        "GRANT SELECT ON ledger TO {role}; ALTER ROLE {role} SET default_transaction_read_only = on; \
         ALTER ROLE {role} SET statement_timeout = '300ms'; ALTER ROLE {role} SET lock_timeout = '1ms'; \
         ALTER ROLE {role} SET idle_in_transaction_session_timeout = '50ms'; \
         ALTER ROLE {role} SET default_transaction_isolation = 'serializable'; \
         ALTER ROLE {role} SET datestyle = 'German, DMY'; ALTER ROLE {role} SET timezone = 'Pacific/Chatham'",
    );
    source(&mut ledger)["url"] = json!(ledger.database.url_of(&role));
    ledger.project.sync();
    ledger.add(20).await;
    ledger.slow(10, 0.4);
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["retries"], 0, "{report:#}");
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_server_without_room_for_a_session_is_named_and_may_be_tried_again() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let role = ledger.database.role("crowded", "GRANT SELECT ON ledger TO {role}");
    let limit = |most: i32| format!("ALTER ROLE \"{}\" CONNECTION LIMIT {most}", role.name);
    source(&mut ledger)["url"] = json!(ledger.database.url_of(&role));
    connection(&mut ledger)["retries"] = json!(1);
    ledger.database.execute(&limit(0)).await;
    ledger.add(1).await;
    let document = ledger.fails(75, &["too many connections", "lower `connections`"]);
    assert_eq!(error_of(&document)["kind"], "transient", "{document:#}");
    ledger.database.execute(&limit(5)).await;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_catalog_that_may_not_be_read_is_done_without() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let role = ledger.database.role("reader", "GRANT SELECT ON ledger TO {role}");
    source(&mut ledger)["url"] = json!(ledger.database.url_of(&role));
    ledger.database.execute("REVOKE SELECT ON pg_locks FROM PUBLIC").await;
    ledger.add(1).await;
    assert_eq!(ledger.project.sync()["streams"][0]["mode"], "seen_set");
    ledger.is_whole().await;
    ledger.stream()["options"] = json!({ "sweep": "never" });
    ledger.add(1).await;
    ledger.fails(78, &["pg_locks", "mode: lookback"]);
    ledger.stream()["options"] = json!({ "sweep": "never", "mode": "lookback", "lookback": "2h" });
    let stream = &ledger.project.sync()["streams"][0];
    assert_eq!(stream["mode"], "lookback");
    assert!(stream["notes"].to_string().contains("for longer than 2h are lost"), "{stream:#}");
    ledger.is_whole().await;
    ledger.database.execute("GRANT SELECT ON pg_locks TO PUBLIC").await;
    ledger.stream()["options"] = json!({});
    ledger.recovers().await;
}

#[tokio::test]
async fn a_standby_by_itself_is_read_and_its_report_has_a_label() {
    let (cluster, standby, mut ledger) = replicated(&[]).await;
    let replica = standby.database(&ledger.database).url();
    source(&mut ledger).as_object_mut().expect("it has settings").remove("read_from");
    let primary = std::mem::replace(&mut source(&mut ledger)["url"], json!(replica));
    let checked = ledger.project.run(&["check"]).exits(0);
    checked.prints("it is a standby, where running transactions can't be seen").prints("mode seen_set");
    for (options, mode) in [
        (json!({}), "seen_set"),
        (json!({ "sweep": "never", "mode": "lookback" }), "lookback"),
        (json!({ "sweep": "always" }), "seen_set"),
    ] {
        ledger.stream()["options"] = options;
        ledger.add(10).await;
        standby.catch_up(&cluster).await;
        let stream = &ledger.project.sync()["streams"][0];
        assert_eq!(stream["mode"], mode);
        let is_told = stream["notes"].to_string().contains("open for longer than 1h are lost");
        assert_eq!(is_told, mode == "lookback", "{stream:#}");
        ledger.is_whole().await;
    }
    source(&mut ledger)["url"] = primary;
    ledger.stream()["options"] = json!({});
    ledger.recovers().await;
}

/// A primary and a standby of it with these settings, and a ledger that reads from the standby.
async fn replicated(settings: &[(&str, &str)]) -> (Cluster, Standby, Ledger) {
    let cluster = Cluster::start(Options::default());
    let mut ledger = Ledger::of(&cluster, 100, Ledger::incremental_stream(), None).await;
    let standby = cluster.standby_with(settings);
    standby.catch_up(&cluster).await;
    let replica = standby.database(&ledger.database).url();
    source(&mut ledger)["read_from"] = json!({ "url": replica });
    (cluster, standby, ledger)
}

#[tokio::test]
async fn a_conflict_with_recovery_on_a_standby_is_tried_again() {
    let settings = [("max_standby_streaming_delay", "0"), ("hot_standby_feedback", "off")];
    let (cluster, standby, mut ledger) = replicated(&settings).await;
    ledger.slow(10, 0.1);
    let running = ledger.start();
    let replica = standby.database(&ledger.database);
    crate::support::until_true("a COPY on the standby", async || {
        let count =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'PgSleep'";
        replica.value(count).await.is_some_and(|count| count != "0")
    })
    .await;
    // What the standby's snapshot still sees is cleaned up on the primary.
    ledger.database.execute("UPDATE ledger SET version = 2").await;
    ledger.database.execute("VACUUM ledger").await;
    standby.catch_up(&cluster).await;
    let document = running.wait().exits(0).json();
    assert!(document["totals"]["retries"].as_u64() >= Some(1), "{document:#}\n{}", standby.log());
    ledger.is_whole().await;
    let versions: BTreeSet<_> = ledger.lake.rows(["version"]).await.into_iter().collect();
    assert_eq!(versions.len(), 1, "rows of two snapshots are mixed: {versions:?}");
}

#[tokio::test]
async fn a_failover_that_loses_the_tail_loses_nothing_of_what_is_left() {
    let (cluster, standby, mut ledger) = replicated(&[]).await;
    let replica = standby.database(&ledger.database);
    source(&mut ledger).as_object_mut().expect("it has settings").remove("read_from");
    ledger.project.sync();
    // What the old primary has committed since, and the standby has never heard of.
    crate::support::until_true("the end of the stream", async || {
        let primary = ledger.database.client().await;
        let _ = primary.batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_replication").await;
        let drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots";
        primary.batch_execute(drop).await.is_ok()
    })
    .await;
    ledger.add(50).await;
    ledger.project.sync();
    ledger.is_whole().await;
    drop(cluster);
    standby.promote();
    source(&mut ledger)["url"] = json!(replica.url());
    // The same numbers of rows and of transactions, once more.
    let mut read = Vec::new();
    for _ in 0..3 {
        let insert = "INSERT INTO ledger (id, version) SELECT coalesce(max(id), 0) + 1, 7 FROM ledger";
        for _ in 0..30 {
            replica.execute(insert).await;
        }
        read.push(ledger.project.sync()["streams"][0].clone());
    }
    // Transactions can't be told from those of the tail: one sync reads rows again, and says so.
    let notes = read.iter().map(|stream| stream["notes"].to_string().contains("second time"));
    assert_eq!(notes.collect::<Vec<_>>(), [true, false, false], "{read:#?}");
    let there: BTreeSet<(i64, i64)> = replica
        .query("SELECT id, version FROM ledger")
        .await
        .into_iter()
        .map(|row| match <[Option<String>; 2]>::try_from(row) {
            Ok([Some(id), Some(version)]) => (id.parse().unwrap(), version.parse().unwrap()),
            other => panic!("{other:?}"),
        })
        .collect();
    let rows = ledger.lake.rows(["id", "version"]).await;
    let here: BTreeSet<(i64, i64)> = rows.iter().map(|[id, version]| (*id, *version)).collect();
    let rows_read: u64 = read[1..].iter().filter_map(|stream| stream["rows_read"].as_u64()).sum();
    assert_eq!(rows_read, 60, "later syncs read what is new");
    let before = there.iter().filter(|(_, version)| *version != 7).count();
    assert!(rows.len() - here.len() <= before, "what is new is doubled");
    let lost: Vec<_> = there.difference(&here).collect();
    assert!(lost.is_empty(), "{} rows are lost: {lost:?}", lost.len());
    // What is here and not there is what the old primary alone had.
    assert_eq!(here.difference(&there).count(), 50);
}

#[tokio::test]
async fn transaction_numbers_that_begin_anew_lose_and_double_nothing() {
    let cluster = Cluster::start(Options::default());
    // Numbers go round in a circle of which half is the past: there in three steps.
    for next in [1_500_000_000, 3_000_000_000, u32::MAX - 30] {
        let admin = cluster.database();
        admin.execute("UPDATE pg_database SET datallowconn = true").await;
        for name in admin.query("SELECT datname FROM pg_database").await.into_iter().flatten().flatten() {
            let mut config = admin.config();
            config.dbname(&name);
            let (client, line) = config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(line);
            client.batch_execute("VACUUM FREEZE").await.unwrap();
        }
        drop(admin);
        cluster.restart_at(next);
    }
    let mut ledger = Ledger::of(&cluster, 1, Ledger::incremental_stream(), None).await;
    let number = "SELECT txid_current()";
    let before: u64 = ledger.database.value(number).await.unwrap().parse().unwrap();
    for _ in 0..4 {
        // Some commit late.
        let late = ledger.database.client().await;
        late.batch_execute("BEGIN; SELECT txid_current()").await.unwrap();
        for _ in 0..8 {
            ledger.add(1).await;
        }
        ledger.project.sync();
        late.batch_execute("CREATE TABLE IF NOT EXISTS other (n int); INSERT INTO other VALUES (1); COMMIT")
            .await
            .unwrap();
        ledger.project.sync();
        ledger.lake.is_tidy().await;
    }
    let after: u64 = ledger.database.value(number).await.unwrap().parse().unwrap();
    let circle = 1 << 32;
    assert_ne!(before / circle, after / circle, "{before} to {after} is within one round");
    ledger.recovers().await;
}
