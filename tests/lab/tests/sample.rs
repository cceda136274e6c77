//! The sample is what it promises: as many rows, the same on every server, quick to make.

use std::time::Instant;

use lab::bulk;
use lab::postgres::{Binaries, Cluster};
use lab::sample::{self, Touched};
use workload::Scale;

#[tokio::test]
async fn is_the_same_on_every_server() {
    let mut seen = Vec::new();
    for binaries in Binaries::all() {
        let cluster = Cluster::shared_major(binaries.major()).unwrap();
        let database = cluster.database();
        let client = database.client().await;
        sample::payments(&client, 3_000).await;
        sample::customers(&client, 500).await;
        sample::order_items(&client, 900).await;
        let mut sums = Vec::new();
        for table in ["payments", "customers", "order_items"] {
            let sum = format!(
                "SELECT count(*) || ' ' || md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t"
            );
            sums.push(database.value(&sum).await.unwrap());
        }
        println!("{}: {sums:?}", cluster.major());
        seen.push(sums);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
    assert!(
        seen[0][0].starts_with("3000 ") && seen[0][1].starts_with("500 ") && seen[0][2].starts_with("900 ")
    );
}

#[tokio::test]
async fn has_the_values_that_trip_readers() {
    let database = Cluster::shared().database();
    let client = database.client().await;
    sample::payments(&client, 10_000).await;
    let shape = "SELECT count(*) FILTER (WHERE reason IS NULL) BETWEEN 5000 AND 9900,
                        count(*) FILTER (WHERE labels = '{}') > 500,
                        count(*) FILTER (WHERE labels[3] = 'say \"a,b\"') > 500,
                        count(*) FILTER (WHERE fee IS NULL) > 1000,
                        count(*) FILTER (WHERE settled_on IS NULL) > 1000,
                        count(*) FILTER (WHERE is_test) BETWEEN 50 AND 500,
                        count(DISTINCT currency) = 8,
                        count(DISTINCT details->'address'->>'city') = 5,
                        count(*) > count(DISTINCT updated_at),
                        bool_and(updated_at >= created_at - interval '1 second') AND max(updated_at) < '2026-01-01'
                 FROM payments";
    let row = database.query(shape).await.remove(0);
    assert!(row.iter().all(|value| value.as_deref() == Some("t")), "{row:?}");
}

#[tokio::test]
async fn touches_as_many_rows_as_asked() {
    let database = Cluster::shared().database();
    let client = database.client().await;
    sample::payments(&client, 1_000).await;
    assert_eq!(sample::touch(&client, 37, 12).await, Touched { updated: 37, inserted: 12 });
    assert_eq!(sample::touch(&client, 0, 0).await, Touched { updated: 0, inserted: 0 });
    let recent =
        "SELECT count(*) || ' ' || max(id) FROM payments WHERE updated_at > now() - interval '1 hour'";
    assert_eq!(database.value(recent).await.as_deref(), Some("49 1012"));
}

#[tokio::test]
async fn makes_all_three_tables() {
    let database = Cluster::shared().database();
    let start = Instant::now();
    sample::create(&database.client().await, 20_000).await;
    println!("20,000 payments, 100,000 customers, 500,000 order items: {:?}", start.elapsed());
    for (table, rows) in [("payments", "20000"), ("customers", "100000"), ("order_items", "500000")] {
        let count = database.value(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(count.as_deref(), Some(rows), "{table}");
    }
}

#[tokio::test]
async fn the_tables_to_measure_with_are_what_they_are_meant_to_be() {
    let database = Cluster::shared().database();
    bulk::create(&database.client().await, Scale::new(0.005).unwrap()).await;
    let payments = "SELECT count(*) = 15000 AND count(DISTINCT payment_id) = 15000 AND count(DISTINCT status) = 8 AND count(status_reason) BETWEEN 500 AND 4000
                       AND bool_and(updated_at >= created_at) AND count(*) FILTER (WHERE tags = '{}') > 3000
                       AND count(*) FILTER (WHERE tags[3] = 'a\"b,c') > 3000 AND count(DISTINCT metadata #>> '{address,city}') = 5
                       AND count(*) FILTER (WHERE date_trunc('second', updated_at) = updated_at) > 1000
                    FROM payments";
    assert_eq!(database.value(payments).await.unwrap(), "t");
    let lineitem =
        "SELECT count(*) BETWEEN 29000 AND 31000 AND min(l_shipdate) < '1992-03-01' AND max(l_linenumber) = 7
                       AND min(l_extendedprice) > 900 AND max(length(l_comment)) BETWEEN 40 AND 44
                    FROM lineitem";
    assert_eq!(database.value(lineitem).await.unwrap(), "t");
}
