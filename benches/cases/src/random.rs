//! Numbers that are the same in each run.

/// splitmix64.
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(42)
    }
}

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).expect("it is below a u32")
    }

    pub(crate) fn long(&mut self, limit: i64) -> i64 {
        (self.next() >> 1).cast_signed() % limit
    }

    pub(crate) fn small(&mut self, limit: i32) -> i32 {
        i32::try_from(self.long(limit.into())).expect("it is below the limit")
    }
}
