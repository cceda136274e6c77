//! Mistakes in the configuration: the place, what is wrong and what to write instead.

use serde_json::json;

use crate::cli::run::Place;
use crate::support::Ledger;

#[tokio::test]
async fn a_misspelt_key_is_found_where_it_stands_and_nothing_moves() {
    let mut ledger = Ledger::incremental(5).await;
    ledger.project.sync();
    ledger.add(1).await;
    let url = ledger.database.url();
    let before = super::refusal::committed_tree(&ledger.project.path("lake"));
    let lake = ledger.project.path("lake").display().to_string();
    let yaml = format!(
        "sources:\n  db:\n    type: postgres\n    url: {url}\n\
         destinations:\n  lake:\n    type: parquet\n    url: {lake}\n\
         connections:\n  db_to_lake:\n    source: db\n    destination: lake\n    streams:\n      \
         - name: public.ledger\n        curser: updated_at\n"
    );
    let place = Place::with(&yaml);
    let ran = place.run(&["sync", "--output", "json"]).exits(78);
    let ran = ran.says("tidegate.yaml:15:9").says("curser").says("did you mean \"cursor\"?");
    let problem = &ran.json()["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&json!(15), &json!(9)), "{problem}");
    assert!(!ran.stderr.contains(&url), "{}", ran.stderr);
    assert!(before == super::refusal::committed_tree(&ledger.project.path("lake")));
    ledger.recovers().await;
}

#[tokio::test]
async fn a_missing_variable_is_named() {
    let mut ledger = Ledger::incremental(5).await;
    ledger.project.sync();
    let words = ["SHOP_PASSWORD_THAT_IS_NOT_SET"];
    let change = |it: &mut serde_json::Value| {
        it["sources"]["db"]["password"] = json!("${env:SHOP_PASSWORD_THAT_IS_NOT_SET}");
    };
    ledger.refuses(change, 78, &words);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_target_of_another_connection_is_not_touched() {
    let mut ledger = Ledger::incremental(5).await;
    ledger.project.sync();
    let change = |it: &mut serde_json::Value| {
        let connection = it["connections"]["db_to_lake"].take();
        it["connections"] = json!({ "other": connection });
    };
    ledger.refuses(change, 78, &["public.ledger", "db_to_lake", "`target` of its own"]);
    ledger.recovers().await;
}
