//! `numeric` as a decimal of 128 or 256 bits, exactly: digits to base 10,000 are summed up as
//! integers, and only the last of them is ever divided.

use std::marker::PhantomData;

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use arrow_buffer::i256;

use super::context::{Context, Instead};
use super::fault::{Fault, Reason};
use super::fixed::Convert;
use super::numeric::{DIGIT, Finite, Numeric, digit};
use super::wide::Wide;

/// Digits of the wire that 64 bits hold.
const SMALL: usize = 4;
/// What a digit of the wire is to.
const BASE: u64 = 10_000;

/// A width of decimals.
pub(super) trait Width: Send {
    type Arrow: ArrowPrimitiveType;

    fn small(magnitude: u64, negative: bool) -> <Self::Arrow as ArrowPrimitiveType>::Native;
    /// `magnitude` is below 10 to the power of the width's greatest precision.
    fn wide(magnitude: Wide, negative: bool) -> <Self::Arrow as ArrowPrimitiveType>::Native;
}

/// Up to 38 digits.
pub(super) struct Decimal128;

impl Width for Decimal128 {
    type Arrow = Decimal128Type;

    #[inline]
    fn small(magnitude: u64, negative: bool) -> i128 {
        let value = i128::from(magnitude);
        if negative { -value } else { value }
    }

    fn wide(magnitude: Wide, negative: bool) -> i128 {
        let value = magnitude.halves().1.cast_signed();
        if negative { -value } else { value }
    }
}

/// Up to 76 digits.
pub(super) struct Decimal256;

impl Width for Decimal256 {
    type Arrow = Decimal256Type;

    #[inline]
    fn small(magnitude: u64, negative: bool) -> i256 {
        i256::from_i128(Decimal128::small(magnitude, negative))
    }

    fn wide(magnitude: Wide, negative: bool) -> i256 {
        let (high, low) = magnitude.halves();
        let value = i256::from_parts(low, high.cast_signed());
        if negative { value.wrapping_neg() } else { value }
    }
}

/// Decimals of one precision and scale.
pub(super) struct Decimals<W> {
    scale: u8,
    /// `10^precision`: all magnitudes are below.
    limit: Wide,
    /// The same as far as it matters to magnitudes of 64 bits.
    small_limit: u64,
    width: PhantomData<W>,
}

type NativeOf<W> = <<W as Width>::Arrow as ArrowPrimitiveType>::Native;

impl<W: Width> Convert for Decimals<W> {
    type Arrow = W::Arrow;

    #[inline]
    fn convert(&self, bytes: &[u8], context: &mut Context) -> Result<Option<NativeOf<W>>, Fault> {
        let numeric = Numeric::parse(bytes)?;
        if let Numeric::Finite(finite) = &numeric
            && let Some(magnitude) = small(finite, self.scale)?
            && magnitude < self.small_limit
        {
            return Ok(Some(W::small(magnitude, finite.negative)));
        }
        self.convert_wide(&numeric, context)
    }
}

impl<W: Width> Decimals<W> {
    pub(super) fn new(precision: u8, scale: u8) -> Self {
        let limit = Wide::power_of_ten(precision.into()).expect("decimals have at most 76 digits");
        let small_limit = 10_u64.checked_pow(precision.into()).unwrap_or(u64::MAX);
        Self { scale, limit, small_limit, width: PhantomData }
    }

    #[inline(never)]
    fn convert_wide(
        &self,
        numeric: &Numeric<'_>,
        context: &mut Context,
    ) -> Result<Option<NativeOf<W>>, Fault> {
        let (reason, nearest, negative) = match numeric {
            Numeric::Nan => (Reason::Nan, self.greatest(), false),
            Numeric::Infinite { negative } => (Reason::Infinity, self.greatest(), *negative),
            Numeric::Finite(finite) => {
                let scaled = Scaled::of(finite, self.scale)?;
                match scaled.magnitude.filter(|magnitude| *magnitude < self.limit) {
                    None => (Reason::OutOfRange, self.greatest(), finite.negative),
                    Some(magnitude) if scaled.is_exact => {
                        return Ok(Some(W::wide(magnitude, finite.negative)));
                    }
                    Some(magnitude) => {
                        let rounded = magnitude.mul_add(1, u64::from(scaled.rounds_up));
                        let nearest = rounded.map_or(self.greatest(), |it| it.min(self.greatest()));
                        (Reason::Inexact, nearest, finite.negative)
                    }
                }
            }
        };
        Ok(match context.unfit(reason)? {
            Instead::Null => None,
            Instead::Nearest => Some(W::wide(nearest, negative)),
        })
    }

    fn greatest(&self) -> Wide {
        self.limit.predecessor().expect("a power of ten is not zero")
    }
}

/// The power of ten that the last digit counts, in units of the decimal.
#[inline]
fn last_exponent(finite: &Finite<'_>, scale: u8) -> i32 {
    // Invariant: at most 65,535 digits, so that nothing here comes near the ends of 32 bits.
    let count = i32::try_from(finite.digits.len()).unwrap_or(i32::MAX / 8);
    DIGIT * (finite.weight - count + 1) + i32::from(scale)
}

/// `10^n` as far as 64 bits go.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

/// The magnitude of values of up to 16 digits, nearly all there are; `None` for all that need care.
#[inline]
fn small(finite: &Finite<'_>, scale: u8) -> Result<Option<u64>, Fault> {
    if finite.digits.len() > SMALL {
        return Ok(None);
    }
    let mut sum = 0;
    for pair in finite.digits {
        sum = sum * BASE + u64::from(digit(*pair)?);
    }
    if sum == 0 {
        return Ok(Some(0));
    }
    // The last digit may reach three decimal digits below the scale. To multiply by one digit more
    // than wanted and divide by that takes no branch, and dividing by a constant no division.
    let Ok(power) = usize::try_from(last_exponent(finite, scale) + DIGIT) else { return Ok(None) };
    let product = POWERS.get(power).and_then(|power| sum.checked_mul(*power));
    Ok(product.filter(|product| product % BASE == 0).map(|product| product / BASE))
}

/// A value as a multiple of `10^-scale`, cut off there.
struct Scaled {
    /// `None` above 256 bits.
    magnitude: Option<Wide>,
    /// Whether nothing but zeros was cut off.
    is_exact: bool,
    /// Whether what was cut off is half a unit or more: halves go away from zero, as in PostgreSQL.
    rounds_up: bool,
}

impl Scaled {
    fn of(finite: &Finite<'_>, scale: u8) -> Result<Self, Fault> {
        let mut digits = finite.digits;
        let mut exponent = last_exponent(finite, scale);
        let (mut is_exact, mut rounds_up) = (true, false);
        while exponent <= -DIGIT
            && let Some((last, rest)) = digits.split_last()
        {
            let last = digit(*last)?;
            is_exact &= last == 0;
            rounds_up = last >= 5000;
            exponent += DIGIT;
            digits = rest;
        }
        let Some((last, digits)) = digits.split_last() else {
            // Where zeros stand between the unit and what was cut off, it is less than half.
            let rounds_up = rounds_up && exponent == 0;
            return Ok(Self { magnitude: Some(Wide::ZERO), is_exact, rounds_up });
        };
        let last = u64::from(digit(*last)?);
        let cut = u32::try_from(-exponent).unwrap_or(0);
        let unit = 10_u64.pow(cut);
        if cut > 0 {
            is_exact &= last % unit == 0;
            rounds_up = last % unit >= unit / 2;
        }
        let magnitude = match sum(digits)? {
            Some(sum) => sum
                .mul_add(BASE / unit, last / unit)
                .and_then(|sum| sum.times_power_of_ten(u32::try_from(exponent).unwrap_or(0))),
            None => None,
        };
        Ok(Self { magnitude, is_exact, rounds_up })
    }
}

/// The integer that the digits are; `None` above 256 bits.
fn sum(digits: &[[u8; 2]]) -> Result<Option<Wide>, Fault> {
    let mut sum = Wide::ZERO;
    for chunk in digits.chunks(SMALL) {
        let (mut factor, mut summand) = (1, 0);
        for pair in chunk {
            factor *= BASE;
            summand = summand * BASE + u64::from(digit(*pair)?);
        }
        match sum.mul_add(factor, summand) {
            Some(next) => sum = next,
            None => return Ok(None),
        }
    }
    Ok(Some(sum))
}
