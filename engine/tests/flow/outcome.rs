//! What the report and the exit code say.

use engine::{Outcome, Report};
use protocol::{ErrorKind, Grain};

use crate::memory::fault::At;
use crate::memory::{Fault, Faults, Table, World};

fn poisoned(kind: ErrorKind) -> Table {
    let mut table = Table::new(20);
    table.poison = Some((15, kind));
    table
}

fn outcomes(report: &Report) -> Vec<(Outcome, u8)> {
    report.streams.iter().map(|stream| (stream.outcome, stream.exit_code)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_fails_keeps_no_other_from_its_end() {
    use Outcome::{Failed, Succeeded};
    let world = World::with_streams([
        ("a", poisoned(ErrorKind::Transient)),
        ("b", Table::new(20)),
        ("c", poisoned(ErrorKind::Data)),
        ("d", poisoned(ErrorKind::Auth)),
        ("e", Table::new(0)),
    ]);
    let report = world.run(&Faults::none()).await;
    assert_eq!(outcomes(&report), [(Failed, 75), (Succeeded, 0), (Failed, 65), (Failed, 77), (Succeeded, 0)]);
    // What needs a person counts more than what a retry may mend; the first of them is named.
    assert_eq!((report.outcome, report.exit_code), (Failed, 65));
    assert_eq!((report.totals.streams_succeeded, report.totals.streams_failed), (2, 3));
    world.assert_whole("b", "mixed");
    world.assert_whole("e", "mixed");
    let error = report.streams[2].error.as_ref().unwrap();
    assert_eq!((error.kind.as_str(), error.context["stream"].as_str()), ("data", "c"));
    assert!(!error.retryable);
    assert!(report.streams[0].error.as_ref().unwrap().retryable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_a_retry_may_mend_is_exit_75() {
    let world = World::with_streams([("a", Table::new(20)), ("b", poisoned(ErrorKind::Transient))]);
    assert_eq!(world.run(&Faults::none()).await.exit_code, 75);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_before_any_stream_is_the_reports_error() {
    let world = World::new(Table::new(20));
    let report = world.run(&Faults::of([(At::Named("discover", 1), Fault::Error(ErrorKind::Auth))])).await;
    assert_eq!((report.outcome, report.exit_code, report.streams.len()), (Outcome::Failed, 77, 0));
    assert_eq!(report.error.unwrap().kind, "auth");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_its_stream_alone() {
    for (step, parallelism) in [("plan", 1), ("batch", 1), ("commit", 1), ("create", 2), ("finish", 3)] {
        let world = World::with_streams([("a", Table::new(40)), ("b", Table::new(40))])
            .set("parallelism", parallelism);
        let report = world.run(&Faults::of([(At::Named(step, 1), Fault::Panic)])).await;
        let mut codes: Vec<_> = report.streams.iter().map(|stream| stream.exit_code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 70], "{step}: {report:#?}");
        assert_eq!(report.exit_code, 70);
        world.run_well().await;
        world.assert_whole("a", step);
        world.assert_whole("b", step);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_says_what_was_done() {
    let world = World::new(Table::new(23).cut(9, 4).grain(Grain::Plan)).files_of(1);
    let report = world.run_well().await;
    let stream = &report.streams[0];
    assert_eq!((stream.rows_read, stream.rows_written, stream.partitions), (23, 23, 3));
    assert_eq!((stream.commits, stream.sequence, stream.resumed), (1, Some(1), false));
    assert_eq!(stream.files, 8, "each batch is worth a file");
    assert_eq!(stream.cursor.before, None);
    assert_eq!(stream.cursor.after.as_deref(), Some("23"));
    assert_eq!(report.totals.rows_written, 23);
    let head = world.store.head("numbers");
    assert_eq!((head.totals.rows, head.totals.files, head.totals.bytes), (23, 8, stream.bytes_written));
    let again = world.run_well().await;
    let stream = &again.streams[0];
    assert_eq!((stream.rows_read, stream.commits, stream.sequence), (0, 0, Some(1)));
    assert_eq!((stream.cursor.before.as_deref(), stream.cursor.after.as_deref()), (Some("23"), Some("23")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_stream_has_one_empty_file_and_no_second() {
    for mode in ["incremental", "full_refresh"] {
        for empty_batches in [false, true] {
            let mut table = Table::new(0);
            (table.restless, table.empty_batches) = (true, empty_batches);
            let world = World::new(table).set_stream("mode", mode).set_stream("write", "append");
            for _ in 0..3 {
                world.run_well().await;
                let files = world.store.files("numbers");
                assert_eq!(files.len(), 1, "{mode} {empty_batches}");
                let schema = world.store.schema("numbers", &files[0].0);
                assert_eq!(schema.fields().len(), 2, "readers find the columns");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overwrite_replaces_what_was_there() {
    for grain in [Grain::Partition, Grain::Plan] {
        let world = World::new(Table::new(23).cut(9, 4).grain(grain)).set_stream("mode", "full_refresh");
        for rows in [23, 40, 7, 0, 12] {
            world.tables.change("numbers", |table| table.rows = rows);
            world.run_well().await;
            assert_eq!(world.ids("numbers"), (0..rows).collect::<Vec<_>>(), "{grain:?}");
            assert!(!world.store.files("numbers").is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_the_old_rows_until_an_overwrite_ends() {
    let world = World::new(Table::new(20)).files_of(1).set_stream("mode", "full_refresh");
    world.run_well().await;
    world.tables.change("numbers", |table| table.rows = 40);
    let report = world.run(&Faults::of([(At::Named("batch", 8), Fault::Error(ErrorKind::Data))])).await;
    assert!(report.streams[0].commits > 0, "a part is committed");
    assert_eq!(world.ids("numbers"), (0..20).collect::<Vec<_>>());
    world.run_well().await;
    assert_eq!(world.ids("numbers"), (0..40).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_partitions_are_read_at_once_than_the_source_endures() {
    let mut table = Table::new(100).cut(5, 1);
    table.max_in_flight = std::num::NonZeroUsize::new(2);
    let world = World::new(table).set("parallelism", 8).files_of(1);
    // Interrupted and resumed: the source endures no more then.
    world.run(&Faults::of([(At::Named("batch", 30), Fault::Error(ErrorKind::Data))])).await;
    assert!(world.run_well().await.streams[0].resumed);
    world.assert_whole("numbers", "two at once");
    assert_eq!(world.tables.reads.peak(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_stream_keeps_no_other_waiting() {
    let mut streams: Vec<(String, Table)> = (1..30).map(|n| (format!("s{n:02}"), Table::new(5))).collect();
    streams.insert(0, ("s00".to_owned(), Table::new(5)));
    let world = World::new(Table::new(5)).set("parallelism", 2);
    let mut world = world;
    world.config["streams"] = serde_json::json!([{"name": "s*", "cursor": "id"}]);
    for (name, table) in streams {
        world.tables.put(&name, table);
    }
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let faults = Faults::of([(At::Named("plan", 1), Fault::Pause(std::sync::Arc::clone(&gate)))]);
    let sync = world.sync(&faults);
    let (report, ()) = crate::memory::world::within(async {
        tokio::join!(sync.run(), async {
            while faults.taken().iter().filter(|taken| **taken == "commit answers").count() < 29 {
                tokio::task::yield_now().await;
            }
            gate.add_permits(1);
        })
    })
    .await;
    assert_eq!(report.exit_code, 0);
    let names: Vec<_> = report.streams.iter().map(|stream| stream.stream.clone()).collect();
    assert!(names.is_sorted(), "in the order of the configuration: {names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_sync_goes_on_only_as_it_was_planned() {
    let interrupted = || async {
        let world = World::new(Table::new(40)).files_of(1);
        world.run(&Faults::of([(At::Named("batch", 8), Fault::Error(ErrorKind::Data))])).await;
        assert!(world.store.head("numbers").state.unfinished.is_some());
        world
    };
    for (key, value) in
        [("filter", "x"), ("mode", "full_refresh"), ("write", "overwrite"), ("exclude", "label")]
    {
        let world = interrupted().await;
        let world = match key {
            "exclude" => world.set_stream(key, vec![value]),
            "write" => world.set_stream(key, value).set_stream("mode", "full_refresh"),
            _ => world.set_stream(key, value),
        };
        let report = world.run(&Faults::none()).await;
        assert_eq!(report.exit_code, 78, "{key}: {report:#?}");
        assert!(report.streams[0].error.as_ref().unwrap().hint.is_some());
        world.assert_sound("numbers", key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_committed_while_others_are_read() {
    let world = World::new(Table::new(100)).files_of(1);
    assert!(world.run_well().await.streams[0].commits > 5);
    world.assert_whole("numbers", "often");
    let world = World::new(Table::new(100)).files_of(1).set("commit_interval", "1h");
    assert_eq!(world.run_well().await.streams[0].commits, 1);
    world.assert_whole("numbers", "once");
}
