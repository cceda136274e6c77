//! What goes wrong on the way of files to Snowflake, and stages in a bucket of the user's.

use lab::S3;
use lab::snowflake::Fault;
use serde_json::json;

use super::World;
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

/// A stage that an administrator made over a bucket.
async fn external(count: u32) -> World {
    let mut world = World::hasty(count).await;
    let bucket = S3::shared().bucket();
    world.account.execute(&format!(
        "CREATE STAGE {}.PUBLIC.LAKE_STAGE URL = '{}' CREDENTIALS = (AWS_KEY_ID = '{}' AWS_SECRET_KEY = '{}')",
        world.account.database,
        bucket.url("load/"),
        bucket.access_key,
        bucket.secret_key
    ));
    let stage = json!({
        "name": format!("{}.PUBLIC.LAKE_STAGE", world.account.database),
        "url": bucket.url("load/"),
        "endpoint": bucket.endpoint,
        "region": bucket.region,
        "access_key_id": bucket.access_key,
        "secret_access_key": bucket.secret_key,
    });
    world.project = world.project.destination("external_stage", stage);
    world
}

#[tokio::test]
async fn files_may_lie_in_a_bucket_of_the_users() {
    let world = external(30).await;
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
        let world = external(10).await;
        world.account.fault(fault.times(9).matching("^COMMIT"));
        let first = world.project.run(&["sync"]);
        world.account.clear();
        assert!([0, 75].contains(&first.code), "{}", first.stderr);
        world.add(11, 15).await;
        world.project.sync();
        world.has(15);
    }
}
