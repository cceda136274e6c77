//! Filters on text and numbers.

use super::super::call::{Arguments, integer, text};
use super::super::fault::{Fault, Outcome};
use super::super::item::{same_kind, slice};
use super::super::machine::Machine;
use super::super::object::Object;
use super::super::operator::to_float;
use super::super::{method, percent};
use crate::source::declarative::number;

/// The filter, where it is one of these.
pub(super) fn call<'a>(
    machine: &Machine<'a>,
    name: &str,
    value: &Object<'a>,
    args: &Arguments<'a>,
) -> Option<Outcome<Object<'a>>> {
    let host = &machine.host;
    let plain = |change: fn(&str) -> String| -> Outcome<Object<'a>> {
        args.bind(name, [], 0)?;
        let text = change(&value.text()?);
        host.budget.room(text.len())?;
        Ok(same_kind(value, text))
    };
    Some(match name {
        "upper" => plain(str::to_uppercase),
        "lower" => plain(str::to_lowercase),
        "capitalize" => plain(method::capitalized),
        "title" => plain(title),
        "trim" => trim(value, args),
        "replace" => replace(machine, value, args),
        "format" => format(machine, value, args),
        "int" => int(value, args),
        "float" => float(value, args),
        "abs" => abs(value, args),
        "round" => round(value, args),
        "center" => {
            let [width] = match args.bind("center", ["width"], 0) {
                Ok(bound) => bound,
                Err(fault) => return Some(Err(fault)),
            };
            let width =
                Arguments { positional: vec![width.unwrap_or(Object::Int(80))], ..Arguments::default() };
            value
                .to_text(&host.budget)
                .and_then(|text| method::call(host, &Object::Text(text), "center", &width))
        }
        "indent" => indent(machine, value, args),
        "truncate" => truncate(machine, value, args),
        "wordcount" => value.text().map(|text| {
            text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .filter(|word| !word.is_empty())
                .count()
                .into()
        }),
        "filesizeformat" => size(value, args),
        _ => return None,
    })
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut first = true;
    for character in text.chars() {
        if character == '-' || number::is_space(character) || "({[<".contains(character) {
            first = true;
            out.push(character);
        } else if first {
            out.extend(character.to_uppercase());
            first = false;
        } else {
            out.extend(character.to_lowercase());
        }
    }
    out
}

fn trim<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [set] = args.bind("trim", ["chars"], 0)?;
    let text = value.text()?;
    Ok(same_kind(value, method::stripped(&text, "strip", set.as_ref())?.to_owned()))
}

fn replace<'a>(machine: &Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [old, new, count] = args.bind("replace", ["old", "new", "count"], 2)?;
    let (old, new) = (old.unwrap_or(Object::None), new.unwrap_or(Object::None));
    let count = match count {
        None | Some(Object::None) => -1,
        Some(count) => integer(&count, "replace")?,
    };
    let text = value.text()?;
    method::replace(&machine.host, &text, &old.text()?, &new.text()?, count).map(Object::from)
}

fn format<'a>(machine: &Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let named: Vec<_> =
        args.names().map(|(name, value)| (Object::from(name.to_owned()), value.clone())).collect();
    if !named.is_empty() && !args.positional.is_empty() {
        return Err(Fault::other("can't handle positional and keyword arguments at the same time"));
    }
    let given = if named.is_empty() { Object::tuple(args.positional.clone()) } else { Object::dict(named) };
    percent::format(&value.text()?, &given, &machine.host.budget).map(Object::from)
}

/// What `int(value)` gives; `Ok(None)` where it fails in a way that the filter forgives.
fn to_int<'a>(value: &Object<'a>, base: u32) -> Outcome<Option<Object<'a>>> {
    value.demand()?;
    Ok(match value {
        Object::Text(_) | Object::Markup(_) => {
            let text = value.as_str().unwrap_or_default();
            number::parse_int(text, base).map(Object::from)
        }
        Object::Bytes(bytes) => {
            std::str::from_utf8(bytes).ok().and_then(|text| number::parse_int(text, 10)).map(Object::from)
        }
        Object::Float(number) if number.is_infinite() => {
            return Err(Fault::other("cannot convert float infinity to integer"));
        }
        Object::Float(number) => number::truncate(*number).map(Object::from),
        other => other.as_integer().map(Object::from),
    })
}

/// What `float(value)` gives, where it gives something.
fn to_double(value: &Object<'_>) -> Outcome<Option<f64>> {
    value.demand()?;
    Ok(match value {
        Object::Text(_) | Object::Markup(_) => number::parse_float(value.as_str().unwrap_or_default()),
        Object::Bytes(bytes) => std::str::from_utf8(bytes).ok().and_then(number::parse_float),
        Object::Float(number) => Some(*number),
        other if other.is_integer() => Some(to_float(other)?),
        _ => None,
    })
}

fn int<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [default, base] = args.bind("int", ["default", "base"], 0)?;
    let base = base.map_or(Ok(10), |base| integer(&base, "int"))?;
    let base = u32::try_from(base).ok().filter(|base| *base == 0 || (2..=36).contains(base));
    if let Some(base) = base
        && let Some(number) = to_int(value, base)?
    {
        return Ok(number);
    }
    let default = default.unwrap_or(Object::Int(0));
    let Some(number) = to_double(value)? else { return Ok(default) };
    Ok(number::truncate(number).filter(|_| number.is_finite()).map_or(default, Object::from))
}

fn float<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [default] = args.bind("float", ["default"], 0)?;
    Ok(to_double(value)?.map_or_else(|| default.unwrap_or(Object::Float(0.0)), Object::Float))
}

fn abs<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    args.bind("abs", [], 0)?;
    Ok(match value {
        Object::Float(number) => Object::Float(number.abs()),
        Object::Delta(delta) => super::super::compare::magnitude(**delta).into(),
        other => match other.as_integer() {
            Some(number) => Object::from(num_traits::Signed::abs(&number)),
            None => return Err(Fault::kind(format!("bad operand type for abs(): '{}'", other.kind()))),
        },
    })
}

fn round<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [precision, method] = args.bind("round", ["precision", "method"], 0)?;
    let precision = precision.map_or(Ok(0), |precision| integer(&precision, "round"))?;
    let places = i32::try_from(precision).unwrap_or(if precision < 0 { i32::MIN } else { i32::MAX });
    let method = method.unwrap_or(Object::from("common"));
    let method = text(&method, "round")?;
    if !matches!(method, "common" | "ceil" | "floor") {
        return Err(Fault::other("method must be common, ceil or floor"));
    }
    if method == "common" {
        return match value {
            Object::Float(number) => Ok(Object::Float(number::round(*number, places))),
            other => match other.as_integer() {
                Some(number) if places >= 0 => Ok(number.into()),
                Some(number) => Ok(rounded_integer(&number, places)),
                None => Err(Fault::kind(format!("type {} doesn't define __round__ method", other.kind()))),
            },
        };
    }
    value.demand()?;
    let number = match value {
        Object::Float(number) => *number,
        other if other.is_integer() => to_float(other)?,
        other => return Err(Fault::kind(format!("must be real number, not {}", other.kind()))),
    };
    let scale = 10f64.powi(places.clamp(-300, 300));
    let scaled = number * scale;
    Ok(Object::Float(if method == "ceil" { scaled.ceil() } else { scaled.floor() } / scale))
}

/// An integer rounded to tens, hundreds and so on, to the even one of two that are as near.
fn rounded_integer<'a>(number: &num_bigint::BigInt, places: i32) -> Object<'a> {
    use num_bigint::BigInt;
    let digits = places.unsigned_abs();
    if u64::from(digits) > number.bits() {
        return Object::Int(0);
    }
    let unit = BigInt::from(10).pow(digits);
    let floor = floor(number, &unit);
    let below = &floor * &unit;
    let twice: BigInt = (number - &below) * 2;
    let up = twice > unit || (twice == unit && (&floor % 2) != BigInt::from(0));
    Object::from(if up { below + unit } else { below })
}

fn floor(number: &num_bigint::BigInt, unit: &num_bigint::BigInt) -> num_bigint::BigInt {
    let quotient = number / unit;
    if num_traits::Signed::is_negative(&(number % unit)) { quotient - 1 } else { quotient }
}

fn indent<'a>(machine: &Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [width, first, blank] = args.bind("indent", ["width", "first", "blank"], 0)?;
    value.demand()?;
    if value.kind() == "list" {
        return Err(Fault::other("'list' object has no attribute 'splitlines'"));
    }
    let own = text(value, "indent")?;
    let indention = match &width {
        Some(width) if width.as_str().is_some() => width.as_str().unwrap_or_default().to_owned(),
        Some(width) => {
            let width = usize::try_from(integer(width, "indent")?).unwrap_or(0);
            machine.host.budget.room(width)?;
            " ".repeat(width)
        }
        None => "    ".to_owned(),
    };
    let blank = blank.is_some_and(|blank| blank.is_true());
    let lines =
        method::call(&machine.host, &Object::from(format!("{own}\n")), "splitlines", &Arguments::default())?;
    let mut out = if first.is_some_and(|first| first.is_true()) { indention.clone() } else { String::new() };
    for (place, line) in lines.items()?.iter().enumerate() {
        let line = line.as_str().unwrap_or_default();
        if place > 0 {
            machine.host.budget.room(indention.len() + line.len() + 1)?;
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(&indention);
            }
        }
        out.push_str(line);
    }
    Ok(same_kind(value, out))
}

fn truncate<'a>(machine: &Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [length, kill, end, leeway] = args.bind("truncate", ["length", "killwords", "end", "leeway"], 0)?;
    let length = length.map_or(Ok(255), |length| integer(&length, "truncate"))?;
    let leeway = leeway.map_or(Ok(5), |leeway| integer(&leeway, "truncate"))?;
    let end = end.unwrap_or(Object::from("..."));
    let end = text(&end, "truncate")?;
    let kept = length - i64::try_from(end.chars().count()).unwrap_or(i64::MAX);
    if kept < 0 || leeway < 0 {
        return Err(Fault::other("truncate() is given a length that is too small"));
    }
    if i64::try_from(value.length()?).unwrap_or(i64::MAX) <= length + leeway {
        return Ok(value.clone());
    }
    let cut = slice(value, &[None, Some(Object::Int(kept)), None], &machine.host.budget)?;
    let cut = text(&cut, "truncate")?;
    let kill = kill.is_some_and(|kill| kill.is_true());
    let cut = if kill { cut } else { cut.rsplit_once(' ').map_or(cut, |(words, _)| words) };
    Ok(format!("{cut}{end}").into())
}

fn size<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [binary] = args.bind("filesizeformat", ["binary"], 0)?;
    let is_binary = binary.is_some_and(|binary| binary.is_true());
    let fault = if value.as_str().is_some() { Fault::other } else { Fault::kind };
    let bytes = to_double(value)?.ok_or_else(|| fault("could not convert to float"))?;
    let base: f64 = if is_binary { 1024.0 } else { 1000.0 };
    if (bytes - 1.0).abs() < f64::EPSILON {
        return Ok(Object::from("1 Byte"));
    }
    if bytes < base {
        let whole = number::truncate(bytes).ok_or_else(|| Fault::other("cannot convert float to integer"))?;
        return Ok(format!("{whole} Bytes").into());
    }
    let units = if is_binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    let mut unit = base * base;
    let mut place = 0;
    while bytes >= unit && place + 1 < units.len() {
        unit *= base;
        place += 1;
    }
    Ok(format!("{:.1} {}", base * bytes / unit, units[place]).into())
}
