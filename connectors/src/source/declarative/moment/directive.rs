//! The formats of cursors: those of `strptime` and `strftime`, and the directives that manifests have beside them.

use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use num_traits::ToPrimitive;
use protocol::{Error, Result};

use super::{Delta, Moment, Zone, scan, write};
use crate::source::declarative::number;
use crate::source::declarative::template::Object;
use crate::source::declarative::value::Value;

/// A format of dates and times, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatetimeFormat {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `%s`: seconds since 1970.
    Seconds,
    /// `%s_as_float`.
    FloatSeconds,
    /// `%epoch_microseconds`.
    Micros,
    /// `%ms`: milliseconds since 1970.
    Millis,
    /// Somewhere `%_ms`: three digits after the point.
    WithMillis,
    /// Nothing of one's own.
    Standard,
}

impl DatetimeFormat {
    /// The format that `text` says. Every text is one; what can't be read by it is found when something is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let kind = match text {
            "%s" => Kind::Seconds,
            "%s_as_float" => Kind::FloatSeconds,
            "%epoch_microseconds" => Kind::Micros,
            "%ms" => Kind::Millis,
            _ if text.contains("%_ms") => Kind::WithMillis,
            _ => Kind::Standard,
        };
        Self { text: text.to_owned(), kind }
    }

    /// The text of the format.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The moment that `value`, a text or a number, stands for. Without a zone it is in UTC.
    pub fn parse(&self, value: &Value) -> Result<DateTime<FixedOffset>> {
        let moment = self.read(value).map_err(|what| {
            Error::data(format!("a date does not fit the format {:?}: {what}", self.text))
                .hint("Add the format in which the source writes its dates to `cursor_datetime_formats`.")
        })?;
        let zone = moment.zone.map_or(0, Zone::micros) / 1_000_000;
        let offset = i32::try_from(zone).ok().and_then(FixedOffset::east_opt);
        let offset = offset.ok_or_else(|| Error::data("a date has a zone a day or more away"))?;
        Ok(moment.universal().and_utc().with_timezone(&offset))
    }

    /// The moment as the format writes it.
    #[must_use]
    pub fn format(&self, moment: &DateTime<FixedOffset>) -> String {
        let zone = Zone::east(i64::from(moment.offset().local_minus_utc()) * 1_000_000);
        self.write(&Moment { wall: moment.naive_local(), zone: Some(zone) })
    }

    /// [`Self::format`] of a moment in UTC.
    #[must_use]
    pub fn format_utc(&self, moment: &DateTime<Utc>) -> String {
        self.write(&Moment::utc(moment.naive_utc()))
    }

    pub(crate) fn read(&self, value: &Value) -> Result<Moment, &'static str> {
        const NO_NUMBER: &str = "it is no number";
        const TOO_FAR: &str = "it is beyond the calendar";
        match self.kind {
            Kind::Seconds => {
                let seconds = integer(value).ok_or(NO_NUMBER)?;
                Moment::from_micros(seconds.checked_mul(1_000_000).ok_or(TOO_FAR)?).ok_or(TOO_FAR)
            }
            Kind::FloatSeconds => Moment::from_seconds(double(value).ok_or(NO_NUMBER)?).ok_or(TOO_FAR),
            Kind::Micros => Moment::from_micros(integer(value).ok_or(NO_NUMBER)?).ok_or(TOO_FAR),
            Kind::Millis => {
                let millis = integer(value).ok_or(NO_NUMBER)?;
                Moment::from_micros(millis.checked_mul(1000).ok_or(TOO_FAR)?).ok_or(TOO_FAR)
            }
            Kind::WithMillis => standard(value, &self.text.replace("%_ms", "%f")),
            Kind::Standard => standard(value, &self.text),
        }
    }

    pub(crate) fn write(&self, moment: &Moment) -> String {
        let seconds = moment.timestamp();
        let truncated =
            |scaled: f64| number::truncate(scaled).map_or_else(String::new, |whole| whole.to_string());
        match self.kind {
            Kind::Seconds => truncated(seconds),
            Kind::FloatSeconds => number::float_text(seconds),
            Kind::Micros => truncated(seconds * 1e6),
            Kind::Millis => truncated(seconds * 1000.0),
            Kind::WithMillis => {
                let micros = super::micros(&moment.wall);
                // The reference replaces the six digits wherever they stand, and so do we.
                write(&moment.wall, moment.zone, &self.text.replace("%_ms", "%f"))
                    .replace(&format!("{micros:06}"), &format!("{:03}", micros / 1000))
            }
            Kind::Standard => write(&moment.wall, moment.zone, &self.text),
        }
    }
}

fn standard(value: &Value, format: &str) -> Result<Moment, &'static str> {
    let text = match value {
        Value::Text(text) => std::borrow::Cow::Borrowed(text.as_str()),
        other => Object::from(other).text().map_err(|_| "it is no text")?.to_string().into(),
    };
    let moment = scan(&text, format).map_err(|fault| match fault {
        scan::Fault::Format => "the format has a directive that can't be read",
        scan::Fault::Text => "the text does not fit",
    })?;
    Ok(Moment { zone: Some(moment.zone.unwrap_or(Zone::Utc)), ..moment })
}

/// What `int(value)` gives.
fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Bool(truth) => Some(i128::from(*truth)),
        Value::Float(number) => number::truncate(*number)?.to_i128(),
        Value::Text(text) => number::parse_int(text, 10)?.to_i128(),
        _ => None,
    }
}

/// What `float(value)` gives.
fn double(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
        Value::Int(number) => Some(*number as f64),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Float(number) => Some(*number),
        Value::Text(text) => number::parse_float(text),
        _ => None,
    }
}

/// An ISO 8601 duration: the steps, look-backs and granularities of cursors. Years and months are counted on the
/// calendar: a month after the 31st of January is the last day of February.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duration(super::Span);

impl std::fmt::Debug for super::Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(delta) => f.write_str(&delta.text()),
            Self::Calendar(calendar) => f.write_str(&calendar.text()),
        }
    }
}

impl Duration {
    /// The duration that `text` says.
    pub fn parse(text: &str) -> Result<Self> {
        super::parse_span(text).map(Self).ok_or_else(|| {
            Error::config(format!("{text:?} is no ISO 8601 duration"))
                .hint("Write it as `P1D`, `PT1H` or `P1M`: days, hours and months, each with its letter.")
        })
    }

    /// So much after `moment`; `None` past the year 9999.
    #[must_use]
    pub fn after(&self, moment: &DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.moved(moment.naive_utc(), false)
    }

    /// So much before `moment`; `None` before the year 1.
    #[must_use]
    pub fn before(&self, moment: &DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.moved(moment.naive_utc(), true)
    }

    /// Whether it has no length: slices with such a granularity share their edges.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == super::Span::Fixed(Delta(0))
    }

    fn moved(&self, wall: NaiveDateTime, back: bool) -> Option<DateTime<Utc>> {
        let moment = Moment::utc(wall);
        let moved = match self.0 {
            super::Span::Fixed(delta) => moment.plus(Delta(if back { -delta.0 } else { delta.0 })),
            super::Span::Calendar(calendar) => {
                if back { calendar.negated() } else { calendar }.after(&moment)
            }
        };
        moved.map(|moment| moment.wall.and_utc())
    }
}
