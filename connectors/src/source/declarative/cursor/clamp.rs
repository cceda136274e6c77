//! Clamping: bounds of slices moved to whole days, weeks or months.

use chrono::{Datelike, NaiveTime, TimeDelta, Weekday};
use protocol::{Error, Result};

use super::point::Point;
use crate::source::declarative::component::Component;
use crate::source::declarative::moment::{Delta, Moment, Span};
use crate::source::declarative::scope::Scope;

/// What bounds are moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clamp {
    Nothing,
    Day,
    Week(Weekday),
    Month,
}

impl Clamp {
    /// Of the cursor's `clamping`.
    pub(super) fn build(cursor: &Component<'_>, scope: &Scope) -> Result<Self> {
        let Some(clamping) = cursor.child("clamping")? else { return Ok(Self::Nothing) };
        let parameters = cursor.parameters();
        let target = clamping.required_template("target")?.eval_text(&scope.context(&parameters))?;
        match target.as_str() {
            "DAY" => Ok(Self::Day),
            "MONTH" => Ok(Self::Month),
            "WEEK" => {
                let details = clamping.child("target_details")?;
                let weekday = details.map(|details| details.text("weekday")).transpose()?.flatten();
                let weekday = weekday.ok_or_else(|| {
                    clamping.fail("clamping to weeks needs a `weekday` in `target_details`")
                })?;
                Ok(Self::Week(named(&weekday).ok_or_else(|| {
                    clamping.fail(format!("`weekday` can't be {weekday:?}")).hint("Write it as MONDAY.")
                })?))
            }
            other => Err(Error::config(format!("`target` of clamping is {other:?}, not DAY, WEEK or MONTH"))),
        }
    }

    /// The bound moved up.
    pub(super) fn ceil(self, point: Point) -> Point {
        self.moved(point, true)
    }

    /// The end of all slices: moved down, and one granularity more, so that nothing of the unit that goes on is read.
    pub(super) fn end(self, point: Point, granularity: Option<&Span>) -> Point {
        const SECOND: Span = Span::Fixed(Delta(1_000_000));
        const DAY: Span = Span::Fixed(Delta(86_400_000_000));
        let span = match self {
            Self::Nothing => return point,
            Self::Day => granularity.unwrap_or(&SECOND),
            Self::Week(_) | Self::Month => granularity.unwrap_or(&DAY),
        };
        let floor = self.moved(point, false);
        floor.ago(span).unwrap_or(floor)
    }

    fn moved(self, point: Point, up: bool) -> Point {
        match point {
            Point::Time(moment) => Point::Time(self.clamp(&moment, up).unwrap_or(moment)),
            count @ Point::Count(_) => count,
        }
    }

    /// `None` beyond the calendar.
    fn clamp(self, moment: &Moment, up: bool) -> Option<Moment> {
        let date = moment.wall.date();
        let at = |date: chrono::NaiveDate| Moment { wall: date.and_time(NaiveTime::MIN), zone: moment.zone };
        Some(match self {
            Self::Nothing => *moment,
            Self::Day => {
                let floor = at(date);
                if up && floor.wall != moment.wall { at(date.succ_opt()?) } else { floor }
            }
            Self::Week(weekday) => {
                let (today, wanted) = (date.weekday().num_days_from_monday(), weekday.num_days_from_monday());
                let ahead = i64::from((wanted + 7 - today) % 7);
                let days = if up || ahead == 0 { ahead } else { ahead - 7 };
                at(date.checked_add_signed(TimeDelta::days(days))?)
            }
            // The first of a month is not moved up, whatever its time of day: as the reference has it.
            Self::Month => {
                let first = date.with_day(1)?;
                if up && date.day() != 1 {
                    at(first.checked_add_months(chrono::Months::new(1))?)
                } else {
                    at(first)
                }
            }
        })
    }
}

fn named(weekday: &str) -> Option<Weekday> {
    Some(match weekday {
        "MONDAY" => Weekday::Mon,
        "TUESDAY" => Weekday::Tue,
        "WEDNESDAY" => Weekday::Wed,
        "THURSDAY" => Weekday::Thu,
        "FRIDAY" => Weekday::Fri,
        "SATURDAY" => Weekday::Sat,
        "SUNDAY" => Weekday::Sun,
        _ => return None,
    })
}
