//! Dates, times and spans of time as Python's `datetime` and the reference's libraries have them.

mod directive;
mod iso;
mod scan;
mod span;
#[cfg(test)]
mod tests;
mod write;

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};

pub use directive::{DatetimeFormat, Duration};
pub(crate) use iso::{parse_moment, parse_span};
pub(crate) use scan::scan;
pub(crate) use span::{Calendar, Delta, Span};
pub(crate) use write::{ctime, write};

/// Where a moment's clock hangs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// `datetime.timezone.utc`.
    Utc,
    /// `pytz.utc`: the same, but for how it is written.
    Pytz,
    /// So many microseconds east of Greenwich.
    East(i64),
}

impl Zone {
    pub(crate) fn east(micros: i64) -> Self {
        if micros == 0 { Self::Utc } else { Self::East(micros) }
    }

    pub(crate) fn micros(self) -> i64 {
        match self {
            Self::Utc | Self::Pytz => 0,
            Self::East(micros) => micros,
        }
    }

    /// `%Z`.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Utc | Self::Pytz => "UTC".to_owned(),
            Self::East(_) => format!("UTC{}", self.offset(":")),
        }
    }

    /// Sign, hours and minutes, and what is finer if there is something.
    pub(crate) fn offset(self, colon: &str) -> String {
        let micros = self.micros();
        let sign = if micros < 0 { '-' } else { '+' };
        let (seconds, rest) = (micros.abs() / 1_000_000, micros.abs() % 1_000_000);
        let mut out = format!("{sign}{:02}{colon}{:02}", seconds / 3600, seconds / 60 % 60);
        if seconds % 60 != 0 || rest != 0 {
            let _ = write!(out, "{colon}{:02}", seconds % 60);
        }
        if rest != 0 {
            let _ = write!(out, ".{rest:06}");
        }
        out
    }
}

/// A date with a time of day; without a zone it is taken for UTC.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: NaiveDateTime,
    pub(crate) zone: Option<Zone>,
}

impl Moment {
    pub(crate) fn utc(wall: NaiveDateTime) -> Self {
        Self { wall, zone: Some(Zone::Utc) }
    }

    /// The time in Greenwich.
    pub(crate) fn universal(&self) -> NaiveDateTime {
        self.wall - TimeDelta::microseconds(self.zone.map_or(0, Zone::micros))
    }

    /// The same moment where another clock hangs; `None` out of the calendar.
    pub(crate) fn moved(&self, zone: Zone) -> Option<Self> {
        let wall = self.universal().checked_add_signed(TimeDelta::microseconds(zone.micros()))?;
        in_calendar(wall).map(|wall| Self { wall, zone: Some(zone) })
    }

    /// Microseconds since 1970.
    pub(crate) fn epoch_micros(&self) -> i64 {
        self.universal().and_utc().timestamp_micros()
    }

    /// `timestamp()`: seconds since 1970, the double nearest to them.
    pub(crate) fn timestamp(&self) -> f64 {
        Delta(i128::from(self.epoch_micros())).seconds()
    }

    /// The moment so many seconds after 1970, rounded to the microsecond; `None` out of the calendar.
    pub(crate) fn from_seconds(seconds: f64) -> Option<Self> {
        if !seconds.is_finite() || seconds.abs() > 1e15 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the bound above holds it")]
        let (whole, part) = (seconds.trunc() as i64, (seconds.fract() * 1e6).round_ties_even() as i64);
        Self::from_micros(i128::from(whole) * 1_000_000 + i128::from(part))
    }

    /// The moment so many microseconds after 1970; `None` out of the calendar.
    pub(crate) fn from_micros(micros: i128) -> Option<Self> {
        let micros = i64::try_from(micros).ok()?;
        let wall = chrono::DateTime::from_timestamp_micros(micros)?.naive_utc();
        in_calendar(wall).map(Self::utc)
    }

    /// So much later; `None` out of the calendar.
    pub(crate) fn plus(&self, delta: Delta) -> Option<Self> {
        let wall = add(self.wall, delta)?;
        Some(Self { wall, zone: self.zone })
    }

    /// `isoformat(separator)`.
    pub(crate) fn iso(&self, separator: char) -> String {
        let mut out = format!("{}{separator}{}", date_iso(self.wall.date()), time_iso(&self.wall));
        if let Some(zone) = self.zone {
            out.push_str(&zone.offset(":"));
        }
        out
    }

    /// `repr`.
    pub(crate) fn repr(&self) -> String {
        let wall = &self.wall;
        let mut out = format!(
            "datetime.datetime({}, {}, {}, {}, {}",
            wall.year(),
            wall.month(),
            wall.day(),
            wall.hour(),
            wall.minute()
        );
        let micros = micros(wall);
        if wall.second() != 0 || micros != 0 {
            let _ = write!(out, ", {}", wall.second());
        }
        if micros != 0 {
            let _ = write!(out, ", {micros}");
        }
        if let Some(zone) = self.zone {
            let _ = write!(out, ", tzinfo={}", zone_repr(zone));
        }
        out.push(')');
        out
    }
}

pub(crate) fn zone_repr(zone: Zone) -> String {
    match zone {
        Zone::Utc => "datetime.timezone.utc".to_owned(),
        Zone::Pytz => "<UTC>".to_owned(),
        Zone::East(micros) => format!("datetime.timezone({})", Delta(i128::from(micros)).repr()),
    }
}

/// Microseconds of the second.
pub(crate) fn micros(wall: &NaiveDateTime) -> u32 {
    wall.nanosecond() / 1000
}

pub(crate) fn date_iso(date: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

pub(crate) fn time_iso(wall: &NaiveDateTime) -> String {
    let mut out = format!("{:02}:{:02}:{:02}", wall.hour(), wall.minute(), wall.second());
    let micros = micros(wall);
    if micros != 0 {
        let _ = write!(out, ".{micros:06}");
    }
    out
}

pub(crate) fn date_repr(date: NaiveDate) -> String {
    format!("datetime.date({}, {}, {})", date.year(), date.month(), date.day())
}

/// Python's calendar goes from the year 1 to 9999.
pub(crate) fn in_calendar(wall: NaiveDateTime) -> Option<NaiveDateTime> {
    (1..=9999).contains(&wall.year()).then_some(wall)
}

/// A wall clock's time so much later; `None` out of the calendar.
pub(crate) fn add(wall: NaiveDateTime, delta: Delta) -> Option<NaiveDateTime> {
    // 9999 years are 3e17 microseconds: what is longer leads out of the calendar.
    let micros =
        i64::try_from(delta.0).ok().filter(|micros| micros.unsigned_abs() < 400_000_000_000_000_000)?;
    in_calendar(wall.checked_add_signed(TimeDelta::microseconds(micros))?)
}

/// A date so many whole days later.
pub(crate) fn add_days(date: NaiveDate, delta: Delta) -> Option<NaiveDate> {
    let days = i64::try_from(delta.days()).ok().filter(|days| days.abs() < 4_000_000)?;
    let date = date.checked_add_signed(TimeDelta::days(days))?;
    (1..=9999).contains(&date.year()).then_some(date)
}

/// A date so many months later, on the last day of the month where the day does not exist.
pub(crate) fn add_months(date: NaiveDate, months: i64) -> Option<NaiveDate> {
    let count = i64::from(date.year()) * 12 + i64::from(date.month0()) + months;
    let year = i32::try_from(count.div_euclid(12)).ok().filter(|year| (1..=9999).contains(year))?;
    let month = u32::try_from(count.rem_euclid(12)).ok()? + 1;
    (28..=date.day().max(28)).rev().find_map(|day| NaiveDate::from_ymd_opt(year, month, day.min(date.day())))
}
