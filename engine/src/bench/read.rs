//! Draining and decoding: what is read is counted and thrown away.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use protocol::{ConfiguredStream, Drained, DynSource, Error, Event, Lifetime, Outlet, Result};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Apartment, Part, Sample};
use crate::clock::Watch;

impl Apartment {
    /// Reads into nothing.
    pub(super) async fn read(&self, part: Part, stream: ConfiguredStream, watch: Watch) -> Result<Sample> {
        let context = &self.sync.context;
        let parallelism = context.config.parallelism();
        let plan = context.source.plan(&stream, None, parallelism, Lifetime::Session, false).await?;
        let plan_seconds = watch.seconds();
        let batch_bytes = context.budget.share(parallelism, 0, u64::MAX).batch_bytes;
        let batch_bytes = usize::try_from(batch_bytes).unwrap_or(usize::MAX);
        let count = plan.partitions.len();
        let lanes = self.task.connections.get().min(count);
        let partitions: Vec<BoxFuture<'_, Result<Drained>>> = plan
            .partitions
            .into_iter()
            .map(|planned| {
                let (source, stream) = (Arc::clone(&context.source), stream.clone());
                read_apart(source, stream, planned.partition, part, batch_bytes).boxed()
            })
            .collect();
        let sum = stream::iter(partitions)
            .buffer_unordered(lanes.max(1))
            .try_fold(Drained::default(), async |sum, part| {
                Ok(Drained { rows: sum.rows + part.rows, bytes: sum.bytes + part.bytes })
            })
            .await?;
        Ok(Sample {
            seconds: watch.seconds(),
            plan_seconds,
            rows: sum.rows,
            bytes: sum.bytes,
            partitions: count as u64,
            lanes: lanes as u64,
            ..Sample::default()
        })
    }
}

/// Reads a partition in a task of its own, so that several are decoded at once. It ends with this future.
async fn read_apart(
    source: Arc<dyn DynSource>,
    stream: ConfiguredStream,
    partition: Value,
    part: Part,
    batch_bytes: usize,
) -> Result<Drained> {
    let mut task = JoinSet::new();
    task.spawn(async move {
        if part == Part::Drain {
            return source.drain(&stream, partition).await;
        }
        let mut outlet = Counting { batch_bytes, sum: Drained::default() };
        source.read(&stream, partition, &mut outlet).await?;
        Ok(outlet.sum)
    });
    let ended = task.join_next().await.and_then(std::result::Result::ok);
    ended.unwrap_or_else(|| Err(Error::internal("reading panicked")))
}

/// Takes rows and counts them.
struct Counting {
    batch_bytes: usize,
    sum: Drained,
}

impl Outlet for Counting {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        if let Event::Batch(batch) = event {
            self.sum.rows += batch.num_rows() as u64;
            self.sum.bytes += batch.get_array_memory_size() as u64;
        }
        async { Ok(()) }.boxed()
    }

    fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }
}
