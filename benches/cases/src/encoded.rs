//! A whole sync without a database: batches that are there already become committed Parquet files.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use engine::{ConnectionConfig, Outcome, Sync};
use protocol::{
    Catalog, ConfiguredStream, DynDestination, DynSource, Emitter, Plan, PlanRequest, Result, Source, Stream,
    StreamFilter,
};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::random::Random;

/// Batches, and what encodes them.
pub struct Encoded {
    batches: Arc<Vec<RecordBatch>>,
    compression: String,
    runtime: Runtime,
}

impl Encoded {
    /// So many batches, each another.
    ///
    /// # Panics
    ///
    /// Where no thread can be started.
    #[must_use]
    pub fn new(batches: usize, batch: fn(&mut Random) -> RecordBatch, compression: &str) -> Self {
        let mut random = Random::default();
        let batches = Arc::new((0..batches).map(|_| batch(&mut random)).collect());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.expect("threads can be started");
        Self { batches, compression: compression.to_owned(), runtime }
    }

    #[must_use]
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).sum()
    }

    /// Hashes the rows as receipts do.
    pub fn hash(&self) {
        for batch in self.batches.iter() {
            std::hint::black_box(engine::content_of(batch));
        }
    }

    /// Conforms, encodes, stages and commits, by one lane, in a folder of which nothing is there yet.
    ///
    /// # Panics
    ///
    /// Where the sync fails.
    pub fn sync(&self, folder: &Path) {
        self.runtime.block_on(async {
            let factory = connectors::registry::destination("parquet").expect("it is registered");
            let settings = json!({"url": folder, "compression": self.compression});
            let open = (factory.configure)(settings).expect("these settings are right");
            let destination: Arc<dyn DynDestination> = open().await.expect("a folder opens").into();
            let source: Arc<dyn DynSource> = Arc::new(Made(Arc::clone(&self.batches)));
            let report = Sync::new("bench", connection(), source, destination).run().await;
            assert_eq!(report.outcome, Outcome::Succeeded, "{:?}", report.error);
            assert_eq!(usize::try_from(report.totals.rows_written), Ok(self.rows()));
        });
    }
}

fn connection() -> ConnectionConfig {
    let settings = json!({
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
