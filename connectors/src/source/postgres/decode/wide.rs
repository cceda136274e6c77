//! Unsigned integers of 256 bits, as far as decimals need them.

/// 64 bits each, most significant first, so that they compare as the numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide([u64; 4]);

/// The largest power of ten in 64 bits, and its exponent.
const CHUNK: (u64, u32) = (10_000_000_000_000_000_000, 19);

impl Wide {
    pub(super) const ZERO: Self = Self([0; 4]);

    /// `10^exponent`, for exponents up to 77.
    pub(super) fn power_of_ten(exponent: u32) -> Option<Self> {
        Self([0, 0, 0, 1]).times_power_of_ten(exponent)
    }

    /// `self * factor + summand`; `None` above 256 bits.
    #[inline]
    pub(super) fn mul_add(self, factor: u64, summand: u64) -> Option<Self> {
        let mut carry = u128::from(summand);
        let mut limbs = self.0;
        for limb in limbs.iter_mut().rev() {
            carry += u128::from(*limb) * u128::from(factor);
            #[expect(clippy::cast_possible_truncation, reason = "the rest is carried")]
            let low = carry as u64;
            *limb = low;
            carry >>= 64;
        }
        (carry == 0).then_some(Self(limbs))
    }

    /// `self * 10^exponent`; `None` above 256 bits.
    pub(super) fn times_power_of_ten(self, mut exponent: u32) -> Option<Self> {
        let mut product = self;
        if product == Self::ZERO {
            return Some(product);
        }
        while exponent >= CHUNK.1 {
            product = product.mul_add(CHUNK.0, 0)?;
            exponent -= CHUNK.1;
        }
        product.mul_add(10_u64.pow(exponent), 0)
    }

    /// The number one below; zero has none.
    pub(super) fn predecessor(self) -> Option<Self> {
        let mut limbs = self.0;
        for limb in limbs.iter_mut().rev() {
            let (difference, borrow) = limb.overflowing_sub(1);
            *limb = difference;
            if !borrow {
                return Some(Self(limbs));
            }
        }
        None
    }

    /// The upper and the lower half.
    #[inline]
    pub(super) fn halves(self) -> (u128, u128) {
        let [a, b, c, d] = self.0.map(u128::from);
        (a << 64 | b, c << 64 | d)
    }
}

impl From<u64> for Wide {
    fn from(number: u64) -> Self {
        Self([0, 0, 0, number])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_into_all_limbs() {
        let power = Wide::power_of_ten(77).unwrap();
        let nines = power.predecessor().unwrap();
        assert!(nines < power);
        assert_eq!(nines.mul_add(1, 1), Some(power));
        assert_eq!(power.mul_add(10, 0), None);
        assert_eq!(Wide::power_of_ten(78), None);
        assert_eq!(Wide::from(u64::MAX).mul_add(1, 1).unwrap().halves(), (0, 1 << 64));
        assert_eq!(Wide::from(u64::MAX).mul_add(1, 1).unwrap().predecessor(), Some(Wide::from(u64::MAX)));
        assert_eq!(Wide::ZERO.predecessor(), None);
    }

    #[test]
    fn zero_times_any_power_is_zero() {
        assert_eq!(Wide::ZERO.times_power_of_ten(u32::MAX), Some(Wide::ZERO));
    }
}
