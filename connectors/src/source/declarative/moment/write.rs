//! `strftime`: Python's directives on top of those of the C library.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDateTime, Timelike};

use super::{Zone, micros};

pub(super) const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The widest that a field may be made.
const WIDEST: usize = 1000;

/// What stands between `%` and the letter.
#[derive(Clone, Copy, Default)]
struct Flags {
    /// `-`, `_` or `0`.
    pad: Option<u8>,
    upper: bool,
    swap: bool,
    width: usize,
}

/// A moment by `format`. What is no directive stays as it is.
pub(crate) fn write(wall: &NaiveDateTime, zone: Option<Zone>, format: &str) -> String {
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format;
    while let Some(place) = rest.find('%') {
        out.push_str(&rest[..place]);
        rest = &rest[place..];
        // Python's own directives take no flags.
        let own = match rest.as_bytes().get(1) {
            Some(b'f') => Some(format!("{:06}", micros(wall))),
            Some(b'z') => Some(zone.map_or_else(String::new, |zone| zone.offset(""))),
            Some(b'Z') => Some(zone.map_or_else(String::new, Zone::name)),
            _ => None,
        };
        if let Some(text) = own {
            out.push_str(&text);
            rest = &rest[2..];
            continue;
        }
        let (flags, length) = flags(&rest[1..]);
        let letter = rest[1 + length..].chars().next();
        let end = 1 + length + letter.map_or(0, char::len_utf8);
        match letter.and_then(|letter| field(wall, letter, flags)) {
            Some(text) => out.push_str(&text),
            None => out.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

fn flags(text: &str) -> (Flags, usize) {
    let mut flags = Flags::default();
    let mut length = 0;
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'0' if flags.width == 0 => flags.pad = Some(byte),
            b'^' => flags.upper = true,
            b'#' => flags.swap = true,
            b'0'..=b'9' => flags.width = (flags.width * 10 + usize::from(byte - b'0')).min(WIDEST),
            b'E' | b'O' if text.len() > length + 1 => {}
            _ => break,
        }
        length += 1;
    }
    (flags, length)
}

fn number(value: i64, digits: usize, pad: u8, flags: Flags) -> String {
    let pad = flags.pad.unwrap_or(pad);
    let width = if pad == b'-' { 0 } else { digits.max(flags.width) };
    match pad {
        b'_' => format!("{value:>width$}"),
        _ => format!("{value:0>width$}"),
    }
}

fn text(value: &str, flags: Flags) -> String {
    let width = flags.width;
    let value = if flags.upper || flags.swap { value.to_uppercase() } else { value.to_owned() };
    match flags.pad {
        Some(b'0') => format!("{value:0>width$}"),
        _ => format!("{value:>width$}"),
    }
}

fn padded(value: &str, flags: Flags) -> String {
    text(value, Flags { swap: false, ..flags })
}

fn field(wall: &NaiveDateTime, letter: char, flags: Flags) -> Option<String> {
    let (hour, weekday) = (i64::from(wall.hour()), wall.weekday().num_days_from_monday());
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let year = i64::from(wall.year());
    let two = |value: i64| number(value, 2, b'0', flags);
    let composed = |format: &str| padded(&write(wall, None, format), flags);
    Some(match letter {
        'a' => text(&DAYS[weekday as usize][..3], flags),
        'A' => text(DAYS[weekday as usize], flags),
        'b' | 'h' => text(&MONTHS[wall.month0() as usize][..3], flags),
        'B' => text(MONTHS[wall.month0() as usize], flags),
        'c' => composed("%a %b %e %H:%M:%S %Y"),
        'C' => two(year / 100),
        'd' => two(i64::from(wall.day())),
        'D' | 'x' => composed("%m/%d/%y"),
        'e' => number(i64::from(wall.day()), 2, b'_', flags),
        'F' => composed("%Y-%m-%d"),
        'g' => two(i64::from(wall.iso_week().year()) % 100),
        'G' => number(i64::from(wall.iso_week().year()), 0, b'0', flags),
        'H' => two(hour),
        'I' => two(twelve),
        'j' => number(i64::from(wall.ordinal()), 3, b'0', flags),
        'k' => number(hour, 2, b'_', flags),
        'l' => number(twelve, 2, b'_', flags),
        'm' => two(i64::from(wall.month())),
        'M' => two(i64::from(wall.minute())),
        'n' => padded("\n", flags),
        'p' if flags.swap => padded(if hour < 12 { "am" } else { "pm" }, flags),
        'p' => padded(if hour < 12 { "AM" } else { "PM" }, flags),
        'P' => padded(if hour < 12 { "am" } else { "pm" }, Flags { upper: false, ..flags }),
        'r' => composed("%I:%M:%S %p"),
        'R' => composed("%H:%M"),
        's' => number(wall.and_utc().timestamp(), 1, b'0', flags),
        'S' => two(i64::from(wall.second())),
        't' => padded("\t", flags),
        'T' | 'X' => composed("%H:%M:%S"),
        'u' => number(i64::from(weekday) + 1, 1, b'0', flags),
        'U' => two(week(wall, (weekday + 1) % 7)),
        'V' => two(i64::from(wall.iso_week().week())),
        'w' => number(i64::from((weekday + 1) % 7), 1, b'0', flags),
        'W' => two(week(wall, weekday)),
        'y' => two(year % 100),
        'Y' => number(year, 0, b'0', flags),
        'z' | 'Z' => String::new(),
        '%' => padded("%", flags),
        _ => return None,
    })
}

/// The number of the week, of which this is day `day`, counted from the first such week of the year.
fn week(wall: &NaiveDateTime, day: u32) -> i64 {
    (i64::from(wall.ordinal0()) + 7 - i64::from(day)) / 7
}

/// `ctime()`.
pub(crate) fn ctime(wall: &NaiveDateTime) -> String {
    let mut out = write(wall, None, "%a %b %e %H:%M:%S ");
    let _ = write!(out, "{:04}", wall.year());
    out
}
