//! `check` proves that all of it works, leaves no trace, and names the right that is missing.

use lab::snowflake::Account;
use serde_json::json;

use super::World;

fn objects(account: &Account) -> Vec<Vec<Option<String>>> {
    account.query(
        "SELECT table_schema, table_name FROM information_schema.tables \
         WHERE table_schema NOT IN ('INFORMATION_SCHEMA', 'information_schema', 'main') ORDER BY 1, 2",
    )
}

#[tokio::test]
async fn a_check_leaves_no_trace() {
    let world = World::incremental(1).await;
    let before = objects(&world.account);
    for _ in 0..2 {
        let ran = world.project.run(&["check", "--output", "json"]).exits(0);
        let said = ran.json().to_string();
        assert!(said.contains("logged in as") && said.contains("a transaction was rolled back"), "{said}");
    }
    assert_eq!(objects(&world.account), before);
    world.project.sync();
    world.project.run(&["check"]).exits(0);
    world.is_clean();
    world.has(1);
}

#[tokio::test]
async fn a_missing_right_is_named() {
    for (denied, named) in [
        ("CREATE TABLE", "CREATE TABLE ON SCHEMA"),
        ("CREATE STAGE", "CREATE STAGE ON SCHEMA"),
        ("USAGE ON WAREHOUSE", "USAGE ON WAREHOUSE"),
    ] {
        let world = World::incremental(1).await;
        world.project.sync();
        world.account.deny(denied);
        let ran = world.project.run(&["check", "--output", "json"]);
        assert!([77, 78].contains(&ran.code), "{denied}: {} {}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(named), "{denied}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_as_one() {
    let world = World::incremental(1).await;
    let project = world.project.destination("password", "a-wrong-one");
    let report = project.sync_exits(77);
    assert!(!report.to_string().contains("a-wrong-one"), "{report:#}");
}

#[test]
fn the_rights_of_a_loader_are_printed() {
    let place = crate::cli::run::Place::new();
    let ran = place.run(&["spec", "snowflake", "--grants"]).exits(0);
    assert!(ran.stdout.contains("GRANT USAGE, CREATE TABLE ON SCHEMA RAW_DB.RAW TO ROLE"), "{}", ran.stdout);
    let json = place.run(&["spec", "snowflake", "--grants", "--output", "json"]).exits(0).json();
    assert_eq!(json["name"], json!("snowflake"));
    place.run(&["spec", "parquet", "--grants"]).exits(64);
}
