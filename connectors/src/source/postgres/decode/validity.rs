//! Which values are NULL. Values that are not cost nothing.

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

/// A bit for each NULL, as far as the last of them.
#[derive(Default)]
pub(super) struct Validity {
    missing: Vec<u8>,
}

impl Validity {
    /// The value at this place is NULL.
    #[inline]
    pub(super) fn set_null(&mut self, at: usize) {
        let byte = at / 8;
        if byte >= self.missing.len() {
            self.missing.resize(byte + 1, 0);
        }
        self.missing[byte] |= 1 << (at % 8);
    }

    /// Takes what was gathered for `len` values; `None` when none of them is NULL.
    pub(super) fn finish(&mut self, len: usize) -> Option<NullBuffer> {
        if self.missing.is_empty() {
            return None;
        }
        let mut bits = std::mem::take(&mut self.missing);
        bits.resize(len.div_ceil(8), 0);
        for byte in &mut bits {
            *byte = !*byte;
        }
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, len)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_set_is_null() {
        let mut validity = Validity::default();
        for at in [0, 7, 8, 21] {
            validity.set_null(at);
        }
        let nulls = validity.finish(30).unwrap();
        assert_eq!(nulls.null_count(), 4);
        let missing: Vec<usize> = (0..30).filter(|at| nulls.is_null(*at)).collect();
        assert_eq!(missing, [0, 7, 8, 21]);
        assert!(validity.finish(30).is_none(), "a new batch begins without");
    }
}
