//! `plan`, `read` and `commit` as processes of their own.

use std::sync::Arc;

use engine::{Outcome, StreamPlan};
use protocol::{ErrorKind, Grain, Lifetime, Staged};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::memory::fault::At;
use crate::memory::world::within;
use crate::memory::{Fault, Faults, MemoryDestination, Table, World};

/// As a document on its way to another process.
fn sent<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

async fn plan(world: &World) -> StreamPlan {
    let mut plans = world.sync(&Faults::none()).plan(Lifetime::Detached).await.unwrap();
    assert_eq!(plans.len(), 1);
    sent(&plans.remove(0))
}

async fn read(world: &World, plan: &StreamPlan, partition: usize) -> Staged {
    sent(&within(world.sync(&Faults::none()).read(plan, partition)).await.unwrap())
}

async fn read_all(world: &World, plan: &StreamPlan) -> Vec<Staged> {
    let mut staged = Vec::new();
    // The last first: order means nothing.
    for partition in (0..plan.partitions.len()).rev() {
        staged.push(read(world, plan, partition).await);
    }
    staged
}

async fn commit(
    world: &World,
    plan: &StreamPlan,
    staged: Vec<Staged>,
) -> Result<engine::StreamReport, ErrorKind> {
    world.sync(&Faults::none()).commit(plan, staged).await.map_err(|error| error.kind())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_do_what_one_does() {
    for grain in [Grain::Partition, Grain::Plan] {
        for rows in [0, 23] {
            let table = Table::new(rows).cut(9, 4).grain(grain).checkpoints(true);
            let (apart, whole) = (World::new(table.clone()).files_of(1), World::new(table).files_of(1));
            let plan = plan(&apart).await;
            assert_eq!(apart.store.head("numbers").sequence, 0, "a plan changes nothing");
            let staged = read_all(&apart, &plan).await;
            assert_eq!(apart.ids("numbers"), Vec::<i64>::new(), "a read shows nothing");
            let report = commit(&apart, &plan, staged).await.unwrap();
            assert_eq!((report.outcome, report.rows_written), (Outcome::Succeeded, rows.unsigned_abs()));
            whole.run_well().await;
            for world in [&apart, &whole] {
                world.assert_whole("numbers", &format!("{grain:?} {rows}"));
            }
            let state = |world: &World| world.store.head("numbers").state;
            assert_eq!(state(&apart), state(&whole));
            let files = |world: &World| world.store.files("numbers").len();
            assert_eq!(files(&apart) > 0, files(&whole) > 0, "an empty stream has one empty file");
            assert_eq!(apart.store.staged(), Vec::<String>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_reads_are_committed_once() {
    let world = World::new(Table::new(23).cut(9, 4));
    let plan = plan(&world).await;
    let staged = read_all(&world, &plan).await;
    let doubled = [staged.clone(), staged.clone()].concat();
    assert_eq!(commit(&world, &plan, doubled).await.unwrap_err(), ErrorKind::Conflict);
    assert_eq!(world.ids("numbers"), Vec::<i64>::new());
    commit(&world, &plan, staged.clone()).await.unwrap();
    assert_eq!(commit(&world, &plan, staged).await.unwrap_err(), ErrorKind::Conflict);
    world.assert_whole("numbers", "committed twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_plan_is_a_conflict() {
    let world = World::new(Table::new(23).cut(9, 4));
    let plan = plan(&world).await;
    let staged = read_all(&world, &plan).await;
    world.run_well().await;
    assert_eq!(world.sync(&Faults::none()).read(&plan, 0).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(commit(&world, &plan, staged).await.unwrap_err(), ErrorKind::Conflict);
    world.assert_whole("numbers", "an old plan");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_committed_where_the_grain_allows() {
    let world = World::new(Table::new(23).cut(9, 4));
    let first = plan(&world).await;
    let staged = read(&world, &first, 1).await;
    commit(&world, &first, vec![staged]).await.unwrap();
    world.assert_sound("numbers", "a part");
    assert_eq!(world.ids("numbers"), (9..18).collect::<Vec<_>>());
    let rest = plan(&world).await;
    assert!(rest.resumed);
    let staged = read_all(&world, &rest).await;
    commit(&world, &rest, staged).await.unwrap();
    world.assert_whole("numbers", "the rest");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_refused_where_the_plan_is_one() {
    let world = World::new(Table::new(23).cut(9, 4).grain(Grain::Plan));
    let plan = plan(&world).await;
    let one = read(&world, &plan, 1).await;
    assert_eq!(commit(&world, &plan, vec![one.clone()]).await.unwrap_err(), ErrorKind::Config);
    // What was read is still good.
    let others = [read(&world, &plan, 0).await, one, read(&world, &plan, 2).await];
    commit(&world, &plan, others.to_vec()).await.unwrap();
    world.assert_whole("numbers", "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_fails_or_stops_leaves_no_file() {
    for fault in [Fault::Stop, Fault::Error(ErrorKind::Data), Fault::Error(ErrorKind::Transient)] {
        for step in 1.. {
            let table = Table::new(23).cut(23, 4).checkpoints(true).grain(Grain::Plan);
            let world = World::new(table).files_of(1);
            let plan = plan(&world).await;
            let faults = Faults::at(step, fault.clone());
            let read = within(world.sync(&faults).read(&plan, 0)).await;
            let context = format!("{fault:?} at step {step}");
            assert_eq!(world.tables.reads.now(), 0, "{context}: a read goes on after the end");
            let discards = faults.taken().last() != Some(&"discard") || !matches!(fault, Fault::Error(_));
            if read.is_err() && discards && faults.taken().last() != Some(&"finished") {
                let left = world.store.staged();
                let unknown = faults.taken().contains(&"finished") && matches!(fault, Fault::Error(_));
                assert!(left.is_empty() || unknown, "{context}: {left:?} {:?}", faults.taken());
            }
            if let Ok(staged) = read {
                commit(&world, &plan, vec![staged]).await.unwrap();
                world.assert_whole("numbers", &context);
            }
            if faults.fired() == 0 {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_dropped_ends() {
    for step in ["prepare", "read", "batch", "create", "write", "finish", "read ends"] {
        let world = World::new(Table::new(23).cut(9, 4));
        let plan = plan(&world).await;
        let faults = Faults::of([(At::Named(step, 1), Fault::Crash)]);
        let sync = world.sync(&faults);
        let ended = within(async {
            tokio::select! {
                read = sync.read(&plan, 0) => Some(read),
                () = faults.crashed() => None,
            }
        })
        .await;
        assert!(ended.is_none(), "{step}");
        world.nobody_reads().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_do_not_fit_are_refused() {
    let world = World::new(Table::new(23).cut(9, 4));
    let plan = plan(&world).await;
    let sync = world.sync(&Faults::none());
    assert_eq!(sync.read(&plan, 3).await.unwrap_err().kind(), ErrorKind::Config);
    let mut newer = plan.clone();
    newer.version += 1;
    assert_eq!(sync.read(&newer, 0).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(sync.commit(&newer, Vec::new()).await.unwrap_err().kind(), ErrorKind::Config);
    MemoryDestination::rival_commits(&world.store, "numbers");
    let error = sync.read(&plan, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.advice().unwrap().contains("plan again"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_closes_the_source_also_when_it_fails() {
    for fault in [None, Some("discover"), Some("head"), Some("plan")] {
        let world = World::new(Table::new(23));
        let data = Fault::Error(ErrorKind::Data);
        let faults = Faults::of(fault.map(|name| (At::Named(name, 1), data)));
        let planned = world.sync(&faults).plan(Lifetime::Detached).await;
        assert_eq!(planned.is_err(), fault.is_some());
        assert_eq!(world.tables.closed.load(std::sync::atomic::Ordering::SeqCst), 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_of_one_process_may_run_at_once() {
    let world = World::new(Table::new(50).cut(9, 4));
    let plan = plan(&world).await;
    let sync = Arc::new(world.sync(&Faults::none()));
    let reads = (0..plan.partitions.len()).map(|partition| sync.read(&plan, partition));
    let staged: Result<Vec<_>, _> = within(futures::future::join_all(reads)).await.into_iter().collect();
    commit(&world, &plan, staged.unwrap()).await.unwrap();
    world.assert_whole("numbers", "at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_plan_read_is_refused() {
    let world = World::new(Table::new(23).cut(9, 4).grain(Grain::Plan)).files_of(1);
    let (former, latter) = (plan(&world).await, plan(&world).await);
    // The partitions of both are equal; what has happened in between is in neither's files alone.
    let staged = read_all(&world, &former).await;
    assert_eq!(commit(&world, &latter, staged.clone()).await.unwrap_err(), ErrorKind::Config);
    assert_eq!(world.store.head("numbers").sequence, 0);
    commit(&world, &former, staged).await.unwrap();
    world.assert_whole("numbers", "after the right commit");
}
