//! The modifier of `numeric`, and the decimal that holds what it allows.

use arrow_schema::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType};

use super::codec::Codec;

/// Bytes that PostgreSQL adds to modifiers, from times when they were lengths with a header.
const HEADER: i32 = 4;

/// Precision and scale of `numeric(p,s)`; `None` without them. The scale may be negative or above
/// the precision since PostgreSQL 15.
fn bounds(modifier: i32) -> Option<(i32, i32)> {
    let packed = modifier.checked_sub(HEADER).filter(|packed| *packed >= 0)?;
    let precision = packed >> 16;
    // Eleven bits with a sign; older servers have only 0 to 1000 there, which reads the same.
    let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
    Some((precision, scale))
}

/// The decimal that holds every value of `numeric` with this modifier, if one of 76 digits can.
///
/// Parquet knows neither negative scales nor scales above the precision: `numeric(2,-3)` is up to
/// 99000 and so a decimal(5,0), `numeric(3,5)` is below 0.01 and so a decimal(5,5).
pub(super) fn decimal(modifier: i32) -> Option<DataType> {
    let (precision, scale) = bounds(modifier)?;
    let digits = (precision - scale.min(0)).max(scale).max(1);
    let digits = u8::try_from(digits).ok()?;
    let scale = i8::try_from(scale.max(0)).ok()?;
    if digits <= DECIMAL128_MAX_PRECISION {
        Some(DataType::Decimal128(digits, scale))
    } else {
        (digits <= DECIMAL256_MAX_PRECISION).then_some(DataType::Decimal256(digits, scale))
    }
}

/// How `numeric` is read as `data_type`, where that is a decimal of sound bounds or text.
pub(super) fn codec(data_type: &DataType) -> Option<Codec> {
    let sound = |precision: u8, scale: i8, most: u8| {
        let scale = u8::try_from(scale).ok()?;
        (precision <= most && (1..=precision).contains(&precision) && scale <= precision)
            .then_some((precision, scale))
    };
    match data_type {
        DataType::Utf8 => Some(Codec::NumericText),
        DataType::Decimal128(precision, scale) => {
            let (precision, scale) = sound(*precision, *scale, DECIMAL128_MAX_PRECISION)?;
            Some(Codec::Decimal128 { precision, scale })
        }
        DataType::Decimal256(precision, scale) => {
            let (precision, scale) = sound(*precision, *scale, DECIMAL256_MAX_PRECISION)?;
            Some(Codec::Decimal256 { precision, scale })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modifier(precision: i32, scale: i32) -> i32 {
        ((precision << 16) | (scale & 0x7ff)) + HEADER
    }

    #[test]
    fn bounds_are_read_as_the_server_packs_them() {
        // From pg_attribute.atttypmod of PostgreSQL 15.
        assert_eq!(bounds(1_179_656), Some((18, 4)));
        assert_eq!(bounds(133_121), Some((2, -3)));
        assert_eq!(bounds(-1), None);
        assert_eq!(bounds(i32::MIN), None);
    }

    #[test]
    fn every_bounded_numeric_has_a_decimal_up_to_76_digits() {
        for ((precision, scale), expected) in [
            ((18, 4), Some(DataType::Decimal128(18, 4))),
            ((38, 0), Some(DataType::Decimal128(38, 0))),
            ((39, 0), Some(DataType::Decimal256(39, 0))),
            ((76, 76), Some(DataType::Decimal256(76, 76))),
            ((77, 0), None),
            ((1000, 1000), None),
            ((2, -3), Some(DataType::Decimal128(5, 0))),
            ((3, 5), Some(DataType::Decimal128(5, 5))),
            ((38, -38), Some(DataType::Decimal256(76, 0))),
            ((1, 77), None),
            ((1, -1000), None),
        ] {
            assert_eq!(decimal(modifier(precision, scale)), expected, "numeric({precision},{scale})");
        }
        assert_eq!(decimal(-1), None);
    }

    #[test]
    fn decimals_that_parquet_does_not_know_are_refused() {
        assert_eq!(codec(&DataType::Decimal128(10, -2)), None);
        assert_eq!(codec(&DataType::Decimal128(10, 11)), None);
        assert_eq!(codec(&DataType::Decimal128(39, 0)), None);
        assert_eq!(codec(&DataType::Decimal128(0, 0)), None);
        assert_eq!(codec(&DataType::Int64), None);
    }
}
