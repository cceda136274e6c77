//! Reading from a standby, with the barrier on its primary.

use lab::{Binaries, Cluster, Options};
use protocol::{ErrorKind, Lifetime};
use serde_json::json;

use crate::harness::{Sync, in_turn, numbers, open};

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
    let mut settled = Sync::incremental(&database, "public.t", "at").await.settled();
    assert_eq!(settled.rows().await.len(), 1);
    standby.catch_up(&cluster).await;
    standby.promote();
    let promoted = standby.database(&database);
    promoted.execute("INSERT INTO t VALUES (2)").await;
    sync.source = open(&promoted.url(), json!({})).await;
    let mut settled = Sync {
        source: sync.source.clone(),
        stream: sync.stream.clone(),
        state: settled.state,
        parallelism: 4,
        sweep: false,
        told: std::sync::Mutex::default(),
    };
    settled = settled.settled();
    let (rows, notes) = sync.noted().await.unwrap();
    // It may have given out numbers of transactions again that the first one had used.
    assert_eq!(rows.len(), 2);
    assert!(notes.iter().any(|note| note.contains("timeline 1 is now 2")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("again, most of them for a second time")), "{notes:?}");
    sync.stream.options.remove("sweep");
    promoted.execute("INSERT INTO t VALUES (3)").await;
    assert_eq!(sync.rows().await.len(), 1);
    assert_eq!(settled.rows().await.len(), 2, "windows go on where the last one ended");
}

#[tokio::test]
async fn one_address_may_stand_for_several_replicas() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT clock_timestamp(), pad text); \
             INSERT INTO t SELECT i, now(), repeat('x', 500) FROM generate_series(1, 30000) i; ANALYZE t; \
             CREATE TABLE u (n int8)",
        )
        .await;
    let standbys = [cluster.standby(), cluster.standby_with(&[("recovery_min_apply_delay", "500ms")])];
    for standby in &standbys {
        standby.catch_up(&cluster).await;
    }
    let port = in_turn(standbys.iter().map(lab::postgres::Standby::port).collect()).await;
    let source = open(&database.url(), json!({ "read_from": { "host": "127.0.0.1", "port": port } })).await;
    let mut full = Sync::full_of(std::sync::Arc::clone(&source), "public.t").await;
    full.stream.schema = std::sync::Arc::new(full.stream.schema.project(&[0]).unwrap());
    let plan = full.plan().await.unwrap();
    assert!(plan.partitions.len() >= 4);
    assert_eq!(full.read_all(&plan).await.unwrap(), numbers(1, 30000));
    full.source.close().await;
    let mut times = full.by("at");
    let mut values = Sync::full_of(source, "public.u").await.by("n");
    let (mut by_time, mut by_value) = (times.rows().await, Vec::new());
    for round in 0..6 {
        let rows = format!("SELECT {round} * 10 + i FROM generate_series(1, 10) i");
        database.execute(&format!("INSERT INTO t (id) {rows}; INSERT INTO u {rows}")).await;
        let plan = times.plan_for(Lifetime::Detached).await.unwrap();
        times.source.close().await;
        by_time.extend(times.read_all(&plan).await.unwrap());
        times.source.close().await;
        times.state = Some(plan.next);
        by_value.extend(values.rows().await);
    }
    // Where the last value was asked for, it may not have come yet.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    by_value.extend(values.rows().await);
    by_value.sort();
    assert_eq!(by_time.len(), 30060);
    assert_eq!(by_value, numbers(1, 60));
}
