//! A sync is killed at every step of the load; the next one brings each row once and cleans up.

use std::os::unix::process::ExitStatusExt;

use lab::snowflake::Fault;
use serde_json::json;

use super::World;
use crate::support::{Running, until};

/// Where an incremental sync is killed, in the order in which it comes by.
pub(crate) const KILLED: &[&str] = &[
    "snowflake.prepare.copied",
    "snowflake.prepare.found",
    "snowflake.prepare.made",
    "snowflake.upload.begun",
    "snowflake.upload.ended",
    "snowflake.commit.begun",
    "snowflake.commit.opened",
    "snowflake.commit.copied",
    "snowflake.commit.swapped",
    "snowflake.commit.stands",
    "snowflake.commit.copy_kept",
    "snowflake.commit.dropped",
];
/// Where one is that merges, overwrites or casts.
pub(crate) const KILLED_MOVING: &[&str] = &["snowflake.commit.moved"];

/// Statements that are on their way when it is killed: the server ends them, and nobody hears of it.
const ASKED: &[&str] = &["PUT", "BEGIN", "COPY", "UPDATE", "COMMIT", "REMOVE"];

/// The steps that are other ones where rows take a way of their own, and those beside them.
const STEPS: &[&str] = &[
    "snowflake.upload.ended",
    "snowflake.commit.begun",
    "snowflake.commit.copied",
    "snowflake.commit.moved",
    "snowflake.commit.swapped",
    "snowflake.commit.stands",
    "snowflake.commit.dropped",
];
const STEPS_ASKED: &[&str] = &["CREATE TRANSIENT", "COPY", "COMMIT", "DROP TABLE"];

fn kill(world: &World, place: &str) {
    let killed = world.project.command(&["sync"]).env("TIDEGATE_KILL", place).output().expect("it starts");
    assert_eq!(killed.status.signal(), Some(9), "{place}: {}", String::from_utf8_lossy(&killed.stderr));
}

/// Kills a sync that waits for the answer of such a statement.
fn kill_asking(world: &World, statement: &str) {
    let before = world.asked(statement);
    world.account.fault(Fault::delayed(0.3).matching(&format!("^{statement}")));
    let mut running = Running::start(world.project.command(&["sync"]));
    until(statement, || world.asked(statement) > before || running.has_ended());
    assert!(running.kill(), "{statement}: it was not asked for, or not waited for");
    let is_answered =
        || world.account.asked().iter().all(|asked| asked.kind != "query" || !asked.outcome.is_empty());
    until("the server has done it", is_answered);
}

/// Rows are added, a sync is killed by `kill`, and the next one brings what is missing.
async fn is_killed(world: &World, last: &mut u32, what: &str, kill: impl FnOnce(&World)) {
    eprintln!("killed at {what}");
    world.add(*last + 1, *last + 5).await;
    *last += 5;
    kill(world);
    // The first one may not have made its table.
    if world.account.attempt("SELECT 1 FROM LAKE.PAYMENTS").is_ok() {
        let rows = u32::try_from(world.ids().len()).expect("they are few");
        assert!([0, *last - 5, *last].contains(&rows), "{what}: neither before nor after, but {rows}");
    }
    world.project.sync();
    world.has(*last);
}

async fn an_increment_is_killed(world: World, places: &[&str], asked: &[&str]) {
    let mut last = 5;
    for place in places {
        is_killed(&world, &mut last, place, |world| kill(world, place)).await;
    }
    for statement in asked {
        is_killed(&world, &mut last, statement, |world| kill_asking(world, statement)).await;
    }
    // Who commits nothing knows of nothing that is in vain.
    world.add(last + 1, last + 1).await;
    world.project.sync();
    world.has(last + 1);
    world.is_clean();
}

/// The server notices that a killed client's connection is gone; what it had open does not count.
#[tokio::test]
async fn an_append_arrives_once_wherever_it_is_killed() {
    let world = World::short(5, json!({ "cursor": "updated_at" })).await;
    an_increment_is_killed(world, KILLED, ASKED).await;
}

#[tokio::test]
async fn an_append_by_a_table_between_arrives_once_wherever_it_is_killed() {
    let world = World::short(5, json!({ "cursor": "updated_at" })).await;
    world.database.execute("ALTER TABLE payments ADD doc jsonb DEFAULT '{}'").await;
    an_increment_is_killed(world, STEPS, &[STEPS_ASKED, &["INSERT"]].concat()).await;
}

#[tokio::test]
async fn a_merge_arrives_once_wherever_it_is_killed() {
    let world = World::short(5, json!({ "cursor": "updated_at", "write": "merge" })).await;
    an_increment_is_killed(world, STEPS, &[STEPS_ASKED, &["MERGE"]].concat()).await;
}

/// Uploads of its own are multipart uploads, which nobody sees before they are complete.
#[tokio::test]
async fn an_append_by_a_bucket_arrives_once_wherever_it_is_killed() {
    let world = World::short(5, json!({ "cursor": "updated_at" })).await;
    let places: Vec<&str> = KILLED.iter().filter(|place| !place.contains(".upload.")).copied().collect();
    let (world, bucket) = world.in_bucket();
    an_increment_is_killed(world, &places, &["COPY", "COMMIT"]).await;
    let left: Vec<String> =
        bucket.files().await.into_keys().filter(|path| path.ends_with(".parquet")).collect();
    assert!(left.is_empty(), "left in the bucket: {left:?}");
}

#[tokio::test]
async fn an_overwrite_replaces_once_wherever_it_is_killed() {
    let world = World::short(60, json!({ "mode": "full_refresh" })).await;
    world.project.sync();
    let mut left = 60;
    let asked = [STEPS_ASKED, &["INSERT OVERWRITE"]].concat();
    let places = STEPS.iter().map(|place| (place, true));
    for (what, is_place) in places.chain(asked.iter().map(|statement| (statement, false))) {
        eprintln!("killed at {what}");
        left -= 1;
        world.database.execute(&format!("DELETE FROM payments WHERE id > {left}")).await;
        if is_place {
            kill(&world, what);
        } else {
            kill_asking(&world, what);
        }
        let ids = world.ids();
        assert!([left, left + 1].contains(&u32::try_from(ids.len()).unwrap()), "{what}: {ids:?}");
        world.project.sync();
        world.has(left);
    }
    world.project.sync();
    world.is_clean();
}

/// What a killed sync had open holds its locks: the next one ends it.
#[tokio::test]
async fn a_transaction_that_nobody_will_end_is_ended_by_the_next_sync() {
    let world = World::incremental(5).await;
    kill(&world, "snowflake.commit.swapped");
    assert!(!world.query("SHOW LOCKS").is_empty(), "of the row of state");
    world.project.sync();
    world.has(5);
    assert!(world.asked("SELECT SYSTEM$ABORT_TRANSACTION") > 0);
    assert!(world.query("SHOW LOCKS").is_empty());
}
