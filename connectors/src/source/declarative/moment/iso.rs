//! ISO 8601 as the reference's libraries read it: moments (`dateutil.isoparse`) and durations (`isodate`).

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::{Calendar, Delta, Moment, Span, Zone, in_calendar};

/// A date with or without a time of day. `None` where it is none.
pub(crate) fn parse_moment(text: &str) -> Option<Moment> {
    if !text.is_ascii() {
        return None;
    }
    let bytes = text.as_bytes();
    let (date, length) = date(bytes)?;
    if bytes.len() == length {
        return Some(Moment { wall: date.and_hms_opt(0, 0, 0)?, zone: None });
    }
    // Any one character may stand between date and time of day.
    let (clock, zone) = clock(&bytes[length + 1..])?;
    let [hour, minute, second, micro] = clock;
    let (hour, next_day) = if hour == 24 {
        if (minute, second, micro) != (0, 0, 0) {
            return None;
        }
        (0, true)
    } else {
        (hour, false)
    };
    let mut wall = date.and_hms_micro_opt(hour, minute, second, micro)?;
    if next_day {
        wall = in_calendar(wall.checked_add_signed(TimeDelta::days(1))?)?;
    }
    Some(Moment { wall, zone })
}

/// Digits that `int` reads: it takes a sign, blanks and underscores too.
fn int(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    crate::source::declarative::number::parse_int(text, 10).and_then(|number| i64::try_from(number).ok())
}

fn part(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let end = (at + length).min(bytes.len());
    u32::try_from(int(bytes.get(at..end)?)?).ok()
}

fn date(bytes: &[u8]) -> Option<(NaiveDate, usize)> {
    common_date(bytes).or_else(|| uncommon_date(bytes))
}

/// A month and a day; the calendar is asked only at the end.
fn common_date(bytes: &[u8]) -> Option<(NaiveDate, usize)> {
    if bytes.len() < 4 {
        return None;
    }
    let (parts, length) = common_parts(bytes)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(parts.0).ok()?, parts.1, parts.2)?;
    (1..=9999).contains(&date.year()).then_some((date, length))
}

fn common_parts(bytes: &[u8]) -> Option<((u32, u32, u32), usize)> {
    let year = part(bytes, 0, 4)?;
    let mut at = 4;
    if at >= bytes.len() {
        return Some(((year, 1, 1), at));
    }
    let separated = bytes[at] == b'-';
    at += usize::from(separated);
    if bytes.len() < at + 2 {
        return None;
    }
    let month = part(bytes, at, 2)?;
    at += 2;
    if at >= bytes.len() {
        return separated.then_some(((year, month, 1), at));
    }
    if separated {
        if bytes[at] != b'-' {
            return None;
        }
        at += 1;
    }
    if bytes.len() < at + 2 {
        return None;
    }
    Some(((year, month, part(bytes, at, 2)?), at + 2))
}

/// A week of the year, or a day of the year.
fn uncommon_date(bytes: &[u8]) -> Option<(NaiveDate, usize)> {
    // A date of the common kind that is out of the calendar is none of the other kinds.
    if bytes.len() < 4 || common_parts(bytes).is_some() {
        return None;
    }
    let year = i32::try_from(part(bytes, 0, 4)?).ok()?;
    let separated = bytes.get(4) == Some(&b'-');
    let mut at = 4 + usize::from(separated);
    if bytes.get(at) == Some(&b'W') {
        let week = part(bytes, at + 1, 2)?;
        at += 3;
        let mut day = 1;
        if bytes.len() > at {
            if (bytes[at] == b'-') != separated {
                return None;
            }
            at += usize::from(separated);
            day = part(bytes, at, 1)?;
            at += 1;
        }
        if !(1..=53).contains(&week) || !(1..=7).contains(&day) {
            return None;
        }
        let fourth = NaiveDate::from_ymd_opt(year, 1, 4)?;
        let offset = i64::from(week - 1) * 7 + i64::from(day) - 1;
        let monday = fourth - TimeDelta::days(i64::from(fourth.weekday().num_days_from_monday()));
        return Some((monday.checked_add_signed(TimeDelta::days(offset))?, at));
    }
    if bytes.len() < at + 3 {
        return None;
    }
    Some((NaiveDate::from_yo_opt(year, part(bytes, at, 3)?)?, at + 3))
}

fn clock(bytes: &[u8]) -> Option<([u32; 4], Option<Zone>)> {
    if bytes.len() < 2 {
        return None;
    }
    let (mut parts, mut zone) = ([0; 4], None);
    let (mut at, mut component, mut separated) = (0, 0, false);
    while at < bytes.len() && component < 6 {
        if matches!(bytes[at], b'-' | b'+' | b'Z' | b'z') {
            zone = Some(offset(&bytes[at..])?);
            at = bytes.len();
            break;
        }
        if component == 1 && bytes[at] == b':' {
            separated = true;
            at += 1;
        } else if component == 2 && separated {
            if bytes[at] != b':' {
                return None;
            }
            at += 1;
        }
        if component < 3 {
            parts[component] = part(bytes, at, 2)?;
            at += 2;
        } else if component == 3 && matches!(bytes[at], b'.' | b',') {
            let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > 0 {
                let kept = digits.min(6);
                let value = part(bytes, at + 1, kept)?;
                parts[3] = value * 10u32.pow(u32::try_from(6 - kept).ok()?);
                at += 1 + digits;
            }
        }
        component += 1;
    }
    (at >= bytes.len()).then_some((parts, zone))
}

fn offset(bytes: &[u8]) -> Option<Zone> {
    if matches!(bytes, b"Z" | b"z") {
        return Some(Zone::Utc);
    }
    let sign = match (bytes.len(), bytes[0]) {
        (3 | 5 | 6, b'-') => -1,
        (3 | 5 | 6, b'+') => 1,
        _ => return None,
    };
    let hours = int(&bytes[1..3])?;
    let minutes = match bytes.len() {
        3 => 0,
        _ => int(&bytes[if bytes[3] == b':' { 4 } else { 3 }..])?,
    };
    if minutes > 59 || hours > 23 {
        return None;
    }
    Some(Zone::east(sign * (hours * 60 + minutes) * 60_000_000))
}

/// A duration: `P1DT2H`, `-P1M`. `None` where it is none; the form with a date in it is not read.
pub(crate) fn parse_span(text: &str) -> Option<Span> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let body = body.strip_prefix('P')?;
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == 'T') {
        return None;
    }
    let (date, clock) = body.split_once('T').map_or((body, None), |(date, clock)| (date, Some(clock)));
    let mut amounts = [0.0; 7];
    components(date, &mut amounts[..4], "YMWD")?;
    components(clock.unwrap_or(""), &mut amounts[4..], "HMS")?;
    let [years, months, weeks, days, hours, minutes, seconds] = amounts;
    let rest = Delta::sum(&[
        (days, 86_400_000_000),
        (seconds, 1_000_000),
        (minutes, 60_000_000),
        (hours, 3_600_000_000),
        (weeks, 604_800_000_000),
    ])?;
    if years == 0.0 && months == 0.0 {
        return Some(Span::Fixed(if negative { Delta::checked(-rest.0)? } else { rest }));
    }
    let calendar = Calendar { years, months, rest };
    Some(Span::Calendar(if negative { calendar.negated() } else { calendar }))
}

/// Amounts with their letters, each at most once and in order.
fn components(text: &str, amounts: &mut [f64], letters: &str) -> Option<()> {
    let mut rest = text;
    for (place, letter) in letters.chars().enumerate() {
        let Some(end) = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')) else { break };
        if !rest[end..].starts_with(letter) {
            continue;
        }
        let amount = rest[..end].replace(',', ".");
        let (whole, part) = amount.split_once('.').unwrap_or((&amount, "0"));
        if whole.is_empty() || part.is_empty() || part.contains('.') {
            return None;
        }
        amounts[place] = amount.parse().ok()?;
        rest = &rest[end + 1..];
    }
    rest.is_empty().then_some(())
}
