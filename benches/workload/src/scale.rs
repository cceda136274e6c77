//! How large the tables are.

use std::fmt;
use std::str::FromStr;

/// How large the tables are: 1 is a gigabyte of TPC-H.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Scale(f64);

/// A number that is no scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidScale;

impl fmt::Display for InvalidScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a scale is a number above 0, at most {}", Scale::MOST)
    }
}

impl std::error::Error for InvalidScale {}

impl Scale {
    const MOST: f64 = 1000.0;

    /// A scale above 0 and up to 1000.
    pub fn new(scale: f64) -> Result<Self, InvalidScale> {
        if scale > 0.0 && scale <= Self::MOST { Ok(Self(scale)) } else { Err(InvalidScale) }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// So many rows at scale 1 are so many here; never none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "rows of a table that fits a disk are exact in a float, and positive"
    )]
    pub(crate) fn of(self, rows: u64) -> u64 {
        ((rows as f64 * self.0).round() as u64).max(1)
    }
}

impl FromStr for Scale {
    type Err = InvalidScale;

    fn from_str(text: &str) -> Result<Self, InvalidScale> {
        text.trim().parse().map_err(|_| InvalidScale).and_then(Self::new)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_a_positive_number_with_a_bound() {
        for text in ["1", " 0.25 ", "1000"] {
            assert!(text.parse::<Scale>().is_ok(), "{text}");
        }
        for text in ["", "0", "-1", "1001", "NaN", "inf", "one"] {
            assert_eq!(text.parse::<Scale>(), Err(InvalidScale), "{text}");
        }
    }
}
