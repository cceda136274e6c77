//! A sync is killed at every place that can matter, by SIGKILL; or stopped there, while another one
//! commits, and woken up again. So are the other commands that commit ([`work`]).

mod list;
mod points;
mod work;
mod world;

use points::{Before, EVERY, Mode, POINTS, Point, Store};
use world::World;

use crate::support::until;

/// Kills such a sync at each of its places, looks at what is left, and syncs again.
async fn is_killed_everywhere(mode: Mode, store: Store) {
    let mut world = World::new(mode, store).await;
    let points: Vec<&Point> = POINTS.iter().filter(|point| point.is_in(mode, store)).collect();
    for (case, point) in points.iter().enumerate() {
        eprintln!("{mode:?}, {store:?}: {} after {:?}", point.name, point.before);
        world.begin(case, point.alone).await;
        for before in point.before {
            world.add(3).await;
            match before {
                Before::Killed(place) => is_killed(&mut world, place).await,
                Before::Synced => world.syncs().await,
                Before::Aged => world.age(EVERY).await,
            }
        }
        // A sync that takes up what another one committed has nothing more to do: rows are new.
        world.add(if point.much && mode == Mode::Later { 300 } else { 3 }).await;
        is_killed(&mut world, point.name).await;
        world.recovers().await;
    }
    eprintln!("{mode:?}, {store:?}: killed in {} cases, 0 lost, 0 doubled", points.len());
}

async fn is_killed(world: &mut World, place: &str) {
    let (signal, ran) = world.start("TIDEGATE_KILL", place).wait_for_signal();
    assert_eq!(signal, Some(9), "{place} was not reached: {}\n{}", ran.stdout, ran.stderr);
    world.is_before_or_after(1).await;
}

/// Stops such a sync at each of its places, lets another one commit, and wakes it up.
async fn wakes_up_too_late_everywhere(mode: Mode, store: Store) {
    let mut world = World::new(mode, store).await;
    let points: Vec<&Point> =
        POINTS.iter().filter(|point| point.is_in(mode, store) && point.before.is_empty()).collect();
    let mut codes = Vec::new();
    for (case, point) in points.iter().enumerate() {
        world.begin(case, point.alone).await;
        world.add(if point.much && mode == Mode::Later { 300 } else { 3 }).await;
        let mut zombie = world.start("TIDEGATE_PAUSE", point.name);
        until(point.name, || zombie.is_stopped() || zombie.has_ended());
        assert!(zombie.is_stopped(), "{} was not reached: {:?}", point.name, zombie.wait().stderr);
        world.add(3).await;
        let rival = world.project.sync();
        let commits = world.lake.commits().await.len();
        zombie.signal("CONT");
        let ran = zombie.wait();
        let stood = world.lake.commits().await.len();
        match ran.code {
            // It had not looked for the last commit yet, or its own commit stood already.
            0 => assert!(stood <= commits + 1, "{}", point.name),
            75 => assert_eq!(stood, commits, "{} lost, and has committed", point.name),
            code => panic!("{}: exit code {code}: {}\n{}\n{rival:#}", point.name, ran.stdout, ran.stderr),
        }
        codes.push(ran.code);
        world.ends_whole().await;
    }
    let lost = codes.iter().filter(|code| **code == 75).count();
    assert!(lost > 0 && lost < codes.len(), "of {} none or all lost", codes.len());
    eprintln!("{mode:?}, {store:?}: woken up in {} cases, {lost} of them lost the race", codes.len());
}

macro_rules! cases {
    ($($name:ident: $does:ident($mode:ident, $store:ident),)*) => {$(
        #[tokio::test]
        async fn $name() {
            $does(Mode::$mode, Store::$store).await;
        }
    )*};
}

cases! {
    a_full_refresh_to_a_directory_can_be_killed_anywhere: is_killed_everywhere(Full, Directory),
    a_full_refresh_to_a_bucket_can_be_killed_anywhere: is_killed_everywhere(Full, Bucket),
    a_first_sync_to_a_directory_can_be_killed_anywhere: is_killed_everywhere(First, Directory),
    a_first_sync_to_a_bucket_can_be_killed_anywhere: is_killed_everywhere(First, Bucket),
    a_later_sync_to_a_directory_can_be_killed_anywhere: is_killed_everywhere(Later, Directory),
    a_later_sync_to_a_bucket_can_be_killed_anywhere: is_killed_everywhere(Later, Bucket),
    a_full_refresh_to_a_directory_can_wake_up_too_late: wakes_up_too_late_everywhere(Full, Directory),
    a_later_sync_to_a_directory_can_wake_up_too_late: wakes_up_too_late_everywhere(Later, Directory),
    a_later_sync_to_a_bucket_can_wake_up_too_late: wakes_up_too_late_everywhere(Later, Bucket),
}
