//! Encoding, and the whole: a sync as it is, into a destination that commits nothing.

use protocol::{ConfiguredStream, Lifetime, Result};

use super::{Apartment, Sample};
use crate::clock::Watch;
use crate::report::blank_stream_report;
use crate::stream::StreamSync;

impl Apartment {
    /// Syncs the stream.
    pub(super) async fn write(&self, stream: ConfiguredStream, watch: Watch) -> Result<Sample> {
        let sync = self.stream_sync(stream);
        let prepared = sync.prepare().await?;
        prepared.stage.claim();
        let plan = sync.plan(&prepared.head, Lifetime::Session).await?;
        let plan_seconds = watch.seconds();
        let lanes = sync.share(&prepared).lanes.min(self.task.connections);
        let lanes = lanes.get().min(plan.partitions.len());
        let mut report = blank_stream_report(&sync.stream);
        sync.execute(&plan, prepared, &mut report).await?;
        Ok(Sample {
            // What is cleaned up afterwards is the bench's own doing.
            seconds: plan_seconds + report.seconds.read + report.seconds.commit,
            plan_seconds,
            rows: report.rows_written,
            bytes: report.bytes_written,
            files: report.files,
            partitions: plan.partitions.len() as u64,
            lanes: lanes as u64,
            ..Sample::default()
        })
    }

    pub(super) fn stream_sync(&self, stream: ConfiguredStream) -> StreamSync<'_> {
        let progress = self.sync.progress().add_stream(&stream.name);
        StreamSync { context: &self.sync.context, stream, progress }
    }
}
