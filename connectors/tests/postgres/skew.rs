//! Parts of about as many bytes, wherever in a table they lie.

use lab::{Cluster, Database};
use protocol::{DynPlan, Grain};

use crate::harness::Sync;

const ROWS: usize = 5_000;

/// A table whose last two hundred rows have 64 kB each out of line, and all others hardly anything.
async fn table(database: &Database) {
    let long = "(SELECT string_agg(md5((n + i)::text), '') FROM generate_series(1, 2000) i)";
    database
        .execute(&format!(
            "CREATE TABLE t (id int8, note text, content text) WITH (fillfactor = 20, autovacuum_enabled = off); \
             ALTER TABLE t ALTER content SET STORAGE EXTERNAL; \
             INSERT INTO t SELECT n, md5(n::text), CASE WHEN n > {ROWS} - 200 THEN {long} END \
             FROM generate_series(1, {ROWS}) n"
        ))
        .await;
}

/// Bytes of the rows of each part, and how many rows there are.
async fn read(sync: &Sync, plan: &DynPlan) -> (Vec<usize>, usize) {
    let (mut bytes, mut rows) = (Vec::new(), 0);
    for planned in &plan.partitions {
        let part = sync.read(planned.partition.clone()).await.unwrap();
        bytes.push(part.iter().map(String::len).sum());
        rows += part.len();
    }
    (bytes, rows)
}

#[tokio::test]
async fn values_out_of_line_do_not_end_up_in_one_part() {
    let database = Cluster::shared().database();
    table(&database).await;
    let sync = Sync::full(&database, "public.t").await;
    let plan = sync.plan().await.unwrap();
    assert_eq!(plan.grain, Grain::Plan);
    let (bytes, rows) = read(&sync, &plan).await;
    assert_eq!(rows, ROWS, "each row once");
    let (most, all) = (bytes.iter().max().unwrap(), bytes.iter().sum::<usize>());
    assert!(most * 2 < all, "of {all} bytes one part has {most}: {bytes:?}");
    // What is planned is what is read.
    for (planned, bytes) in plan.partitions.iter().zip(bytes) {
        let planned = usize::try_from(planned.bytes.unwrap()).unwrap();
        assert!(planned.abs_diff(bytes) < all / 5, "{planned} bytes were planned, {bytes} came");
    }
    sync.source.close().await;
}

#[tokio::test]
async fn columns_that_are_not_selected_do_not_weigh() {
    let database = Cluster::shared().database();
    table(&database).await;
    let sync = Sync::full(&database, "public.t").await.ids();
    let plan = sync.plan().await.unwrap();
    let (bytes, rows) = read(&sync, &plan).await;
    assert_eq!(rows, ROWS, "each row once");
    assert!(bytes.iter().max().unwrap() * 3 < bytes.iter().sum::<usize>(), "{bytes:?}");
    sync.source.close().await;
}
