//! Filters on lists and other things that can be gone through.

use super::super::call::{Arguments, integer, text};
use super::super::fault::{Fault, Outcome};
use super::super::item::{attribute, item, slice};
use super::super::machine::Machine;
use super::super::object::{Dict, Object, Text};
use super::super::operator::apply;
use super::super::syntax::Operator;
use super::super::{method, test};
use crate::source::declarative::value::Value;

pub(super) fn call<'a>(
    machine: &mut Machine<'a>,
    name: &str,
    value: Object<'a>,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    match name {
        "default" | "d" => {
            let [default, falsy] = args.bind("default", ["default_value", "boolean"], 0)?;
            let replaced =
                value.is_undefined() || (falsy.is_some_and(|falsy| falsy.is_true()) && !value.is_true());
            Ok(if replaced { default.unwrap_or(Object::from("")) } else { value })
        }
        "length" | "count" => {
            args.bind(name, [], 0)?;
            value.length().map(Object::from)
        }
        "list" => {
            args.bind(name, [], 0)?;
            let items = value.items()?;
            machine.host.budget.room(items.len() * size_of::<Object>())?;
            Ok(Object::list(items))
        }
        "first" => {
            args.bind(name, [], 0)?;
            if let Object::Iter(iter) = &value {
                let first = iter.items.borrow_mut().pop_front();
                return Ok(first.unwrap_or_else(|| Object::undefined("No first item, sequence was empty.")));
            }
            let first = value.items()?.into_iter().next();
            Ok(first.unwrap_or_else(|| Object::undefined("No first item, sequence was empty.")))
        }
        "last" => {
            args.bind(name, [], 0)?;
            if matches!(value, Object::Iter(_) | Object::Slice(_)) || value.kind() == "set" {
                return Err(Fault::kind(format!("'{}' object is not reversible", value.kind())));
            }
            let last = value.items()?.pop();
            Ok(last.unwrap_or_else(|| Object::undefined("No last item, sequence was empty.")))
        }
        "join" => join(machine, &value, args),
        "map" => map(machine, &value, args),
        "select" | "reject" | "selectattr" | "rejectattr" => select(machine, name, &value, args),
        "sum" => {
            let [attribute, start] = args.bind(name, ["attribute", "start"], 0)?;
            let path = path(attribute.as_ref());
            let mut sum = start.unwrap_or(Object::Int(0));
            for item in value.items()? {
                let item = follow(item, &path, None)?;
                sum = apply(&sum, Operator::Add, &item, &machine.host.budget)?;
            }
            Ok(sum)
        }
        "attr" => {
            let [name] = args.bind("attr", ["name"], 1)?;
            let name = name.unwrap_or(Object::None);
            // Attributes alone: items do not count.
            match &value {
                object if object.is_mapping() && !method::exists(object, text(&name, "attr")?) => {
                    Ok(Object::undefined("there is no such attribute"))
                }
                object => attribute(object, text(&name, "attr")?),
            }
        }
        "items" => {
            if !value.is_undefined() && !value.is_mapping() {
                return Err(Fault::kind("Can only get item pairs from a mapping."));
            }
            let pairs = value.entries().unwrap_or_default();
            Ok(Object::iter("generator", pairs.into_iter().map(|(k, v)| Object::tuple(vec![k, v])).collect()))
        }
        "reverse" => reverse(machine, &value),
        "batch" | "slice" => parts(machine, name, &value, args),
        _ => ordered(machine, name, &value, args),
    }
}

fn ordered<'a>(
    machine: &Machine<'a>,
    name: &str,
    value: &Object<'a>,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    let folded = |object: Object<'a>, sensitive: bool| if sensitive { object } else { lowered(object) };
    let is_true = |object: Option<Object<'a>>| object.is_some_and(|object| object.is_true());
    match name {
        "sort" => {
            let [reverse, sensitive, attribute] =
                args.bind(name, ["reverse", "case_sensitive", "attribute"], 0)?;
            let sensitive = is_true(sensitive);
            let paths = paths(attribute.as_ref());
            let mut keyed = Vec::new();
            for item in value.items()? {
                let mut keys = Vec::new();
                for path in &paths {
                    keys.push(folded(follow(item.clone(), path, None)?, sensitive));
                }
                keyed.push((Object::list(keys), item));
            }
            let sorted = sort(keyed, is_true(reverse))?;
            Ok(Object::list(sorted.into_iter().map(|(_, item)| item).collect()))
        }
        "min" | "max" => {
            let [sensitive, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
            let (sensitive, path) = (is_true(sensitive), path(attribute.as_ref()));
            let wanted = if name == "min" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
            let mut best: Option<(Object<'a>, Object<'a>)> = None;
            for item in value.items()? {
                let key = folded(follow(item.clone(), &path, None)?, sensitive);
                let wins = match &best {
                    None => true,
                    Some((least, _)) => {
                        key.order(least, if name == "min" { "<" } else { ">" })? == Some(wanted)
                    }
                };
                if wins {
                    best = Some((key, item));
                }
            }
            Ok(best.map_or_else(
                || Object::undefined("No aggregated item, sequence was empty."),
                |(_, item)| item,
            ))
        }
        "unique" => {
            let [sensitive, attribute] = args.bind(name, ["case_sensitive", "attribute"], 0)?;
            let (sensitive, path) = (is_true(sensitive), path(attribute.as_ref()));
            let (mut seen, mut kept) = (Vec::<Object<'a>>::new(), Vec::new());
            for item in value.items()? {
                let key = folded(follow(item.clone(), &path, None)?, sensitive);
                key.hashable()?;
                machine.host.budget.work(seen.len() / 16 + 1)?;
                if !seen.iter().any(|known| known.equals(&key)) {
                    seen.push(key);
                    kept.push(item);
                }
            }
            Ok(Object::iter("generator", kept))
        }
        "dictsort" => {
            let [sensitive, by, reverse] = args.bind(name, ["case_sensitive", "by", "reverse"], 0)?;
            let sensitive = is_true(sensitive);
            let by_value = match by.as_ref().and_then(Object::as_str) {
                None | Some("key") => false,
                Some("value") => true,
                Some(_) => return Err(Fault::other("You can only sort by either \"key\" or \"value\"")),
            };
            value.demand()?;
            let entries = value.entries();
            let entries = entries.ok_or_else(|| Fault::other("only a mapping can be sorted by its keys"))?;
            let keyed = entries.into_iter().map(|(key, value)| {
                let sorts = if by_value { value.clone() } else { key.clone() };
                (folded(sorts, sensitive), Object::tuple(vec![key, value]))
            });
            let sorted = sort(keyed.collect(), is_true(reverse))?;
            Ok(Object::list(sorted.into_iter().map(|(_, item)| item).collect()))
        }
        "groupby" => {
            let [attribute, default, sensitive] =
                args.bind(name, ["attribute", "default", "case_sensitive"], 1)?;
            groups(value, &path(attribute.as_ref()), default.as_ref(), is_true(sensitive))
        }
        _ => Err(Fault::other(format!("No filter named '{name}' found."))),
    }
}

fn groups<'a>(
    value: &Object<'a>,
    path: &[Object<'a>],
    default: Option<&Object<'a>>,
    sensitive: bool,
) -> Outcome<Object<'a>> {
    let mut keyed = Vec::new();
    for item in value.items()? {
        let key = follow(item.clone(), path, default)?;
        keyed.push((if sensitive { key } else { lowered(key) }, item));
    }
    let mut groups: Vec<(Object<'a>, Vec<Object<'a>>)> = Vec::new();
    for (key, item) in sort(keyed, false)? {
        match groups.last_mut() {
            Some((known, items)) if known.equals(&key) => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let mut out = Vec::new();
    for (key, items) in groups {
        let shown = match items.first() {
            Some(first) if !sensitive => follow(first.clone(), path, default)?,
            _ => key,
        };
        out.push(Object::tuple(vec![shown, Object::list(items)]));
    }
    Ok(Object::list(out))
}

/// Text in small letters; all else as it is.
fn lowered(object: Object<'_>) -> Object<'_> {
    match object.as_str() {
        Some(text) => text.to_lowercase().into(),
        None => object,
    }
}

/// The steps of `a.b.0`.
fn path<'a>(attribute: Option<&Object<'a>>) -> Vec<Object<'a>> {
    match attribute {
        None | Some(Object::None) => Vec::new(),
        Some(attribute) => match attribute.as_str() {
            Some(text) => steps(text),
            None => vec![attribute.clone()],
        },
    }
}

fn steps<'a>(text: &str) -> Vec<Object<'a>> {
    let step = |part: &str| match part.parse::<i64>() {
        Ok(number) if part.bytes().all(|byte| byte.is_ascii_digit()) => Object::Int(number),
        _ => Object::from(part.to_owned()),
    };
    text.split('.').map(step).collect()
}

fn paths<'a>(attribute: Option<&Object<'a>>) -> Vec<Vec<Object<'a>>> {
    match attribute.and_then(Object::as_str) {
        Some(text) => text.split(',').map(steps).collect(),
        None => vec![path(attribute)],
    }
}

fn follow<'a>(
    mut object: Object<'a>,
    path: &[Object<'a>],
    default: Option<&Object<'a>>,
) -> Outcome<Object<'a>> {
    for step in path {
        object = item(&object, step)?;
        if let (Object::Undefined(_), Some(default)) = (&object, default) {
            object = default.clone();
        }
    }
    Ok(object)
}

fn join<'a>(machine: &Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [separator, attribute] = args.bind("join", ["d", "attribute"], 0)?;
    let separator = separator.unwrap_or(Object::Text(Text::Borrowed("")));
    let separator = separator.text()?;
    let path = path(attribute.as_ref());
    let mut out = String::new();
    for (place, item) in value.items()?.into_iter().enumerate() {
        let item = follow(item, &path, None)?;
        let text = item.text()?;
        machine.host.budget.room(separator.len() + text.len())?;
        if place > 0 {
            out.push_str(&separator);
        }
        out.push_str(&text);
    }
    Ok(out.into())
}

fn map<'a>(machine: &mut Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    if !value.is_true() {
        return Ok(Object::iter("generator", Vec::new()));
    }
    let mut mapped = Vec::new();
    if args.positional.is_empty() && args.get("attribute").is_some() {
        let [attribute, default] = args.bind("map", ["attribute", "default"], 0)?;
        let path = path(attribute.as_ref());
        let default = default.filter(|default| !matches!(default, Object::None));
        for item in value.items()? {
            mapped.push(follow(item, &path, default.as_ref())?);
        }
        return Ok(Object::iter("generator", mapped));
    }
    let Some((name, rest)) = args.positional.split_first() else {
        return Err(Fault::other("map requires a filter argument"));
    };
    let name = text(name, "map")?.to_owned();
    let rest =
        Arguments { positional: rest.to_vec(), named: args.named.clone(), dynamic: args.dynamic.clone() };
    machine.host.budget.enter()?;
    for item in value.items()? {
        mapped.push(super::call(machine, &name, item, &rest)?);
    }
    machine.host.budget.leave();
    Ok(Object::iter("generator", mapped))
}

fn select<'a>(
    machine: &Machine<'a>,
    name: &str,
    value: &Object<'a>,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    if !value.is_true() {
        return Ok(Object::iter("generator", Vec::new()));
    }
    let by_attribute = name.ends_with("attr");
    let wanted = name.starts_with("select");
    let (path, rest) = if by_attribute {
        let Some((attribute, rest)) = args.positional.split_first() else {
            return Err(Fault::other("Missing parameter for attribute name"));
        };
        (path(Some(attribute)), rest)
    } else {
        (Vec::new(), &args.positional[..])
    };
    let mut kept = Vec::new();
    for item in value.items()? {
        let looked = follow(item.clone(), &path, None)?;
        let holds = match rest.split_first() {
            None => looked.is_true(),
            Some((name, rest)) => {
                let rest = Arguments {
                    positional: rest.to_vec(),
                    named: args.named.clone(),
                    dynamic: args.dynamic.clone(),
                };
                test::call(machine, text(name, "select")?, &looked, &rest)?
            }
        };
        if holds == wanted {
            kept.push(item);
        }
    }
    Ok(Object::iter("generator", kept))
}

fn reverse<'a>(machine: &Machine<'a>, value: &Object<'a>) -> Outcome<Object<'a>> {
    if value.as_str().is_some() {
        return slice(value, &[None, None, Some(Object::Int(-1))], &machine.host.budget);
    }
    let name = match value {
        Object::List(_) | Object::Borrowed(Value::List(_)) => "list_reverseiterator",
        _ if value.is_mapping() => "dict_reversekeyiterator",
        _ => "reversed",
    };
    let mut items = value.items().map_err(|_| Fault::other("argument must be iterable"))?;
    items.reverse();
    let plain =
        matches!(value, Object::Iter(_) | Object::Undefined(_) | Object::Slice(_)) || value.kind() == "set";
    Ok(if plain { Object::list(items) } else { Object::iter(name, items) })
}

fn parts<'a>(
    machine: &Machine<'a>,
    name: &str,
    value: &Object<'a>,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    let count_name = if name == "batch" { "linecount" } else { "slices" };
    let [count, fill] = args.bind(name, [count_name, "fill_with"], 1)?;
    let count = usize::try_from(integer(&count.unwrap_or(Object::None), name)?).unwrap_or(0);
    let fill = fill.filter(|fill| !matches!(fill, Object::None));
    let items = value.items()?;
    machine.host.budget.room((items.len() + count) * size_of::<Object>())?;
    if count == 0 {
        return if name == "batch" {
            Ok(Object::iter("generator", Vec::new()))
        } else {
            Err(Fault::other("integer division or modulo by zero"))
        };
    }
    let mut made = Vec::new();
    if name == "batch" {
        for chunk in items.chunks(count) {
            let mut chunk = chunk.to_vec();
            if let Some(fill) = &fill {
                chunk.resize(count, fill.clone());
            }
            made.push(Object::list(chunk));
        }
    } else {
        let (each, extra) = (items.len() / count, items.len() % count);
        let mut start = 0;
        for place in 0..count {
            let end = start + each + usize::from(place < extra);
            let mut chunk = items[start..end].to_vec();
            if let (Some(fill), true) = (&fill, place >= extra) {
                chunk.push(fill.clone());
            }
            made.push(Object::list(chunk));
            start = end;
        }
    }
    Ok(Object::iter("generator", made))
}

/// The items in order.
pub(in super::super) fn sorted(items: Vec<Object<'_>>, reverse: bool) -> Outcome<Vec<Object<'_>>> {
    let keyed = items.into_iter().map(|item| (item.clone(), item)).collect();
    Ok(sort(keyed, reverse)?.into_iter().map(|(_, item)| item).collect())
}

/// The entries in the order of their keys.
pub(super) fn sorted_by_keys(entries: Dict<'_>) -> Outcome<Dict<'_>> {
    sort(entries, false)
}

/// Sorts by the first of each pair; equal ones keep their order. The standard library's sort may panic where an order
/// is none (`nan`), so this is a plain merge sort.
fn sort<'a>(mut keyed: Dict<'a>, reverse: bool) -> Outcome<Dict<'a>> {
    if reverse {
        keyed.reverse();
    }
    let mut runs: Vec<Dict<'a>> = keyed.into_iter().map(|pair| vec![pair]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => merge(left, right)?,
                None => left,
            });
        }
        runs = merged;
    }
    let mut sorted = runs.pop().unwrap_or_default();
    if reverse {
        sorted.reverse();
    }
    Ok(sorted)
}

fn merge<'a>(left: Dict<'a>, right: Dict<'a>) -> Outcome<Dict<'a>> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let takes_right = second.0.order(&first.0, "<")? == Some(std::cmp::Ordering::Less);
        out.extend(if takes_right { right.next() } else { left.next() });
    }
    out.extend(left);
    out.extend(right);
    Ok(out)
}
