//! Two syncs of one connection at once: one wins, and no row is doubled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::{ErrorKind, Grain};
use tokio::sync::Semaphore;

use crate::memory::fault::At;
use crate::memory::world::within;
use crate::memory::{Fault, Faults, MemoryDestination, Table, World};

fn world(grain: Grain) -> World {
    World::new(Table::new(23).cut(9, 4).grain(grain).checkpoints(true)).files_of(1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rival_at_any_step_doubles_nothing() {
    for grain in [Grain::Partition, Grain::Plan] {
        for step in 1.. {
            let context = format!("a whole sync at step {step} of another, {grain:?}");
            let world = world(grain);
            let gate = Arc::new(Semaphore::new(0));
            let faults = Faults::at(step, Fault::Pause(Arc::clone(&gate)));
            let sync = world.sync(&faults);
            let ended = AtomicBool::new(false);
            let one = async {
                let report = sync.run().await;
                ended.store(true, Ordering::SeqCst);
                report
            };
            let rival = async {
                while faults.fired() == 0 {
                    if ended.load(Ordering::SeqCst) {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
                let report = world.sync(&Faults::none()).run().await;
                // A commit that was under way when the other paused may still win.
                assert!(matches!(report.exit_code, 0 | 75), "{context}: {report:#?}");
                gate.add_permits(1);
            };
            // The counts of the world are of both: only what is committed is looked at.
            let (report, ()) = within(async { tokio::join!(one, rival) }).await;
            assert!(matches!(report.exit_code, 0 | 75), "{context}: {report:#?}");
            world.assert_sound("numbers", &context);
            world.run_well().await;
            world.assert_whole("numbers", &context);
            if faults.fired() == 0 {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_at_once_one_at_least_succeeds() {
    for round in 0..60 {
        let world = world(if round % 2 == 0 { Grain::Partition } else { Grain::Plan });
        let (one, two) = (world.sync(&Faults::none()), world.sync(&Faults::none()));
        let start = |sync: engine::Sync| tokio::spawn(async move { sync.run().await });
        let (one, two) = within(async { tokio::join!(start(one), start(two)) }).await;
        let mut codes = [one.unwrap().exit_code, two.unwrap().exit_code];
        codes.sort_unstable();
        assert!(matches!(codes, [0, 0 | 75] | [75, 75]), "round {round}: {codes:?}");
        world.assert_sound("numbers", "both ended");
        world.run_well().await;
        world.assert_whole("numbers", "after both");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_slower_one_is_told_of_the_conflict() {
    let world = world(Grain::Plan);
    let gate = Arc::new(Semaphore::new(0));
    let faults = Faults::of([(At::Named("commit", 1), Fault::Pause(Arc::clone(&gate)))]);
    let sync = world.sync(&faults);
    let (report, ()) = within(async {
        tokio::join!(sync.run(), async {
            while faults.fired() == 0 {
                tokio::task::yield_now().await;
            }
            MemoryDestination::rival_commits(&world.store, "numbers");
            gate.add_permits(1);
        })
    })
    .await;
    assert_eq!(report.exit_code, 75);
    assert_eq!(report.streams[0].error.as_ref().unwrap().kind, "conflict");
}

/// The first commit of a sync takes effect, its answer is lost, and before it is repeated another
/// process commits the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_commit_that_another_built_upon_ends_the_sync() {
    let world = world(Grain::Partition).set("retries", 3);
    let gate = Arc::new(Semaphore::new(0));
    let faults = Faults::of([
        (At::Named("commit answers", 1), Fault::Error(ErrorKind::Transient)),
        (At::Named("commit", 2), Fault::Pause(Arc::clone(&gate))),
    ]);
    let sync = world.sync(&faults);
    let (report, ()) = within(async {
        tokio::join!(sync.run(), async {
            while faults.fired() < 2 {
                tokio::task::yield_now().await;
            }
            world.sync(&Faults::none()).run().await;
            gate.add_permits(1);
        })
    })
    .await;
    assert_eq!(report.exit_code, 75, "{report:#?}");
    world.assert_whole("numbers", "both ended");
}
