//! Rows that the source marks as deleted instead of deleting them.

use lab::Cluster;
use serde_json::json;

use super::{counts, current, keys, reconciled};
use crate::support::{Project, until};

#[tokio::test]
async fn marked_rows_are_counted_and_are_deleted_on_both_sides() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, updated_at timestamptz, deleted_at timestamptz); \
             INSERT INTO t SELECT i, '2025-01-01' FROM generate_series(1, 10) i; \
             UPDATE t SET deleted_at = '2025-01-01' WHERE id <= 2",
        )
        .await;
    let project = Project::new(&database).stream(json!({
        "name": "public.t", "cursor": "updated_at", "lag": "0s", "soft_delete": "deleted_at",
        "options": { "sweep": "never" }
    }));
    let first = project.sync();
    assert_eq!(first["streams"][0]["soft_deleted"], 2);
    let clean = reconciled(&project, &[], 0);
    assert_eq!((counts(&clean), &clean["soft_deleted"]), ([8, 0, 0, 0, 0], &json!(2)));

    // Purged after it was marked; marked since the last sync; marked with an old stamp; deleted at once;
    // marked and never synced.
    database
        .execute(
            "DELETE FROM t WHERE id = 1; \
             UPDATE t SET deleted_at = now(), updated_at = now() WHERE id = 3; \
             UPDATE t SET deleted_at = now() WHERE id = 4; \
             DELETE FROM t WHERE id = 5; \
             INSERT INTO t VALUES (11, '2025-01-01', '2025-01-01')",
        )
        .await;
    let found = reconciled(&project, &["--apply"], 65);
    assert_eq!(counts(&found), [5, 1, 0, 1, 1]);
    assert_eq!((keys(&found, "differing"), keys(&found, "extra")), (vec!["4"], vec!["5"]));
    assert_eq!(found["soft_deleted"], 2);
    until("the marked row", || project.sync()["streams"][0]["soft_deleted"] == 1);
    let left = reconciled(&project, &[], 65);
    assert_eq!(counts(&left), [5, 0, 0, 1, 0]);
    let ids: Vec<_> = current(&project, "id", "deleted_at IS NULL").into_iter().flatten().flatten().collect();
    assert_eq!(ids, ["4", "6", "7", "8", "9", "10"]);
}

#[tokio::test]
async fn a_flag_marks_rows_as_well_and_another_type_is_refused() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int PRIMARY KEY, is_gone boolean NOT NULL, name text); \
             INSERT INTO t VALUES (1, true, 'a'), (2, false, 'b'), (3, true, 'c')",
        )
        .await;
    let stream = |column: &str| json!({ "name": "public.t", "soft_delete": column });
    let project = Project::new(&database).stream(stream("is_gone"));
    assert_eq!(project.sync()["streams"][0]["soft_deleted"], 2);
    let clean = reconciled(&project, &[], 0);
    assert_eq!((counts(&clean), &clean["soft_deleted"]), ([1, 0, 0, 0, 0], &json!(2)));
    let project = Project::new(&database).stream(stream("name"));
    project.run(&["sync"]).exits(78).says("`soft_delete` names column \"name\", which is Utf8");
}
