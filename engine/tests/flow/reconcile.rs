//! Comparing both sides, whatever goes wrong: nothing is counted twice, and tombstones are committed
//! once or not at all.

use engine::{Reconcile, ReconcileReport};
use protocol::{ErrorKind, Grain};

use crate::memory::fault::At;
use crate::memory::world::within;
use crate::memory::{Fault, Faults, Table, World};

/// Twenty of twenty-three rows are left at the source.
async fn world(retries: u32) -> World {
    let table = Table::new(23).cut(9, 4).grain(Grain::Plan);
    let world = World::new(table).set("retries", retries).files_of(1);
    world.run_well().await;
    world.tables.change("numbers", |table| table.rows = 20);
    world
}

/// Compares, and marks what is deleted; `None` where the process dies.
async fn applied(world: &World, faults: &std::sync::Arc<Faults>) -> Option<ReconcileReport> {
    let sync = world.sync(faults);
    let asked = Reconcile { apply: true, ..Reconcile::default() };
    let report = within(async {
        tokio::select! {
            biased;
            () = faults.crashed() => None,
            report = sync.reconcile(&asked) => Some(report),
        }
    })
    .await;
    drop(sync);
    world.nobody_reads().await;
    report
}

async fn at_each_step(fault: Fault) {
    for step in 1.. {
        let world = world(0).await;
        let before = world.store.head("numbers");
        let faults = Faults::at(step, fault.clone());
        let report = applied(&world, &faults).await;
        let after = world.store.head("numbers");
        let context = format!("{fault:?} at step {step}: {report:#?}");
        assert_eq!(after.state, before.state, "{context}");
        let marked = after.totals.rows - before.totals.rows;
        assert!(marked == 0 || marked == 3, "{marked} rows marked, {context}");
        if report.is_some_and(|report| report.exit_code == 0) {
            assert_eq!(marked, 3, "{context}");
        }
        let again = applied(&world, &Faults::none()).await.expect("nothing disturbs it");
        assert_eq!(again.exit_code, 0, "{context}, then {again:#?}");
        assert_eq!((again.streams[0].equal, again.streams[0].marked), (20, 3 - marked), "{context}");
        assert_eq!(world.store.head("numbers").totals.rows, 26, "{context}");
        assert_eq!(world.store.violations(), Vec::<String>::new(), "{context}");
        if faults.fired() == 0 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_marks_all_or_nothing() {
    at_each_step(Fault::Crash).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_anywhere_marks_all_or_nothing() {
    for kind in [ErrorKind::Transient, ErrorKind::Conflict, ErrorKind::Auth] {
        at_each_step(Fault::Error(kind)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_made_again_counts_no_row_twice() {
    for kind in [ErrorKind::Transient, ErrorKind::Stale] {
        for batch in 1..=6 {
            let world = world(3).await;
            let faults = Faults::of([(At::Named("batch", batch), Fault::Error(kind))]);
            let report = applied(&world, &faults).await.expect("it does not die");
            let stream = &report.streams[0];
            assert_eq!(faults.fired(), 1);
            assert_eq!((stream.source_rows, stream.equal, stream.extra), (20, 20, 3), "{report:#?}");
            assert_eq!((report.exit_code, stream.marked), (0, 3), "{report:#?}");
        }
    }
}
