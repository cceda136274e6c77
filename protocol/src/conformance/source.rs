//! What every source must pass: one suite, called by the tests of each.
//!
//! A source offers a [`SourceFixture`], which opens instances on one system that nobody else
//! changes, and tells which rows a stream of it has. The suite plays the engine: reads in any
//! order, twice, from checkpoints, and gives up in the middle.

mod outlet;
mod rows;
mod steps;

use std::future::Future;
use std::num::NonZeroUsize;
use std::time::Duration;

use arrow_array::RecordBatch;
use serde_json::Value;

use crate::{ConfiguredStream, DynPlan, DynSource, Lifetime, Result, Versioned};
use outlet::Recorded;
pub use rows::render;

/// No read of a test's few rows takes this long: one that does hangs.
const HANGS: Duration = Duration::from_mins(1);

/// A system that the suite reads, and one of its streams.
pub trait SourceFixture: Send + Sync {
    /// Opens another instance on the same system, as another process would.
    fn open(&self) -> impl Future<Output = Result<Box<dyn DynSource>>> + Send;

    /// The stream that is read. With a few partitions, with NULLs and with more rows than one batch of
    /// [`SourceFixture::batch_bytes`] holds, the suite sees most.
    fn stream(&self) -> ConfiguredStream;

    /// The rows that the stream has.
    fn expected(&self) -> Expected;

    /// Bytes that batches shall have: few, so that few rows make several.
    fn batch_bytes(&self) -> usize {
        4 << 10
    }

    /// Whether partitions can be planned for other processes.
    fn detaches(&self) -> bool {
        true
    }
}

/// Rows that a stream has.
#[derive(Debug, Clone)]
pub enum Expected {
    /// These, as [`render`] shows them, in any order.
    Rows(Vec<String>),
    /// So many, whatever is in them.
    Count(usize),
}

/// Runs the whole suite.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn source<F: SourceFixture>(fixture: &F) {
    steps::what_is_discovered_is_stable(fixture).await;
    steps::partitions_in_any_order_are_all_rows_once(fixture).await;
    steps::partitions_of_another_process_are_all_rows_once(fixture).await;
    steps::a_partition_is_the_same_each_time(fixture).await;
    steps::each_checkpoint_leaves_exactly_the_rest(fixture).await;
    steps::a_read_that_is_dropped_blocks_no_other(fixture).await;
    steps::a_read_that_is_refused_ends(fixture).await;
    steps::several_reads_at_once_do_not_meet(fixture).await;
    steps::the_next_state_finds_nothing_new(fixture).await;
    steps::states_of_others_are_refused(fixture).await;
    steps::a_partition_that_is_none_is_refused(fixture).await;
}

/// An instance, with a plan for it.
struct Opened {
    source: Box<dyn DynSource>,
    stream: ConfiguredStream,
    batch_bytes: usize,
}

impl Opened {
    async fn new<F: SourceFixture>(fixture: &F) -> Self {
        let source = within("opening the source", fixture.open()).await.expect("the source opens");
        Self { source, stream: fixture.stream(), batch_bytes: fixture.batch_bytes() }
    }

    async fn plan(&self, state: Option<&Versioned>, lifetime: Lifetime) -> DynPlan {
        let parallelism = NonZeroUsize::MIN.saturating_add(3);
        let plan = self.source.plan(&self.stream, state, parallelism, lifetime, false);
        let mut plan = within("planning", plan).await.expect("the stream can be planned");
        for planned in &mut plan.partitions {
            planned.partition = sent(&planned.partition);
        }
        plan
    }

    /// Reads a partition to its end.
    async fn read(&self, partition: &Value) -> Recorded {
        let mut recorded = Recorded::new(self.batch_bytes);
        let read = self.source.read(&self.stream, sent(partition), &mut recorded);
        let seen = within("reading a partition", read).await;
        recorded.seen = Some(seen.unwrap_or_else(|error| panic!("reading {partition} failed: {error:#}")));
        for batch in recorded.batches() {
            self.assert_fits(batch);
        }
        recorded
    }

    /// Rows of a partition, sorted.
    async fn rows(&self, partition: &Value) -> Vec<String> {
        rows::sorted(self.read(partition).await.batches())
    }

    /// The engine refuses batches that differ from what was planned.
    fn assert_fits(&self, batch: &RecordBatch) {
        let (found, planned) = (batch.schema(), &self.stream.schema);
        let shape = |schema: &arrow_schema::Schema| -> Vec<_> {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect()
        };
        assert_eq!(shape(&found), shape(planned), "a batch differs from the stream's schema");
        for (field, column) in planned.fields().iter().zip(batch.columns()) {
            assert!(field.is_nullable() || column.null_count() == 0, "{:?} must not be NULL", field.name());
        }
    }

    async fn close(self) {
        within("closing", self.source.close()).await;
    }
}

/// A value on its way to another process.
fn sent(value: &Value) -> Value {
    let text = serde_json::to_string(value).expect("JSON is text");
    let back: Value = serde_json::from_str(&text).expect("text of JSON is JSON");
    assert_eq!(*value, back, "a partition or state changes on its way through JSON");
    back
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(HANGS, future).await;
    ended.unwrap_or_else(|late| panic!("{what} hangs: {late}"))
}
