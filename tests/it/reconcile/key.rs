//! Keys of several columns and of other types, keys that are none, and more keys than fit into memory.

use lab::Cluster;
use serde_json::json;

use super::{counts, ran, reconciled};
use crate::support::Project;

#[tokio::test]
async fn keys_of_several_columns_and_types_are_compared_as_a_whole() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (shop text, id uuid, day date, n int, PRIMARY KEY (shop, id, day)); \
             INSERT INTO t SELECT s, ('00000000-0000-0000-0000-00000000000' || i)::uuid, date '2025-01-01' + i, i \
               FROM generate_series(1, 9) i, unnest(ARRAY['a', 'ab', 'ä''\"']) s",
        )
        .await;
    let project = Project::new(&database).stream(json!({ "name": "public.t", "write": "append" }));
    project.sync();
    assert_eq!(counts(&reconciled(&project, &[], 0)), [27, 0, 0, 0, 0]);
    database
        .execute("DELETE FROM t WHERE shop = 'ä''\"' AND n = 9; DELETE FROM t WHERE shop = 'a' AND n = 1")
        .await;
    let found = reconciled(&project, &["--apply"], 0);
    assert_eq!(counts(&found), [25, 0, 0, 0, 2]);
    assert_eq!(
        found["keys"]["extra"],
        json!([
            { "shop": "a", "id": "00000000-0000-0000-0000-000000000001", "day": "2025-01-02" },
            { "shop": "ä'\"", "id": "00000000-0000-0000-0000-000000000009", "day": "2025-01-10" },
        ])
    );
    assert_eq!(counts(&reconciled(&project, &["--columns", "all"], 0)), [25, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_key_that_identifies_no_row_is_refused() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int, n int); INSERT INTO t VALUES (1, 1), (NULL, 2), (3, 2)").await;
    let mut project = Project::new(&database).stream(json!({ "name": "public.t" }));
    project.sync();
    ran(&project, &[]).exits(78).says("no key to compare rows by").says("set `primary_key`");
    let mut with_key = |key: &str| {
        project.configuration()["connections"]["db_to_lake"]["streams"][0]["primary_key"] = json!([key]);
        ran(&project, &[]).exits(65)
    };
    with_key("id").says("key column \"id\" is NULL in some rows");
    with_key("n").says("several rows of the source have the same key");
}

#[tokio::test]
async fn more_keys_than_fit_into_memory_take_several_passes_to_the_same_answer() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, n int, updated_at timestamptz DEFAULT '2025-01-01'); \
             INSERT INTO t SELECT i, i FROM generate_series(1, 60000) i",
        )
        .await;
    let project =
        Project::new(&database).stream(json!({ "name": "public.t", "cursor": "updated_at", "lag": "0s" }));
    project.sync();
    database
        .execute(
            "DELETE FROM t WHERE id % 1000 = 7; UPDATE t SET n = 0 WHERE id % 2000 = 1; \
             INSERT INTO t SELECT -i, i FROM generate_series(1, 5) i",
        )
        .await;
    let (all, little) = (["--columns", "all"], ["--columns", "all", "--memory", "2MiB"]);
    let at_once = reconciled(&project, &all, 65);
    let in_parts = reconciled(&project, &little, 65);
    assert_eq!(at_once["passes"], 1);
    assert!(in_parts["passes"].as_u64().is_some_and(|passes| passes >= 4), "{in_parts:#}");
    assert_eq!(counts(&at_once), [60_000 - 60 - 30, 0, 5, 30, 60]);
    assert_eq!(counts(&in_parts), counts(&at_once));
    for number in ["source_rows", "target_rows"] {
        assert_eq!(in_parts[number], at_once[number], "{number}");
    }
    let applied = reconciled(&project, &["--apply", "--memory", "2MiB"], 65);
    assert_eq!(applied["marked"], 60);
    assert_eq!(counts(&reconciled(&project, &little, 65)), [60_000 - 60 - 30, 0, 5, 30, 0]);
}
