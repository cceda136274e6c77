//! What the values of a column are encoded by.

use std::ops::Range;

use arrow_array::Array;
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

use super::bits;
use super::index::{Index, Key};

/// A page before it is compressed. It stays in the processor's cache from one step to the next.
pub(crate) const PAGE_BYTES: usize = 64 << 10;
/// A dictionary that would grow beyond is given up. Large ones are looked up outside of the processor's
/// nearest caches, and make files larger than compressed values do.
pub(crate) const DICTIONARY_BYTES: usize = 128 << 10;
/// Values that are looked at to tell whether a dictionary is of use.
const SAMPLE: usize = 4096;

/// Encodes values of one type, page by page. NULLs are not its own.
pub(super) trait Leaf: Send {
    /// How many rows from `at` on fit the page; one at least.
    fn room(&self, values: &dyn Array, at: usize) -> usize;

    /// Appends rows of `values` to the page.
    fn append(&mut self, values: &dyn Array, rows: Range<usize>);

    /// Whether the page is large enough.
    fn is_full(&self) -> bool;

    /// Puts the page behind what `body` has, and begins another.
    fn end_page(&mut self, body: &mut Vec<u8>) -> Encoding;

    /// The dictionary that pages refer to, and how many values it has. Called once at the end of a row
    /// group, before its statistics.
    fn end_dictionary(&mut self) -> Option<(Vec<u8>, usize)>;

    /// Of all values of the row group. Gives all memory back: a table may have thousands of columns.
    fn end_statistics(&mut self, nulls: u64) -> Statistics;

    /// Encoded bytes that are in no page yet, about: those of the dictionary are.
    fn size(&self) -> usize;

    /// Bytes of memory that rows take.
    fn memory(&self) -> usize;
}

/// Moves a page to the end of `body`.
pub(super) fn put_page(page: &mut Vec<u8>, body: &mut Vec<u8>) {
    if body.is_empty() {
        std::mem::swap(page, body);
    } else {
        body.extend_from_slice(page);
    }
    page.clear();
    if page.capacity() > 4 * PAGE_BYTES {
        page.shrink_to(PAGE_BYTES);
    }
}

/// Values by their numbers, until that is of no use; then it stays off for the rest of the file.
pub(super) struct Dictionary<K> {
    pub(super) index: Index<K>,
    /// Those of the page.
    pub(super) numbers: Vec<u16>,
    is_on: bool,
    is_used: bool,
    /// Values of the file, up to some number.
    seen: usize,
}

impl<K: Key> Dictionary<K> {
    pub(super) fn new() -> Self {
        Self { index: Index::new(), numbers: Vec::new(), is_on: true, is_used: false, seen: 0 }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether pages refer to it.
    pub(super) fn is_used(&self) -> bool {
        self.is_used
    }

    pub(super) fn keys(&self) -> &[K] {
        self.index.keys()
    }

    /// How many values fit until it is judged.
    pub(super) fn room(&self) -> usize {
        if self.seen < SAMPLE { SAMPLE - self.seen } else { usize::MAX }
    }

    /// Whether the beginning of a file, of which `more` values were added, tells that values hardly come
    /// again: nine of ten are new. So many of 8 bytes fill it soon.
    pub(super) fn is_hopeless(&mut self, more: usize) -> bool {
        let before = self.seen;
        self.seen += more;
        before < SAMPLE && self.seen >= SAMPLE && self.keys().len() * 10 > self.seen * 9
    }

    /// Turns it off. Its keys, and the numbers of the page that has begun.
    pub(super) fn give_up(&mut self) -> (Vec<K>, Vec<u16>) {
        self.is_on = false;
        let numbers = std::mem::take(&mut self.numbers);
        if self.is_used {
            return (self.keys().to_vec(), numbers);
        }
        let index = std::mem::replace(&mut self.index, Index::new());
        (index.into_keys(), numbers)
    }

    pub(super) fn end_page(&mut self, body: &mut Vec<u8>) {
        bits::put_indices(body, &self.numbers, bits::width_of(self.keys().len()));
        self.numbers.clear();
        self.is_used = true;
    }

    /// Ends a row group. Whether pages of it refer to the dictionary.
    pub(super) fn end(&mut self) -> bool {
        (self.index, self.numbers) = (Index::new(), Vec::new());
        std::mem::take(&mut self.is_used)
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.index.memory() + self.numbers.len() * size_of::<u16>()
    }
}
