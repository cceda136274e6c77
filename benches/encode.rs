//! How fast batches become committed Parquet files in a local directory, without a database:
//! `cargo bench --bench encode`. Times are of a whole sync with one lane: conforming, encoding,
//! staging and the commit.

mod batch;

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_array::RecordBatch;
use batch::{ROWS, Random, lineitem_batch, payments_batch};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use engine::{ConnectionConfig, Outcome, Sync};
use protocol::{
    Catalog, ConfiguredStream, DynDestination, DynSource, Emitter, Plan, PlanRequest, Result, Source, Stream,
    StreamFilter,
};

const BATCHES: usize = 64;

fn main() {
    divan::main();
}

#[divan::bench(args = ["zstd", "snappy", "none"])]
fn lineitem(bencher: Bencher, compression: &str) {
    run(bencher, compression, lineitem_batch);
}

#[divan::bench(args = ["zstd", "snappy", "none"])]
fn payments(bencher: Bencher, compression: &str) {
    run(bencher, compression, payments_batch);
}

fn run(bencher: Bencher, compression: &str, batch: fn(&mut Random) -> RecordBatch) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be had");
    let mut random = Random::new();
    let batches: Arc<Vec<RecordBatch>> = Arc::new((0..BATCHES).map(|_| batch(&mut random)).collect());
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    bencher
        .counter(ItemsCount::new(BATCHES * ROWS))
        .counter(BytesCount::new(bytes))
        .with_inputs(|| tempfile::tempdir().expect("a folder can be made"))
        .bench_local_values(|folder| {
            runtime.block_on(async {
                let factory = connectors::registry::destination("parquet").expect("it is registered");
                let settings = serde_json::json!({"url": folder.path(), "compression": compression});
                let open = (factory.configure)(settings).expect("these settings are right");
                let destination: Arc<dyn DynDestination> = open().await.expect("a folder opens").into();
                let source: Arc<dyn DynSource> = Arc::new(Made(Arc::clone(&batches)));
                let report = Sync::new("bench", connection(), source, destination).run().await;
                assert_eq!(report.outcome, Outcome::Succeeded, "{:?}", report.error);
                assert_eq!(report.totals.rows_written, (BATCHES * ROWS) as u64);
            });
            folder
        });
}

fn connection() -> ConnectionConfig {
    let settings = serde_json::json!({
        "source": "made", "destination": "folder", "streams": [{"name": "made"}], "parallelism": 1,
    });
    serde_json::from_value(settings).expect("these settings are right")
}

/// A source whose batches are there already.
struct Made(Arc<Vec<RecordBatch>>);

impl Source for Made {
    const NAME: &'static str = "made";
    type Config = ();
    type Partition = ();
    type State = ();
    type Seen = ();

    async fn open((): ()) -> Result<Self> {
        Ok(Self(Arc::default()))
    }

    async fn check(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn discover(&self, _: &StreamFilter) -> Result<Catalog> {
        let stream = Stream { schema: self.0[0].schema(), ..Stream::new("made") };
        Ok(Catalog::new([stream]))
    }

    async fn plan(&self, _: &PlanRequest<'_, ()>) -> Result<Plan<(), ()>> {
        Ok(Plan { max_in_flight: NonZeroUsize::new(1), ..Plan::whole((), ()) })
    }

    async fn read(&self, _: &ConfiguredStream, (): (), out: &mut Emitter<'_, Self>) -> Result<()> {
        for batch in self.0.iter() {
            out.batch(batch.clone()).await?;
        }
        Ok(())
    }
}
