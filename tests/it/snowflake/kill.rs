//! A sync is killed at every place of the load; the next one brings each row once and cleans up.

use std::os::unix::process::ExitStatusExt;

use serde_json::json;

use super::World;

/// Where an incremental sync is killed, in the order in which it comes by.
pub(crate) const KILLED: &[&str] = &[
    "snowflake.prepare.copied",
    "snowflake.prepare.found",
    "snowflake.prepare.made",
    "snowflake.upload.begun",
    "snowflake.upload.ended",
    "snowflake.commit.begun",
    "snowflake.commit.copied",
    "snowflake.commit.swapped",
    "snowflake.commit.stands",
    "snowflake.commit.copy_kept",
    "snowflake.commit.dropped",
];
/// Where one that overwrites is.
pub(crate) const KILLED_OVERWRITING: &[&str] = &["snowflake.commit.copied", "snowflake.commit.moved"];

fn kill(world: &World, place: &str) {
    let killed = world.project.command(&["sync"]).env("TIDEGATE_KILL", place).output().expect("it starts");
    assert_eq!(killed.status.signal(), Some(9), "{place}: {}", String::from_utf8_lossy(&killed.stderr));
}

/// The server notices that a killed client's connection is gone; what it had open does not count.
#[tokio::test]
async fn an_increment_arrives_once_wherever_it_is_killed() {
    let world = World::incremental(10).await;
    let mut last = 10;
    for place in KILLED {
        eprintln!("killed at {place}");
        kill(&world, place);
        world.project.sync();
        world.has(last);
        last += 5;
        world.add(last - 4, last).await;
    }
    world.project.sync();
    world.has(last);
    world.is_clean();
}

#[tokio::test]
async fn an_overwrite_replaces_once_wherever_it_is_killed() {
    let world = World::new(10, json!({ "mode": "full_refresh" })).await;
    world.project.sync();
    for (at, place) in KILLED_OVERWRITING.iter().enumerate() {
        let left = 9 - u32::try_from(at).unwrap();
        world.database.execute(&format!("DELETE FROM payments WHERE id > {left}")).await;
        kill(&world, place);
        world.has(left + 1);
        world.project.sync();
        world.has(left);
    }
    world.project.sync();
    world.is_clean();
}
