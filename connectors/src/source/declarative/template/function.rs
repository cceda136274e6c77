//! The functions that manifests may call: those of Jinja2 but `range`, and the reference's macros.

use std::cell::Cell;
use std::rc::Rc;

use super::call::{Arguments, integer, text};
use super::fault::{Fault, Outcome};
use super::machine::Host;
use super::method;
use super::object::{Object, Text, put};
use super::operator::out_of_range;
use crate::source::declarative::moment::{
    DatetimeFormat, Delta, Moment, Span, Zone, parse_moment, parse_span, scan, write,
};
use crate::source::declarative::number;
use crate::source::declarative::value::Value;

const NAMES: [&str; 18] = [
    "now_utc",
    "today_utc",
    "timestamp",
    "max",
    "min",
    "day_delta",
    "duration",
    "format_datetime",
    "today_with_timezone",
    "str_to_datetime",
    "sanitize_url",
    "camel_case_to_snake_case",
    "generate_uuid",
    "dict",
    "namespace",
    "cycler",
    "joiner",
    // Only templates of JSON web tokens have it in the reference.
    "json_loads",
];

/// The function of a name.
pub(super) fn named<'a>(name: &str) -> Option<Object<'a>> {
    NAMES.iter().find(|known| **known == name).map(|name| Object::Function(name))
}

/// Whether templates may call it without being handed it.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name) || name == "lipsum"
}

pub(super) fn call<'a>(host: &Host<'a>, name: &'static str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    match name {
        "now_utc" => {
            args.bind(name, [], 0)?;
            Ok(Moment::utc(host.clock.wall()).into())
        }
        "today_utc" => {
            args.bind(name, [], 0)?;
            Ok(Object::Date(host.clock.wall().date()))
        }
        "today_with_timezone" => today_in(host, args),
        "timestamp" => {
            let [value] = args.bind(name, ["dt"], 1)?;
            timestamp(&value.unwrap_or(Object::None))
        }
        "max" => extreme(name, args, std::cmp::Ordering::Greater),
        "min" => extreme(name, args, std::cmp::Ordering::Less),
        "day_delta" => day_delta(host, args),
        "duration" => {
            let [value] = args.bind(name, ["datestring"], 1)?;
            let value = value.unwrap_or(Object::None);
            match parse_span(text(&value, name)?) {
                Some(Span::Fixed(delta)) => Ok(delta.into()),
                Some(Span::Calendar(calendar)) => Ok(Object::Calendar(Rc::new(calendar))),
                None => Err(Fault::other("a text is no ISO 8601 duration")),
            }
        }
        "format_datetime" => format_datetime(args),
        "str_to_datetime" => {
            let [value] = args.bind(name, ["s"], 1)?;
            str_to_datetime(&value.unwrap_or(Object::None)).map(Object::from)
        }
        "sanitize_url" => {
            let [value] = args.bind(name, ["value"], 1)?;
            let value = value.unwrap_or(Object::None);
            Ok(quote_plus(text(&value, name)?).into())
        }
        "camel_case_to_snake_case" => {
            let [value] = args.bind(name, ["value"], 1)?;
            let value = value.unwrap_or(Object::None);
            Ok(snake_case(text(&value, name)?).into())
        }
        "generate_uuid" => {
            args.bind(name, [], 0)?;
            Ok(uuid::Uuid::new_v4().to_string().into())
        }
        "json_loads" => {
            let [value] = args.bind(name, ["s"], 1)?;
            let value = value.unwrap_or(Object::None);
            let parsed = Value::from_json(text(&value, name)?.as_bytes());
            parsed.map(|value| owned(&value)).map_err(|_| Fault::other("a text is no JSON"))
        }
        _ => of_jinja(host, name, args),
    }
}

/// A value that nobody keeps, as an object of its own.
fn owned<'a>(value: &Value) -> Object<'a> {
    match value {
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Big(number) => (**number).clone().into(),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => Object::list(items.iter().map(owned).collect()),
        Value::Map(map) => {
            Object::dict(map.iter().map(|(key, value)| (key.to_owned().into(), owned(value))).collect())
        }
        // JSON has nothing else.
        _ => Object::None,
    }
}

fn of_jinja<'a>(host: &Host<'a>, name: &'static str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    match name {
        "dict" => {
            let mut entries = match args.positional.as_slice() {
                [] => Vec::new(),
                [other] => {
                    let mut entries = Vec::new();
                    for (key, value) in method::pairs(other)? {
                        host.budget.work(entries.len() / 16 + 1)?;
                        put(&mut entries, key, value);
                    }
                    entries
                }
                _ => return Err(Fault::kind("dict expected at most 1 argument")),
            };
            for (name, value) in args.names() {
                put(&mut entries, Object::from(name.to_owned()), value.clone());
            }
            Ok(Object::dict(entries))
        }
        "namespace" => {
            let mut entries: Vec<(Rc<str>, Object<'a>)> = Vec::new();
            for positional in &args.positional {
                for (key, value) in method::pairs(positional)? {
                    entries.push((key.as_str().unwrap_or_default().into(), value));
                }
            }
            entries.extend(args.names().map(|(name, value)| (name.into(), value.clone())));
            Ok(Object::Namespace(Rc::new(entries.into())))
        }
        "cycler" => {
            if args.positional.is_empty() {
                return Err(Fault::other("at least one item has to be provided"));
            }
            Ok(Object::Cycler(Rc::new((args.positional.clone(), Cell::new(0)))))
        }
        "joiner" => {
            let [separator] = args.bind(name, ["sep"], 0)?;
            let separator =
                separator.map_or_else(|| Ok(Text::Borrowed(", ")), |sep| sep.to_text(&host.budget))?;
            Ok(Object::Joiner(Rc::new((separator, Cell::new(false)))))
        }
        _ => Err(Fault::other(format!("the function '{name}' is not supported"))),
    }
}

fn today_in<'a>(host: &Host<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [zone] = args.bind("today_with_timezone", ["timezone"], 1)?;
    let zone = zone.unwrap_or(Object::None);
    let zone: chrono_tz::Tz =
        text(&zone, "today_with_timezone")?.parse().map_err(|_| Fault::other("a time zone is unknown"))?;
    Ok(Object::Date(host.clock.now().with_timezone(&zone).date_naive()))
}

fn str_to_datetime(value: &Object<'_>) -> Outcome<Moment> {
    let text = match value {
        Object::Bytes(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
        Object::Undefined(_) => {
            value.demand()?;
            ""
        }
        other => text(other, "str_to_datetime")?,
    };
    let moment = parse_moment(text).ok_or_else(|| Fault::other("a text is not an ISO 8601 date"))?;
    moment.moved(Zone::Pytz).ok_or_else(out_of_range)
}

fn timestamp<'a>(value: &Object<'a>) -> Outcome<Object<'a>> {
    match value {
        Object::Float(number) => number::truncate(*number)
            .map(Object::from)
            .ok_or_else(|| Fault::other("cannot convert float to integer")),
        value if value.is_integer() => Ok(value.as_integer().unwrap_or_default().into()),
        value => Ok(str_to_datetime(value)?.timestamp().into()),
    }
}

fn extreme<'a>(name: &str, args: &Arguments<'a>, wanted: std::cmp::Ordering) -> Outcome<Object<'a>> {
    if !args.named.is_empty() || !args.dynamic.is_empty() {
        return Err(Fault::kind(format!("{name}() got an unexpected keyword argument")));
    }
    let items = match args.positional.as_slice() {
        [] => return Err(Fault::kind(format!("{name} expected at least 1 argument, got 0"))),
        [only] => only.items()?,
        several => several.to_vec(),
    };
    let mut items = items.into_iter();
    let Some(mut best) = items.next() else {
        return Err(Fault::other(format!("{name}() arg is an empty sequence")));
    };
    let sign = if wanted.is_gt() { ">" } else { "<" };
    for item in items {
        if item.order(&best, sign)? == Some(wanted) {
            best = item;
        }
    }
    Ok(best)
}

fn day_delta<'a>(host: &Host<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [days, format] = args.bind("day_delta", ["num_days", "format"], 1)?;
    let days = days.unwrap_or(Object::None);
    days.demand()?;
    let delta = match &days {
        Object::Float(days) => Delta::sum(&[(*days, 86_400_000_000)]),
        other => {
            let days = integer(other, "day_delta")?;
            Delta::checked(i128::from(days) * 86_400_000_000)
        }
    };
    let moment =
        Moment::utc(host.clock.wall()).plus(delta.ok_or_else(out_of_range)?).ok_or_else(out_of_range)?;
    let format = format.unwrap_or(Object::Text(Text::Borrowed("%Y-%m-%dT%H:%M:%S.%f%z")));
    Ok(write(&moment.wall, moment.zone, text(&format, "day_delta")?).into())
}

fn format_datetime<'a>(args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [value, format, input] = args.bind("format_datetime", ["dt", "format", "input_format"], 2)?;
    let (value, format) = (value.unwrap_or(Object::None), format.unwrap_or(Object::None));
    if let Object::Moment(moment) = &value {
        return Ok(write(&moment.wall, moment.zone, text(&format, "format_datetime")?).into());
    }
    let input = input.filter(Object::is_true);
    let moment = if let Some(number) = value.as_int() {
        let input = match &input {
            None => "%s",
            Some(input) => text(input, "format_datetime")?,
        };
        // `%s` and its kind take numbers; other formats take their text.
        DatetimeFormat::new(input).read(&Value::Int(number)).map_err(Fault::other)?
    } else if let Some(input) = &input {
        let found = scan(text(&value, "format_datetime")?, text(input, "format_datetime")?);
        found.map_err(|_| Fault::other("a date does not fit its format"))?
    } else {
        str_to_datetime(&value)?
    };
    let moment = Moment { zone: Some(moment.zone.unwrap_or(Zone::Pytz)), ..moment };
    Ok(DatetimeFormat::new(text(&format, "format_datetime")?).write(&moment).into())
}

/// `quote_plus`: a blank becomes `+`, everything but letters, digits and `_.-~` is escaped.
pub(super) fn quote_plus(text: &str) -> String {
    quote(text, b"_.-~ ").replace(' ', "+")
}

/// Percent encoding of all but letters, digits and `safe`.
pub(super) fn quote(text: &str, safe: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || safe.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn snake_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    for (place, character) in text.char_indices() {
        if place > 0 && character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(character);
    }
    out.to_lowercase()
}
