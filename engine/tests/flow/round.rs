//! When a sync goes on after its commit.

use engine::Outcome;
use protocol::{ErrorKind, Grain};

use crate::memory::{Faults, Table, World};

fn unsettled(times: usize) -> Table {
    Table { unsettled: times, ..Table::new(20) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_ends_only_when_its_state_is_settled() {
    let world = World::new(unsettled(2));
    let report = world.run_well().await;
    world.assert_whole("numbers", "settled at last");
    let stream = &report.streams[0];
    assert_eq!((stream.rows_read, stream.rows_written, stream.commits), (30, 30, 3), "{stream:#?}");
    assert!(stream.content.is_some(), "the receipts of all rounds add up");
    assert_eq!(stream.content, world.store.head("numbers").totals.content);
    assert_eq!((stream.cursor.before.as_deref(), stream.cursor.after.as_deref()), (None, Some("30")));
    let window = stream.cursor.window.as_ref().unwrap();
    assert_eq!((window.since.as_deref(), window.until.as_deref()), (Some("0"), Some("30")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_settles_ends_all_the_same() {
    let world = World::new(unsettled(1000));
    let report = world.run(&Faults::none()).await;
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, 75), "{report:#?}");
    assert_eq!(report.streams[0].rows_written, 20 + 7 * 5);
    world.assert_sound("numbers", "never settled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_in_since_an_interruption_is_read_by_the_sync_that_goes_on() {
    let mut table = Table::new(40).grain(Grain::Partition);
    table.poison = Some((35, ErrorKind::Data));
    let world = World::new(table).set("parallelism", 1).files_of(1);
    assert_eq!(world.run(&Faults::none()).await.exit_code, 65);
    assert_eq!(world.ids("numbers").len(), 30, "what was complete is committed");
    world.tables.change("numbers", |table| {
        table.poison = None;
        table.rows += 5;
    });
    let report = world.run_well().await;
    let stream = &report.streams[0];
    assert!(stream.resumed, "{stream:#?}");
    assert_eq!((stream.rows_read, stream.commits), (15, 2), "{stream:#?}");
    world.assert_whole("numbers", "resumed");
}
