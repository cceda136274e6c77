//! `is ...`: the tests.

use std::rc::Rc;

use super::call::Arguments;
use super::fault::{Fault, Outcome};
use super::machine::{Machine, compare};
use super::object::Object;
use super::operator::apply;
use super::syntax::{Comparison, Operator};
use super::{filter, method};

/// The names of all tests.
pub(super) const NAMES: [&str; 37] = [
    "odd",
    "even",
    "divisibleby",
    "defined",
    "undefined",
    "filter",
    "test",
    "none",
    "boolean",
    "false",
    "true",
    "integer",
    "float",
    "lower",
    "upper",
    "string",
    "mapping",
    "number",
    "sequence",
    "iterable",
    "callable",
    "sameas",
    "escaped",
    "in",
    "==",
    "eq",
    "equalto",
    "!=",
    "ne",
    ">",
    "gt",
    "greaterthan",
    "ge",
    ">=",
    "<",
    "lt",
    "<=",
];

/// Whether `value` is what the test `name` says.
pub(super) fn call<'a>(
    machine: &Machine<'a>,
    name: &str,
    value: &Object<'a>,
    args: &Arguments<'a>,
) -> Outcome<bool> {
    if let Some(comparison) = comparison(name) {
        let [other] = args.bind(name, ["*other"], 1)?;
        return compare(value, comparison, &other.unwrap_or(Object::None));
    }
    match name {
        "odd" | "even" => {
            args.bind(name, [], 0)?;
            let rest = apply(value, Operator::Mod, &Object::Int(2), &machine.host.budget)?;
            return Ok(rest.equals(&Object::Int(i64::from(name == "odd"))));
        }
        "divisibleby" => {
            let [divisor] = args.bind(name, ["num"], 1)?;
            let divisor = divisor.unwrap_or(Object::None);
            return Ok(apply(value, Operator::Mod, &divisor, &machine.host.budget)?.equals(&Object::Int(0)));
        }
        "sameas" => {
            let [other] = args.bind(name, ["other"], 1)?;
            return Ok(same(value, &other.unwrap_or(Object::None)));
        }
        _ => args.bind(name, [], 0)?,
    };
    let is_text = matches!(value, Object::Text(_) | Object::Markup(_));
    Ok(match name {
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "none" => matches!(value, Object::None),
        "boolean" => matches!(value, Object::Bool(_)),
        "true" => matches!(value, Object::Bool(true)),
        "false" => matches!(value, Object::Bool(false)),
        "integer" => matches!(value, Object::Int(_) | Object::Big(_)),
        "float" => matches!(value, Object::Float(_)),
        "number" => value.is_integer() || matches!(value, Object::Float(_)),
        "string" => is_text,
        "lower" | "upper" => {
            let text = value.text()?;
            let has_lower = text.chars().any(char::is_lowercase);
            let has_upper = text.chars().any(char::is_uppercase);
            if name == "lower" { has_lower && !has_upper } else { has_upper && !has_lower }
        }
        "mapping" => value.is_mapping(),
        "sequence" => {
            is_text
                || value.is_undefined()
                || value.is_mapping()
                || matches!(value.kind(), "list" | "tuple" | "bytes")
        }
        "iterable" => iterable(value),
        "callable" => match value {
            Object::Function(_)
            | Object::Method(_)
            | Object::Macro(_)
            | Object::Joiner(_)
            | Object::Loop(_) => true,
            other => other.is_undefined(),
        },
        "escaped" => matches!(value, Object::Markup(_)),
        "filter" | "test" if value.hashable().is_err() => {
            value.hashable()?;
            false
        }
        "filter" => value.as_str().is_some_and(filter::exists),
        "test" => value.as_str().is_some_and(|name| NAMES.contains(&name)),
        _ => return Err(Fault::other(format!("No test named '{name}' found."))),
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "==" | "eq" | "equalto" => Comparison::Eq,
        "!=" | "ne" => Comparison::Ne,
        ">" | "gt" | "greaterthan" => Comparison::Gt,
        ">=" | "ge" => Comparison::Ge,
        "<" | "lt" | "lessthan" => Comparison::Lt,
        "<=" | "le" => Comparison::Le,
        "in" => Comparison::In,
        _ => return None,
    })
}

fn iterable(value: &Object<'_>) -> bool {
    match value {
        Object::None
        | Object::Bool(_)
        | Object::Int(_)
        | Object::Big(_)
        | Object::Float(_)
        | Object::Moment(_)
        | Object::Date(_)
        | Object::Time(_)
        | Object::Delta(_)
        | Object::Calendar(_)
        | Object::Zone(_)
        | Object::Function(_)
        | Object::Method(_)
        | Object::Macro(_)
        | Object::Namespace(_)
        | Object::Joiner(_)
        | Object::Cycler(_)
        | Object::Ellipsis => false,
        other => !method::exists(other, "next"),
    }
}

/// `is`: singletons and small integers are the same, other values only where they are one object.
fn same<'a>(left: &Object<'a>, right: &Object<'a>) -> bool {
    match (left, right) {
        (Object::Int(left), Object::Int(right)) => left == right && (-5..=256).contains(left),
        (Object::None | Object::Bool(_), Object::None | Object::Bool(_)) => {
            left.equals(right) && left.kind() == right.kind()
        }
        (Object::Borrowed(left), Object::Borrowed(right)) => std::ptr::eq(*left, *right),
        (Object::List(left), Object::List(right)) => Rc::ptr_eq(left, right),
        (Object::Dict(left), Object::Dict(right)) => Rc::ptr_eq(left, right),
        _ => left.as_str().is_some() && left.as_str() == right.as_str(),
    }
}
