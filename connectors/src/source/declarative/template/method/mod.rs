//! The methods of Python's values.

mod format;
mod list;
mod map;
mod moment;
mod text;

pub(super) use map::pairs;
pub(super) use text::{capitalized, replace, stripped};

use super::call::Arguments;
use super::fault::{Fault, Outcome};
use super::machine::Host;
use super::object::Object;
use crate::source::declarative::value::Value;

/// The names of an object's methods.
fn names(object: &Object<'_>) -> &'static [&'static str] {
    match object {
        Object::Text(_) | Object::Markup(_) => text::NAMES,
        Object::List(_) | Object::Borrowed(Value::List(_)) => list::NAMES,
        Object::Tuple(_) | Object::Borrowed(Value::Tuple(_)) => &["count", "index"],
        Object::Set(_) | Object::Borrowed(Value::Set(_)) => list::SET_NAMES,
        Object::Dict(_) | Object::Borrowed(_) => map::NAMES,
        Object::Slice(_) => &["get", "items", "keys", "values"],
        Object::Bytes(_) => &["decode", "hex"],
        Object::Int(_) | Object::Big(_) | Object::Bool(_) => &["bit_length"],
        Object::Float(_) => &["is_integer"],
        Object::Moment(_) => moment::NAMES,
        Object::Date(_) => moment::DATE_NAMES,
        Object::Time(_) => &["isoformat", "strftime"],
        Object::Delta(_) => &["total_seconds"],
        Object::Calendar(_) => &["total_seconds", "totimedelta"],
        Object::Zone(_) => &["utcoffset", "tzname"],
        Object::Cycler(_) => &["next", "reset"],
        Object::Loop(_) => &["cycle", "changed"],
        _ => &[],
    }
}

/// Whether an object has a method.
pub(super) fn exists(object: &Object<'_>, name: &str) -> bool {
    names(object).contains(&name)
}

/// Whether a method changes its object.
pub(super) fn changes(object: &Object<'_>, name: &str) -> bool {
    let changing = match object.kind() {
        "list" => ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"].as_slice(),
        "dict" => &["clear", "pop", "popitem", "setdefault", "update"],
        "set" => &["add", "clear", "discard", "remove", "update"],
        _ => &[],
    };
    changing.contains(&name)
}

/// `object.name(args)`, where [`exists`] said yes.
pub(super) fn call<'a>(
    host: &Host<'a>,
    object: &Object<'a>,
    name: &str,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    match object {
        Object::Text(_) | Object::Markup(_) => text::call(host, object, name, args),
        Object::List(_) | Object::Tuple(_) | Object::Borrowed(Value::List(_) | Value::Tuple(_)) => {
            list::call(host, object, name, args)
        }
        Object::Set(_) | Object::Borrowed(Value::Set(_)) => list::call_set(object, name, args),
        Object::Dict(_) | Object::Borrowed(_) | Object::Slice(_) => map::call(host, object, name, args),
        Object::Moment(_)
        | Object::Date(_)
        | Object::Time(_)
        | Object::Delta(_)
        | Object::Calendar(_)
        | Object::Zone(_) => moment::call(host, object, name, args),
        Object::Loop(state) => super::repeat::call(state, name, args),
        other => small(other, name, args),
    }
}

fn small<'a>(object: &Object<'a>, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    match (object, name) {
        (Object::Bytes(bytes), "decode") => {
            args.bind("decode", ["encoding", "errors"], 0)?;
            match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned().into()),
                Err(_) => Err(Fault::other("bytes are not UTF-8")),
            }
        }
        (Object::Bytes(bytes), "hex") => Ok(hex(bytes).into()),
        (Object::Float(number), "is_integer") => Ok((number.is_finite() && number.fract() == 0.0).into()),
        (_, "bit_length") => {
            Ok(Object::from(num_bigint::BigInt::from(object.as_integer().unwrap_or_default().bits())))
        }
        (Object::Cycler(cycler), "next") => {
            let at = cycler.1.get();
            cycler.1.set((at + 1) % cycler.0.len());
            Ok(cycler.0[at].clone())
        }
        (Object::Cycler(cycler), "reset") => {
            cycler.1.set(0);
            Ok(Object::None)
        }
        _ => Err(unknown(object, name)),
    }
}

/// A method that [`exists`] lists but nothing carries out.
fn unknown(object: &Object<'_>, name: &str) -> Fault {
    Fault::other(format!("the method '{name}' of '{}' is not supported", object.kind()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Whether `target`, a list or dict of the template, is reached from `object`: putting the one into the other would
/// make a ring.
fn reaches(object: &Object<'_>, target: *const (), depth: usize) -> Outcome<bool> {
    if depth > 50 {
        return Err(Fault::Limit("a value is nested too deep".to_owned()));
    }
    let pointer = |object: &Object| match object {
        Object::List(items) => std::rc::Rc::as_ptr(items).cast::<()>(),
        Object::Dict(entries) => std::rc::Rc::as_ptr(entries).cast::<()>(),
        _ => std::ptr::null(),
    };
    if pointer(object) == target {
        return Ok(true);
    }
    let any = |items: &[Object]| -> Outcome<bool> {
        for item in items {
            if reaches(item, target, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    match object {
        // What is being changed right now is the target itself.
        Object::List(items) => items.try_borrow().map_or(Ok(true), |items| any(&items)),
        Object::Dict(entries) => entries.try_borrow().map_or(Ok(true), |entries| {
            entries
                .iter()
                .try_fold(false, |found, (_, value)| Ok(found || reaches(value, target, depth + 1)?))
        }),
        Object::Tuple(items) => any(items),
        Object::View(view) => any(&view.items),
        Object::Iter(iter) => iter.items.try_borrow().map_or(Ok(true), |items| {
            items.iter().try_fold(false, |found, item| Ok(found || reaches(item, target, depth + 1)?))
        }),
        _ => Ok(false),
    }
}

/// Refuses a value that holds the list or dict it is to be put into.
fn no_ring<T>(target: &std::rc::Rc<T>, object: &Object<'_>) -> Outcome<()> {
    if reaches(object, std::rc::Rc::as_ptr(target).cast::<()>(), 0)? {
        return Err(Fault::other("a list or dict can't be put into itself"));
    }
    Ok(())
}
