//! Rows that were deleted at the source.

use lab::{Cluster, Database, S3};
use serde_json::json;

use super::{counts, current, keys, reconciled};
use crate::cli::run::Place;
use crate::support::{Lake, Project, violations};

/// Ten rows, a day apart.
async fn table() -> Database {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, amount numeric(10, 2), updated_at timestamptz NOT NULL); \
             INSERT INTO t SELECT i, i * 1.5, timestamptz '2025-01-01' + i * interval '1 day' FROM generate_series(1, 10) i",
        )
        .await;
    database
}

fn project(database: &Database) -> Project {
    Project::new(database).stream(json!({ "name": "public.t", "cursor": "updated_at", "lag": "0s" }))
}

#[track_caller]
fn is_current(project: &Project, expected: &[Vec<Option<String>>]) {
    assert_eq!(current(project, "id, amount", "true"), expected);
}

#[tokio::test]
async fn deleted_rows_are_found_marked_and_gone_from_the_current_image() {
    let database = table().await;
    let project = project(&database);
    project.sync();
    let clean = reconciled(&project, &[], 0);
    assert_eq!(counts(&clean), [10, 0, 0, 0, 0]);
    assert_eq!((&clean["outcome"], &clean["passes"]), (&json!("clean"), &json!(1)));

    database.execute("DELETE FROM t WHERE id IN (2, 3, 10)").await;
    let lake = Lake::in_directory(&project.path("lake"), "public.t");
    let (files, commits) = (lake.files().await, lake.commits().await.len());
    let found = reconciled(&project, &[], 65);
    assert_eq!(counts(&found), [7, 0, 0, 0, 3]);
    assert_eq!(keys(&found, "extra"), ["10", "2", "3"]);
    assert_eq!((lake.files().await, lake.commits().await.len()), (files, commits), "looking changes nothing");

    let before = lake.commits().await.pop().expect("a sync was committed");
    let applied = reconciled(&project, &["--apply"], 0);
    assert_eq!((&applied["extra"], &applied["marked"]), (&json!(3), &json!(3)));
    let after = lake.commits().await.pop().expect("tombstones were committed");
    assert_eq!(after["state"], before["state"], "the state is the sync's alone");
    assert_eq!(after["sequence"].as_u64(), before["sequence"].as_u64().map(|sequence| sequence + 1));
    lake.is_tidy().await;
    assert_eq!(lake.ids().await.len(), 13);

    assert_eq!(counts(&reconciled(&project, &["--columns", "all"], 0)), [7, 0, 0, 0, 0]);
    let again = reconciled(&project, &["--apply"], 0);
    assert_eq!(again["marked"], 0);
    assert_eq!(lake.commits().await.len(), commits + 1, "nothing to mark is no commit");
    is_current(&project, &database.query("SELECT id, amount FROM t ORDER BY t.id").await);
}

#[tokio::test]
async fn a_row_that_comes_back_is_current_again() {
    let database = table().await;
    let project = project(&database);
    project.sync();
    database.execute("DELETE FROM t WHERE id <= 2").await;
    reconciled(&project, &["--apply"], 0);
    database.execute("INSERT INTO t VALUES (1, 99, now())").await;
    // Not synced yet: it is on its way, not missing.
    assert_eq!(counts(&reconciled(&project, &[], 0)), [8, 1, 0, 0, 0]);
    crate::support::until("the new row", || {
        let report = project.sync();
        // The column that marks deleted rows is no change of the source.
        assert_eq!(report["streams"][0]["schema_changes"], json!([]));
        report["totals"]["rows_read"] == 1
    });
    assert_eq!(counts(&reconciled(&project, &[], 0)), [9, 0, 0, 0, 0]);
    is_current(&project, &database.query("SELECT id, amount FROM t ORDER BY t.id").await);
}

#[tokio::test]
async fn the_column_has_the_name_that_is_configured_and_does_not_break_a_frozen_schema() {
    let database = table().await;
    let names = json!({ "deleted_at": "gone", "extracted_at": "seen", "row_id": "row", "sync_id": "by" });
    let project = Project::new(&database).connection("metadata", names).stream(json!({
        "name": "public.t", "cursor": "updated_at", "lag": "0s", "on_drift": "freeze"
    }));
    project.sync();
    database.execute("DELETE FROM t WHERE id = 4").await;
    reconciled(&project, &["--apply"], 0);
    project.sync();
    let lake = project.lake("public.t");
    let rows = project.duckdb(&format!(
        "SELECT count(*), count(gone), count(DISTINCT row), count(seen), any_value(id) FILTER (gone IS NOT NULL), \
                any_value(amount) FILTER (gone IS NOT NULL), typeof(any_value(gone)) \
           FROM read_parquet('{lake}/**/*.parquet')"
    ));
    let texts: Vec<&str> = rows[0].iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
    assert_eq!(texts, ["11", "1", "11", "11", "4", "6.00", "TIMESTAMP WITH TIME ZONE"]);
}

#[tokio::test]
async fn a_frozen_schema_without_the_column_gets_it_all_the_same() {
    let database = table().await;
    let project = Project::new(&database).stream(json!({
        "name": "public.t", "cursor": "updated_at", "lag": "0s", "on_drift": "freeze"
    }));
    project.sync();
    database.execute("DELETE FROM t WHERE id = 4").await;
    reconciled(&project, &["--apply"], 0);
    assert_eq!(project.sync()["streams"][0]["schema_changes"], json!([]));
    assert_eq!(current(&project, "id", "true").len(), 9);
}

#[tokio::test]
async fn a_stream_that_overwrites_is_compared_and_left_to_its_next_sync() {
    let database = table().await;
    let project = Project::new(&database).stream(json!({ "name": "public.t" }));
    project.sync();
    assert_eq!(counts(&reconciled(&project, &["--columns", "all"], 0)), [10, 0, 0, 0, 0]);
    database.execute("DELETE FROM t WHERE id = 5; UPDATE t SET amount = 0 WHERE id = 6").await;
    let found = reconciled(&project, &["--columns", "all", "--apply"], 65);
    assert_eq!(counts(&found), [8, 0, 0, 1, 1]);
    assert_eq!(found["marked"], 0);
    assert!(found["notes"][0].as_str().is_some_and(|note| note.contains("replaces all rows")), "{found:#}");
    project.sync();
    assert_eq!(counts(&reconciled(&project, &["--columns", "all"], 0)), [9, 0, 0, 0, 0]);
}

#[tokio::test]
async fn the_report_is_as_its_schema_says_and_shows_keys_only_on_request() {
    let database = table().await;
    let project = project(&database);
    let never = project.run(&["reconcile", "-o", "json"]).exits(0).json();
    assert_eq!(never["streams"][0]["pending"], 10, "before the first sync everything is on its way");
    project.sync();
    database.execute("DELETE FROM t WHERE id = 7").await;
    let schema = Place::new().run(&["schema", "--report", "reconcile"]).exits(0).json();
    let report = project.run(&["reconcile", "-o", "json"]).exits(65).json();
    assert_eq!(violations(&report, &schema), [""; 0]);
    assert_eq!(report["streams"][0]["keys"]["extra"], json!([]));
    let shown = project.run(&["reconcile", "--show-keys", "1"]).exits(65);
    shown.prints("public.t extra id=7").says("`--apply` marks extra rows as deleted");
}

#[tokio::test]
async fn rows_in_a_bucket_are_compared_and_marked_in_their_folders() {
    let (database, bucket) = (table().await, S3::shared().bucket());
    let project =
        project(&database).in_bucket(&bucket).destination("folders", json!({ "column": "updated_at" }));
    project.sync();
    database.execute("DELETE FROM t WHERE id IN (3, 7)").await;
    assert_eq!(counts(&reconciled(&project, &["--columns", "all", "--apply"], 0)), [8, 0, 0, 0, 2]);
    assert_eq!(counts(&reconciled(&project, &["--columns", "all"], 0)), [8, 0, 0, 0, 0]);
    let lake = Lake::in_bucket(&bucket, "public.t");
    let days = lake.files().await.into_keys().filter(|path| path.starts_with("updated_at_day=2025-01-04/"));
    assert_eq!(days.count(), 2, "a tombstone lies in its row's folder");
    lake.is_tidy().await;
    is_current(&project, &database.query("SELECT id, amount FROM t ORDER BY t.id").await);
}

#[tokio::test]
async fn a_source_that_lost_most_rows_is_taken_for_the_wrong_one() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, updated_at timestamptz DEFAULT '2025-01-01'); \
             INSERT INTO t SELECT generate_series(1, 2100)",
        )
        .await;
    let project = project(&database);
    project.sync();
    database.execute("DELETE FROM t WHERE id > 700").await;
    let lake = Lake::in_directory(&project.path("lake"), "public.t");
    let before = (lake.files().await, lake.commits().await);
    let refused = reconciled(&project, &["--apply"], 78);
    let message = refused["error"]["message"].as_str().expect("it failed");
    assert!(message.starts_with("1400 of 2100 rows would be marked"), "{message}");
    assert_eq!(refused["marked"], 0);
    assert!((lake.files().await, lake.commits().await) == before, "nothing was changed");
    lake.is_tidy().await;
    assert_eq!(reconciled(&project, &["--apply", "--force"], 0)["marked"], 1400);
    assert_eq!(counts(&reconciled(&project, &[], 0)), [700, 0, 0, 0, 0]);
}
