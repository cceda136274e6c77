//! Methods of dates, times and spans.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use num_bigint::BigInt;

use super::super::call::{Arguments, integer, text};
use super::super::fault::{Fault, Outcome};
use super::super::machine::Host;
use super::super::object::Object;
use super::super::operator::{out_of_range, to_float};
use super::unknown;
use crate::source::declarative::moment::{
    self, Delta, Moment, Zone, date_iso, micros, parse_moment, scan, time_iso, write,
};

pub(super) const NAMES: &[&str] = &[
    "astimezone",
    "combine",
    "ctime",
    "date",
    "dst",
    "fromisoformat",
    "fromordinal",
    "fromtimestamp",
    "isocalendar",
    "isoformat",
    "isoweekday",
    "now",
    "replace",
    "strftime",
    "strptime",
    "time",
    "timestamp",
    "timetz",
    "today",
    "toordinal",
    "tzname",
    "utcfromtimestamp",
    "utcnow",
    "utcoffset",
    "weekday",
];
pub(super) const DATE_NAMES: &[&str] = &[
    "ctime",
    "fromisoformat",
    "fromordinal",
    "fromtimestamp",
    "isocalendar",
    "isoformat",
    "isoweekday",
    "replace",
    "strftime",
    "today",
    "toordinal",
    "weekday",
];

pub(super) fn call<'a>(
    host: &Host<'a>,
    object: &Object<'a>,
    name: &str,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    match object {
        Object::Moment(moment) => of_moment(host, moment, name, args),
        Object::Date(date) => of_date(host, *date, name, args),
        Object::Time(time) => match name {
            "isoformat" => Ok(time_iso(time).into()),
            _ => formatted(time, None, args),
        },
        Object::Delta(delta) => Ok(delta.seconds().into()),
        Object::Calendar(calendar) if name == "total_seconds" => Ok(calendar.rest.seconds().into()),
        Object::Zone(zone) if name == "tzname" => Ok(zone.name().into()),
        Object::Zone(zone) => Ok(Delta(i128::from(zone.micros())).into()),
        _ => Err(unknown(object, name)),
    }
}

fn formatted<'a>(wall: &NaiveDateTime, zone: Option<Zone>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [format] = args.bind("strftime", ["format"], 1)?;
    let format = format.unwrap_or(Object::None);
    Ok(write(wall, zone, text(&format, "strftime")?).into())
}

fn of_moment<'a>(host: &Host<'a>, moment: &Moment, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    match name {
        "strftime" => formatted(&moment.wall, moment.zone, args),
        "isoformat" => isoformat(moment, args),
        "timestamp" => Ok(moment.timestamp().into()),
        "date" => Ok(Object::Date(moment.wall.date())),
        "time" | "timetz" => Ok(Object::Time(moment.wall.into())),
        "utcoffset" => Ok(moment.zone.map_or(Object::None, |zone| Delta(i128::from(zone.micros())).into())),
        "tzname" => Ok(moment.zone.map_or(Object::None, |zone| zone.name().into())),
        "dst" => Ok(moment.zone.filter(|zone| *zone == Zone::Pytz).map_or(Object::None, |_| Delta(0).into())),
        "astimezone" => {
            let [zone] = args.bind(name, ["tz"], 0)?;
            let zone = match zone {
                None | Some(Object::None) => Zone::Utc,
                Some(Object::Zone(zone)) => zone,
                Some(other) => {
                    return Err(Fault::kind(format!(
                        "tzinfo argument must be None or of a tzinfo subclass, not type '{}'",
                        other.kind()
                    )));
                }
            };
            moment.moved(zone).map(Object::from).ok_or_else(out_of_range)
        }
        "replace" => replaced(moment, args),
        "now" | "today" | "utcnow" => {
            let [zone] = args.bind(name, ["tz"], 0)?;
            let zone = if let Some(Object::Zone(zone)) = zone { Some(zone) } else { None };
            Ok(Moment { wall: host.clock.wall(), zone }.into())
        }
        "strptime" => {
            let [date, format] = args.bind(name, ["*date_string", "*format"], 2)?;
            let (date, format) = (date.unwrap_or(Object::None), format.unwrap_or(Object::None));
            let found = scan(text(&date, name)?, text(&format, name)?);
            found.map(Object::from).map_err(|_| Fault::other("a date does not fit its format"))
        }
        "fromtimestamp" | "utcfromtimestamp" => {
            let [seconds, zone] = args.bind(name, ["*timestamp", "tz"], 1)?;
            let seconds = seconds.unwrap_or(Object::None);
            if !seconds.is_integer() && !matches!(seconds, Object::Float(_)) {
                return Err(Fault::kind(format!(
                    "'{}' object cannot be interpreted as an integer",
                    seconds.kind()
                )));
            }
            let moment = Moment::from_seconds(to_float(&seconds)?).ok_or_else(out_of_range)?;
            let zone = if let Some(Object::Zone(zone)) = zone { Some(zone) } else { None };
            Ok(Moment { wall: moment.wall, zone }.into())
        }
        "fromisoformat" => {
            let [date] = args.bind(name, ["*date_string"], 1)?;
            let date = date.unwrap_or(Object::None);
            let found = parse_moment(text(&date, name)?);
            found.map(Object::from).ok_or_else(|| Fault::other("a date is not in an ISO format"))
        }
        "combine" => Err(Fault::other("the method 'combine' of 'datetime.datetime' is not supported")),
        _ => of_date(host, moment.wall.date(), name, args).map(|object| match (name, object) {
            ("ctime", _) => moment::ctime(&moment.wall).into(),
            (_, object) => object,
        }),
    }
}

fn isoformat<'a>(moment: &Moment, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [separator, precision] = args.bind("isoformat", ["sep", "timespec"], 0)?;
    let separator = match &separator {
        None => 'T',
        Some(separator) => {
            let mut characters = text(separator, "isoformat")?.chars();
            match (characters.next(), characters.next()) {
                (Some(separator), None) => separator,
                _ => return Err(Fault::kind("isoformat() argument 1 must be a unicode character")),
            }
        }
    };
    let Some(precision) = precision else { return Ok(moment.iso(separator).into()) };
    let wall = &moment.wall;
    let clock = match text(&precision, "isoformat")? {
        "auto" => return Ok(moment.iso(separator).into()),
        "hours" => format!("{:02}", wall.hour()),
        "minutes" => write(wall, None, "%H:%M"),
        "seconds" => write(wall, None, "%H:%M:%S"),
        "milliseconds" => format!("{}.{:03}", write(wall, None, "%H:%M:%S"), micros(wall) / 1000),
        "microseconds" => write(wall, None, "%H:%M:%S.%f"),
        _ => return Err(Fault::other("Unknown timespec value")),
    };
    let zone = moment.zone.map_or_else(String::new, |zone| zone.offset(":"));
    Ok(format!("{}{separator}{clock}{zone}", date_iso(wall.date())).into())
}

fn part(value: Option<Object<'_>>, usual: u32) -> Outcome<u32> {
    let Some(value) = value else { return Ok(usual) };
    let number = integer(&value, "replace")?;
    u32::try_from(number).map_err(|_| Fault::other("a part of a date is out of range"))
}

fn replaced<'a>(moment: &Moment, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let names = ["year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold"];
    let [year, month, day, hour, minute, second, micro, zone, _] = args.bind("replace", names, 0)?;
    let wall = &moment.wall;
    let date = date_of(wall.date(), year, month, day)?;
    let wall = date.and_hms_micro_opt(
        part(hour, wall.hour())?,
        part(minute, wall.minute())?,
        part(second, wall.second())?,
        part(micro, micros(wall))?,
    );
    let zone = match zone {
        None => moment.zone,
        Some(Object::None) => None,
        Some(Object::Zone(zone)) => Some(zone),
        Some(other) => {
            return Err(Fault::kind(format!(
                "tzinfo argument must be None or of a tzinfo subclass, not type '{}'",
                other.kind()
            )));
        }
    };
    let wall = wall.ok_or_else(|| Fault::other("a part of a time is out of range"))?;
    Ok(Moment { wall, zone }.into())
}

fn date_of(
    date: NaiveDate,
    year: Option<Object<'_>>,
    month: Option<Object<'_>>,
    day: Option<Object<'_>>,
) -> Outcome<NaiveDate> {
    let year = part(year, u32::try_from(date.year()).unwrap_or(1))?;
    let made = NaiveDate::from_ymd_opt(
        i32::try_from(year).unwrap_or(i32::MAX),
        part(month, date.month())?,
        part(day, date.day())?,
    );
    made.filter(|date| (1..=9999).contains(&date.year()))
        .ok_or_else(|| Fault::other("day is out of range for month"))
}

fn of_date<'a>(host: &Host<'a>, date: NaiveDate, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    let weekday = i64::from(date.weekday().num_days_from_monday());
    match name {
        "strftime" => formatted(&midnight, None, args),
        "isoformat" => {
            args.bind(name, [], 0)?;
            Ok(date_iso(date).into())
        }
        "weekday" => Ok(weekday.into()),
        "isoweekday" => Ok((weekday + 1).into()),
        "toordinal" => Ok(i64::from(date.num_days_from_ce()).into()),
        "ctime" => Ok(moment::ctime(&midnight).into()),
        "isocalendar" => {
            let week = date.iso_week();
            let parts = [i64::from(week.year()), i64::from(week.week()), weekday + 1];
            Ok(Object::tuple(parts.map(Object::Int).to_vec()))
        }
        "replace" => {
            let [year, month, day] = args.bind(name, ["year", "month", "day"], 0)?;
            Ok(Object::Date(date_of(date, year, month, day)?))
        }
        "today" => Ok(Object::Date(host.clock.wall().date())),
        "fromisoformat" => {
            let [date] = args.bind(name, ["*date_string"], 1)?;
            let date = date.unwrap_or(Object::None);
            let found = parse_moment(text(&date, name)?)
                .ok_or_else(|| Fault::other("a date is not in an ISO format"))?;
            Ok(Object::Date(found.wall.date()))
        }
        "fromordinal" => {
            let [days] = args.bind(name, ["*ordinal"], 1)?;
            let days = integer(&days.unwrap_or(Object::None), name)?;
            let date = i32::try_from(days).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
            date.map(Object::Date).ok_or_else(out_of_range)
        }
        "fromtimestamp" => {
            let [seconds] = args.bind(name, ["*timestamp"], 1)?;
            let seconds = to_float(&seconds.unwrap_or(Object::None))?;
            Moment::from_seconds(seconds)
                .map(|moment| Object::Date(moment.wall.date()))
                .ok_or_else(out_of_range)
        }
        _ => Err(unknown(&Object::from(BigInt::default()), name)),
    }
}
