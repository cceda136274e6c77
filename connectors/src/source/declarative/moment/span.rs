//! Spans of time: `timedelta`, and ISO durations with years and months, which have no fixed length.

use std::fmt::Write as _;

use super::{Moment, add_days, add_months};
use chrono::NaiveDate;

/// A span of fixed length in microseconds: `timedelta`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Delta(pub(crate) i128);

const DAY: i128 = 86_400_000_000;
/// The longest one: 999,999,999 days and the rest of the day.
const LONGEST: i128 = 1_000_000_000 * DAY - 1;

impl Delta {
    /// `None` where it is longer than Python's may be.
    pub(crate) fn checked(micros: i128) -> Option<Self> {
        (-999_999_999 * DAY..=LONGEST).contains(&micros).then_some(Self(micros))
    }

    /// The sum of `(amount, microseconds of one)`, each amount a double, rounded as Python does.
    pub(crate) fn sum(parts: &[(f64, i64)]) -> Option<Self> {
        let (mut whole, mut leftover) = (0i128, 0f64);
        for (amount, unit) in parts {
            if !amount.is_finite() || amount.abs() > 1e18 {
                return None;
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "bounded above")]
            {
                whole += amount.trunc() as i128 * i128::from(*unit);
                let part = amount.fract() * *unit as f64;
                whole += part.trunc() as i128;
                leftover += part.fract();
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "a few microseconds")]
        let mut rounded = leftover.round() as i128;
        if (leftover.round() - leftover).abs() > 0.499_999_999_9 && (whole + rounded) % 2 != 0 {
            rounded -= if leftover > 0.0 { 1 } else { -1 };
        }
        Self::checked(whole + rounded)
    }

    pub(crate) fn days(self) -> i128 {
        self.0.div_euclid(DAY)
    }

    /// Seconds of the day.
    pub(crate) fn rest_seconds(self) -> i128 {
        self.0.rem_euclid(DAY) / 1_000_000
    }

    pub(crate) fn rest_micros(self) -> i128 {
        self.0.rem_euclid(1_000_000)
    }

    /// `total_seconds()`: the double nearest to it.
    pub(crate) fn seconds(self) -> f64 {
        if self.0.unsigned_abs() < 1 << 53 {
            #[expect(clippy::cast_precision_loss, reason = "below 2^53 nothing is lost")]
            return self.0 as f64 / 1e6;
        }
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000).parse().unwrap_or(f64::NAN)
    }

    /// `str`.
    pub(crate) fn text(self) -> String {
        let mut out = String::new();
        let days = self.days();
        if days != 0 {
            let plural = if days.abs() == 1 { "" } else { "s" };
            let _ = write!(out, "{days} day{plural}, ");
        }
        let seconds = self.rest_seconds();
        let _ = write!(out, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        if self.rest_micros() != 0 {
            let _ = write!(out, ".{:06}", self.rest_micros());
        }
        out
    }

    /// `repr`.
    pub(crate) fn repr(self) -> String {
        let parts =
            [("days", self.days()), ("seconds", self.rest_seconds()), ("microseconds", self.rest_micros())];
        let named: Vec<String> = parts
            .iter()
            .filter(|(_, amount)| *amount != 0)
            .map(|(name, amount)| format!("{name}={amount}"))
            .collect();
        let inner = if named.is_empty() { "0".to_owned() } else { named.join(", ") };
        format!("datetime.timedelta({inner})")
    }
}

/// A span with years or months, counted on the calendar, and a rest of fixed length.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Calendar {
    pub(crate) years: f64,
    pub(crate) months: f64,
    pub(crate) rest: Delta,
}

impl Calendar {
    pub(crate) fn negated(self) -> Self {
        Self { years: -self.years, months: -self.months, rest: Delta(-self.rest.0) }
    }

    /// All of it in months; `None` where it is no whole number of years and months.
    fn whole_months(self) -> Option<i64> {
        if self.years.fract() != 0.0
            || self.months.fract() != 0.0
            || self.years.abs() > 1e6
            || self.months.abs() > 1e7
        {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        Some(self.years as i64 * 12 + self.months as i64)
    }

    /// `None` where there is no such moment.
    pub(crate) fn after(self, moment: &Moment) -> Option<Moment> {
        let date = add_months(moment.wall.date(), self.whole_months()?)?;
        Moment { wall: date.and_time(moment.wall.time()), zone: moment.zone }.plus(self.rest)
    }

    /// The same for a date, on which only whole days count.
    pub(crate) fn after_date(self, date: NaiveDate) -> Option<NaiveDate> {
        add_days(add_months(date, self.whole_months()?)?, self.rest)
    }

    /// What `date - span` gives: the rest's days are not those of its negation.
    pub(crate) fn before_date(self, date: NaiveDate) -> Option<NaiveDate> {
        let date = add_months(date, -self.whole_months()?)?;
        add_days(date, Delta(-self.rest.days() * DAY))
    }

    /// `str`.
    pub(crate) fn text(self) -> String {
        let mut parts = Vec::new();
        if self.years != 0.0 {
            parts.push(format!("{:.0} years", self.years.trunc()));
        }
        if self.months != 0.0 {
            let plural = if self.months <= 1.0 { "" } else { "s" };
            parts.push(format!("{:.0} month{plural}", self.months.trunc()));
        }
        parts.push(self.rest.text());
        parts.join(", ")
    }

    /// `repr`.
    pub(crate) fn repr(self) -> String {
        let (days, seconds, micros) = (self.rest.days(), self.rest.rest_seconds(), self.rest.rest_micros());
        format!(
            "isodate.duration.Duration({days}, {seconds}, {micros}, years={:.0}, months={:.0})",
            self.years.trunc(),
            self.months.trunc()
        )
    }
}

/// What an ISO duration stands for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Span {
    Fixed(Delta),
    Calendar(Calendar),
}
