//! Values of a fixed width: numbers, days, times, decimals, UUIDs.

use std::ops::Range;

use arrow_array::Array;
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;

use super::leaf::{DICTIONARY_BYTES, Dictionary, Leaf, PAGE_BYTES, put_page};
use super::physical::Physical;

/// Takes rows of an array that are not NULL.
type Load<P> = fn(&dyn Array, Range<usize>, &mut Vec<P>);

pub(super) struct Numbers<P: Physical> {
    load: Load<P>,
    /// Bytes of a value in a page.
    width: usize,
    dictionary: Dictionary<P::Key>,
    /// The page where there is no dictionary.
    plain: Vec<u8>,
    /// Of the values that are not in the dictionary.
    bounds: Option<(P, P)>,
    /// Kept, so that it need not be allocated again.
    loaded: Vec<P>,
}

impl<P: Physical> Numbers<P> {
    pub(super) fn new(width: usize, load: Load<P>) -> Self {
        let dictionary = Dictionary::new();
        Self { load, width, dictionary, plain: Vec::new(), bounds: None, loaded: Vec::new() }
    }

    fn most_values(&self) -> usize {
        DICTIONARY_BYTES / self.width
    }

    /// Looks up what is loaded, or as much of it as the dictionary takes.
    fn look_up(&mut self) -> usize {
        let most = self.most_values();
        let Dictionary { index, numbers, .. } = &mut self.dictionary;
        numbers.reserve(self.loaded.len());
        for (at, value) in self.loaded.iter().enumerate() {
            let Some(number) = index.number(value.key(), most, |_| true) else { return at };
            numbers.push(number);
        }
        self.loaded.len()
    }

    /// Goes on without a dictionary; the page that has begun becomes one of plain values.
    fn give_up(&mut self) {
        let (index, numbers) = self.dictionary.give_up();
        let values: Vec<P> = index.iter().map(|key| P::of(*key)).collect();
        self.bounds = P::widen(self.bounds, &values);
        let page: Vec<P> = numbers.iter().map(|number| values[usize::from(*number)]).collect();
        P::put(&page, self.width, &mut self.plain);
    }
}

impl<P: Physical> Leaf for Numbers<P> {
    fn room(&self, _: &dyn Array, _: usize) -> usize {
        if self.dictionary.is_on() {
            return self.dictionary.room();
        }
        (PAGE_BYTES.saturating_sub(self.plain.len()) / self.width).max(1)
    }

    fn append(&mut self, values: &dyn Array, rows: Range<usize>) {
        (self.load)(values, rows, &mut self.loaded);
        let mut taken = 0;
        if self.dictionary.is_on() {
            taken = self.look_up();
            if self.dictionary.is_hopeless(taken) || taken < self.loaded.len() {
                self.give_up();
            }
        }
        let rest = &self.loaded[taken..];
        if !rest.is_empty() {
            self.bounds = P::widen(self.bounds, rest);
            P::put(rest, self.width, &mut self.plain);
        }
    }

    fn is_full(&self) -> bool {
        self.plain.len() >= PAGE_BYTES
    }

    fn end_page(&mut self, body: &mut Vec<u8>) -> Encoding {
        if self.dictionary.is_on() {
            self.dictionary.end_page(body);
            return Encoding::RLE_DICTIONARY;
        }
        put_page(&mut self.plain, body);
        Encoding::PLAIN
    }

    fn end_dictionary(&mut self) -> Option<(Vec<u8>, usize)> {
        let values: Vec<P> = self.dictionary.keys().iter().map(|key| P::of(*key)).collect();
        self.bounds = P::widen(self.bounds, &values);
        let is_used = self.dictionary.end();
        is_used.then(|| {
            let mut page = Vec::new();
            P::put(&values, self.width, &mut page);
            (page, values.len())
        })
    }

    fn end_statistics(&mut self, nulls: u64) -> Statistics {
        (self.plain, self.loaded) = (Vec::new(), Vec::new());
        P::statistics(self.bounds.take(), self.width, nulls)
    }

    fn size(&self) -> usize {
        self.plain.len() + self.dictionary.numbers.len() + self.dictionary.keys().len() * self.width
    }

    fn memory(&self) -> usize {
        self.dictionary.memory() + self.plain.len() + self.loaded.len() * size_of::<P>()
    }
}
