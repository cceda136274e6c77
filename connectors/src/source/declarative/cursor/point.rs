//! The values of a cursor: moments or numbers, how they are read, written, compared and moved.

use std::cmp::Ordering;

use protocol::{Error, Result};

use crate::source::declarative::moment::{Calendar, DatetimeFormat, Delta, Moment, Span};
use crate::source::declarative::template::Object;
use crate::source::declarative::value::Value;

/// One value of a cursor.
#[derive(Clone)]
pub(crate) enum Point {
    /// A moment in the zone in which it was written.
    Time(Moment),
    /// Whatever a counting cursor's records have: numbers as a rule.
    Count(Value),
}

/// What kind of values a cursor has.
#[derive(Debug, Clone)]
pub(crate) enum Axis {
    /// Moments, written by the first format and read by the first of the others that fits.
    Time { output: DatetimeFormat, inputs: Vec<DatetimeFormat> },
    /// Numbers, as they come.
    Count,
}

impl Axis {
    /// Of a cursor that writes `format` and reads `formats` before it.
    pub(crate) fn time(format: &str, formats: &[String]) -> Self {
        let output = DatetimeFormat::new(format);
        let inputs =
            formats.iter().map(|text| DatetimeFormat::new(text)).chain([output.clone()]).collect::<Vec<_>>();
        Self::Time { output, inputs }
    }

    /// The point that `value` stands for; `None` where it fits no format.
    pub(crate) fn read(&self, value: &Value) -> Option<Point> {
        match self {
            Self::Time { inputs, .. } => {
                inputs.iter().find_map(|format| format.read(value).ok()).map(Point::Time)
            }
            Self::Count => Some(Point::Count(value.clone())),
        }
    }

    /// [`Self::read`] of a state or a slice, where what can't be read is an error.
    pub(crate) fn demand(&self, value: &Value, what: &str) -> Result<Point> {
        self.read(value).ok_or_else(|| {
            Error::data(format!("{what} fits none of the cursor's formats")).hint(
                "Add the format that it was written in to `cursor_datetime_formats`, or reset the stream.",
            )
        })
    }

    /// The point as states and requests have it.
    pub(crate) fn write(&self, point: &Point) -> Value {
        match (self, point) {
            (Self::Time { output, .. }, Point::Time(moment)) => Value::Text(output.write(moment)),
            (_, Point::Count(value)) => value.clone(),
            (Self::Count, Point::Time(moment)) => Value::Text(moment.iso('T')),
        }
    }
}

impl Point {
    /// Which of the two is greater; an error where they can't be compared (a number and a text).
    pub(crate) fn order(&self, other: &Self) -> Result<Ordering> {
        match (self, other) {
            (Self::Time(left), Self::Time(right)) => Ok(left.universal().cmp(&right.universal())),
            (Self::Count(Value::Int(left)), Self::Count(Value::Int(right))) => Ok(left.cmp(right)),
            (Self::Count(left), Self::Count(right)) => {
                let order = Object::from(left).order(&Object::from(right), "<").ok().flatten();
                order.ok_or_else(|| {
                    Error::data(format!(
                        "values of the cursor can't be compared: {} and {}",
                        left.kind(),
                        right.kind()
                    ))
                })
            }
            _ => Err(Error::internal("a moment is compared with a number")),
        }
    }

    /// Whether `self < other`.
    pub(crate) fn before(&self, other: &Self) -> Result<bool> {
        Ok(self.order(other)? == Ordering::Less)
    }

    /// The greater one; `self` where they are equal.
    pub(crate) fn max(self, other: Self) -> Result<Self> {
        Ok(if self.before(&other)? { other } else { self })
    }

    /// The smaller one; `self` where they are equal.
    pub(crate) fn min(self, other: Self) -> Result<Self> {
        Ok(if other.before(&self)? { other } else { self })
    }

    /// Whether Python takes it for true: 0 is no value of a counting cursor.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Time(_) => true,
            Self::Count(value) => value.is_true(),
        }
    }

    /// So much later; `None` beyond the calendar. Numbers have no spans.
    pub(crate) fn after(&self, span: &Span) -> Option<Self> {
        match self {
            Self::Time(moment) => later(moment, span, false).map(Self::Time),
            Self::Count(_) => None,
        }
    }

    /// So much earlier; `None` beyond the calendar. Numbers have no spans.
    pub(crate) fn ago(&self, span: &Span) -> Option<Self> {
        match self {
            Self::Time(moment) => later(moment, span, true).map(Self::Time),
            Self::Count(_) => None,
        }
    }

    /// The next value: a granularity later (a millisecond without one), or the next number.
    pub(crate) fn next(&self, granularity: Option<&Span>) -> Result<Self> {
        const MILLISECOND: Span = Span::Fixed(Delta(1000));
        match self {
            Self::Time(_) => {
                Ok(self.after(granularity.unwrap_or(&MILLISECOND)).unwrap_or_else(|| self.clone()))
            }
            Self::Count(Value::Int(number)) if *number < i64::MAX => Ok(Self::Count(Value::Int(number + 1))),
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the next number does not matter")]
            Self::Count(Value::Int(number)) => Ok(Self::Count(Value::Float(*number as f64))),
            Self::Count(Value::Float(number)) => Ok(Self::Count(Value::Float(number + 1.0))),
            Self::Count(Value::Big(number)) => Ok(Self::Count(Value::integer(&**number + 1))),
            Self::Count(Value::Bool(truth)) => Ok(Self::Count(Value::Int(1 + i64::from(*truth)))),
            Self::Count(other) => {
                Err(Error::data(format!("a counting cursor's value is {}, not a number", other.kind())))
            }
        }
    }
}

fn later(moment: &Moment, span: &Span, back: bool) -> Option<Moment> {
    match span {
        Span::Fixed(delta) => moment.plus(Delta(if back { -delta.0 } else { delta.0 })),
        Span::Calendar(calendar) => {
            let calendar: Calendar = if back { calendar.negated() } else { *calendar };
            calendar.after(moment)
        }
    }
}
