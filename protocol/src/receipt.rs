//! What was written, in numbers that a reader can compute again.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 128 bits, written as 32 hexadecimal digits: a sum over the hashes of rows modulo 2^128, which is
/// the same for the same rows in any order and any division into files, or a hash of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, JsonSchema)]
pub struct Digest(#[schemars(with = "String", regex(pattern = "^[0-9a-f]{32}$"))] u128);

impl Digest {
    /// The sum `value`.
    #[must_use]
    pub const fn new(value: u128) -> Self {
        Self(value)
    }

    /// The sum.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }
}

impl Add for Digest {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten()
            .map(Self)
            .ok_or_else(|| "a digest has 32 hexadecimal digits".to_owned())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What one file was when it was written.
///
/// How a row is hashed is the engine's, and documented there (`engine/src/receipt`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Version of the hash: sums of different versions can't be compared or added.
    pub version: u32,
    /// Sum over the rows, of the source's columns alone: a fresh read of the source can be compared.
    pub content: Digest,
    /// Hash of the file's bytes: XXH3, 128 bits.
    pub encoded: Digest,
    /// The sum with the columns that tidegate adds, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<WrittenReceipt>,
}

impl Receipt {
    /// Version of the hash that sums are made of.
    pub const VERSION: u32 = 1;
}

/// A sum over rows with the columns that tidegate adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrittenReceipt {
    /// The columns that are not the source's.
    pub added: Vec<String>,
    /// Sum over the rows, of all columns.
    pub content: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_32_digits_and_reads_back() {
        for value in [0, 1, u128::from(u64::MAX), u128::MAX] {
            let digest = Digest::new(value);
            assert_eq!(digest.to_string().len(), 32);
            assert_eq!(digest.to_string().parse(), Ok(digest));
            let json = serde_json::to_string(&digest).unwrap();
            assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }
        for wrong in ["", "0", "+000000000000000000000000000000f", "00000000000000000000000000000000f"] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sums_wrap() {
        assert_eq!(Digest::new(u128::MAX) + Digest::new(2), Digest::new(1));
    }
}
