//! Looking at states and changing them.

use std::fs;

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
