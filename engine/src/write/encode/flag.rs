//! Values of one bit.

use std::ops::Range;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_buffer::BooleanBufferBuilder;
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

use super::leaf::{Leaf, PAGE_BYTES};

pub(super) struct Flags {
    page: BooleanBufferBuilder,
    /// Whether there was a false one, and a true one.
    seen: [bool; 2],
}

impl Flags {
    pub(super) fn new() -> Self {
        Self { page: BooleanBufferBuilder::new(0), seen: [false; 2] }
    }
}

impl Leaf for Flags {
    fn room(&self, _: &dyn Array, _: usize) -> usize {
        (PAGE_BYTES * 8).saturating_sub(self.page.len()).max(1)
    }

    fn append(&mut self, values: &dyn Array, rows: Range<usize>) {
        let array = values.as_boolean().slice(rows.start, rows.len());
        let trues = array.true_count();
        let falses = array.len() - array.null_count() - trues;
        self.seen = [self.seen[0] || falses > 0, self.seen[1] || trues > 0];
        match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => self.page.append_buffer(array.values()),
            Some(nulls) => {
                for row in nulls.valid_indices() {
                    self.page.append(array.value(row));
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.page.len() >= PAGE_BYTES * 8
    }

    fn end_page(&mut self, body: &mut Vec<u8>) -> Encoding {
        body.extend_from_slice(self.page.as_slice());
        self.page.truncate(0);
        Encoding::PLAIN
    }

    fn end_dictionary(&mut self) -> Option<(Vec<u8>, usize)> {
        None
    }

    fn end_statistics(&mut self, nulls: u64) -> Statistics {
        let [is_any_false, is_any_true] = std::mem::take(&mut self.seen);
        let (min, max) = (is_any_false || is_any_true).then_some((!is_any_false, is_any_true)).unzip();
        Statistics::boolean(min, max, None, Some(nulls), false)
    }

    fn size(&self) -> usize {
        self.page.len() / 8
    }

    fn memory(&self) -> usize {
        self.page.len() / 8
    }
}
