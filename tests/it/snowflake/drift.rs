//! A table that changes between two syncs.

use serde_json::json;

use super::{World, text};

#[tokio::test]
async fn columns_are_added_and_widened() {
    let world = World::new(2, json!({ "mode": "full_refresh", "write": "append" })).await;
    world.project.sync();
    world
        .database
        .execute(
            "ALTER TABLE payments ADD extra jsonb DEFAULT '{\"a\": [1, null]}', DROP note, \
             ALTER id TYPE int8, ALTER amount TYPE numeric(20,4)",
        )
        .await;
    world.project.sync();
    let rows = world.query("SELECT ID, NOTE, EXTRA:a[0], AMOUNT FROM LAKE.PAYMENTS ORDER BY NOTE, ID");
    let expected = text(&[
        &["1", "note 1", "NULL", "1.2500"],
        &["2", "note 2", "NULL", "2.5000"],
        &["1", "NULL", "1", "1.2500"],
        &["2", "NULL", "1", "2.5000"],
    ]);
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn what_would_change_a_meaning_is_refused_naming_the_column() {
    for (change, said) in [
        ("ALTER note TYPE int USING 1", "\"note\" changed from Utf8 to Int32"),
        ("ALTER amount TYPE numeric(18,6)", "\"amount\" changed from NUMBER(18, 4) to NUMBER(20, 6)"),
    ] {
        let world = World::new(2, json!({ "mode": "full_refresh", "write": "append" })).await;
        world.project.sync();
        world.database.execute(&format!("ALTER TABLE payments {change}")).await;
        let report = world.project.sync_exits(65);
        let message = report["streams"][0]["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(said), "{message}");
        world.has(2);
    }
}

#[tokio::test]
async fn a_table_that_is_gone_is_not_made_again_in_silence() {
    let world = World::incremental(2).await;
    world.project.sync();
    world.account.execute("DROP TABLE LAKE.PAYMENTS");
    world.add(3, 4).await;
    for _ in 0..2 {
        let report = world.project.sync_exits(78);
        assert!(report.to_string().contains("is gone, and its state says"), "{report:#}");
    }
    world.project.run(&["state", "reset", "--yes"]).exits(0);
    world.project.sync();
    world.has(4);
}
