//! Dates and times of JSON texts, as APIs write them.

use chrono::{DateTime, NaiveDate};

/// A moment in microseconds of a day or since 1970, and what was lost.
pub(super) struct Read {
    pub(super) micros: i64,
    /// Digits beyond microseconds that were not zero.
    pub(super) is_cut: bool,
}

/// `2024-05-06T07:08:09.123456+02:00` and what is near: a blank for the `T`, no seconds, no zone (UTC), a date alone.
pub(super) fn timestamp(text: &str) -> Option<Read> {
    let text = text.trim_ascii();
    let day = text.get(..10).and_then(date);
    let Some(day) = day else {
        let time = DateTime::parse_from_rfc2822(text).ok()?;
        return Some(Read { micros: time.timestamp_micros(), is_cut: false });
    };
    let day = i64::from(day) * DAY;
    match text.as_bytes().get(10) {
        None => Some(Read { micros: day, is_cut: false }),
        Some(b'T' | b't' | b' ') => {
            let (read, offset) = clock(&text[11..])?;
            let micros = day.checked_add(read.micros)?.checked_sub(offset.unwrap_or(0) * SECOND)?;
            Some(Read { micros, is_cut: read.is_cut })
        }
        Some(_) => None,
    }
}

/// `07:08:09.123456`, without a zone.
pub(super) fn time(text: &str) -> Option<Read> {
    match clock(text.trim_ascii())? {
        (read, None) if read.micros < DAY => Some(read),
        _ => None,
    }
}

/// `2024-05-06` as days since 1970.
pub(super) fn date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes[range]
            .iter()
            .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let year = i32::try_from(number(0..4)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?)?;
    Some(date.to_epoch_days())
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A time of day and the seconds that its zone is ahead.
fn clock(text: &str) -> Option<(Read, Option<i64>)> {
    let bytes = text.as_bytes();
    let two = |at: usize| {
        let (tens, ones) = (bytes.get(at)?, bytes.get(at + 1)?);
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hour, minute) = (two(0)?, two(3)?);
    if bytes.get(2) != Some(&b':') || hour > 24 || minute > 59 {
        return None;
    }
    let (mut at, mut second, mut fraction, mut is_cut) = (5, 0, 0, false);
    if bytes.get(at) == Some(&b':') {
        second = two(6)?;
        at = 8;
        if matches!(bytes.get(at), Some(b'.' | b',')) {
            let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let mut scale = SECOND / 10;
            for digit in &bytes[at + 1..at + 1 + digits] {
                fraction += i64::from(digit - b'0') * scale;
                is_cut |= scale == 0 && *digit != b'0';
                scale /= 10;
            }
            at += 1 + digits;
        }
    }
    // A leap second is the first one of the next minute.
    if second > 60 || (hour == 24 && (minute, second, fraction) != (0, 0, 0)) {
        return None;
    }
    let micros = ((hour * 60 + minute) * 60 + second) * SECOND + fraction;
    Some((Read { micros, is_cut }, zone(text[at..].trim_ascii_start())?))
}

/// `Z`, `+02:00`, `+0200`, `+02`, `UTC` or nothing.
#[expect(clippy::option_option, reason = "no zone is something else than a zone that can't be read")]
fn zone(text: &str) -> Option<Option<i64>> {
    if text.is_empty() {
        return Some(None);
    }
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(Some(0));
    }
    let sign = match text.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: Vec<i64> = text[1..]
        .bytes()
        .filter(|byte| *byte != b':')
        .map(|byte| byte.is_ascii_digit().then(|| i64::from(byte - b'0')))
        .collect::<Option<_>>()?;
    let two = |at: usize| digits[at] * 10 + digits[at + 1];
    let (hours, minutes) = match digits.len() {
        2 => (two(0), 0),
        4 => (two(0), two(2)),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        timestamp(text).map(|read| {
            let time = DateTime::from_timestamp_micros(read.micros).expect("in range");
            format!("{}{}", time.format("%Y-%m-%dT%H:%M:%S%.6f"), if read.is_cut { " cut" } else { "" })
        })
    }

    #[test]
    fn moments_are_read_as_apis_write_them() {
        for (text, expected) in [
            ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09.000000"),
            ("2024-05-06T07:08:09.123456789+02:00", "2024-05-06T05:08:09.123456 cut"),
            ("2024-05-06 07:08:09.5 -0330", "2024-05-06T10:38:09.500000"),
            ("2024-05-06T07:08", "2024-05-06T07:08:00.000000"),
            ("2024-05-06", "2024-05-06T00:00:00.000000"),
            ("2024-05-06T23:59:60Z", "2024-05-07T00:00:00.000000"),
            ("2024-05-06T24:00:00Z", "2024-05-07T00:00:00.000000"),
            ("2024-05-06 07:08:09 UTC", "2024-05-06T07:08:09.000000"),
            ("Mon, 06 May 2024 07:08:09 +0000", "2024-05-06T07:08:09.000000"),
        ] {
            assert_eq!(at(text).as_deref(), Some(expected), "{text}");
        }
        for text in
            ["", "yesterday", "2024-13-01", "2024-05-06T25:00:00Z", "2024-05-06T07:08:09+1", "1714979289"]
        {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_has_no_zone() {
        assert_eq!(time("07:08:09.25").map(|read| read.micros), Some(25_689_250_000));
        assert!(time("07:08:09Z").is_none());
        assert!(time("24:00:00").is_none());
    }
}
