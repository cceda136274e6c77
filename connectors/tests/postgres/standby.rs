//! Reading from a standby, with the barrier on its primary.

use lab::{Binaries, Cluster, Options};
use protocol::ErrorKind;
use serde_json::json;

use crate::harness::{Sync, numbers, open};

#[tokio::test]
async fn a_standby_of_every_major_is_read_only_once_it_has_replayed_the_barrier() {
    let majors: std::collections::BTreeSet<u32> = Binaries::all().iter().map(Binaries::major).collect();
    for major in majors {
        let cluster = Cluster::start(Options::default().binaries(Binaries::of_major(major).unwrap()));
        let database = cluster.database();
        database.execute("CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT clock_timestamp())").await;
        let standby = cluster.standby_with(&[("recovery_min_apply_delay", "400ms")]);
        standby.catch_up(&cluster).await;
        let replica = standby.database(&database);
        let source = open(&database.url(), json!({ "read_from": { "url": replica.url() } })).await;
        let mut sync = Sync::full_of(source, "public.t").await.by("at");
        sync.stream.schema = std::sync::Arc::new(sync.stream.schema.project(&[0]).unwrap());
        let mut seen = Vec::new();
        for round in 0..3 {
            let insert = format!("INSERT INTO t SELECT {round} * 10 + i FROM generate_series(1, 10) i");
            database.execute(&insert).await;
            seen.extend(sync.rows().await);
        }
        seen.sort();
        assert_eq!(seen, numbers(1, 30), "PostgreSQL {major}: all that was committed before each sync");
    }
}

#[tokio::test]
async fn a_replica_of_another_cluster_is_refused() {
    let cluster = Cluster::start(Options::default());
    let (database, other) = (cluster.database(), Cluster::shared().database());
    for one in [&database, &other] {
        one.execute("CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now())").await;
    }
    let source = open(&database.url(), json!({ "read_from": { "url": other.url() } })).await;
    let mut sync = Sync::full_of(source, "public.t").await.by("at");
    let error = sync.error().await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
}

#[tokio::test]
async fn a_promoted_standby_is_gone_on_with() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database
        .execute("CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()); INSERT INTO t VALUES (1)")
        .await;
    let standby = cluster.standby();
    let mut sync = Sync::incremental(&database, "public.t", "at").await;
    assert_eq!(sync.rows().await.len(), 1);
    standby.catch_up(&cluster).await;
    standby.promote();
    let promoted = standby.database(&database);
    promoted.execute("INSERT INTO t VALUES (2)").await;
    sync.source = open(&promoted.url(), json!({})).await;
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(notes.iter().any(|note| note.contains("timeline 1 is now 2")), "{notes:?}");
}
