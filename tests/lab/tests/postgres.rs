//! Every server the machine has really starts, and does what the lab promises of it.

use std::time::Instant;

use lab::postgres::{Binaries, Cluster, Options};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

#[tokio::test]
async fn every_server_found_starts_and_serves_a_database() {
    let all = Binaries::all();
    assert!(!all.is_empty(), "no PostgreSQL found: run tests/setup");
    for binaries in all {
        let start = Instant::now();
        let cluster = Cluster::start(Options::default().binaries(binaries.clone()));
        let started = start.elapsed();
        let database = cluster.database();
        let version = database.value("SHOW server_version").await.unwrap();
        println!("{version}: TLS {}, started in {started:?}: {binaries:?}", binaries.has_tls());
        assert!(version.starts_with(&cluster.major().to_string()), "{version}");
        assert_eq!(database.value("SHOW server_encoding").await.as_deref(), Some("UTF8"));
        let name = database.name().to_owned();
        database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (NULL)").await;
        let rows = database.query("SELECT id, 'x' FROM t ORDER BY id").await;
        let x = || Some("x".to_owned());
        assert_eq!(rows, [vec![Some("1".to_owned()), x()], vec![None, x()]]);
        drop(database);
        let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        assert_eq!(cluster.database().value(&left).await.as_deref(), Some("0"));
    }
}

#[tokio::test]
async fn a_role_reaches_what_it_is_granted_and_goes_with_its_database() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    database.execute("CREATE TABLE seen (id int); CREATE TABLE hidden (id int)").await;
    let role = database.role("reader", "GRANT SELECT ON seen TO {role}");
    let connect = tokio_postgres::connect(&database.url_of(&role), NoTls).await;
    let (client, connection) = connect.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SELECT * FROM seen").await.unwrap();
    let refused = client.batch_execute("SELECT * FROM hidden").await.unwrap_err();
    assert_eq!(refused.code().map(SqlState::code), Some("42501"));
    let wrong = database.url_as(&role.name, "wrong");
    let refused = tokio_postgres::connect(&wrong, NoTls).await.err().unwrap();
    assert_eq!(refused.code().map(SqlState::code), Some("28P01"));
    // A transaction prepared and left, and a connection still open, do not keep it.
    database.execute("BEGIN; INSERT INTO seen VALUES (1); PREPARE TRANSACTION 'left'").await;
    drop(database);
    let left = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{}'", role.name);
    assert_eq!(cluster.database().value(&left).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn keeps_its_data_and_port_over_a_restart_and_a_crash() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database.execute("CREATE TABLE t (id int)").await;
    for restart in [Cluster::restart, Cluster::crash] {
        let (url, pid) = (database.url(), cluster.pid());
        database.execute("INSERT INTO t VALUES (1)").await;
        restart(&cluster);
        assert_eq!(database.url(), url);
        assert_ne!(cluster.pid(), pid);
    }
    assert_eq!(database.value("SELECT count(*) FROM t").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn an_md5_cluster_stores_and_asks_md5() {
    let cluster = Cluster::start(Options::default().md5());
    let database = cluster.database();
    let role = cluster.role("old \"hand\"");
    let stored = "SELECT count(*) FROM pg_authid WHERE rolcanlogin AND rolpassword LIKE 'md5%'";
    assert_eq!(database.value(stored).await.as_deref(), Some("2"));
    for url in [database.url(), database.url_of(&role)] {
        tokio_postgres::connect(&url, NoTls).await.map(drop).unwrap();
    }
}

#[tokio::test]
async fn settings_reach_the_server() {
    let cluster = Cluster::start(Options::default().logical().setting("max_connections", "17"));
    let database = cluster.database();
    assert_eq!(database.value("SHOW wal_level").await.as_deref(), Some("logical"));
    assert_eq!(database.value("SHOW max_connections").await.as_deref(), Some("17"));
}

#[tokio::test]
async fn a_standby_of_every_server_replays_what_its_primary_does() {
    for binaries in Binaries::all() {
        let cluster = Cluster::start(Options::default().binaries(binaries));
        let database = cluster.database();
        database.execute("CREATE TABLE t (id int)").await;
        let start = Instant::now();
        let standby = cluster.standby_with(&[("max_standby_streaming_delay", "3s")]);
        println!("a standby of {} started in {:?}", cluster.major(), start.elapsed());
        let copy = standby.database(&database);
        database.execute("INSERT INTO t VALUES (42)").await;
        standby.catch_up(&cluster).await;
        assert_eq!(copy.value("SELECT id FROM t").await.as_deref(), Some("42"));
        assert_eq!(copy.value("SHOW hot_standby_feedback").await.as_deref(), Some("on"));
        assert_eq!(copy.value("SHOW max_standby_streaming_delay").await.as_deref(), Some("3s"));
        let (client, connection) = tokio_postgres::connect(&copy.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let refused = client.batch_execute("INSERT INTO t VALUES (43)").await.unwrap_err();
        assert_eq!(refused.code().map(SqlState::code), Some("25006"));
        standby.promote();
        copy.execute("INSERT INTO t VALUES (44)").await;
    }
}
