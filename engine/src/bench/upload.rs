//! Uploading by itself: as many bytes as the files of a sync have, of noise, which nothing compresses.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future;
use protocol::{ConfiguredStream, Result, Stage, StagedFile};

use super::{Apartment, Sample};
use crate::Stop;
use crate::clock::Watch;
use crate::retry::interrupted;

/// Bytes that are written at once.
const PIECE_BYTES: usize = 4 << 20;

impl Apartment {
    /// Stages files of the task's bytes, and discards them.
    pub(super) async fn upload(&self, stream: ConfiguredStream, watch: Watch) -> Result<Sample> {
        let sync = self.stream_sync(stream);
        let prepared = sync.prepare().await?;
        let lanes = sync.share(&prepared).lanes.min(self.task.connections).get();
        let stage = prepared.stage.as_ref();
        let plan_seconds = watch.seconds();
        let mut noise = vec![0; PIECE_BYTES];
        fastrand::Rng::with_seed(1).fill(&mut noise);
        let load = Load {
            noise: Bytes::from(noise),
            left: AtomicU64::new(self.task.bytes),
            file_bytes: stage.options().target_bytes.min(self.task.bytes.div_ceil(lanes as u64)).max(1),
            stop: &self.sync.context.stop,
        };
        let ended = future::join_all((0..lanes).map(|_| load.lane(stage))).await;
        let seconds = watch.seconds();
        let (mut files, mut failed) = (Vec::new(), None);
        for (staged, result) in ended {
            files.extend(staged);
            failed = failed.or(result.err());
        }
        let discarded = stage.discard(&files).await;
        stage.release().await;
        if let Some(error) = failed {
            return Err(error);
        }
        discarded?;
        Ok(Sample {
            seconds,
            plan_seconds,
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.len() as u64,
            lanes: lanes as u64,
            ..Sample::default()
        })
    }
}

/// What all lanes upload together.
struct Load<'a> {
    noise: Bytes,
    left: AtomicU64,
    file_bytes: u64,
    stop: &'a Stop,
}

impl Load<'_> {
    /// Uploads files until nothing is left. What it has uploaded is returned in any case.
    async fn lane(&self, stage: &dyn Stage) -> (Vec<StagedFile>, Result<()>) {
        let mut files = Vec::new();
        loop {
            let take = |left: u64| (left > 0).then(|| left.saturating_sub(self.file_bytes));
            let Ok(left) = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) else {
                return (files, Ok(()));
            };
            match self.file(stage, left.min(self.file_bytes)).await {
                Ok(file) => files.push(file),
                Err(error) => return (files, Err(error)),
            }
        }
    }

    async fn file(&self, stage: &dyn Stage, bytes: u64) -> Result<StagedFile> {
        let mut writer = stage.create(None).await?;
        let mut left = bytes;
        while left > 0 {
            let piece = left.min(self.noise.len() as u64);
            let written = if self.stop.is_requested() {
                Err(interrupted())
            } else {
                let piece = usize::try_from(piece).unwrap_or(usize::MAX);
                writer.write(self.noise.slice(..piece)).await
            };
            if let Err(error) = written {
                // The first error is what is told.
                let _ = writer.abandon().await;
                return Err(error);
            }
            left -= piece;
        }
        writer.finish().await
    }
}
