//! What all builders of one decoder share: the policy, the counts, and the size of the batch.

use protocol::{Adjustment, UnfitPolicy};

use super::fault::{Fault, Reason};

/// What becomes of a value that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    Null,
    Nearest,
}

pub(super) struct Context {
    policy: UnfitPolicy,
    /// The column whose value is being decoded.
    pub(super) column: usize,
    /// Bytes of values of variable length in this batch: what rows have beyond their fixed widths.
    pub(super) bytes: usize,
    counts: Vec<[u64; Reason::ALL.len()]>,
}

impl Context {
    pub(super) fn new(policy: UnfitPolicy, columns: usize) -> Self {
        Self { policy, column: 0, bytes: 0, counts: vec![[0; Reason::ALL.len()]; columns] }
    }

    /// Counts a value that does not fit and says what takes its place; fails where the policy wants
    /// an error.
    #[cold]
    pub(super) fn unfit(&mut self, reason: Reason) -> Result<Instead, Fault> {
        let instead = match self.policy {
            UnfitPolicy::Error => return Err(Fault::Unfit(reason)),
            UnfitPolicy::Null => Instead::Null,
            // Nothing is near to what is not a number.
            UnfitPolicy::Clamp if reason == Reason::Nan => Instead::Null,
            UnfitPolicy::Clamp => Instead::Nearest,
        };
        self.counts[self.column][reason as usize] += 1;
        Ok(instead)
    }

    /// What was counted since the last call, with the columns' names.
    pub(super) fn take_adjustments<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Vec<Adjustment> {
        let mut adjustments = Vec::new();
        for (counts, column) in self.counts.iter_mut().zip(names) {
            for (count, reason) in counts.iter_mut().zip(Reason::ALL) {
                if *count > 0 {
                    let (column, reason) = (column.to_owned(), reason.name().to_owned());
                    adjustments.push(Adjustment { column, reason, values: std::mem::take(count) });
                }
            }
        }
        adjustments
    }
}
