//! Bytes in memory: what all lanes together may hold, and what one lane gets of it.
//!
//! A lane reserves its share before it opens anything: the batches on their way, the row group that
//! is being encoded, the parts on their way to the stage. A batch far larger than usual (a row may
//! be a gigabyte) is charged to what the lanes leave free, so that such rows pass one after the
//! other instead of all at once.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Progress;

/// Granularity of the count: a semaphore counts to 2³², bytes go beyond.
const UNIT: u64 = 1024;
/// Batches of a lane that exist at once: being decoded, waiting, being encoded, and one to hand over.
const BATCHES: u64 = 4;
/// Smallest and largest size of a batch. Below, the cost per batch shows; above, caches do.
const BATCH_BYTES: (u64, u64) = (256 << 10, 2 << 20);
/// Smallest row group worth writing.
const MIN_ROW_GROUP_BYTES: u64 = 1 << 20;

/// All bytes that buffers may take.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u64,
    free: Arc<Semaphore>,
    progress: Arc<Progress>,
}

/// What one lane gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Lanes that fit.
    pub(crate) lanes: NonZeroUsize,
    /// Bytes to reserve for each.
    pub(crate) reserve: u64,
    /// Bytes of a batch.
    pub(crate) batch_bytes: u64,
    /// Bytes of an encoded row group.
    pub(crate) row_group_bytes: u64,
    /// Bytes that no lane reserves.
    pub(crate) headroom: u64,
}

/// Bytes that are spent until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    _permit: OwnedSemaphorePermit,
    budget: Arc<Budget>,
}

impl Budget {
    pub(crate) fn new(total: u64, progress: Arc<Progress>) -> Arc<Self> {
        let units =
            usize::try_from(total.div_ceil(UNIT)).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        progress.set_budget(0, total);
        Arc::new(Self { total, free: Arc::new(Semaphore::new(units)), progress })
    }

    /// Divides the budget among up to `lanes` lanes whose stage buffers `stage_bytes` each.
    pub(crate) fn share(&self, lanes: NonZeroUsize, stage_bytes: u64, row_group_bytes: u64) -> Share {
        let headroom = self.total / 8;
        let usable = self.total - headroom;
        let least = BATCHES * BATCH_BYTES.0 + 2 * MIN_ROW_GROUP_BYTES + stage_bytes;
        let fitting = usize::try_from(usable / least).unwrap_or(usize::MAX);
        let lanes = lanes.min(NonZeroUsize::new(fitting).unwrap_or(NonZeroUsize::MIN));
        let each = usable / lanes.get() as u64;
        let batch_bytes = (each.saturating_sub(stage_bytes) / 24).clamp(BATCH_BYTES.0, BATCH_BYTES.1);
        // An encoded row group exists twice for a moment: in the encoder and on its way to the stage.
        let left = each.saturating_sub(BATCHES * batch_bytes + stage_bytes) / 2;
        let row_group_bytes = left.clamp(MIN_ROW_GROUP_BYTES, row_group_bytes.max(MIN_ROW_GROUP_BYTES));
        let reserve = BATCHES * batch_bytes + 2 * row_group_bytes + stage_bytes;
        Share { lanes, reserve, batch_bytes, row_group_bytes, headroom }
    }

    /// Waits until `bytes` are free and spends them. More than there is counts as all there is.
    pub(crate) async fn spend(self: &Arc<Self>, bytes: u64) -> Charge {
        let units = u32::try_from(bytes.min(self.total).div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        let permit =
            Arc::clone(&self.free).acquire_many_owned(units).await.expect("the semaphore is never closed");
        self.tell();
        Charge { _permit: permit, budget: Arc::clone(self) }
    }

    fn tell(&self) {
        let free = self.free.available_permits() as u64 * UNIT;
        self.progress.set_budget(self.total.saturating_sub(free), self.total);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn budget(total: u64) -> Arc<Budget> {
        Budget::new(total, Arc::default())
    }

    fn lanes(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn lanes_never_reserve_more_than_there_is() {
        for total in [16 * MIB, 64 * MIB, 256 * MIB, 4096 * MIB] {
            for stage in [0, MIB, 24 * MIB] {
                let share = budget(total).share(lanes(16), stage, 64 * MIB);
                if share.lanes.get() > 1 {
                    assert!(
                        share.lanes.get() as u64 * share.reserve + share.headroom <= total,
                        "{total} {share:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn little_memory_means_fewer_lanes() {
        assert_eq!(budget(16 * MIB).share(lanes(4), 8 * MIB, 64 * MIB).lanes, lanes(1));
        assert_eq!(budget(256 * MIB).share(lanes(4), 8 * MIB, 64 * MIB).lanes, lanes(4));
    }

    #[tokio::test]
    async fn spending_waits_until_something_is_free() {
        let budget = budget(8 * MIB);
        let first = budget.spend(6 * MIB).await;
        let mut second = Box::pin(budget.spend(6 * MIB));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
        // More than all there is passes alone instead of waiting for ever.
        drop(budget.spend(100 * MIB).await);
    }
}
