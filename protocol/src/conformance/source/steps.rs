//! The facts, one function each.

use std::pin::pin;
use std::sync::Arc;

use futures::future::join_all;
use futures::poll;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::outlet::{Limited, Then, batches};
use super::rows::{assert_expected, assert_same, sorted};
use super::{Opened, SourceFixture, sent, within};
use crate::{ErrorKind, Lifetime, Stream, StreamFilter, SyncMode, Versioned};

/// Where reads are given up: the numbers of Fibonacci, so that early and late are tried in few steps.
const GIVE_UP: [usize; 9] = [0, 1, 2, 3, 5, 8, 13, 34, 89];
/// Reads that are given up in a row: more than any pool has connections.
const IN_A_ROW: usize = 12;
/// Checkpoints of one partition that are read from.
const CHECKPOINTS: usize = 6;

pub(super) async fn what_is_discovered_is_stable<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    let name = opened.stream.name.clone();
    let one = StreamFilter { patterns: vec![name.clone()] };
    let mut found: Vec<Stream> = Vec::new();
    for filter in [&one, &one, &StreamFilter::all()] {
        let discovered = within("discovering", opened.source.discover(filter)).await;
        let catalog = discovered.expect("the source describes its streams");
        let mut same = catalog.streams.into_iter().filter(|stream| stream.name == name);
        found.push(same.next().unwrap_or_else(|| panic!("{name:?} is not discovered with {filter:?}")));
        assert!(same.next().is_none(), "{name:?} is discovered twice");
    }
    for other in &found[1..] {
        assert_eq!(found[0].schema, other.schema, "the schema differs from one discovery to the next");
        assert_eq!(found[0].primary_key, other.primary_key);
        assert_eq!(found[0].cursors, other.cursors);
    }
    for column in found[0].primary_key.iter().chain(found[0].cursors.iter().map(|cursor| &cursor.field)) {
        assert!(found[0].schema.field_with_name(column).is_ok(), "{column:?} is no column");
    }
    for field in opened.stream.schema.fields() {
        assert!(
            found[0].schema.field_with_name(field.name()).is_ok(),
            "{:?} is not discovered",
            field.name()
        );
    }
    opened.close().await;
}

pub(super) async fn partitions_in_any_order_are_all_rows_once<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    let partitions = partitions(&opened, Lifetime::Session).await;
    let mut rows = Vec::new();
    for partition in partitions.iter().rev() {
        rows.extend(opened.rows(partition).await);
    }
    rows.sort_unstable();
    assert_expected(&rows, &fixture.expected(), "partitions in reverse");
    opened.close().await;
}

pub(super) async fn partitions_of_another_process_are_all_rows_once<F: SourceFixture>(fixture: &F) {
    if !fixture.detaches() {
        return;
    }
    let planner = Opened::new(fixture).await;
    let partitions = partitions(&planner, Lifetime::Detached).await;
    planner.close().await;
    let mut rows = Vec::new();
    for partition in &partitions {
        let reader = Opened::new(fixture).await;
        rows.extend(reader.rows(partition).await);
        reader.close().await;
    }
    rows.sort_unstable();
    assert_expected(&rows, &fixture.expected(), "partitions in other processes");
}

pub(super) async fn a_partition_is_the_same_each_time<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    for partition in partitions(&opened, Lifetime::Session).await {
        let (first, second) = (opened.read(&partition).await, opened.read(&partition).await);
        assert_same(&sorted(second.batches()), &sorted(first.batches()), "a partition read again");
    }
    opened.close().await;
}

pub(super) async fn each_checkpoint_leaves_exactly_the_rest<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    for partition in partitions(&opened, Lifetime::Session).await {
        let whole = opened.read(&partition).await;
        let checkpoints = whole.checkpoints();
        // The first and the last are where one is off by one.
        let step = checkpoints.len().div_ceil(CHECKPOINTS).max(1);
        let last = checkpoints.len().saturating_sub(1);
        for (at, (rest, events)) in checkpoints.iter().enumerate() {
            if at % step == 0 || at == last {
                let expected = sorted(batches(events));
                assert_same(&opened.rows(rest).await, &expected, &format!("the rest after checkpoint {at}"));
            }
        }
    }
    opened.close().await;
}

pub(super) async fn a_read_that_is_dropped_blocks_no_other<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    for partition in partitions(&opened, Lifetime::Session).await.iter().take(2) {
        let expected = opened.rows(partition).await;
        for left in GIVE_UP {
            // Held by a full engine, then dropped.
            if !give_up(&opened, partition, left, Then::Full).await {
                break;
            }
        }
        for _ in 0..IN_A_ROW {
            give_up(&opened, partition, 1, Then::Full).await;
        }
        assert_same(&opened.rows(partition).await, &expected, "after reads that were dropped at an event");
        for polls in GIVE_UP {
            drop_at_poll(&opened, partition, polls).await;
        }
        assert_same(&opened.rows(partition).await, &expected, "after reads that were dropped at a poll");
    }
    opened.close().await;
}

pub(super) async fn a_read_that_is_refused_ends<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    for partition in partitions(&opened, Lifetime::Session).await.iter().take(2) {
        let expected = opened.rows(partition).await;
        for left in GIVE_UP {
            if !give_up(&opened, partition, left, Then::Refused).await {
                break;
            }
        }
        assert_same(&opened.rows(partition).await, &expected, "after reads that were refused");
    }
    opened.close().await;
}

pub(super) async fn several_reads_at_once_do_not_meet<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    let plan = opened.plan(None, Lifetime::Session).await;
    let at_once = plan.max_in_flight.map_or(4, std::num::NonZeroUsize::get);
    let mut rows = Vec::new();
    for some in plan.partitions.chunks(at_once) {
        rows.extend(join_all(some.iter().map(|planned| opened.rows(&planned.partition))).await);
    }
    let mut rows: Vec<String> = rows.into_iter().flatten().collect();
    rows.sort_unstable();
    assert_expected(&rows, &fixture.expected(), "partitions at once");
    opened.close().await;
}

pub(super) async fn the_next_state_finds_nothing_new<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    let next = next_state(&opened).await;
    opened.close().await;
    let again = Opened::new(fixture).await;
    let plan = again.plan(Some(&next), Lifetime::Session).await;
    let mut rows = Vec::new();
    for planned in &plan.partitions {
        rows.extend(again.rows(&planned.partition).await);
    }
    rows.sort_unstable();
    match again.stream.sync_mode {
        SyncMode::Incremental => assert_same(&rows, &[], "a second sync where nothing changed"),
        SyncMode::FullRefresh => assert_expected(&rows, &fixture.expected(), "a second full refresh"),
    }
    again.close().await;
}

pub(super) async fn states_of_others_are_refused<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    let next = next_state(&opened).await;
    let foreign = Versioned { source: format!("not_{}", next.source), ..next.clone() };
    let newer = Versioned { version: next.version + 1, ..next.clone() };
    let torn = Versioned { value: json!("torn"), ..next };
    for (state, what) in [(foreign, "another source's"), (newer, "a newer"), (torn, "a torn")] {
        let parallelism = std::num::NonZeroUsize::MIN;
        let plan = opened.source.plan(&opened.stream, Some(&state), parallelism, Lifetime::Session, false);
        match within("planning", plan).await {
            Ok(_) => panic!("{what} state is taken"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Config, "{what} state: {error:#}"),
        }
        assert_eq!(opened.source.position(&state), None, "{what} state has a position");
    }
    opened.close().await;
}

pub(super) async fn a_partition_that_is_none_is_refused<F: SourceFixture>(fixture: &F) {
    let opened = Opened::new(fixture).await;
    let mut taken = super::outlet::Recorded::new(opened.batch_bytes);
    let read = opened.source.read(&opened.stream, json!([["no", "partition"]]), &mut taken);
    let error = within("reading what is no partition", read).await.expect_err("it can't be read");
    assert_eq!(error.kind(), ErrorKind::Config, "{error:#}");
    opened.close().await;
}

async fn partitions(opened: &Opened, lifetime: Lifetime) -> Vec<Value> {
    let plan = opened.plan(None, lifetime).await;
    plan.partitions.into_iter().map(|planned| planned.partition).collect()
}

/// The state after a sync, as the destination gives it back.
async fn next_state(opened: &Opened) -> Versioned {
    let plan = opened.plan(None, Lifetime::Session).await;
    let mut next = plan.next;
    for planned in &plan.partitions {
        for seen in opened.read(&planned.partition).await.learned() {
            let folded = opened.source.advance(&mut next, &planned.partition, seen);
            folded.expect("what was seen folds into the state");
        }
    }
    next.value = sent(&next.value);
    next
}

/// Begins a read and gives it up when it has emitted `left` events and one more; `false` when it has
/// not so many.
async fn give_up(opened: &Opened, partition: &Value, left: usize, then: Then) -> bool {
    let reached = Arc::new(Notify::new());
    let mut outlet = Limited { batch_bytes: opened.batch_bytes, left, then, reached: Arc::clone(&reached) };
    let read = opened.source.read(&opened.stream, partition.clone(), &mut outlet);
    let what = format!("a read that is given up after {left} events");
    match then {
        Then::Full => {
            within(&what, async {
                tokio::select! {
                    biased;
                    () = reached.notified() => true,
                    ended = read => {
                        ended.unwrap_or_else(|error| panic!("{what} failed: {error:#}"));
                        false
                    }
                }
            })
            .await
        }
        Then::Refused => {
            let ended = within(&what, read).await;
            let refused = reached.notified();
            let refused = poll!(pin!(refused)).is_ready();
            assert!(!refused || ended.is_err(), "a read whose event was refused says that it succeeded");
            refused
        }
    }
}

async fn drop_at_poll(opened: &Opened, partition: &Value, polls: usize) {
    let mut outlet = super::outlet::Recorded::new(opened.batch_bytes);
    let mut read = opened.source.read(&opened.stream, partition.clone(), &mut outlet);
    for _ in 0..polls {
        if poll!(&mut read).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}
