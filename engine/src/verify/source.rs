//! A fresh read of the source, of which only the receipt is kept.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use protocol::{
    ConfiguredStream, Digest, Error, Event, Head, Lifetime, Outlet, Result, SyncId, SyncMode, WriteMode,
};
use serde_json::Value;
use tokio::task::{JoinSet, block_in_place};

use super::report::{Finding, Problem, SourceVerdict, StreamVerdict};
use crate::Count;
use crate::conform::Conform;
use crate::receipt::RowHasher;
use crate::retry::retrying;
use crate::stream::Context;

/// Bytes of a batch.
const BATCH_BYTES: usize = 1 << 20;

/// Rows and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    rows: u64,
    content: Digest,
}

/// Compares what the target holds with what the source has now.
pub(super) async fn compare(
    context: &Context,
    stream: &ConfiguredStream,
    head: &Head,
    verdict: &mut StreamVerdict,
) -> Result<()> {
    if (stream.sync_mode, stream.write_mode) != (SyncMode::FullRefresh, WriteMode::Overwrite) {
        verdict.notes.push(
            "the source is not compared: only a full refresh that overwrites holds just what the source has; \
             `tidegate reconcile` compares by key"
                .to_owned(),
        );
        return Ok(());
    }
    let Some(schema) = &head.schema else {
        verdict.notes.push("the source is not compared: nothing is committed yet".to_owned());
        return Ok(());
    };
    let Some(target) = verdict.content.filter(|_| verdict.findings.is_empty()) else {
        verdict.notes.push("the source is not compared: the target is not whole".to_owned());
        return Ok(());
    };
    let added = context.config.metadata.names();
    let Some(hasher) = RowHasher::new(schema, &added) else {
        verdict.notes.push("the source is not compared: a type of its columns has no hash".to_owned());
        return Ok(());
    };
    let conform =
        Conform::new(stream, &context.config.metadata, schema.clone(), SyncId::new(), context.started_at);
    let sum = read(context, stream, &Arc::new((conform, hasher))).await?;
    let is_equal = (sum.rows, sum.content) == (verdict.rows, target);
    verdict.source = Some(SourceVerdict { rows: sum.rows, content: sum.content, is_equal });
    if !is_equal {
        let at = head.at.map(|at| format!(" at {}", at.format("%Y-%m-%d %H:%M:%SZ"))).unwrap_or_default();
        verdict.findings.push(Finding::new(
            Problem::Source,
            format!(
                "the source has {} rows, the target {}, and they are not the same: the source changed since \
                 the last sync{at}, or a row was lost",
                sum.rows, verdict.rows
            ),
        ));
    }
    Ok(())
}

async fn read(context: &Context, stream: &ConfiguredStream, with: &Arc<(Conform, RowHasher)>) -> Result<Sum> {
    let (patience, stop, retries) = (context.config.patience(), &context.stop, &Count::default());
    let (source, parallelism) = (&context.source, context.config.parallelism());
    let plan = retrying(patience, stop, retries, || {
        source.plan(stream, None, parallelism, Lifetime::Session, false)
    })
    .await?;
    let at_once = plan.max_in_flight.map_or(parallelism, |most| most.min(parallelism)).get();
    let partitions: Vec<BoxFuture<'_, Result<Sum>>> = plan
        .partitions
        .into_iter()
        .map(|planned| {
            let with = Arc::clone(with);
            async move {
                // Nothing is kept of an attempt that fails.
                retrying(patience, stop, retries, || {
                    partition(context, stream, planned.partition.clone(), Arc::clone(&with))
                })
                .await
            }
            .boxed()
        })
        .collect();
    stream::iter(partitions)
        .buffer_unordered(at_once)
        .try_fold(Sum::default(), async |sum, part| {
            Ok(Sum { rows: sum.rows + part.rows, content: sum.content + part.content })
        })
        .await
}

async fn partition(
    context: &Context,
    stream: &ConfiguredStream,
    partition: Value,
    with: Arc<(Conform, RowHasher)>,
) -> Result<Sum> {
    let (source, stream) = (Arc::clone(&context.source), stream.clone());
    // In a task of its own, so that several are decoded at once. It ends with this future.
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut outlet = Summing { with, sum: Sum::default() };
        source.read(&stream, partition, &mut outlet).await?;
        Ok(outlet.sum)
    });
    let ended = task.join_next().await.and_then(std::result::Result::ok);
    ended.unwrap_or_else(|| Err(Error::internal("reading panicked")))
}

/// Takes rows and keeps their sum.
struct Summing {
    with: Arc<(Conform, RowHasher)>,
    sum: Sum,
}

impl Outlet for Summing {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        async move {
            let Event::Batch(batch) = event else { return Ok(()) };
            let (conform, hasher) = &*self.with;
            let rows = block_in_place(|| Ok(hasher.rows(&conform.apply(&batch)?)))?;
            self.sum.rows += rows.len() as u64;
            self.sum.content += Digest::new(rows.into_iter().map(u128::from).sum());
            Ok(())
        }
        .boxed()
    }

    fn batch_bytes(&self) -> usize {
        BATCH_BYTES
    }
}
