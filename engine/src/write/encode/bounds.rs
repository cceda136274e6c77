//! The least and the greatest of texts and of bytes, as much of them as statistics hold.

use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// Bytes of a bound in the statistics.
const BYTES: usize = 64;

/// Bounds that grow. Values that differ only behind the first bytes are taken for equal.
pub(super) struct Bounds {
    is_text: bool,
    ends: Option<(End, End)>,
}

struct End {
    /// The first 8 bytes, the first the most significant: they tell most values apart.
    prefix: u64,
    /// One more than statistics hold, to tell whether there are more.
    bytes: Vec<u8>,
}

/// A bound, and whether it is a value.
pub(super) type Bound = (Vec<u8>, bool);

impl Bounds {
    /// `is_text`: bounds are to be UTF-8.
    pub(super) fn new(is_text: bool) -> Self {
        Self { is_text, ends: None }
    }

    /// Takes in the value that `data` has between two places.
    #[inline]
    pub(super) fn widen(&mut self, data: &[u8], start: usize, end: usize) {
        let prefix = prefix(data, start, end);
        if let Some((min, max)) = &self.ends
            && prefix > min.prefix
            && prefix < max.prefix
        {
            return;
        }
        self.widen_closely(&data[start..end.min(start + BYTES + 1)], prefix);
    }

    #[inline(never)]
    fn widen_closely(&mut self, value: &[u8], prefix: u64) {
        let end = || End { prefix, bytes: value.to_vec() };
        let Some((min, max)) = &mut self.ends else {
            self.ends = Some((end(), end()));
            return;
        };
        if value < min.bytes.as_slice() {
            *min = end();
        }
        if value > max.bytes.as_slice() {
            *max = end();
        }
    }

    /// The bounds so far; begins anew. `None` as well where there is no greater value that is short enough.
    pub(super) fn end(&mut self) -> Option<(Bound, Bound)> {
        let (min, max) = self.ends.take()?;
        let cut = |bytes: &[u8]| if self.is_text { cut_text(bytes) } else { bytes[..BYTES].to_vec() };
        let lower = if min.bytes.len() > BYTES { (cut(&min.bytes), false) } else { (min.bytes, true) };
        if max.bytes.len() <= BYTES {
            return Some((lower, (max.bytes, true)));
        }
        let cut = cut(&max.bytes);
        let above = if self.is_text { next_text(&cut)? } else { next_bytes(cut)? };
        Some((lower, (above, false)))
    }
}

pub(super) fn statistics(min: Option<Bound>, max: Option<Bound>, nulls: u64) -> Statistics {
    let is_exact = |bound: &Option<Bound>| bound.as_ref().is_none_or(|(_, is_exact)| *is_exact);
    let (min_is_exact, max_is_exact) = (is_exact(&min), is_exact(&max));
    let bytes = |bound: Option<Bound>| bound.map(|(bytes, _)| ByteArray::from(bytes));
    let statistics = ValueStatistics::new(bytes(min), bytes(max), None, Some(nulls), false);
    Statistics::ByteArray(statistics.with_min_is_exact(min_is_exact).with_max_is_exact(max_is_exact))
}

/// The first 8 bytes, with zeros where there are fewer: their order is that of the values, or equal.
#[inline]
fn prefix(data: &[u8], start: usize, end: usize) -> u64 {
    let length = end - start;
    if length >= 8
        && let Some(bytes) = data[start..].first_chunk()
    {
        return u64::from_be_bytes(*bytes);
    }
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(&data[start..end]);
    u64::from_be_bytes(bytes)
}

/// The beginning of a text that is longer, up to a whole character.
fn cut_text(bytes: &[u8]) -> Vec<u8> {
    let is_boundary = |at: &usize| bytes[*at] & 0xc0 != 0x80;
    let end = (1..=BYTES).rev().find(is_boundary).unwrap_or(BYTES);
    bytes[..end].to_vec()
}

/// The least text of as many bytes, or of fewer, that is greater than all that begin with `text`.
fn next_text(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    text.char_indices().rev().find_map(|(at, last)| {
        let next = char::from_u32(u32::from(last) + 1)?;
        (next.len_utf8() == last.len_utf8()).then(|| format!("{}{next}", &text[..at]).into_bytes())
    })
}

/// The same of bytes.
fn next_bytes(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}
