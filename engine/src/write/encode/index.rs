//! A dictionary that grows: which number a value got when it first came.

/// A dictionary has fewer values: their numbers fit 16 bits, and half of the slots stay free.
const VALUES: usize = 1 << 15;
/// Slots at the beginning.
const SLOTS: usize = 256;
/// Slots that are looked at for one value. More are needed by values that were made for it, and by bad luck.
const STEPS: usize = 64;

/// What values are looked up by.
pub(super) trait Key: Copy + Eq + Send + 'static {
    fn hash(self) -> u64;
}

impl Key for u64 {
    #[inline]
    fn hash(self) -> u64 {
        (self ^ self >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Key for u128 {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "halves of the number")]
    fn hash(self) -> u64 {
        let (low, high) = (self as u64, (self >> 64) as u64);
        let mixed = (low ^ low >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.wrapping_add((high ^ high >> 32).wrapping_mul(0xd1b5_4a32_d192_ed03))
    }
}

/// The values so far, by the numbers they got.
pub(super) struct Index<K> {
    keys: Vec<K>,
    /// By hash: the number of a value and one, or 0.
    slots: Vec<u16>,
    shift: u32,
}

impl<K: Key> Index<K> {
    pub(super) fn new() -> Self {
        Self { keys: Vec::new(), slots: vec![0; SLOTS], shift: u64::BITS - SLOTS.ilog2() }
    }

    pub(super) fn keys(&self) -> &[K] {
        &self.keys
    }

    pub(super) fn into_keys(self) -> Vec<K> {
        self.keys
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.keys.capacity() * size_of::<K>() + self.slots.len() * size_of::<u16>()
    }

    /// The number of a value; of a new one it is the next. `is_same` decides between values of equal keys.
    /// `None` where there is no room, or where `most` values are there.
    #[inline]
    pub(super) fn number(&mut self, key: K, most: usize, is_same: impl Fn(u16) -> bool) -> Option<u16> {
        let mask = self.slots.len() - 1;
        let home = self.home(key);
        for slot in home..home + STEPS {
            let Some(number) = self.slots[slot & mask].checked_sub(1) else {
                return self.add(key, slot & mask, most);
            };
            if self.keys[usize::from(number)] == key && is_same(number) {
                return Some(number);
            }
        }
        None
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a few bits are left")]
    fn home(&self, key: K) -> usize {
        (key.hash() >> self.shift) as usize
    }

    #[cold]
    fn add(&mut self, key: K, slot: usize, most: usize) -> Option<u16> {
        let number = u16::try_from(self.keys.len()).ok()?;
        if self.keys.len() >= most.min(VALUES) {
            return None;
        }
        self.keys.push(key);
        self.slots[slot] = number + 1;
        if self.keys.len() * 2 > self.slots.len() {
            self.grow();
        }
        Some(number)
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        self.shift -= 1;
        let mask = self.slots.len() - 1;
        for (number, key) in (1..).zip(&self.keys) {
            let mut slot = self.home(*key);
            while self.slots[slot & mask] > 0 {
                slot += 1;
            }
            self.slots[slot & mask] = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_get_numbers_in_the_order_they_come() {
        let mut index = Index::new();
        for value in 0..5_000_u64 {
            assert_eq!(index.number(value << 20, usize::MAX, |_| true), u16::try_from(value).ok());
            assert_eq!(index.number(0, usize::MAX, |_| true), Some(0));
        }
        assert_eq!(index.number(4_999 << 20, usize::MAX, |_| true), Some(4_999));
        assert_eq!(index.number(1, 5_000, |_| true), None);
    }

    #[test]
    fn no_number_is_beyond_16_bits() {
        let mut index = Index::new();
        let taken =
            (0..100_000_u128).take_while(|value| index.number(*value, usize::MAX, |_| true).is_some());
        assert_eq!(taken.count(), VALUES);
    }

    #[test]
    fn values_made_for_one_slot_end_it() {
        let mut index = Index::new();
        // All of one key: each is another value.
        let taken = (0..1_000).take_while(|_| index.number(7_u64, usize::MAX, |_| false).is_some());
        assert_eq!(taken.count(), STEPS);
    }
}
