//! What goes wrong on the way of files to Snowflake, and stages in a bucket of the user's.

use lab::snowflake::Fault;
use serde_json::json;

use super::{World, text};
use crate::support::Running;

#[tokio::test]
async fn an_upload_that_fails_is_made_again() {
    let world = World::hasty(10).await;
    for fault in [Fault::status(503), Fault::status(500), Fault::status(429), Fault::lost_before()] {
        world.account.fault(fault.at_stage().matching("^PUT .*parquet"));
    }
    world.project.sync();
    world.has(10);
    assert_eq!(world.account.faults_left(), 0);
    world.is_clean();
}

#[tokio::test]
async fn a_stage_that_takes_nothing_ends_the_sync() {
    for (status, exits) in [(503, &[75][..]), (403, &[74, 77, 78])] {
        let world = World::hasty(10).await;
        world.account.fault(Fault::status(status).at_stage().matching("^PUT .*parquet").times(9999));
        let ran = world.project.run(&["sync"]);
        assert!(exits.contains(&ran.code), "{status}: {} {}", ran.code, ran.stderr);
        world.account.clear();
        assert_eq!(world.account.value("SELECT count(*) FROM LAKE.PAYMENTS").as_deref(), Some("0"));
        world.project.sync();
        world.has(10);
        world.is_clean();
    }
}

#[tokio::test]
async fn a_stage_that_somebody_dropped_is_made_again() {
    let world = World::hasty(10).await;
    world.project.sync();
    world.account.execute("DROP STAGE _TIDEGATE.LOAD");
    world.add(11, 15).await;
    world.project.sync();
    world.has(15);
    world.is_clean();
}

#[tokio::test]
async fn a_file_that_is_gone_before_it_is_loaded_is_written_again() {
    let world = World::hasty(10).await;
    // Somebody empties the stage once the file is there.
    world.account.fault(Fault::delayed(1.0).matching("^BEGIN"));
    let slow = Running::start(world.project.command(&["sync"]));
    world.until_asked("BEGIN", 1);
    world.account.execute("REMOVE @_TIDEGATE.LOAD");
    let slow = slow.wait();
    assert_ne!(slow.code, 0, "{}", slow.stderr);
    assert_eq!(world.account.value("SELECT count(*) FROM LAKE.PAYMENTS").as_deref(), Some("0"));
    world.project.sync();
    world.has(10);
    world.is_clean();
}

#[tokio::test]
async fn files_may_lie_in_a_bucket_of_the_users() {
    let (world, _) = World::hasty(30).await.in_bucket();
    world.project.run(&["check"]).exits(0);
    world.project.sync();
    world.has(30);
    world.add(31, 40).await;
    let report = world.project.sync();
    assert_eq!(report["totals"]["rows_written"], 10);
    world.has(40);
    world.account.suspend();
    world.project.sync();
    assert!(!world.account.is_awake(), "the copy of the head lies in the bucket");
    let asked = world.account.statements();
    assert!(
        asked.iter().any(|sql| sql.starts_with("COPY INTO") && sql.contains("LAKE_STAGE/")),
        "{asked:#?}"
    );
    assert!(!asked.iter().any(|sql| sql.starts_with("PUT") || sql.contains("CREATE STAGE")), "{asked:#?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_at_commit_is_found_out_with_a_bucket_too() {
    for fault in [Fault::lost_after(), Fault::lost_before()] {
        let (world, _) = World::hasty(10).await.in_bucket();
        world.account.fault(fault.times(9).matching("^COMMIT"));
        let first = world.project.run(&["sync"]);
        world.account.clear();
        assert!([0, 75].contains(&first.code), "{}", first.stderr);
        world.add(11, 15).await;
        world.project.sync();
        world.has(15);
    }
}

/// Rows of JSON go by a table between, and an overwrite waits in one.
#[tokio::test]
async fn each_write_mode_takes_files_from_a_bucket() {
    for (settings, syncs) in [
        (json!({ "cursor": "updated_at" }), [4, 6]),
        (json!({ "cursor": "updated_at", "write": "merge" }), [4, 6]),
        (json!({ "mode": "full_refresh" }), [4, 6]),
    ] {
        let (world, bucket) = World::new(4, settings).await.in_bucket();
        world.database.execute("ALTER TABLE payments ADD doc jsonb DEFAULT '{\"n\": [1, null]}'").await;
        world.project.sync();
        world.has(syncs[0]);
        world.add(5, 6).await;
        world.project.sync();
        world.has(syncs[1]);
        assert_eq!(world.query("SELECT DISTINCT DOC:n[0] FROM LAKE.PAYMENTS"), text(&[&["1"]]));
        let left: Vec<String> = bucket.files().await.into_keys().collect();
        let is_ours = |path: &String| path.ends_with("/head.json") || path.ends_with("/transaction");
        assert!(left.iter().all(is_ours), "left in the bucket: {left:?}");
    }
}

/// The copy of the head is a convenience: one that is wrong delays, and changes nothing.
#[tokio::test]
async fn a_copy_of_the_head_that_is_damaged_or_old_is_not_believed() {
    let (world, bucket) = World::hasty(4).await.in_bucket();
    world.project.sync();
    let files = bucket.files().await;
    let copy = files.keys().find(|path| path.ends_with("head.json")).expect("a copy was written").clone();
    let old = bucket.read(&copy).await;
    let mut last = 4;
    for damaged in [Vec::new(), b"{".to_vec(), old[..old.len() / 2].to_vec(), b"{\"format\": 99}".to_vec()] {
        bucket.write(&copy, damaged).await;
        world.add(last + 1, last + 2).await;
        last += 2;
        world.project.sync();
        world.has(last);
    }
    bucket.write(&copy, old).await;
    // What was planned by it comes too late, and the next one looks for itself.
    world.project.sync_exits(75);
    world.has(last);
    world.project.sync();
    world.has(last);
}
