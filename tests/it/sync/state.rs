//! Looking at states and changing them.

use std::fs;

use lab::{Cluster, Options};
use serde_json::{Value, json};

use crate::support::Ledger;

#[tokio::test]
async fn a_state_can_be_taken_out_and_put_back() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let exported = ledger.project.run(&["state", "export"]).exits(0);
    fs::write(ledger.project.path("state.json"), &exported.stdout).unwrap();
    let state = exported.json();
    assert_eq!(state["states"][0]["stream"], "public.ledger", "{state:#}");
    ledger.add(5).await;
    ledger.project.sync();
    // Nobody is there to agree.
    ledger.project.run(&["state", "import", "--from", "state.json"]).exits(64).says("--yes");
    ledger.project.run(&["state", "import", "--from", "state.json", "--yes"]).exits(0);
    let back = ledger.project.run(&["state", "export"]).exits(0).json();
    assert_eq!(back["states"][0]["state"], state["states"][0]["state"]);
    // As it says: what was synced in between is read again.
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 5, "{report:#}");
    let ids = ledger.lake.ids().await;
    assert_eq!(ids.len(), 30);
    assert!((21..=25).all(|id| ids.iter().filter(|found| **found == id).count() == 2));
}

#[tokio::test]
async fn a_reset_reads_everything_again() {
    let mut ledger = Ledger::full(20).await;
    ledger.project.sync();
    ledger.project.run(&["state", "show"]).exits(0).prints("public.ledger");
    ledger.project.run(&["state", "reset"]).exits(64).says("--yes");
    ledger.project.run(&["state", "reset", "--yes"]).exits(0).says("replaced when that sync ends");
    ledger.is_whole().await;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_reset_of_an_appended_stream_says_that_rows_come_once_more() {
    let ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    ledger.project.run(&["state", "reset", "--yes"]).exits(0).says("APPENDED ONCE MORE");
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 20, "{report:#}");
    assert_eq!(ledger.lake.ids().await.len(), 40);
}

#[tokio::test]
async fn a_state_that_is_none_changes_nothing() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let exported = ledger.project.run(&["state", "export"]).exits(0).stdout;
    for (name, text) in [
        ("cut.json", exported[..exported.len() / 2].to_owned()),
        (
            "newer.json",
            exported.replacen("\"version\":", "\"version\":9", 1).replacen(
                "\"version\": ",
                "\"version\": 9",
                1,
            ),
        ),
        ("strange.json", exported.replace("postgres", "mysql")),
    ] {
        fs::write(ledger.project.path(name), text).unwrap();
        let ran = ledger.project.run(&["state", "import", "--from", name, "--yes"]);
        assert!(matches!(ran.code, 64 | 65 | 78), "{name}: {} {}", ran.code, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    assert_eq!(ledger.lake.commits().await.len(), 1);
    ledger.recovers().await;
}

/// Exports the state, lets `change` what its cursor says, and imports it.
fn import(ledger: &Ledger, change: impl FnOnce(&mut Value)) {
    let mut state = ledger.project.run(&["state", "export"]).exits(0).json();
    change(&mut state["states"][0]["state"]["source"]["value"]["cursor"]);
    fs::write(ledger.project.path("state.json"), state.to_string()).expect("the folder is ours");
    ledger.project.run(&["state", "import", "--from", "state.json", "--yes"]).exits(0);
}

#[tokio::test]
async fn a_state_of_a_later_time_is_refused() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    ledger.add(5).await;
    let mut settled = Value::Null;
    import(&ledger, |cursor| {
        settled = cursor["settled"].take();
        cursor["settled"] = json!(settled.as_i64().expect("a time") + 86_400_000_000);
    });
    let ran = ledger.project.run(&["sync"]).exits(78);
    ran.says("the server's clock shows").says("at the last sync it was past");
    assert_eq!(ledger.lake.ids().await.len(), 20);
    import(&ledger, |cursor| cursor["settled"] = settled);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_state_with_transactions_that_the_server_has_not_begun_loses_no_row() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    ledger.add(5).await;
    import(&ledger, |cursor| {
        for end in ["xmin", "xmax"] {
            cursor["seen"][end] = json!(cursor["seen"][end].as_u64().expect("a number") + 1_000_000);
        }
    });
    let ran = ledger.project.run(&["sync"]).exits(0);
    ran.says("numbers of transactions do not go on from those of the last sync");
    let ids = ledger.lake.ids().await;
    assert!((1..=25).all(|id| ids.contains(&id)), "{ids:?}");
}

#[tokio::test]
async fn a_state_of_another_database_or_cluster_is_told() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    let url = ledger.database.url();
    let cluster = Cluster::start(Options::default());
    for (other, what) in
        [(Cluster::shared(), "the database was created anew"), (&cluster, "the server is another cluster")]
    {
        let other = Ledger::of(other, 30, Ledger::incremental_stream(), None).await;
        ledger.project.configuration()["sources"]["db"]["url"] = json!(other.database.url());
        ledger.project.run(&["sync"]).exits(78).says(what).says("on_replaced");
        assert_eq!(ledger.lake.ids().await.len(), 20);
    }
    ledger.project.configuration()["sources"]["db"]["url"] = json!(url);
    ledger.recovers().await;
}
