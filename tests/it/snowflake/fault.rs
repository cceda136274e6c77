//! What goes wrong between tidegate and Snowflake: nothing is lost, nothing doubled.

use lab::snowflake::Fault;
use serde_json::json;

use super::World;
use crate::support::Running;

#[tokio::test]
async fn an_answer_that_is_lost_at_commit_is_found_out() {
    for fault in [Fault::lost_after(), Fault::lost_before(), Fault::truncated()] {
        let world = World::hasty(20).await;
        let shown = format!("{fault:?}");
        // Often enough that no repetition of the request helps.
        world.account.fault(fault.times(9).matching("^COMMIT"));
        let first = world.project.run(&["sync", "--output", "json"]);
        world.account.clear();
        assert!([0, 75].contains(&first.code), "{shown}: {}", first.stderr);
        world.add(21, 30).await;
        world.project.sync();
        world.has(30);
    }
}

#[tokio::test]
async fn a_session_that_ends_before_commit_is_begun_anew() {
    for code in [390_114, 390_111, 390_104] {
        let world = World::hasty(20).await;
        world.account.fault(Fault::forgotten(code).matching("^COMMIT"));
        world.project.sync();
        world.has(20);
        world.is_clean();
    }
}

#[tokio::test]
async fn a_token_that_expires_while_rows_are_copied_is_renewed() {
    let world = World::hasty(20).await;
    world.account.fault(Fault::expired().matching("^COPY"));
    world.account.fault(Fault::expired().matching("^UPDATE"));
    world.project.sync();
    world.has(20);
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let world = World::hasty(20).await;
    for fault in [
        Fault::status(503).matching("^COPY"),
        Fault::status(429).retry_after(1).matching("^UPDATE"),
        Fault::lost_before().matching("^BEGIN"),
        Fault::lost_after().matching("^COPY"),
        Fault::refusal(625, "locked").matching("^UPDATE"),
        Fault::later(2).matching("^COPY"),
    ] {
        world.account.fault(fault);
    }
    world.project.sync();
    world.has(20);
    world.is_clean();
}

#[tokio::test]
async fn a_count_that_differs_commits_nothing() {
    let world = World::hasty(20).await;
    world.account.fault(Fault::miscounted(-1).matching("^COPY"));
    let report = world.project.sync_exits(65);
    let message = report["streams"][0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("loaded 19 of the 20 rows"), "{message}");
    world.has(0);
    world.project.sync();
    world.has(20);
    world.is_clean();
}

/// Rows that are merged wait in a table of their own, which nobody would find again.
#[tokio::test]
async fn a_commit_that_is_given_up_leaves_no_table() {
    let world = World::new(20, json!({ "cursor": "updated_at", "write": "merge" })).await;
    world.account.fault(Fault::miscounted(-1).matching("^COPY"));
    world.project.sync_exits(65);
    world.is_clean();
}

#[tokio::test]
async fn a_file_that_is_loaded_in_part_commits_nothing() {
    for rows in [0, -3] {
        let world = World::hasty(20).await;
        world.account.fault(Fault::partly_loaded(rows).matching("^COPY"));
        let report = world.project.sync_exits(65);
        let message = report["streams"][0]["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("(partially_loaded)"), "{message}");
        world.has(0);
        world.project.sync();
        world.has(20);
        world.is_clean();
    }
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_not_waited_for_without_end() {
    let world = World::hasty(5).await;
    world.project.sync();
    world.add(6, 9).await;
    let state = world.state_table();
    world.account.execute("BEGIN");
    world.account.execute(&format!("UPDATE {state} SET ID = ID"));
    let project = world.project.command(&["sync", "--output", "json"]);
    let ran = Running::start(project).wait();
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert!(ran.stdout.contains("lock"), "{}", ran.stdout);
    world.account.execute("ROLLBACK");
    world.has(5);
    world.project.sync();
    world.has(9);
    world.is_clean();
}

#[tokio::test]
async fn credentials_of_the_stage_that_end_are_asked_for_again() {
    let world = World::hasty(20).await;
    world.account.fault(Fault::short_credentials(0.0).times(1));
    world.project.sync();
    world.has(20);
}

#[tokio::test]
async fn of_two_syncs_at_once_one_commits() {
    let world = World::hasty(40).await;
    let start = || Running::start(world.project.command(&["sync"]));
    let codes = [start(), start(), start()].map(|running| running.wait().code);
    assert!(codes.contains(&0), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 75].contains(code)), "{codes:?}");
    world.has(40);
    world.add(41, 45).await;
    world.project.sync();
    world.has(45);
}

#[tokio::test]
async fn an_overwrite_whose_answer_is_lost_replaces_once() {
    let mut world = World::new(9, json!({ "mode": "full_refresh" })).await;
    world.project = world.project.connection("retry_wait", "10ms");
    world.project.sync();
    world.database.execute("DELETE FROM payments WHERE id > 4").await;
    world.account.fault(Fault::lost_after().times(9).matching("^COMMIT"));
    let ran = world.project.run(&["sync", "--output", "json"]);
    assert!([0, 75].contains(&ran.code), "{}", ran.stderr);
    world.account.clear();
    world.project.sync();
    world.has(4);
}

#[tokio::test]
async fn no_secret_is_in_what_is_printed() {
    let world = World::hasty(5).await;
    world.account.fault(Fault::refusal(2, "ordered").matching("^COPY"));
    let ran = world.project.run(&["sync", "-vv", "--output", "json"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains(&world.account.password), "{said}");
}
