//! Append and overwrite.

use serde_json::{Value, json};

use super::World;
use crate::support::{Running, until};

#[tokio::test]
async fn increments_are_appended_once() {
    let world = World::incremental(50).await;
    let report = world.project.sync();
    assert_eq!(report["totals"]["rows_written"], 50, "{report:#}");
    world.has(50);
    world.add(51, 80).await;
    let report = world.project.sync();
    assert_eq!(report["totals"]["rows_written"], 30, "{report:#}");
    world.has(80);
    world.is_clean();
    assert_eq!(report["streams"][0]["sequence"], 2);
    let sums = world.query("SELECT SUM(AMOUNT), COUNT(DISTINCT NOTE) FROM LAKE.PAYMENTS");
    assert_eq!(sums[0][1].as_deref(), Some("80"));
}

#[tokio::test]
async fn an_increment_without_rows_lets_the_warehouse_sleep() {
    let world = World::incremental(3).await;
    world.project.sync();
    world.account.suspend();
    let before = world.account.statements().len();
    for _ in 0..2 {
        let report = world.project.sync();
        assert_eq!(report["totals"]["rows_written"], 0);
        assert_eq!(report["spent"]["warehouse"], false, "{report:#}");
        let notes = report["streams"][0]["notes"].to_string();
        assert!(notes.contains("nothing new"), "{notes}");
    }
    assert!(!world.account.is_awake(), "{:#?}", &world.account.statements()[before..]);
    world.add(4, 5).await;
    world.project.sync();
    world.has(5);
}

#[tokio::test]
async fn empty_commits_are_made_where_they_are_asked_for() {
    let mut world = World::incremental(3).await;
    world.project = world.project.destination("commit_empty_after", "0s");
    world.project.sync();
    let report = world.project.sync();
    assert_eq!(report["streams"][0]["sequence"], 2, "{report:#}");
    world.has(3);
}

#[tokio::test]
async fn a_full_refresh_takes_the_place_of_all_rows() {
    let world = World::new(20, json!({ "mode": "full_refresh" })).await;
    world.project.sync();
    world.has(20);
    world.database.execute("DELETE FROM payments WHERE id > 7").await;
    world.project.sync();
    world.has(7);
    world.database.execute("DELETE FROM payments").await;
    world.project.sync();
    world.has(0);
    world.is_clean();
}

#[tokio::test]
async fn the_report_tells_what_it_cost() {
    let world = World::incremental(10).await;
    let report = world.project.sync();
    let spent = &report["spent"];
    assert_eq!(spent["warehouse"], true, "{spent:#}");
    assert_eq!(spent["staged_files"], 1);
    assert_eq!(spent["staged_bytes"], report["totals"]["bytes_written"]);
    let asked = world.account.asked();
    let statements = asked.iter().filter(|asked| asked.kind == "query").count();
    // Those of the end come after the report, or run as one with it.
    assert!(spent["statements"].as_u64().unwrap() <= statements as u64, "{spent:#}");
    let queries = spent["queries"].as_array().unwrap();
    let whats: Vec<&Value> = queries.iter().map(|query| &query["what"]).collect();
    assert_eq!(whats, [&json!("copy")]);
    assert!(asked.iter().any(|asked| json!(asked.query_id) == queries[0]["id"]), "{queries:?}");
    assert!(asked.iter().any(|asked| asked.tag.contains("\"connection\":\"db_to_lake\"")));
}

#[tokio::test]
async fn names_are_as_at_the_source_where_that_is_asked_for() {
    let mut world = World::incremental(1).await;
    world
        .database
        .execute(r#"CREATE TABLE "Ord""er.s" ("select" int, "a b" text, "É x" bool); INSERT INTO "Ord""er.s" VALUES (1, 'x', true)"#)
        .await;
    world.project = world
        .project
        .destination("names", "source")
        .destination("schemas", "namespace")
        .stream(json!({ "name": "public.\"Ord\"\"er.s\"", "target": "public.Ord\"er s" }));
    world.project.sync();
    let rows = world.query(r#"SELECT "select", "a b", "É x" FROM "public"."Ord""er s""#);
    assert_eq!(rows, super::text(&[&["1", "x", "true"]]));
    assert_eq!(world.query(r#"SELECT count("id") FROM "public"."payments""#), super::text(&[&["1"]]));
}

#[tokio::test]
async fn two_streams_of_one_table_are_refused() {
    let world = World::incremental(1).await;
    world.database.execute("CREATE SCHEMA other; CREATE TABLE other.payments (id int)").await;
    let project = world.project.stream(json!({ "name": "other.payments" }));
    for _ in 0..2 {
        let report = project.sync_exits(78);
        assert!(report.to_string().contains("would both be table"), "{report:#}");
    }
}

#[tokio::test]
async fn airbytes_columns_and_one_variant_are_there_where_asked_for() {
    let mut world = World::incremental(2).await;
    world.project = world.project.destination("airbyte_columns", true).destination("layout", "variant");
    world.project.sync();
    let rows = world.query(
        "SELECT _AIRBYTE_DATA:id::int, length(_AIRBYTE_RAW_ID), _AIRBYTE_GENERATION_ID, \
         _AIRBYTE_EXTRACTED_AT IS NOT NULL, _AIRBYTE_META:changes FROM LAKE.PAYMENTS ORDER BY 1",
    );
    assert_eq!(rows, super::text(&[&["1", "36", "0", "true", "[]"], &["2", "36", "0", "true", "[]"]]));
}

#[tokio::test]
async fn two_hundred_streams_share_one_login_and_one_warehouse() {
    const STREAMS: usize = 200;
    let mut world = World::incremental(1).await;
    let mut project = world.project;
    let tables: Vec<String> = (0..STREAMS)
        .map(|at| format!("CREATE TABLE t{at} AS SELECT i FROM generate_series(1, {at}) i"))
        .collect();
    world.database.execute(&tables.join("; ")).await;
    for at in 0..STREAMS {
        project = project.stream(json!({ "name": format!("public.t{at}") }));
    }
    world.project = project;
    let report = world.project.sync();
    assert_eq!(report["totals"]["streams_succeeded"], STREAMS + 1, "{report:#}");
    for at in [0, 11, 199] {
        let count = world.account.value(&format!("SELECT count(*) FROM LAKE.T{at}"));
        assert_eq!(count, Some(at.to_string()));
    }
    let asked = world.account.asked();
    let logins = asked.iter().filter(|asked| asked.kind == "login").count();
    assert!(logins <= 2, "{logins} logins: one for statements, one for uploads");
    let mut at_work: Vec<u64> =
        asked.iter().filter(|asked| asked.needs_warehouse).map(|asked| asked.session).collect();
    at_work.sort_unstable();
    at_work.dedup();
    assert_eq!(at_work.len(), 1, "one session wakes the warehouse up, and the statements follow one another");
    let queries = asked.iter().filter(|asked| asked.kind == "query").count();
    eprintln!("{queries} statements for {STREAMS} first loads");
}

/// Uploads have a session of their own, and wait for no transaction.
#[tokio::test]
async fn files_go_to_the_stage_while_another_stream_commits() {
    let mut world = World::incremental(5).await;
    world.project.sync();
    let state = world.state_table();
    let key = state.rsplit("STATE_").next().expect("a key").to_owned();
    world.database.execute("CREATE TABLE other AS SELECT 1 AS i").await;
    world.project =
        world.project.destination("lock_timeout", "50s").stream(json!({ "name": "public.other" }));
    world.add(6, 9).await;
    // One stream waits in its transaction, the other one for its rows.
    world.account.execute("BEGIN");
    world.account.execute(&format!("UPDATE {state} SET ID = ID"));
    let client = world.database.client().await;
    client.batch_execute("BEGIN; LOCK TABLE other IN ACCESS EXCLUSIVE MODE").await.expect("nobody reads it");
    let before = world.asked("UPDATE");
    let running = Running::start(world.project.command(&["sync"]));
    world.until_asked("UPDATE", before + 1);
    client.batch_execute("ROLLBACK").await.expect("it goes on");
    until("the other stream's file", || {
        let files = world.query("LIST @_TIDEGATE.LOAD");
        let mut names = files.iter().filter_map(|row| row[0].as_deref());
        names.any(|name| name.ends_with(".parquet") && !name.contains(&key))
    });
    world.account.execute("ROLLBACK");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    world.has(9);
    assert_eq!(world.account.value("SELECT I FROM LAKE.OTHER").as_deref(), Some("1"));
}
