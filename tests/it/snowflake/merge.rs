//! `write: merge`: one row for each key.

use serde_json::json;

use super::{World, text};

fn merging() -> serde_json::Value {
    json!({ "cursor": "updated_at", "write": "merge", "soft_delete": "deleted" })
}

async fn change(world: &World) {
    world
        .database
        .execute(
            "UPDATE payments SET note = 'changed', updated_at = clock_timestamp() WHERE id = 2; \
             UPDATE payments SET deleted = true, updated_at = clock_timestamp() WHERE id = 3; \
             INSERT INTO payments (id, note, deleted) VALUES (5, 'new', false), (6, 'gone', true)",
        )
        .await;
}

#[tokio::test]
async fn rows_take_the_place_of_those_with_their_key() {
    let world = World::new(4, merging()).await;
    world.project.sync();
    change(&world).await;
    let report = world.project.sync();
    let rows = world.query("SELECT ID, NOTE, DELETED FROM LAKE.PAYMENTS ORDER BY ID");
    let expected = text(&[
        &["1", "note 1", "NULL"],
        &["2", "changed", "NULL"],
        &["3", "note 3", "true"],
        &["4", "note 4", "NULL"],
        &["5", "new", "false"],
        &["6", "gone", "true"],
    ]);
    assert_eq!(rows, expected);
    assert_eq!(report["streams"][0]["write_mode"], "merge");
    let queries = report["spent"]["queries"].to_string();
    assert!(queries.contains("merge"), "{queries}");
    world.is_clean();
}

#[tokio::test]
async fn deleted_rows_go_where_that_is_asked_for() {
    let mut world = World::new(4, merging()).await;
    world.project = world.project.destination("deletes", "hard");
    world.project.sync();
    change(&world).await;
    world.project.sync();
    assert_eq!(world.ids(), [1, 2, 4, 5]);
}

#[tokio::test]
async fn a_full_refresh_may_be_merged_again_and_again() {
    let world = World::new(4, json!({ "mode": "full_refresh", "write": "merge" })).await;
    world.project.sync();
    world.database.execute("UPDATE payments SET note = 'x'").await;
    world.project.sync();
    world.has(4);
    assert_eq!(world.query("SELECT DISTINCT NOTE FROM LAKE.PAYMENTS"), text(&[&["x"]]));
}

#[tokio::test]
async fn what_has_no_key_is_not_merged() {
    let world = World::new(1, merging()).await;
    world.database.execute("CREATE TABLE keyless (a int)").await;
    let project = world.project.stream(json!({ "name": "public.keyless", "write": "merge" }));
    let report = project.sync_exits(78);
    assert!(report.to_string().contains("needs a primary key"), "{report:#}");
}
