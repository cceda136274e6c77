//! Numbers as Python writes and reads them.

use num_bigint::BigInt;
use num_traits::{FromPrimitive, ToPrimitive};

/// More digits of an integer are neither read nor written, as in Python.
pub(crate) const MOST_DIGITS: usize = 4300;

/// A double as `repr` writes it: the shortest digits that give it back, with an exponent from 1e16 and below 1e-4.
#[must_use]
pub(crate) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let mut plain = format!("{number}");
        if !plain.contains('.') {
            plain.push_str(".0");
        }
        return plain;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The text without the white space around it that Python ignores.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// What `str.isspace` says of one character.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Digits with single underscores between them, without those.
fn without_underscores(text: &str) -> Option<String> {
    if !text.contains('_') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    for (place, byte) in bytes.iter().enumerate() {
        let is_digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
        if *byte == b'_' && !(place > 0 && is_digit(bytes.get(place - 1)) && is_digit(bytes.get(place + 1))) {
            return None;
        }
    }
    Some(text.replace('_', ""))
}

/// Digits of any script as ASCII ones, where there are such.
fn ascii_digits(text: &str) -> String {
    // Zeros of the scripts that people's data has: Arabic-Indic, Persian, Devanagari, Bengali, Thai, full width.
    const ZEROS: [u32; 6] = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10];
    text.chars()
        .map(|character| {
            let code = character as u32;
            ZEROS
                .iter()
                .find(|zero| (**zero..**zero + 10).contains(&code))
                .and_then(|zero| char::from_digit(code - zero, 10))
                .unwrap_or(character)
        })
        .collect()
}

/// What `int(text, base)` gives; base 0 goes by the prefix.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<BigInt> {
    let text = trimmed(text);
    let text = if text.is_ascii() { text.to_owned() } else { ascii_digits(text) };
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, &text[..]),
    };
    let prefix = body.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match (prefix.as_deref(), base) {
        (Some("0x"), 0 | 16) => (16, &body[2..]),
        (Some("0o"), 0 | 8) => (8, &body[2..]),
        (Some("0b"), 0 | 2) => (2, &body[2..]),
        (_, 0) => {
            let is_zero = body.bytes().all(|byte| matches!(byte, b'0' | b'_'));
            if body.len() > 1 && body.starts_with('0') && !is_zero {
                return None;
            }
            (10, body)
        }
        (_, base @ 2..=36) => (base, body),
        _ => return None,
    };
    // An underscore may follow a prefix.
    let digits = if digits.len() < body.len() { digits.strip_prefix('_').unwrap_or(digits) } else { digits };
    let digits = without_underscores(digits)?;
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    if digits.len() > MOST_DIGITS && !radix.is_power_of_two() {
        return None;
    }
    let number = BigInt::parse_bytes(digits.as_bytes(), radix)?;
    Some(if negative { -number } else { number })
}

/// What `float(text)` gives.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = trimmed(text);
    let text = if text.is_ascii() { text.to_owned() } else { ascii_digits(text) };
    let text = without_underscores(&text)?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok()
}

/// The integer part of a finite double.
pub(crate) fn truncate(number: f64) -> Option<BigInt> {
    BigInt::from_f64(number.trunc())
}

/// The double nearest to an integer; `None` where it is beyond all of them.
pub(crate) fn to_float(number: &BigInt) -> Option<f64> {
    number.to_f64().filter(|float| float.is_finite())
}

/// `round` to an even neighbour, with `places` after the point, as Python rounds doubles.
pub(crate) fn round(number: f64, places: i32) -> f64 {
    if !number.is_finite() || places > 323 {
        return number;
    }
    if places >= 0 {
        // Formatting is exact and rounds half to even on the exact binary value, which is what Python does.
        return format!("{number:.*}", usize::try_from(places).unwrap_or(0)).parse().unwrap_or(number);
    }
    if places < -308 {
        return 0.0 * number;
    }
    let scale = 10f64.powi(-places);
    (number / scale).round_ties_even() * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        let cases = [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e300, "1.5e+300"),
            (-0.0, "-0.0"),
            (123_456_789.123, "123456789.123"),
            (f64::INFINITY, "inf"),
        ];
        for (number, text) in cases {
            assert_eq!(float_text(number), text);
        }
    }

    #[test]
    fn integers_are_read_as_python_reads_them() {
        let read = |text, base| parse_int(text, base).map(|number| number.to_string());
        assert_eq!(read(" 1_000 ", 10).as_deref(), Some("1000"));
        assert_eq!(read("-0x_ff", 16).as_deref(), Some("-255"));
        assert_eq!(read("0o17", 0).as_deref(), Some("15"));
        assert_eq!(read("٣", 10).as_deref(), Some("3"));
        for bad in ["", "1__0", "_1", "1_", "1.0", "0x", "- 1"] {
            assert_eq!(read(bad, 10), None, "{bad}");
        }
        assert_eq!(read("007", 0), None);
    }
}
