//! Everything that holds rows, read as a whole and in parts.

use std::sync::Arc;

use lab::{Binaries, Cluster, Options};
use protocol::{Grain, Lifetime};
use serde_json::json;

use crate::harness::{Sync, numbers, open};

/// About 30 MB, in several parts.
const LARGE: &str = "CREATE TABLE t (id int PRIMARY KEY, balance int NOT NULL, pad text); \
                     INSERT INTO t SELECT i, 100, repeat('x', 500) FROM generate_series(1, 50000) i; ANALYZE t";

#[tokio::test]
async fn parts_of_a_table_that_is_being_written_are_one_snapshot() {
    let database = Cluster::shared().database();
    database.execute(LARGE).await;
    let mut sync = Sync::full(&database, "public.t").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0, 1]).unwrap());
    let writer = database.client().await;
    let writing = tokio::spawn(async move {
        for round in 0.. {
            // Rows move to other blocks, money from one to another.
            let transfer = format!(
                "UPDATE t SET balance = balance + CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END \
                 WHERE id BETWEEN {0} AND {0} + 999",
                1 + (round * 1000) % 49000
            );
            if writer.batch_execute(&transfer).await.is_err() {
                return;
            }
        }
    });
    for _ in 0..3 {
        let plan = sync.plan().await.unwrap();
        assert!(plan.partitions.len() >= 4, "{:?}", plan.partitions);
        assert_eq!(plan.grain, Grain::Plan);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let rows = sync.read_all(&plan).await.unwrap();
        sync.source.close().await;
        let mut ids: Vec<&str> = rows.iter().map(|row| row.split_once('|').unwrap().0).collect();
        let sum: i64 = rows.iter().map(|row| row.split_once('|').unwrap().1.parse::<i64>().unwrap()).sum();
        assert_eq!(ids.len(), 50000);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 50000, "each row once");
        assert_eq!(sum, 5_000_000, "all parts see one moment");
    }
    writing.abort();
}

#[tokio::test]
async fn every_major_reads_every_kind_of_relation() {
    let majors: std::collections::BTreeSet<u32> = Binaries::all().iter().map(Binaries::major).collect();
    for major in majors {
        let cluster = Cluster::shared_major(major).unwrap();
        let database = cluster.database();
        database
            .execute(&format!(
                "{LARGE}; CREATE TABLE empty (id int); CREATE TABLE bare (); INSERT INTO bare DEFAULT VALUES; \
                 CREATE TABLE keyless (id int); INSERT INTO keyless SELECT generate_series(1, 10); \
                 CREATE VIEW v AS SELECT id FROM keyless WHERE id > 5; \
                 CREATE MATERIALIZED VIEW m AS SELECT id FROM keyless; \
                 CREATE TABLE parent (id int); CREATE TABLE heir (more text) INHERITS (parent); \
                 INSERT INTO parent VALUES (1); INSERT INTO heir VALUES (2, 'x')"
            ))
            .await;
        for (name, expected) in [
            ("public.t", 50000),
            ("public.empty", 0),
            ("public.bare", 1),
            ("public.keyless", 10),
            ("public.v", 5),
            ("public.m", 10),
            ("public.parent", 2),
            ("public.heir", 1),
        ] {
            let mut sync = Sync::full(&database, name).await;
            let plan = sync.plan().await.unwrap();
            assert!(
                name != "public.t" || plan.partitions.len() > 1,
                "PostgreSQL {major}: {name} in one part"
            );
            assert_eq!(sync.read_all(&plan).await.unwrap().len(), expected, "PostgreSQL {major}: {name}");
            sync.source.close().await;
            assert_eq!(sync.rows().await.len(), expected, "PostgreSQL {major}: {name}");
        }
        let mut sync = Sync::incremental(&database, "public.t", "id").await;
        assert_eq!(sync.rows().await.len(), 50000, "PostgreSQL {major}");
        database.execute("INSERT INTO t VALUES (50001, 1, '')").await;
        assert_eq!(sync.rows().await, ["50001|1|"], "PostgreSQL {major}");
    }
}

#[tokio::test]
async fn partitions_with_columns_in_another_order_are_read_by_name() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (gone int, id int, name text, at timestamptz) PARTITION BY RANGE (id); \
             ALTER TABLE t DROP COLUMN gone; \
             CREATE TABLE one PARTITION OF t FOR VALUES FROM (1) TO (100); \
             CREATE TABLE two (at timestamptz, gone text, name text, id int); ALTER TABLE two DROP COLUMN gone; \
             ALTER TABLE t ATTACH PARTITION two FOR VALUES FROM (100) TO (200); \
             CREATE TABLE three PARTITION OF t FOR VALUES FROM (200) TO (300) PARTITION BY LIST (name); \
             CREATE TABLE four PARTITION OF three DEFAULT; \
             INSERT INTO t SELECT i, 'n' || i, now() FROM generate_series(1, 299) i; \
             ALTER TABLE t ADD COLUMN pad text; UPDATE t SET pad = repeat('x', 1000); \
             INSERT INTO t SELECT 1 + i % 299, 'm' || i, now(), repeat('x', 1000) FROM generate_series(1, 20000) i; \
             ANALYZE t",
        )
        .await;
    let mut sync = Sync::full(&database, "public.t").await;
    let fields = ["id", "name"].map(|name| sync.stream.schema.index_of(name).unwrap());
    sync.stream.schema = Arc::new(sync.stream.schema.project(&fields).unwrap());
    let plan = sync.plan().await.unwrap();
    assert!(plan.partitions.len() > 3, "{:?}", plan.partitions);
    let mut expected: Vec<String> = (1..=299).map(|id| format!("{id}|n{id}")).collect();
    expected.extend((1..=20000).map(|row| format!("{}|m{row}", 1 + row % 299)));
    expected.sort();
    assert_eq!(sync.read_all(&plan).await.unwrap(), expected);
    let mut sync = sync.by("at");
    assert_eq!(sync.rows().await, expected);
    assert_eq!(sync.rows().await, [""; 0]);
}

#[tokio::test]
async fn a_right_on_the_parent_alone_is_enough() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz DEFAULT now(), pad text) PARTITION BY RANGE (id); \
             CREATE TABLE one PARTITION OF t FOR VALUES FROM (1) TO (20000); \
             CREATE TABLE two PARTITION OF t FOR VALUES FROM (20000) TO (40000); \
             INSERT INTO t SELECT i, now(), repeat('x', 500) FROM generate_series(1, 30000) i; ANALYZE t",
        )
        .await;
    let role = database.role("reader", "GRANT SELECT ON t TO {role}");
    let source = open(&database.url_of(&role), json!({})).await;
    let mut sync = Sync::full_of(source, "public.t").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    let plan = sync.plan().await.unwrap();
    assert!(plan.partitions.len() > 1, "{:?}", plan.partitions);
    assert_eq!(sync.read_all(&plan).await.unwrap(), numbers(1, 30000));
    let mut sync = sync.by("at");
    assert_eq!(sync.rows().await, numbers(1, 30000));
    database.execute("INSERT INTO t VALUES (30001)").await;
    assert_eq!(sync.rows().await, ["30001"]);
}

#[tokio::test]
async fn a_right_on_some_columns_is_enough_for_these() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz DEFAULT now(), secret text); INSERT INTO t VALUES (1)",
        )
        .await;
    let role = database.role("reader", "GRANT SELECT (id, at) ON t TO {role}");
    let source = open(&database.url_of(&role), json!({})).await;
    let mut sync = Sync::full_of(source, "public.t").await.by("at");
    let id = sync.stream.schema.index_of("id").unwrap();
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[id]).unwrap());
    assert_eq!(sync.rows().await, ["1"]);
    database.execute("INSERT INTO t VALUES (2)").await;
    assert_eq!(sync.rows().await, ["2"]);
}

#[tokio::test]
async fn an_attached_partition_is_read_from_its_beginning() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (id); \
             CREATE TABLE one PARTITION OF t FOR VALUES FROM (1) TO (100); INSERT INTO t VALUES (1); \
             CREATE TABLE two (LIKE t INCLUDING ALL); INSERT INTO two VALUES (101)",
        )
        .await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    assert_eq!(sync.rows().await, ["1"]);
    database.execute("INSERT INTO two VALUES (102)").await;
    database.execute("ALTER TABLE t ATTACH PARTITION two FOR VALUES FROM (101) TO (200)").await;
    database.execute("INSERT INTO t VALUES (2), (103)").await;
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, ["101", "102", "103", "2"]);
    assert!(notes.iter().any(|note| note.contains("\"two\"")), "{notes:?}");
    assert_eq!(sync.rows().await, [""; 0]);
}

#[tokio::test]
async fn a_partition_attached_while_reading_is_read_next_time() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()) PARTITION BY RANGE (id); \
             CREATE TABLE one PARTITION OF t FOR VALUES FROM (1) TO (100); INSERT INTO t VALUES (1); \
             CREATE TABLE two (LIKE t INCLUDING ALL); INSERT INTO two VALUES (101)",
        )
        .await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    let plan = sync.plan().await.unwrap();
    database.execute("ALTER TABLE t ATTACH PARTITION two FOR VALUES FROM (101) TO (200)").await;
    assert_eq!(sync.read_all(&plan).await.unwrap(), ["1"]);
    sync.source.close().await;
    sync.state = Some(plan.next);
    assert_eq!(sync.rows().await, ["101"]);
    assert_eq!(sync.rows().await, [""; 0]);
}

#[tokio::test]
async fn foreign_tables_are_read() {
    let database = Cluster::shared().database();
    let (port, password) = (Cluster::shared().port(), Cluster::shared().password());
    let name = database.name();
    database
        .execute(&format!(
            "CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()); INSERT INTO t VALUES (1), (2); \
             CREATE EXTENSION postgres_fdw; \
             CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', dbname '{name}'); \
             CREATE USER MAPPING FOR postgres SERVER self OPTIONS (user 'postgres', password '{password}'); \
             CREATE FOREIGN TABLE f (id int, at timestamptz NOT NULL) SERVER self OPTIONS (table_name 't')"
        ))
        .await;
    let mut full = Sync::full(&database, "public.f").await;
    full.stream.schema = Arc::new(full.stream.schema.project(&[0]).unwrap());
    assert_eq!(full.rows().await, ["1", "2"]);
    // Of another target: one that holds a full refresh does not begin increments.
    full.state = None;
    let mut sync = full.by("at");
    assert_eq!(sync.rows().await, ["1", "2"]);
    database.execute("INSERT INTO t VALUES (3)").await;
    assert_eq!(sync.rows().await, ["3"]);
}

#[tokio::test]
async fn foreign_partitions_are_read_among_others() {
    let database = Cluster::shared().database();
    let (port, password) = (Cluster::shared().port(), Cluster::shared().password());
    let name = database.name();
    database
        .execute(&format!(
            "CREATE TABLE far (id int, at timestamptz NOT NULL DEFAULT now(), pad text); INSERT INTO far VALUES (1), (2); \
             CREATE EXTENSION postgres_fdw; \
             CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', dbname '{name}'); \
             CREATE USER MAPPING FOR postgres SERVER self OPTIONS (user 'postgres', password '{password}'); \
             CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now(), pad text) PARTITION BY RANGE (id); \
             CREATE TABLE near PARTITION OF t FOR VALUES FROM (3) TO (100000); \
             CREATE FOREIGN TABLE distant PARTITION OF t FOR VALUES FROM (1) TO (3) SERVER self OPTIONS (table_name 'far'); \
             INSERT INTO near SELECT i, now(), repeat('x', 500) FROM generate_series(3, 30000) i; ANALYZE near"
        ))
        .await;
    let mut full = Sync::full(&database, "public.t").await;
    full.stream.schema = Arc::new(full.stream.schema.project(&[0]).unwrap());
    let plan = full.plan().await.unwrap();
    assert!(plan.partitions.len() > 2, "{:?}", plan.partitions);
    assert_eq!(full.read_all(&plan).await.unwrap(), numbers(1, 30000));
    full.source.close().await;
    let mut sync = full.by("at");
    assert_eq!(sync.rows().await, numbers(1, 30000));
    database.execute("UPDATE far SET at = now() WHERE id = 2; INSERT INTO near VALUES (40000)").await;
    assert_eq!(sync.rows().await, ["2", "40000"]);
}

#[tokio::test]
async fn views_have_increments() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()); INSERT INTO t VALUES (1); \
             CREATE VIEW v AS SELECT id, at FROM t WHERE id % 2 = 1",
        )
        .await;
    let mut sync = Sync::incremental(&database, "public.v", "at").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    assert_eq!(sync.rows().await, ["1"]);
    database.execute("INSERT INTO t VALUES (2), (3)").await;
    assert_eq!(sync.rows().await, ["3"]);
}

#[tokio::test]
async fn a_policy_of_the_parent_is_kept() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, pad text) PARTITION BY RANGE (id); \
             CREATE TABLE one PARTITION OF t FOR VALUES FROM (1) TO (100000); \
             INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 30000) i; ANALYZE t; \
             ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY even ON t USING (id % 2 = 0)",
        )
        .await;
    let role = database.role("reader", "GRANT SELECT ON t, one TO {role}");
    let mut sync = Sync::full_of(open(&database.url_of(&role), json!({})).await, "public.t").await;
    assert_eq!(sync.rows().await.len(), 15000);
}

#[tokio::test]
async fn detached_partitions_are_read_by_anyone() {
    let database = Cluster::shared().database();
    database
        .execute("CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()); INSERT INTO t VALUES (1)")
        .await;
    let mut sync = Sync::incremental(&database, "public.t", "at").await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    let plan = sync.plan_for(Lifetime::Detached).await.unwrap();
    assert_eq!(plan.grain, Grain::Partition);
    sync.source.close().await;
    database.execute("INSERT INTO t VALUES (2)").await;
    sync.source = open(&database.url(), json!({})).await;
    let text = plan.partitions[0].partition.to_string();
    assert_eq!(sync.read(serde_json::from_str(&text).unwrap()).await.unwrap(), ["1"]);
    sync.state = Some(plan.next);
    assert_eq!(sync.rows().await, ["2"]);
}

#[tokio::test]
async fn one_connection_is_enough() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database
        .execute(&format!("{LARGE}; CREATE TABLE u (id int, at timestamptz NOT NULL DEFAULT now())"))
        .await;
    let role = cluster.role("lonely");
    database.execute("GRANT SELECT ON t, u TO lonely; ALTER ROLE lonely CONNECTION LIMIT 1").await;
    let source = open(&database.url_of(&role), json!({ "connections": 1 })).await;
    let one = Sync::full_of(Arc::clone(&source), "public.t").await;
    let two = Sync::full_of(source, "public.u").await.by("at");
    let (first, second) = (one.plan().await.unwrap(), two.plan().await.unwrap());
    let (first, second) = tokio::join!(one.read_all(&first), two.read_all(&second));
    assert_eq!((first.unwrap().len(), second.unwrap().len()), (50000, 0));
}

#[tokio::test]
async fn no_more_sessions_are_open_than_configured() {
    for connections in [2, 3] {
        let cluster = Cluster::start(Options::default());
        let database = cluster.database();
        database
            .execute(&format!("{LARGE}; CREATE TABLE u (id int8); CREATE TABLE w (at timestamptz)"))
            .await;
        let role = cluster.role("few");
        let limit = format!("GRANT SELECT ON t, u, w TO few; ALTER ROLE few CONNECTION LIMIT {connections}");
        database.execute(&limit).await;
        let source = open(&database.url_of(&role), json!({ "connections": connections })).await;
        let mut syncs = vec![Sync::full_of(Arc::clone(&source), "public.t").await];
        syncs.push(Sync::full_of(Arc::clone(&source), "public.t").await.by("id"));
        syncs.push(Sync::full_of(Arc::clone(&source), "public.u").await.by("id"));
        syncs.push(Sync::full_of(Arc::clone(&source), "public.w").await.by("at"));
        for (number, sync) in syncs.iter_mut().enumerate() {
            sync.stream.target = format!("target{number}");
        }
        let plans = futures::future::join_all(syncs.iter().map(Sync::plan)).await;
        let plans: Vec<_> = plans.into_iter().map(Result::unwrap).collect();
        let reads = syncs.iter().zip(&plans).map(|(sync, plan)| sync.read_all(plan));
        let rows: Vec<usize> =
            futures::future::join_all(reads).await.into_iter().map(|rows| rows.unwrap().len()).collect();
        assert_eq!(rows, [50000, 50000, 0, 0]);
    }
}
