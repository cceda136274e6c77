//! Texts and bytes of any length.

use std::marker::PhantomData;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, GenericByteArray};
use arrow_buffer::ArrowNativeType;
use parquet::basic::Encoding;
use parquet::file::statistics::Statistics;
use twox_hash::XxHash3_64;

use super::bounds::Bounds;
use super::leaf::{DICTIONARY_BYTES, Dictionary, Leaf, PAGE_BYTES, put_page};

/// Bytes that a key holds itself.
const SHORT: usize = 15;
/// What the keys of longer values begin with: they hold a hash.
const LONG: u128 = 0xff << 120;

pub(super) struct Texts<T> {
    dictionary: Dictionary<u128>,
    /// The values of the dictionary as its page has them, and where each begins.
    words: Vec<u8>,
    starts: Vec<usize>,
    /// The page where there is no dictionary.
    plain: Vec<u8>,
    /// Of the values that are not in the dictionary; `None` where nobody asks for them.
    bounds: Option<Bounds>,
    of: PhantomData<fn(T)>,
}

impl<T: ByteArrayType> Texts<T> {
    pub(super) fn new(bounds: Option<Bounds>) -> Self {
        let (words, starts, plain) = (Vec::new(), Vec::new(), Vec::new());
        Self { dictionary: Dictionary::new(), words, starts, plain, bounds, of: PhantomData }
    }

    /// Looks values up as long as the dictionary takes them; how many it took, and the row after.
    fn look_up(&mut self, array: &GenericByteArray<T>, rows: Range<usize>) -> (usize, usize) {
        let (offsets, data) = (array.value_offsets(), array.value_data());
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let Dictionary { index, numbers, .. } = &mut self.dictionary;
        let before = numbers.len();
        numbers.reserve(rows.len());
        for row in rows.clone() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let (start, end) = (offsets[row].as_usize(), offsets[row + 1].as_usize());
            let key = key(data, start, end);
            let is_full = self.words.len() + 4 + end - start > DICTIONARY_BYTES;
            let most = if is_full { self.starts.len() } else { usize::MAX };
            let is_same = |number: u16| {
                key < LONG || {
                    let start_of = self.starts[usize::from(number)];
                    self.words.get(start_of..start_of + end - start) == Some(&data[start..end])
                }
            };
            let Some(number) = index.number(key, most, is_same) else {
                return (numbers.len() - before, row);
            };
            if usize::from(number) == self.starts.len() {
                put_value(&mut self.words, &data[start..end]);
                self.starts.push(self.words.len() - (end - start));
            }
            numbers.push(number);
        }
        (numbers.len() - before, rows.end)
    }

    /// Goes on without a dictionary; the page that has begun becomes one of plain values.
    fn give_up(&mut self) {
        let (_, numbers) = self.dictionary.give_up();
        for number in numbers {
            let word = word(&self.words, &self.starts, usize::from(number));
            put_value(&mut self.plain, word);
        }
        self.widen_by_words();
        if !self.dictionary.is_used() {
            (self.words, self.starts) = (Vec::new(), Vec::new());
        }
    }

    fn widen_by_words(&mut self) {
        if let Some(bounds) = &mut self.bounds {
            for number in 0..self.starts.len() {
                let word = word(&self.words, &self.starts, number);
                bounds.widen(word, 0, word.len());
            }
        }
    }

    /// Appends rows as they are.
    fn put(&mut self, array: &GenericByteArray<T>, rows: Range<usize>) {
        let (offsets, data) = (&array.value_offsets()[rows.start..=rows.end], array.value_data());
        let bytes = offsets[offsets.len() - 1].as_usize() - offsets[0].as_usize();
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let begin = self.plain.len();
        self.plain.resize(begin + bytes + 4 * rows.len(), 0);
        let mut place = begin;
        for (row, ends) in rows.zip(offsets.windows(2)) {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let (start, end) = (ends[0].as_usize(), ends[1].as_usize());
            if let Some(bounds) = &mut self.bounds {
                bounds.widen(data, start, end);
            }
            let next = place + 4 + end - start;
            let (length, value) = self.plain[place..next].split_at_mut(4);
            length.copy_from_slice(&length_of(end - start));
            value.copy_from_slice(&data[start..end]);
            place = next;
        }
        self.plain.truncate(place);
    }
}

impl<T: ByteArrayType> Leaf for Texts<T> {
    fn room(&self, values: &dyn Array, at: usize) -> usize {
        if self.dictionary.is_on() {
            return self.dictionary.room();
        }
        let offsets = &values.as_bytes::<T>().value_offsets()[at..];
        let end = offsets[0].as_usize() + PAGE_BYTES.saturating_sub(self.plain.len());
        offsets[1..].partition_point(|offset| offset.as_usize() <= end).max(1)
    }

    fn append(&mut self, values: &dyn Array, rows: Range<usize>) {
        let array = values.as_bytes::<T>();
        let mut next = rows.start;
        if self.dictionary.is_on() {
            let taken;
            (taken, next) = self.look_up(array, rows.clone());
            if self.dictionary.is_hopeless(taken) || next < rows.end {
                self.give_up();
            }
        }
        if next < rows.end {
            self.put(array, next..rows.end);
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
        self.widen_by_words();
        let (words, count) = (std::mem::take(&mut self.words), self.starts.len());
        self.starts = Vec::new();
        self.dictionary.end().then_some((words, count))
    }

    fn end_statistics(&mut self, nulls: u64) -> Statistics {
        self.plain = Vec::new();
        let (min, max) = self.bounds.as_mut().and_then(Bounds::end).unzip();
        super::bounds::statistics(min, max, nulls)
    }

    fn size(&self) -> usize {
        self.plain.len() + self.dictionary.numbers.len() + self.words.len()
    }

    fn memory(&self) -> usize {
        let starts = self.starts.len() * size_of::<usize>();
        self.dictionary.memory() + self.words.len() + starts + self.plain.len()
    }
}

/// The bytes of a value's length. No value is longer: pages are smaller than 2 GiB.
fn length_of(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn put_value(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(&length_of(value.len()));
    out.extend_from_slice(value);
}

fn word<'a>(words: &'a [u8], starts: &[usize], number: usize) -> &'a [u8] {
    let end = starts.get(number + 1).map_or(words.len(), |next| next - 4);
    &words[starts[number]..end]
}

/// What a value is looked up by: itself and its length, or a hash.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "halves of the number")]
fn key(data: &[u8], start: usize, end: usize) -> u128 {
    let length = end - start;
    if length <= SHORT {
        let bits = sixteen(data, start, end) & ((1 << (8 * length)) - 1);
        return (length as u128) << 120 | bits;
    }
    let hash = if length <= 32 {
        let fold = |bits: u128| (bits as u64, (bits >> 64) as u64);
        let ((a, b), (c, d)) = (fold(sixteen(data, start, end)), fold(sixteen(data, end - 16, end)));
        let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xd1b5_4a32_d192_ed03);
        let (low, high) = fold(product);
        (low ^ high ^ c.rotate_left(17)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ d
    } else {
        XxHash3_64::oneshot(&data[start..end])
    };
    LONG | (length as u128) << 64 | u128::from(hash)
}

/// 16 bytes from `start` on; what is behind `end` is of other values, or 0.
#[inline]
fn sixteen(data: &[u8], start: usize, end: usize) -> u128 {
    if let Some(bytes) = data.get(start..).and_then(|data| data.first_chunk()) {
        return u128::from_le_bytes(*bytes);
    }
    let mut bytes = [0; 16];
    bytes[..end - start].copy_from_slice(&data[start..end]);
    u128::from_le_bytes(bytes)
}
