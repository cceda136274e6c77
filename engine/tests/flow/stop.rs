//! A sync that is asked to stop commits what is complete and ends.

use engine::Outcome;
use protocol::Grain;

use crate::memory::fault::At;
use crate::memory::world::within;
use crate::memory::{Fault, Faults, Table, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_step_loses_and_doubles_nothing() {
    for (grain, checkpoints, lanes, file_bytes) in [
        (Grain::Partition, true, 1, 1),
        (Grain::Partition, true, 3, 1 << 20),
        (Grain::Partition, false, 2, 1_200),
        (Grain::Plan, true, 1, 1),
        (Grain::Plan, false, 3, 1 << 20),
    ] {
        for step in 1.. {
            let context = format!("stop at {step} of {grain:?} {checkpoints} {lanes} {file_bytes}");
            let table = Table::new(23).cut(9, 4).grain(grain).checkpoints(checkpoints);
            let world = World::new(table).set("parallelism", lanes).files_of(file_bytes);
            let faults = Faults::at(step, Fault::Stop);
            let report = world.run(&faults).await;
            assert!(matches!(report.exit_code, 0 | 130), "{context}: {report:#?}");
            assert_eq!(report.outcome == Outcome::Interrupted, report.exit_code == 130, "{context}");
            world.assert_sound("numbers", &context);
            assert_eq!(world.store.staged(), Vec::<String>::new(), "{context}: files are left behind");
            let report = world.run(&Faults::none()).await;
            assert_eq!(report.exit_code, 0, "{context}: {report:#?}");
            world.assert_whole("numbers", &context);
            if faults.fired() == 0 {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_complete_are_committed() {
    let world = World::new(Table::new(40)).files_of(1).set("commit_interval", "1h");
    let report = world.run(&Faults::of([(At::Named("batch", 8), Fault::Stop)])).await;
    assert_eq!(report.outcome, Outcome::Interrupted);
    assert_eq!(world.ids("numbers"), (0..20).collect::<Vec<_>>());
    assert_eq!(report.totals.rows_written, 20);
    let report = world.run_well().await;
    assert!(report.streams[0].resumed);
    assert_eq!((report.totals.rows_written, report.streams[0].partitions), (20, 2));
    world.assert_whole("numbers", "resumed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_plan_that_is_one_is_committed() {
    let world = World::new(Table::new(40).grain(Grain::Plan)).files_of(1);
    world.run(&Faults::of([(At::Named("batch", 8), Fault::Stop)])).await;
    assert_eq!(world.store.head("numbers").sequence, 0);
    assert_eq!(world.store.staged(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_hang_end() {
    for name in ["discover", "prepare", "plan", "read", "batch", "read ends"] {
        let world = World::new(Table::new(40));
        let faults = Faults::of([(At::Named(name, 1), Fault::Hang)]);
        let sync = world.sync(&faults);
        let stopped = async {
            while faults.fired() == 0 {
                tokio::task::yield_now().await;
            }
            sync.stop().request();
        };
        let (report, ()) = within(async { tokio::join!(sync.run(), stopped) }).await;
        assert_eq!(report.exit_code, 130, "{name}");
        assert_eq!(world.tables.reads.now(), 0, "{name}: a read goes on after the end");
        world.run_well().await;
        world.assert_whole("numbers", name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_before_the_start_does_nothing() {
    let world = World::new(Table::new(40));
    let sync = world.sync(&Faults::none());
    sync.stop().request();
    let report = within(sync.run()).await;
    assert_eq!((report.outcome, report.exit_code), (Outcome::Interrupted, 130));
    assert_eq!(world.store.head("numbers").sequence, 0);
}
