//! Attributes, items and slices: Jinja2's look-up, which goes to the attribute or to the item first and then to the
//! other.

use std::rc::Rc;

use chrono::{Datelike, Timelike};
use num_traits::ToPrimitive;

use super::budget::Budget;
use super::fault::{Fault, Outcome};
use super::method;
use super::object::Object;
use crate::source::declarative::moment::{Delta, micros};
use crate::source::declarative::value::Value;

/// `object.name`: an attribute, or else the item of that name.
pub(super) fn attribute<'a>(object: &Object<'a>, name: &str) -> Outcome<Object<'a>> {
    object.demand()?;
    if let Some(found) = own(object, name) {
        return Ok(found);
    }
    let key = Object::from(name.to_owned());
    Ok(object.lookup(&key).unwrap_or_else(|| missing(object, name)))
}

/// `object[key]`: an item, or else the attribute of that name.
pub(super) fn item<'a>(object: &Object<'a>, key: &Object<'a>) -> Outcome<Object<'a>> {
    object.demand()?;
    if object.is_mapping() {
        if key.hashable().is_ok()
            && let Some(found) = object.lookup(key)
        {
            return Ok(found);
        }
    } else if let (Some(place), true) = (key.as_int(), is_sequence(object))
        && let Some(found) = at(object, place)?
    {
        return Ok(found);
    }
    if let Some(name) = key.as_str() {
        return Ok(own(object, name).unwrap_or_else(|| missing(object, name)));
    }
    Ok(Object::undefined(format!("a {} has no such element", object.kind())))
}

fn missing<'a>(object: &Object<'a>, name: &str) -> Object<'a> {
    if name.starts_with("__") && name.ends_with("__") {
        return Object::forbidden(name);
    }
    Object::undefined(format!("'{} object' has no attribute '{name}'", object.kind()))
}

fn is_sequence(object: &Object<'_>) -> bool {
    matches!(object.kind(), "str" | "Markup" | "bytes" | "list" | "tuple")
}

fn at<'a>(object: &Object<'a>, place: i64) -> Outcome<Option<Object<'a>>> {
    let index = |length: usize| {
        let place = if place < 0 { place + i64::try_from(length).ok()? } else { place };
        usize::try_from(place).ok().filter(|place| *place < length)
    };
    Ok(match object {
        Object::Borrowed(Value::List(items) | Value::Tuple(items)) => {
            index(items.len()).map(|at| Object::from(&items[at]))
        }
        Object::List(items) => {
            let items = items.borrow();
            index(items.len()).map(|at| items[at].clone())
        }
        Object::Tuple(items) => index(items.len()).map(|at| items[at].clone()),
        other => {
            let items = other.items()?;
            index(items.len()).map(|at| items[at].clone())
        }
    })
}

/// An attribute in Python's sense: a method or a property.
fn own<'a>(object: &Object<'a>, name: &str) -> Option<Object<'a>> {
    if method::exists(object, name) {
        return Some(Object::Method(Rc::new((object.clone(), name.into()))));
    }
    let number = |value: u32| Some(Object::Int(i64::from(value)));
    let wide = |value: i128| Some(Object::from(num_bigint::BigInt::from(value)));
    match object {
        Object::Slice(slice) => match name {
            "partition" | "_partition" => Some(Object::Borrowed(slice.partition_value())),
            "cursor_slice" => Some(Object::Borrowed(slice.cursor_value())),
            "extra_fields" => Some(Object::Borrowed(slice.extra_value())),
            _ => None,
        },
        Object::Moment(moment) => match name {
            "hour" => number(moment.wall.hour()),
            "minute" => number(moment.wall.minute()),
            "second" => number(moment.wall.second()),
            "microsecond" => number(micros(&moment.wall)),
            "fold" => number(0),
            "tzinfo" => Some(moment.zone.map_or(Object::None, Object::Zone)),
            _ => date_part(moment.wall.date(), name),
        },
        Object::Date(date) => date_part(*date, name),
        Object::Time(time) => match name {
            "hour" => number(time.hour()),
            "minute" => number(time.minute()),
            "second" => number(time.second()),
            "microsecond" => number(micros(time)),
            "tzinfo" => Some(Object::None),
            _ => None,
        },
        Object::Delta(delta) => delta_part(**delta, name, wide),
        Object::Calendar(calendar) => match name {
            "years" => Some(whole(Object::Float(calendar.years))),
            "months" => Some(whole(Object::Float(calendar.months))),
            "tdelta" => Some(calendar.rest.into()),
            _ => delta_part(calendar.rest, name, wide),
        },
        Object::Int(_) | Object::Big(_) | Object::Bool(_) => match name {
            "real" | "numerator" => object.as_integer().map(Object::from),
            "imag" => Some(Object::Int(0)),
            "denominator" => Some(Object::Int(1)),
            _ => None,
        },
        Object::Namespace(entries) => {
            entries.borrow().iter().find(|(key, _)| **key == *name).map(|(_, value)| value.clone())
        }
        Object::Loop(state) => super::repeat::attribute(state, name),
        Object::Cycler(cycler) if name == "current" => cycler.0.get(cycler.1.get()).cloned(),
        Object::Macro(closure) if name == "name" => Some(Object::from(closure.definition.name.to_string())),
        _ => None,
    }
}

/// A number of years or months, which is a decimal in the reference: whole ones are written without a point.
fn whole(object: Object<'_>) -> Object<'_> {
    match object {
        Object::Float(number) if number.fract() == 0.0 => num_traits::FromPrimitive::from_f64(number)
            .map_or(Object::Float(number), |n: num_bigint::BigInt| n.into()),
        other => other,
    }
}

fn delta_part<'a>(delta: Delta, name: &str, wide: impl Fn(i128) -> Option<Object<'a>>) -> Option<Object<'a>> {
    match name {
        "days" => wide(delta.days()),
        "seconds" => wide(delta.rest_seconds()),
        "microseconds" => wide(delta.rest_micros()),
        _ => None,
    }
}

fn date_part<'a>(date: chrono::NaiveDate, name: &str) -> Option<Object<'a>> {
    match name {
        "year" => Some(Object::Int(i64::from(date.year()))),
        "month" => Some(Object::Int(i64::from(date.month()))),
        "day" => Some(Object::Int(i64::from(date.day()))),
        _ => None,
    }
}

/// `object[start:end:step]`.
pub(super) fn slice<'a>(
    object: &Object<'a>,
    parts: &[Option<Object<'a>>; 3],
    budget: &Budget,
) -> Outcome<Object<'a>> {
    object.demand()?;
    if !is_sequence(object) {
        if object.is_mapping() {
            return Err(Fault::kind("unhashable type: 'slice'"));
        }
        return Err(Fault::kind(format!("'{}' object is not subscriptable", object.kind())));
    }
    let mut bounds = [None; 3];
    for (bound, part) in bounds.iter_mut().zip(parts) {
        *bound = match part {
            None | Some(Object::None) => None,
            Some(part) => Some(part.as_integer().ok_or_else(|| {
                Fault::kind("slice indices must be integers or None or have an __index__ method")
            })?)
            .map(|number| {
                number.to_i64().unwrap_or(if number.sign() == num_bigint::Sign::Minus {
                    i64::MIN
                } else {
                    i64::MAX
                })
            }),
        };
    }
    let [start, end, step] = bounds;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Fault::other("slice step cannot be zero"));
    }
    if let (Some(text), 1) = (object.as_str().filter(|text| text.is_ascii()), step) {
        let places = places(text.len(), start, end, 1);
        budget.room(places.len())?;
        let part = places.first().map_or("", |first| &text[*first..*first + places.len()]);
        return Ok(same_kind(object, part.to_owned()));
    }
    let items = object.items()?;
    let places = places(items.len(), start, end, step);
    budget.room(places.len() * size_of::<Object>())?;
    let chosen: Vec<Object<'a>> = places.into_iter().map(|at| items[at].clone()).collect();
    Ok(match object.kind() {
        "list" => Object::list(chosen),
        "tuple" => Object::tuple(chosen),
        "bytes" => {
            Object::Bytes(chosen.iter().filter_map(|byte| u8::try_from(byte.as_int()?).ok()).collect())
        }
        _ => same_kind(object, chosen.iter().filter_map(Object::as_str).collect::<String>()),
    })
}

pub(super) fn same_kind<'a>(object: &Object<'a>, text: String) -> Object<'a> {
    if matches!(object, Object::Markup(_)) { Object::Markup(text.into()) } else { text.into() }
}

/// The places that a slice of a sequence of `length` names.
fn places(length: usize, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let (low, high) = if step < 0 { (-1, length - 1) } else { (0, length) };
    let clamp = |bound: Option<i64>, usual: i64| {
        bound.map_or(usual, |bound| {
            let bound = if bound < 0 { bound.saturating_add(length) } else { bound };
            bound.clamp(low, high)
        })
    };
    let (usual_start, usual_end) = if step < 0 { (high, low) } else { (low, high) };
    let (mut at, end) = (clamp(start, usual_start), clamp(end, usual_end));
    let mut places = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.push(usize::try_from(at).unwrap_or(0));
        at = at.saturating_add(step);
    }
    places
}
