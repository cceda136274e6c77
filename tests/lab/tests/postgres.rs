//! Every server the machine has really starts, and does what the lab promises of it.

use std::time::Instant;

use lab::postgres::{Binaries, Cluster, Options};

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
