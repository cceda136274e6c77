//! What is tried again, how often, and what ends the waiting.

use std::time::{Duration, Instant};

use engine::Outcome;
use protocol::{ErrorKind, Grain};

use crate::memory::fault::At;
use crate::memory::{Fault, Faults, Table, World};

fn poisoned(id: i64, kind: ErrorKind) -> Table {
    let mut table = Table::new(40);
    table.poison = Some((id, kind));
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_always_fails_ends_the_sync() {
    for grain in [Grain::Partition, Grain::Plan] {
        // The second of four partitions: the first is read well each time.
        let world = World::new(poisoned(15, ErrorKind::Transient).grain(grain)).set("retries", 3);
        let report = world.run(&Faults::none()).await;
        assert_eq!((report.exit_code, report.totals.retries), (75, 3), "{report:#?}");
        world.assert_sound("numbers", "poisoned");
        world.tables.change("numbers", |table| table.poison = None);
        world.run_well().await;
        world.assert_whole("numbers", "mended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn getting_further_starts_the_count_anew() {
    for grain in [Grain::Partition, Grain::Plan] {
        for (partition_rows, checkpoints) in [(100, true), (4, false)] {
            let table = Table::new(100).grain(grain).cut(partition_rows, 4).checkpoints(checkpoints);
            let world = World::new(table).set("retries", 1);
            let report = world.run(&Faults::of([(At::Each("batch", 3), transient())])).await;
            assert_eq!(report.exit_code, 0, "{grain:?} {partition_rows} {report:#?}");
            assert!(report.totals.retries > 5, "{report:#?}");
            world.assert_whole("numbers", "flaky");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempts_are_made_as_often_as_configured_and_no_more() {
    for retries in [0, 1, 4] {
        let world = World::new(Table::new(10)).set("retries", retries);
        for name in ["discover", "prepare", "plan", "commit"] {
            let faults = Faults::of([(At::Each(name, 1), transient())]);
            let report = world.run(&faults).await;
            assert_eq!(report.exit_code, 75, "{name}");
            let calls = faults.taken().iter().filter(|taken| **taken == name).count();
            assert_eq!(calls as u64, retries + 1, "{name}");
        }
        world.assert_sound("numbers", "nothing passed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_the_wait_for_another_attempt() {
    for name in ["discover", "prepare", "plan", "batch", "create"] {
        let world = World::new(Table::new(10)).set("retries", 5).set("retry_wait", "30s");
        let faults = Faults::of([(At::Each(name, 1), transient())]);
        let begin = Instant::now();
        let sync = world.sync(&faults);
        let (report, ()) = tokio::join!(sync.run(), async {
            while faults.fired() == 0 {
                tokio::task::yield_now().await;
            }
            crate::memory::settle().await;
            sync.stop().request();
        });
        assert!(begin.elapsed() < Duration::from_secs(20), "{name} waits on");
        assert_eq!((report.outcome, report.exit_code), (Outcome::Interrupted, 130), "{name} {report:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_failure_of_one_lane_ends_the_wait_of_another() {
    let world = World::with_streams([("numbers", poisoned(15, ErrorKind::Data))])
        .set("retries", 5)
        .set("retry_wait", "30s")
        .set("parallelism", 2);
    let begin = Instant::now();
    let report = world.run(&Faults::of([(At::Named("read", 1), transient())])).await;
    assert!(begin.elapsed() < Duration::from_secs(20), "waits on");
    assert_eq!(report.exit_code, 65, "{report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_for_a_day_is_not_waited_for() {
    let world = World::new(Table::new(10)).set("retries", 5);
    let retry_after = Some(Duration::from_hours(24));
    let limited = Fault::Error(ErrorKind::RateLimited { retry_after });
    let report = world.run(&Faults::of([(At::Named("batch", 1), limited)])).await;
    assert_eq!(report.exit_code, 75);
    let error = report.streams[0].error.clone().unwrap();
    assert_eq!(
        (error.kind.as_str(), error.retry_after.unwrap().duration()),
        ("rate_limited", Duration::from_hours(24))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_plan_is_made_again_and_again_only_as_often_as_configured() {
    let world = World::new(poisoned(15, ErrorKind::Stale).grain(Grain::Plan)).set("retries", 2);
    let faults = Faults::none();
    let report = world.run(&faults).await;
    assert_eq!(report.exit_code, 75);
    assert_eq!(faults.taken().iter().filter(|taken| **taken == "plan").count(), 3);
    assert_eq!(world.store.staged(), Vec::<String>::new());
    assert_eq!(world.store.head("numbers").sequence, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_plan_commits_nothing_before_it_is_made_again() {
    for grain in [Grain::Partition, Grain::Plan] {
        let table = Table::new(40).grain(grain);
        let world = World::new(table).set("retries", 2).set("commit_interval", "1h").files_of(1);
        let faults = Faults::of([(At::Named("batch", 8), Fault::Error(ErrorKind::Stale))]);
        let sync = world.sync(&faults);
        let report = sync.run().await;
        assert_eq!(report.exit_code, 0, "{report:#?}");
        assert_eq!(faults.taken().iter().filter(|taken| **taken == "plan").count(), 2, "{grain:?}");
        world.assert_whole("numbers", "planned again");
        let progress = &sync.progress().streams()[0];
        assert_eq!((progress.rows.get(), progress.partitions_done.get()), (40, 4), "{grain:?}");
        assert_eq!(world.store.staged(), Vec::<String>::new());
    }
}

/// To plan again would read once more what is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_which_a_part_is_committed_is_not_made_again() {
    let world = World::new(poisoned(35, ErrorKind::Stale).grain(Grain::Partition))
        .set("parallelism", 1)
        .set("commit_interval", "0s")
        .files_of(1);
    for _ in 0..2 {
        let report = world.run(&Faults::none()).await;
        assert_eq!(report.exit_code, 78, "{report:#?}");
        let error = report.streams[0].error.as_ref().unwrap();
        assert!(error.hint.as_ref().unwrap().contains("state reset"), "{error:?}");
        assert_eq!(world.ids("numbers").len(), 30, "what was complete is committed");
    }
    world.tables.change("numbers", |table| table.poison = None);
    world.run_well().await;
    world.assert_whole("numbers", "as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_is_stale_before_it_is_whole_is_made_again() {
    let world = World::new(Table::new(40)).set("retries", 1);
    let stale = || Fault::Error(ErrorKind::Stale);
    let report = world.run(&Faults::of([(At::Named("plan", 1), stale())])).await;
    assert_eq!((report.exit_code, report.totals.retries), (0, 1), "{report:#?}");
    world.assert_whole("numbers", "planned again");
    world.tables.change("numbers", |table| table.rows += 1);
    let report = world.run(&Faults::of([(At::Each("plan", 1), stale())])).await;
    assert_eq!((report.exit_code, report.totals.retries), (75, 1), "{report:#?}");
}

/// As a bucket's stage does once syncs were killed that had staged files for the same commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_is_stale_begins_anew_with_what_is_left_of_a_plan() {
    let world = World::new(poisoned(35, ErrorKind::Transient).grain(Grain::Partition))
        .set("parallelism", 1)
        .set("commit_interval", "0s")
        .set("retries", 1)
        .files_of(1);
    let report = world.run(&Faults::none()).await;
    assert_eq!(report.exit_code, 75, "{report:#?}");
    assert_eq!(world.ids("numbers").len(), 30, "what was complete is committed");
    world.tables.change("numbers", |table| table.poison = None);
    let report = world.run(&Faults::of([(At::Named("create", 1), Fault::Error(ErrorKind::Stale))])).await;
    assert_eq!((report.exit_code, report.totals.retries), (0, 1), "{report:#?}");
    world.assert_whole("numbers", "gone on with");
}

fn transient() -> Fault {
    Fault::Error(ErrorKind::Transient)
}
