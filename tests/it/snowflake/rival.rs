//! Two syncs at once: one is halted at each step, another one runs to its end, the first goes on.

use serde_json::json;

use super::World;
use super::kill::KILLED;
use crate::support::{Running, until};

/// The steps of a commit that moves rows by a table between.
const STEPS: &[&str] = &[
    "snowflake.upload.ended",
    "snowflake.commit.begun",
    "snowflake.commit.copied",
    "snowflake.commit.moved",
    "snowflake.commit.swapped",
    "snowflake.commit.stands",
];

/// Halts a sync at `place` while another one runs, and returns what both exit with, the halted one first.
fn halted(world: &World, place: &str) -> [i32; 2] {
    let mut command = world.project.command(&["sync"]);
    command.env("TIDEGATE_PAUSE", place);
    let mut late = Running::start(command);
    until(place, || late.is_stopped() || late.has_ended());
    assert!(late.is_stopped(), "{place} was not reached: {}", late.wait().stderr);
    let rival = world.project.run(&["sync"]);
    late.signal("CONT");
    let late = late.wait();
    let is_known = |code| [0, 75].contains(&code);
    assert!(is_known(late.code) && is_known(rival.code), "{place}\n{}\n{}", late.stderr, rival.stderr);
    [late.code, rival.code]
}

/// Rows come, two syncs meet at each of `places`, and each row is there once.
async fn meet(world: World, places: &[&str]) {
    let (mut last, mut overtaken) = (5, 0);
    for place in places {
        eprintln!("halted at {place}");
        world.add(last + 1, last + 5).await;
        last += 5;
        let codes = halted(&world, place);
        assert!(codes.contains(&0), "{place}: neither has committed");
        overtaken += codes.iter().filter(|code| **code == 75).count();
        world.has(last);
        // The halted one may have written an old copy of the head: who plans by it comes too late, once.
        let next = world.project.run(&["sync"]);
        assert!([0, 75].contains(&next.code), "{place}: {}", next.stderr);
        world.has(last);
    }
    assert!(overtaken > 0, "nobody was ever in anybody's way");
    world.project.sync();
    world.add(last + 1, last + 1).await;
    world.project.sync();
    world.has(last + 1);
    world.is_clean();
}

#[tokio::test]
async fn appends_that_meet_at_any_step_write_each_row_once() {
    let world = World::short(5, json!({ "cursor": "updated_at" })).await;
    world.project.sync();
    meet(world, KILLED).await;
}

#[tokio::test]
async fn merges_that_meet_at_any_step_write_each_row_once() {
    let world = World::short(5, json!({ "cursor": "updated_at", "write": "merge" })).await;
    world.project.sync();
    meet(world, STEPS).await;
}

#[tokio::test]
async fn overwrites_that_meet_at_any_step_write_each_row_once() {
    let world = World::short(5, json!({ "mode": "full_refresh" })).await;
    world.project.sync();
    meet(world, STEPS).await;
}
