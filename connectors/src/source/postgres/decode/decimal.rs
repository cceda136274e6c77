//! `numeric` as a decimal of 128 or 256 bits, exactly: digits to base 10,000 are summed up as
//! integers, and only the last of them is ever divided.

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use arrow_buffer::i256;

use super::context::{Context, Instead};
use super::fault::{Fault, Reason};
use super::numeric::{DIGIT, Finite, Numeric, digit};
use super::primitive::Primitive;
use super::wide::Wide;

/// Digits of the wire that 64 bits hold with room for two decimal digits more.
const SMALL: usize = 4;

/// A decimal's integer, from its magnitude and its sign.
pub(super) trait Decimal: ArrowPrimitiveType {
    fn small(magnitude: u64, negative: bool) -> Self::Native;
    /// `magnitude` is below 10 to the power of the type's greatest precision.
    fn wide(magnitude: Wide, negative: bool) -> Self::Native;
}

impl Decimal for Decimal128Type {
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

impl Decimal for Decimal256Type {
    #[inline]
    fn small(magnitude: u64, negative: bool) -> i256 {
        i256::from_i128(Decimal128Type::small(magnitude, negative))
    }

    fn wide(magnitude: Wide, negative: bool) -> i256 {
        let (high, low) = magnitude.halves();
        let value = i256::from_parts(low, high.cast_signed());
        if negative { value.wrapping_neg() } else { value }
    }
}

/// Decimals of one precision and scale.
#[derive(Debug)]
pub(super) struct Decimals<T: Decimal> {
    pub(super) values: Primitive<T>,
    scale: u8,
    /// `10^precision`: all magnitudes are below.
    limit: Wide,
    /// The same as far as it matters to magnitudes of 64 bits.
    small_limit: u64,
}

impl<T: Decimal> Decimals<T> {
    pub(super) fn new(precision: u8, scale: u8) -> Self {
        let limit = Wide::power_of_ten(precision.into()).expect("decimals have at most 76 digits");
        let small_limit = 10_u64.checked_pow(precision.into()).unwrap_or(u64::MAX);
        Self { values: Primitive::new(), scale, limit, small_limit }
    }

    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        let numeric = Numeric::parse(bytes)?;
        if let Numeric::Finite(finite) = &numeric
            && let Some(magnitude) = small(finite, self.scale)?
            && magnitude < self.small_limit
        {
            self.values.push(T::small(magnitude, finite.negative));
            return Ok(());
        }
        self.append_wide(&numeric, context)
    }

    #[inline(never)]
    fn append_wide(&mut self, numeric: &Numeric<'_>, context: &mut Context) -> Result<(), Fault> {
        let (reason, nearest, negative) = match numeric {
            Numeric::Nan => (Reason::Nan, self.greatest(), false),
            Numeric::Infinite { negative } => (Reason::Infinity, self.greatest(), *negative),
            Numeric::Finite(finite) => {
                let scaled = Scaled::of(finite, self.scale)?;
                match scaled.magnitude.filter(|magnitude| *magnitude < self.limit) {
                    None => (Reason::OutOfRange, self.greatest(), finite.negative),
                    Some(magnitude) if scaled.is_exact => {
                        self.values.push(T::wide(magnitude, finite.negative));
                        return Ok(());
                    }
                    Some(magnitude) => {
                        let rounded = magnitude.mul_add(1, u64::from(scaled.rounds_up));
                        let nearest = rounded.map_or(self.greatest(), |it| it.min(self.greatest()));
                        (Reason::Inexact, nearest, finite.negative)
                    }
                }
            }
        };
        match context.unfit(reason)? {
            Instead::Null => self.values.push_null(),
            Instead::Nearest => self.values.push(T::wide(nearest, negative)),
        }
        Ok(())
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

/// The magnitude of values of up to 16 digits, nearly all there are; `None` for all that need care.
#[inline]
fn small(finite: &Finite<'_>, scale: u8) -> Result<Option<u64>, Fault> {
    let Some((last, digits)) = finite.digits.split_last() else { return Ok(Some(0)) };
    if digits.len() >= SMALL {
        return Ok(None);
    }
    let mut sum = 0;
    for pair in digits {
        sum = sum * 10_000 + u64::from(digit(*pair)?);
    }
    let last = u64::from(digit(*last)?);
    // Divisions by constants cost a multiplication; others would cost more than all the rest.
    let (high, low, remainder) = match last_exponent(finite, scale) {
        -3 => (sum * 10, last / 1000, last % 1000),
        -2 => (sum * 100, last / 100, last % 100),
        -1 => (sum * 1000, last / 10, last % 10),
        0 => (sum * 10_000, last, 0),
        1 => (sum * 100_000, last * 10, 0),
        2 => (sum * 1_000_000, last * 100, 0),
        _ => return Ok(None),
    };
    Ok((remainder == 0).then_some(high + low))
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
                .mul_add(10_000 / unit, last / unit)
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
            factor *= 10_000;
            summand = summand * 10_000 + u64::from(digit(*pair)?);
        }
        match sum.mul_add(factor, summand) {
            Some(next) => sum = next,
            None => return Ok(None),
        }
    }
    Ok(Some(sum))
}
