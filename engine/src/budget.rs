//! Bytes in memory: what all lanes together may hold, and what one lane gets of it.
//!
//! A lane reserves its share before it opens anything: the batches on their way, the row group that
//! is being encoded, what the encoder works in, the parts on their way to the stage. A batch far larger
//! than usual (a row may be a gigabyte) is charged to headroom that no lane can reserve, so that such
//! rows pass one after the other instead of all at once.
//!
//! Invariant: who waits for headroom waits only for those who need nothing more to go on. Were
//! lanes and large batches to share one count, lanes could reserve all of it and then each wait for
//! room for its batch.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Progress;

/// Granularity of the count: a semaphore counts to 2³², bytes go beyond.
const UNIT: u64 = 1024;
/// More than any budget of up to 256 GiB needs, and less than any semaphore counts to.
const MOST_UNITS: u32 = u32::MAX >> 4;
/// Batches of a lane that exist at once: being decoded, waiting, being encoded, and one to hand over.
const BATCHES: u64 = 4;
/// Smallest and largest size of a batch. Below, the cost per batch shows; above, caches do.
const BATCH_BYTES: (u64, u64) = (256 << 10, 1 << 20);
/// Smallest row group worth writing.
const MIN_ROW_GROUP_BYTES: u64 = 1 << 20;
/// Smallest row group worth another lane: whoever reads the files likes large ones.
const LANE_ROW_GROUP_BYTES: u64 = 4 << 20;

/// All bytes that buffers may take.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u64,
    lanes: Arc<Semaphore>,
    headroom: Arc<Semaphore>,
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
}

/// Bytes that are spent until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    permit: OwnedSemaphorePermit,
    progress: Arc<Progress>,
}

impl Charge {
    fn bytes(&self) -> u64 {
        self.permit.num_permits() as u64 * UNIT
    }
}

impl Budget {
    pub(crate) fn new(total: u64, progress: Arc<Progress>) -> Arc<Self> {
        let headroom = headroom(total);
        progress.set_budget(total);
        let semaphore = |bytes| Arc::new(Semaphore::new(units(bytes) as usize));
        Arc::new(Self { total, lanes: semaphore(total - headroom), headroom: semaphore(headroom), progress })
    }

    /// Divides the budget among up to `lanes` lanes whose stage buffers `stage_bytes` each.
    pub(crate) fn share(&self, lanes: NonZeroUsize, stage_bytes: u64, row_group_bytes: u64) -> Share {
        let usable = self.total - headroom(self.total);
        let least = BATCHES * BATCH_BYTES.0 + 2 * LANE_ROW_GROUP_BYTES.min(row_group_bytes) + stage_bytes;
        let fitting = usize::try_from(usable / least).unwrap_or(usize::MAX);
        let lanes = lanes.min(NonZeroUsize::new(fitting).unwrap_or(NonZeroUsize::MIN));
        let each = usable / lanes.get() as u64;
        let batch_bytes = (each.saturating_sub(stage_bytes) / 24).clamp(BATCH_BYTES.0, BATCH_BYTES.1);
        // An encoded row group exists twice for a moment: in the encoder and on its way to the stage.
        let left = each.saturating_sub(BATCHES * batch_bytes + stage_bytes) / 2;
        let row_group_bytes = left.clamp(MIN_ROW_GROUP_BYTES, row_group_bytes.max(MIN_ROW_GROUP_BYTES));
        let reserve = BATCHES * batch_bytes + 2 * row_group_bytes + stage_bytes;
        Share { lanes, reserve, batch_bytes, row_group_bytes }
    }

    /// Waits until a lane can have `bytes` and spends them. More than there is counts as all there is.
    pub(crate) async fn reserve(self: &Arc<Self>, bytes: u64) -> Charge {
        self.spend(&self.lanes, bytes.min(self.total - headroom(self.total))).await
    }

    /// As [`Budget::reserve`], of the headroom, for what a batch has beyond its lane's share.
    pub(crate) async fn spend_headroom(self: &Arc<Self>, bytes: u64) -> Charge {
        self.spend(&self.headroom, bytes.min(headroom(self.total))).await
    }

    async fn spend(self: &Arc<Self>, of: &Arc<Semaphore>, bytes: u64) -> Charge {
        let permit = Arc::clone(of).acquire_many_owned(units(bytes)).await;
        let permit = permit.expect("the semaphore is never closed");
        let charge = Charge { permit, progress: Arc::clone(&self.progress) };
        self.progress.spend(charge.bytes());
        charge
    }
}

/// Bytes that no lane can reserve.
fn headroom(total: u64) -> u64 {
    total / 8
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).clamp(1, MOST_UNITS)
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.progress.unspend(self.bytes());
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
                        share.lanes.get() as u64 * share.reserve + headroom(total) <= total,
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

    #[test]
    fn another_lane_needs_room_for_row_groups_of_its_own() {
        for (total, stage, expected) in [(64, 2, 4), (64, 15, 2), (32, 2, 2), (32, 15, 1), (128, 15, 4)] {
            let share = budget(total * MIB).share(lanes(4), stage * MIB, 64 * MIB);
            assert_eq!(share.lanes, lanes(expected), "{total} {stage}");
            assert!(
                expected == 1 || share.row_group_bytes >= LANE_ROW_GROUP_BYTES,
                "{total} {stage} {share:?}"
            );
        }
        // Who wants small ones gets them.
        assert_eq!(budget(32 * MIB).share(lanes(4), 2 * MIB, MIB).lanes, lanes(4));
    }

    #[tokio::test]
    async fn spending_waits_until_something_is_free() {
        let budget = budget(8 * MIB);
        let first = budget.reserve(6 * MIB).await;
        let mut second = Box::pin(budget.reserve(6 * MIB));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
        // More than all there is passes alone instead of waiting for ever.
        drop(budget.reserve(100 * MIB).await);
    }

    #[tokio::test]
    async fn lanes_that_hold_everything_leave_the_headroom_to_large_batches() {
        let budget = budget(8 * MIB);
        let lane = budget.reserve(100 * MIB).await;
        let batch = budget.spend_headroom(100 * MIB).await;
        assert_eq!(budget.progress.budget(), (8 * MIB, 8 * MIB));
        drop((lane, batch));
        assert_eq!(budget.progress.budget(), (0, 8 * MIB));
    }

    #[tokio::test]
    async fn also_no_memory_at_all_lets_something_pass() {
        for total in [0, 1, 1024, u64::MAX] {
            let budget = budget(total);
            drop((budget.reserve(5).await, budget.spend_headroom(u64::MAX).await));
            assert_eq!(budget.progress.budget().0, 0, "{total}");
        }
    }
}
