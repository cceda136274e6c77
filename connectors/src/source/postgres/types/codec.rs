//! What the bytes of one value are, and what they become.

use protocol::UnfitPolicy;

/// How the bytes of one value become an Arrow value. A tree, as types are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// One byte, 0 or 1.
    Boolean,
    /// Two bytes, most significant first, as all numbers are.
    Int16,
    /// Four bytes.
    Int32,
    /// Eight bytes.
    Int64,
    /// Four bytes without sign.
    UInt32,
    /// IEEE 754, four bytes.
    Float32,
    /// IEEE 754, eight bytes.
    Float64,
    /// `numeric` as a decimal of up to 38 digits.
    Decimal128 {
        /// Digits at most.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `numeric` as a decimal of up to 76 digits.
    Decimal256 {
        /// Digits at most.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// `numeric` as the text that PostgreSQL prints.
    NumericText,
    /// UTF-8.
    Text,
    /// One byte of the type `"char"`.
    Char,
    /// A version byte, then JSON.
    Jsonb,
    /// Bytes.
    Binary,
    /// Sixteen bytes.
    Uuid,
    /// Days since 2000-01-01.
    Date,
    /// Microseconds since midnight.
    Time,
    /// Microseconds since 2000-01-01, UTC where the type has a zone.
    Timestamp,
    /// An array.
    List(Box<Codec>),
    /// A row of a composite type.
    Struct(Vec<Codec>),
    /// An `hstore`.
    Map,
}

impl Codec {
    /// Whether the policy makes NULL of some values of this kind, so that the field must be nullable.
    #[must_use]
    pub fn can_become_null(&self, policy: UnfitPolicy) -> bool {
        match policy {
            UnfitPolicy::Error => false,
            UnfitPolicy::Null => matches!(
                self,
                Self::Decimal128 { .. }
                    | Self::Decimal256 { .. }
                    | Self::Date
                    | Self::Time
                    | Self::Timestamp
                    | Self::List(_)
            ),
            // All that does not fit has a nearest value, but for NaN.
            UnfitPolicy::Clamp => matches!(self, Self::Decimal128 { .. } | Self::Decimal256 { .. }),
        }
    }
}
