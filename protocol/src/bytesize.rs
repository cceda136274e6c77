//! A number of bytes as people write it in configuration files: `128MiB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// Each unit and its bytes; the ones that shorten most readably come first.
const UNITS: [(&str, u64); 9] = [
    ("TiB", TIB),
    ("GiB", GIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// A number of bytes: `128MiB`, `1GB`, `1.5 GiB`, or a plain number of bytes.
///
/// `KiB` to `TiB` are powers of 1024, `kB` to `TB` powers of 1000, in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024 × 1024 bytes.
    #[must_use]
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes * MIB)
    }

    /// As a number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    /// In the largest unit that divides it: `128MiB`. Reads back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, bytes): &&(&str, u64)| self.0 != 0 && self.0.is_multiple_of(*bytes);
        match UNITS.iter().find(divides) {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// What is wrong with a text that should be a number of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidByteSize(String);

impl fmt::Display for InvalidByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a size in bytes: write it as `128MiB`, `1GB` or a plain number of bytes",
            self.0
        )
    }
}

impl std::error::Error for InvalidByteSize {}

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let unit = unit.trim_start();
        let bytes = match unit {
            "" => Some(1),
            _ => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, bytes)| *bytes),
        };
        bytes
            .and_then(|bytes| scaled(number, bytes))
            .map(Self)
            .ok_or_else(|| InvalidByteSize(text.chars().take(40).collect()))
    }
}

/// `number` times `unit`, exact: up to nine decimals, and the product must be whole.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let one = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let scaled = (whole.parse::<u64>().ok().map(u128::from)? * one + fraction.parse::<u128>().ok()?)
        .checked_mul(u128::from(unit))?;
    scaled.is_multiple_of(one).then(|| u64::try_from(scaled / one).ok()).flatten()
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size in bytes such as `128MiB`, `1GB` or a plain number of bytes")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes)
                    .map(ByteSize)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(bytes), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a number of bytes: `128MiB`, `1GB`, `1.5 GiB`, or a plain number",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]{1,9})?\s*(([kKmMgGtT][iI]?)?[bB])?\s*$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [
            ("128MiB", 128 * MIB),
            ("128 mib", 128 * MIB),
            ("1GB", 1_000_000_000),
            ("1.5GiB", 3 * GIB / 2),
            ("1.000000001GB", 1_000_000_001),
            ("64kb", 64_000),
            ("42", 42),
            ("0", 0),
            ("7B", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse::<ByteSize>(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_saying_how_to_write_it() {
        for text in [
            "",
            "MiB",
            "-1",
            "1.",
            ".5GB",
            "1..5GB",
            "1.5",
            "1 M",
            "1e9",
            "0.5B",
            "16777216TiB",
            "1MiBs",
            "NaN",
            "99999999999999999999",
            "1.0000000001GB",
            "١MiB",
        ] {
            let error = text.parse::<ByteSize>().unwrap_err().to_string();
            assert!(error.contains("128MiB"), "{error}");
        }
    }

    #[test]
    fn is_read_from_text_and_numbers_and_not_from_signs() {
        assert_eq!(serde_json::from_str::<ByteSize>("\"2MB\"").unwrap(), ByteSize(2_000_000));
        assert_eq!(serde_json::from_str::<ByteSize>("2").unwrap(), ByteSize(2));
        for json in ["-2", "2.5", "true", "null", "\"two\""] {
            let error = serde_json::from_str::<ByteSize>(json).unwrap_err().to_string();
            assert!(error.contains("128MiB"), "{error}");
        }
    }

    #[test]
    fn shows_the_largest_whole_unit() {
        for (bytes, text) in
            [(0, "0B"), (1023, "1023B"), (128 * MIB, "128MiB"), (1000, "1kB"), (2_000_000, "2MB")]
        {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes: u64) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse::<ByteSize>(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<ByteSize>();
        }
    }
}
