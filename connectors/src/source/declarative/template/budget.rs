//! What one evaluation may cost: work, text and depth, so that no manifest can hold up a sync or fill the memory.

use std::cell::Cell;

use super::fault::{Fault, Outcome};

/// Steps of one evaluation: hundreds of times what the longest template of practice takes.
const STEPS: u64 = 5_000_000;
/// Octets that one evaluation may put together, results in between included.
const OCTETS: usize = 64 << 20;
/// Expressions, values or calls inside of each other.
pub(super) const DEPTH: usize = 120;

/// Counts down. One for each evaluation.
pub(crate) struct Budget {
    steps: Cell<u64>,
    octets: Cell<usize>,
    depth: Cell<usize>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { steps: Cell::new(STEPS), octets: Cell::new(OCTETS), depth: Cell::new(0) }
    }

    /// Takes `count` steps.
    pub(crate) fn work(&self, count: usize) -> Outcome<()> {
        let left = self.steps.get();
        let count = count as u64;
        if count > left {
            return Err(Fault::Limit(format!("the template takes more than {STEPS} steps")));
        }
        self.steps.set(left - count);
        Ok(())
    }

    /// Takes room for `count` octets, and the work to fill them.
    pub(crate) fn room(&self, count: usize) -> Outcome<()> {
        let left = self.octets.get();
        if count > left {
            return Err(Fault::Limit(format!("the template puts together more than {} MiB", OCTETS >> 20)));
        }
        self.octets.set(left - count);
        self.work(count / 64)
    }

    /// Goes one level deeper.
    pub(crate) fn enter(&self) -> Outcome<()> {
        if self.depth.get() >= DEPTH {
            return Err(Fault::Limit(format!("the template is nested deeper than {DEPTH} levels")));
        }
        self.depth.set(self.depth.get() + 1);
        Ok(())
    }

    pub(crate) fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
    }
}
