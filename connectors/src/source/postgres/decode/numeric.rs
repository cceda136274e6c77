//! `numeric` on the wire, and the exact text of it.
//!
//! A value is a sum of digits to base 10,000: digit `i` stands for `10000^(weight - i)`. Leading and
//! trailing zero digits are left out.

use super::fault::Fault;

/// Decimal digits in one digit of the wire.
pub(super) const DIGIT: i32 = 4;
const BASE: u16 = 10_000;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITE: u16 = 0xd000;
const NEGATIVE_INFINITE: u16 = 0xf000;

/// A value as the server sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numeric<'a> {
    Finite(Finite<'a>),
    Nan,
    Infinite { negative: bool },
}

/// A value with an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finite<'a> {
    pub(super) negative: bool,
    /// Digits to base 10,000, most significant first.
    pub(super) digits: &'a [[u8; 2]],
    /// The power of 10,000 that the first digit counts.
    pub(super) weight: i32,
    /// Decimal digits after the point that are shown, zeros included.
    pub(super) scale: u16,
}

impl<'a> Numeric<'a> {
    #[inline]
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let (header, digits) = bytes.split_first_chunk::<8>().ok_or(Fault::Malformed)?;
        let [c0, c1, w0, w1, s0, s1, d0, d1] = *header;
        let (digits, rest) = digits.as_chunks::<2>();
        if digits.len() != usize::from(u16::from_be_bytes([c0, c1])) || !rest.is_empty() {
            return Err(Fault::Malformed);
        }
        let sign = u16::from_be_bytes([s0, s1]);
        if sign & !NEGATIVE == 0 {
            let (weight, scale) = (i16::from_be_bytes([w0, w1]), u16::from_be_bytes([d0, d1]));
            let negative = sign == NEGATIVE;
            return Ok(Self::Finite(Finite { negative, digits, weight: i32::from(weight), scale }));
        }
        match sign {
            NAN => Ok(Self::Nan),
            INFINITE => Ok(Self::Infinite { negative: false }),
            NEGATIVE_INFINITE => Ok(Self::Infinite { negative: true }),
            _ => Err(Fault::Malformed),
        }
    }

    /// Writes the text that PostgreSQL prints.
    pub(super) fn write(&self, to: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Finite(finite) => finite.write(to)?,
            Self::Nan => to.extend_from_slice(b"NaN"),
            Self::Infinite { negative: false } => to.extend_from_slice(b"Infinity"),
            Self::Infinite { negative: true } => to.extend_from_slice(b"-Infinity"),
        }
        Ok(())
    }
}

/// A digit to base 10,000.
#[inline]
pub(super) fn digit(bytes: [u8; 2]) -> Result<u16, Fault> {
    match u16::from_be_bytes(bytes) {
        digit @ ..BASE => Ok(digit),
        _ => Err(Fault::Malformed),
    }
}

impl Finite<'_> {
    /// The digit of that power of 10,000; zero where none was sent.
    fn digit_of(&self, power: i32) -> Result<u16, Fault> {
        match usize::try_from(self.weight - power) {
            Ok(at) if at < self.digits.len() => digit(self.digits[at]),
            _ => Ok(0),
        }
    }

    /// Writes sign, digits before the point and as many after it as the scale says.
    pub(super) fn write(&self, to: &mut Vec<u8>) -> Result<(), Fault> {
        if self.negative {
            to.push(b'-');
        }
        self.write_integer(to)?;
        let mut left = usize::from(self.scale);
        if left > 0 {
            to.push(b'.');
        }
        let mut power = -1;
        while left > 0 {
            let digits = decimal_digits(self.digit_of(power)?);
            let shown = left.min(digits.len());
            to.extend_from_slice(&digits[..shown]);
            left -= shown;
            power -= 1;
        }
        Ok(())
    }

    fn write_integer(&self, to: &mut Vec<u8>) -> Result<(), Fault> {
        let start = to.len();
        for power in (0..=self.weight).rev() {
            let digits = decimal_digits(self.digit_of(power)?);
            if to.len() > start {
                to.extend_from_slice(&digits);
            } else if let Some(first) = digits.iter().position(|digit| *digit != b'0') {
                to.extend_from_slice(&digits[first..]);
            }
        }
        if to.len() == start {
            to.push(b'0');
        }
        Ok(())
    }
}

/// The four decimal digits of a digit to base 10,000.
fn decimal_digits(digit: u16) -> [u8; 4] {
    [1000, 100, 10, 1].map(|unit| b'0' + u8::try_from(digit / unit % 10).expect("a digit is below 10"))
}
