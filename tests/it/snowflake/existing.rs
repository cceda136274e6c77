//! Tables that are there before tidegate is, states that are lost, and tables that somebody changes.

use lab::snowflake::Fault;
use serde_json::json;

use super::{World, text};
use crate::support::Running;

#[tokio::test]
async fn rows_that_no_state_tells_of_are_neither_doubled_nor_removed() {
    for write in ["append", "overwrite"] {
        let world = World::new(3, json!({ "mode": "full_refresh", "write": write })).await;
        world.account.execute("CREATE SCHEMA LAKE");
        world.account.execute("CREATE TABLE LAKE.PAYMENTS (ID NUMBER(10, 0), NOTE VARCHAR(10))");
        world.account.execute("INSERT INTO LAKE.PAYMENTS VALUES (77, 'mine')");
        for _ in 0..2 {
            let report = world.project.sync_exits(78).to_string();
            assert!(report.contains("has 1 rows, and no state tells"), "{report}");
            assert!(report.contains("existing: adopt"), "{report}");
        }
        assert_eq!(world.ids(), [77]);
        let columns = world.query("DESCRIBE TABLE LAKE.PAYMENTS").len();
        assert_eq!(columns, 2, "nothing was changed");
        let project = world.project.destination("existing", "adopt");
        project.sync();
        let ids = world.account.query("SELECT ID FROM LAKE.PAYMENTS ORDER BY ID");
        let expected: &[&[&str]] =
            if write == "append" { &[&["1"], &["2"], &["3"], &["77"]] } else { &[&["1"], &["2"], &["3"]] };
        assert_eq!(ids, text(expected));
    }
}

#[tokio::test]
async fn a_table_that_is_empty_is_taken_as_it_is() {
    let world = World::incremental(3).await;
    world.account.execute("CREATE SCHEMA LAKE");
    world.account.execute("CREATE TABLE LAKE.PAYMENTS (MINE VARCHAR, ID NUMBER(10, 0))");
    world.project.sync();
    world.has(3);
    assert_eq!(world.query("SELECT DISTINCT MINE FROM LAKE.PAYMENTS"), text(&[&["NULL"]]));
}

#[tokio::test]
async fn rows_that_are_there_are_merged_with() {
    let world = World::new(3, json!({ "cursor": "updated_at", "write": "merge" })).await;
    world.account.execute("CREATE SCHEMA LAKE");
    world.account.execute("CREATE TABLE LAKE.PAYMENTS (ID NUMBER(38, 0), NOTE VARCHAR)");
    world.account.execute("INSERT INTO LAKE.PAYMENTS VALUES (2, 'old'), (77, 'mine')");
    world.project.sync();
    let rows = world.query("SELECT ID, NOTE FROM LAKE.PAYMENTS ORDER BY ID");
    assert_eq!(rows, text(&[&["1", "note 1"], &["2", "note 2"], &["3", "note 3"], &["77", "mine"]]));
}

#[tokio::test]
async fn a_state_that_is_lost_doubles_nothing() {
    for lost in ["DROP SCHEMA _TIDEGATE CASCADE", "another state_schema"] {
        let mut world = World::incremental(5).await;
        world.project.sync();
        if lost.starts_with("DROP") {
            world.account.execute(lost);
        } else {
            world.project = world.project.destination("state_schema", "_OTHER");
        }
        for _ in 0..2 {
            let report = world.project.sync_exits(78).to_string();
            assert!(report.contains("has 5 rows, and no state tells"), "{report}");
        }
        world.has(5);
        world.account.execute("TRUNCATE TABLE LAKE.PAYMENTS");
        world.project.sync();
        world.has(5);
    }
}

/// The copy of the head is there, and what it is a copy of is not.
#[tokio::test]
async fn a_row_of_state_that_is_lost_doubles_nothing() {
    let world = World::incremental(5).await;
    world.project.sync();
    world.account.execute(&format!("DROP TABLE {}", world.state_table()));
    world.add(6, 9).await;
    world.project.sync_exits(78);
    let report = world.project.sync_exits(78).to_string();
    assert!(report.contains("has 5 rows, and no state tells"), "{report}");
    world.has(5);
    world.account.execute("TRUNCATE TABLE LAKE.PAYMENTS");
    world.project.sync();
    world.has(9);
}

#[tokio::test]
async fn a_column_that_somebody_dropped_is_not_left_out_in_silence() {
    let world = World::incremental(2).await;
    world.project.sync();
    world.account.execute("ALTER TABLE LAKE.PAYMENTS DROP COLUMN NOTE");
    world.add(3, 4).await;
    world.project.sync();
    let rows = world.query("SELECT ID, NOTE FROM LAKE.PAYMENTS ORDER BY ID");
    assert_eq!(rows, text(&[&["1", "NULL"], &["2", "NULL"], &["3", "note 3"], &["4", "note 4"]]));
}

#[tokio::test]
async fn a_column_that_somebody_made_another_one_stops_the_stream() {
    let world = World::incremental(2).await;
    world.project.sync();
    world.account.execute("ALTER TABLE LAKE.PAYMENTS DROP COLUMN NOTE");
    world.account.execute("ALTER TABLE LAKE.PAYMENTS ADD COLUMN NOTE NUMBER(38, 0)");
    world.add(3, 4).await;
    let report = world.project.sync_exits(65).to_string();
    assert!(report.contains("would have to be VARCHAR"), "{report}");
    world.has(2);
    world.account.execute("ALTER TABLE LAKE.PAYMENTS DROP COLUMN NOTE");
    world.project.sync();
    world.has(4);
    world.is_clean();
}

#[tokio::test]
async fn to_look_wakes_no_warehouse_up() {
    let world = World::incremental(5).await;
    world.project.sync();
    world.account.suspend();
    let shown = world.project.run(&["state", "show", "--output", "json"]).exits(0);
    assert!(shown.stdout.contains("updated_at"), "{}", shown.stdout);
    world.project.run(&["plan", "--output", "json"]).exits(0);
    assert!(!world.account.is_awake(), "{:#?}", world.account.asked());
}

/// A table that Airbyte's connector made (version 4), and models that look for what came since.
#[tokio::test]
async fn a_table_of_airbytes_is_gone_on_with() {
    let mut world = World::incremental(2).await;
    world.account.execute("CREATE SCHEMA LAKE");
    world.account.execute(
        "CREATE TABLE LAKE.PAYMENTS (_AIRBYTE_RAW_ID VARCHAR NOT NULL, _AIRBYTE_EXTRACTED_AT TIMESTAMP_TZ NOT NULL, \
         _AIRBYTE_META VARIANT NOT NULL, _AIRBYTE_GENERATION_ID NUMBER(38, 0), ID NUMBER(38, 0), NOTE VARCHAR)",
    );
    world.account.execute(
        "INSERT INTO LAKE.PAYMENTS SELECT 'a', TO_TIMESTAMP_TZ('2026-01-02 03:04:05 +00:00'), PARSE_JSON('{}'), 0, 77, 'old'",
    );
    world.project = world.project.destination("airbyte_columns", true).destination("existing", "adopt");
    world.project.sync();
    let since = "SELECT ID FROM LAKE.PAYMENTS WHERE _AIRBYTE_EXTRACTED_AT > \
                 (SELECT max(_AIRBYTE_EXTRACTED_AT) FROM LAKE.PAYMENTS WHERE ID = ";
    let newer = world.query(&format!("{since}77) ORDER BY ID"));
    assert_eq!(newer, text(&[&["1"], &["2"]]));
    world.add(3, 4).await;
    world.project.sync();
    let newer = world.query(&format!("{since}2) ORDER BY ID"));
    assert_eq!(newer, text(&[&["3"], &["4"]]), "each commit is later than the one before");
    let distinct = world.account.value(
        "SELECT count(DISTINCT _AIRBYTE_RAW_ID) || ' ' || count(DISTINCT _AIRBYTE_EXTRACTED_AT) FROM LAKE.PAYMENTS",
    );
    assert_eq!(distinct.as_deref(), Some("5 3"));
}

#[tokio::test]
async fn a_table_whose_columns_are_spelled_otherwise_is_not_written_to() {
    let mut world = World::incremental(2).await;
    world.account.execute("CREATE SCHEMA LAKE");
    world.account.execute("CREATE TABLE LAKE.PAYMENTS (\"id\" NUMBER(38, 0), \"note\" VARCHAR)");
    let report = world.project.sync_exits(65).to_string();
    assert!(report.contains("has column \\\"id\\\"") && report.contains("names: source"), "{report}");
    assert_eq!(world.query("DESCRIBE TABLE LAKE.PAYMENTS").len(), 2, "nothing was changed");
    world.account.execute("CREATE TABLE LAKE.\"payments\" (\"id\" NUMBER(38, 0), \"note\" VARCHAR)");
    world.project = world.project.destination("names", "source");
    world.project.sync();
    let rows = world.query("SELECT \"id\", \"note\" FROM LAKE.\"payments\" ORDER BY 1");
    assert_eq!(rows, text(&[&["1", "note 1"], &["2", "note 2"]]));
}

/// The raw table of an older connector (version 3), which models read as one VARIANT.
#[tokio::test]
async fn a_raw_table_of_airbytes_is_gone_on_with() {
    let mut world = World::incremental(2).await;
    let table = "\"airbyte_internal\".\"public_raw__stream_payments\"";
    world.account.execute("CREATE SCHEMA \"airbyte_internal\"");
    world.account.execute(&format!(
        "CREATE TABLE {table} (\"_airbyte_raw_id\" VARCHAR NOT NULL, \"_airbyte_extracted_at\" TIMESTAMP_TZ, \
         \"_airbyte_loaded_at\" TIMESTAMP_TZ, \"_airbyte_data\" VARIANT, \"_airbyte_meta\" VARIANT, \
         \"_airbyte_generation_id\" NUMBER(38, 0))"
    ));
    world.account.execute(&format!(
        "INSERT INTO {table} SELECT 'a', TO_TIMESTAMP_TZ('2026-01-02 03:04:05 +00:00'), \
         TO_TIMESTAMP_TZ('2026-01-02 03:04:06 +00:00'), PARSE_JSON('{{\"id\": 77}}'), PARSE_JSON('{{}}'), 0"
    ));
    world.project.configuration()["connections"]["db_to_lake"]["streams"][0]["target"] =
        json!("public_raw__stream_payments");
    for (key, value) in [
        ("schema", json!("\"airbyte_internal\"")),
        ("names", json!("source")),
        ("layout", json!("variant")),
        ("airbyte_columns", json!(true)),
        ("existing", json!("adopt")),
    ] {
        world.project = world.project.destination(key, value);
    }
    world.project.sync();
    world.add(3, 3).await;
    world.project.sync();
    // What its models take for new.
    let rows = world.query(&format!(
        "SELECT \"_airbyte_data\":id::INT, \"_airbyte_data\":note::VARCHAR, \"_airbyte_generation_id\" FROM {table} \
         WHERE \"_airbyte_loaded_at\" IS NULL AND \"_airbyte_extracted_at\" > '2026-01-02 03:04:06 +00:00'::TIMESTAMP_TZ \
         ORDER BY 1"
    ));
    assert_eq!(rows, text(&[&["1", "note 1", "0"], &["2", "note 2", "0"], &["3", "note 3", "0"]]));
    assert_eq!(world.account.value(&format!("SELECT count(*) FROM {table}")).as_deref(), Some("4"));
}

/// Airbyte made numbers with digits after the point FLOAT: they are not made inexact in silence.
#[tokio::test]
async fn a_column_that_does_not_hold_the_values_exactly_is_not_adopted() {
    let mut world = World::incremental(2).await;
    world.account.execute("CREATE SCHEMA LAKE");
    world.account.execute("CREATE TABLE LAKE.PAYMENTS (ID NUMBER(38, 0), AMOUNT FLOAT)");
    world.project = world.project.destination("existing", "adopt");
    let report = world.project.sync_exits(65).to_string();
    assert!(report.contains("is FLOAT, and would have to be NUMBER(18, 4)"), "{report}");
    assert_eq!(world.query("DESCRIBE TABLE LAKE.PAYMENTS").len(), 2, "nothing was changed");
}

/// A commit is made while another sync's is on its way.
#[tokio::test]
async fn a_state_that_moved_meanwhile_takes_back_what_was_copied() {
    let world = World::hasty(5).await;
    world.project.sync();
    world.add(6, 9).await;
    let before = world.asked("BEGIN");
    world.account.fault(Fault::delayed(3.0).matching("^BEGIN"));
    let slow = Running::start(world.project.command(&["sync", "--output", "json"]));
    world.until_asked("BEGIN", before + 1);
    world.project.sync();
    world.has(9);
    let slow = slow.wait();
    assert_eq!(slow.code, 75, "{}", slow.stderr);
    assert!(slow.stdout.contains("another sync has committed"), "{}", slow.stdout);
    world.has(9);
    world.project.sync();
    world.is_clean();
}
