//! A failure or a crash at each step in turn. Afterwards another sync brings everything to a good end.

use protocol::{ErrorKind, Grain};
use serde_json::json;

use crate::memory::fault::At;
use crate::memory::{Fault, Faults, Table, World, drop_at_poll};

/// A file of one byte ends at each batch; a large one holds several partitions.
const LARGE: u64 = 64 << 20;

/// Each way a stream can be cut up.
fn shapes(files: &[u64]) -> Vec<(String, World)> {
    let mut shapes = Vec::new();
    for grain in [Grain::Partition, Grain::Plan] {
        for checkpoints in [false, true] {
            for &file_bytes in files {
                for mode in ["incremental", "full_refresh"] {
                    let table = Table::new(23).cut(9, 4).grain(grain).checkpoints(checkpoints);
                    let world = World::new(table).files_of(file_bytes).set_stream("mode", mode);
                    shapes.push((format!("{grain:?} {checkpoints} {file_bytes} {mode}"), world));
                }
            }
        }
    }
    shapes
}

/// Makes `fault` happen at each step in turn, in all shapes, and looks what is left after it and
/// after one more sync.
async fn at_each_step(fault: Fault, settings: &[(&str, serde_json::Value)]) {
    for shape in 0..shapes(&[1, LARGE]).len() {
        for step in 1.. {
            let (name, mut world) = shapes(&[1, LARGE]).swap_remove(shape);
            for (key, value) in settings {
                world = world.set(key, value.clone());
            }
            let context = format!("{fault:?} at step {step} of {name}");
            let faults = Faults::at(step, fault.clone());
            let report = world.run_or_crash(&faults).await;
            world.assert_sound("numbers", &context);
            if report.as_ref().is_some_and(|report| report.exit_code == 0) {
                world.assert_whole("numbers", &context);
            }
            let was_last = faults.fired() == 0;
            again(&world, &context).await;
            if was_last {
                break;
            }
        }
    }
}

/// A sync after the one that was disturbed, and one more that finds nothing to do.
async fn again(world: &World, context: &str) {
    let report = world.run(&Faults::none()).await;
    assert_eq!(report.exit_code, 0, "{context}: {report:#?}");
    world.assert_whole("numbers", context);
    let before = world.store.head("numbers").sequence;
    world.tables.change("numbers", |table| table.rows += 5);
    assert_eq!(world.run(&Faults::none()).await.exit_code, 0, "{context}");
    world.assert_whole("numbers", context);
    assert!(world.store.head("numbers").sequence > before, "{context}: nothing committed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_step_loses_and_doubles_nothing() {
    at_each_step(Fault::Crash, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_at_any_step_loses_and_doubles_nothing() {
    for kind in [ErrorKind::Storage, ErrorKind::Conflict] {
        at_each_step(Fault::Error(kind), &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_at_any_step_of_several_lanes_loses_and_doubles_nothing() {
    at_each_step(Fault::Error(ErrorKind::Data), &[("parallelism", json!(3))]).await;
    at_each_step(Fault::Crash, &[("parallelism", json!(3))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_passes_is_mended_at_any_step() {
    for kind in [ErrorKind::Transient, ErrorKind::RateLimited { retry_after: None }, ErrorKind::Stale] {
        at_each_step(Fault::Error(kind), &[("retries", json!(2))]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_at_any_step_loses_and_doubles_nothing() {
    at_each_step(Fault::Panic, &[]).await;
    at_each_step(Fault::Panic, &[("parallelism", json!(3))]).await;
}

/// Several things go wrong, one after the other, in syncs that follow each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_of_failures_lose_and_double_nothing() {
    let kinds = [
        Fault::Crash,
        Fault::Stop,
        Fault::Panic,
        Fault::Error(ErrorKind::Transient),
        Fault::Error(ErrorKind::Data),
        Fault::Error(ErrorKind::Storage),
        Fault::Error(ErrorKind::Stale),
    ];
    for seed in 0..150 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (name, world) = shapes(&[1, 1_200, LARGE]).swap_remove(random.usize(..24));
        let world = world.set("parallelism", random.u32(1..4)).set("retries", random.u32(0..3));
        let world = world.set("commit_interval", if random.bool() { "0s" } else { "1h" });
        for sync in 0..4 {
            let steps = std::iter::repeat_with(|| random.usize(1..40)).take(3).collect::<Vec<_>>();
            let faults: Vec<_> = steps
                .into_iter()
                .map(|step| (At::Step(step), kinds[random.usize(..kinds.len())].clone()))
                .collect();
            let context = format!("seed {seed}, sync {sync} of {name}: {faults:?}");
            world.run_or_crash(&Faults::of(faults)).await;
            world.assert_sound("numbers", &context);
            // New rows come while an older sync is unfinished.
            world.tables.change("numbers", |table| table.rows += 3);
        }
        let context = format!("seed {seed} of {name}");
        // What was left unfinished, then what came meanwhile.
        assert_eq!(world.run(&Faults::none()).await.exit_code, 0, "{context}");
        again(&world, &context).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_dropped_at_any_poll_loses_and_doubles_nothing() {
    for shape in 0..shapes(&[1, LARGE]).len() {
        for polls in 0.. {
            let (name, world) = shapes(&[1, LARGE]).swap_remove(shape);
            let context = format!("dropped at poll {polls} of {name}");
            let sync = world.sync(&Faults::none());
            let ended = drop_at_poll(sync.run(), polls).await.is_some();
            world.died().await;
            world.assert_sound("numbers", &context);
            again(&world, &context).await;
            if ended {
                break;
            }
        }
    }
}
