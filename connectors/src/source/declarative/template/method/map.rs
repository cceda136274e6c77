//! Methods of dicts.

use super::super::call::Arguments;
use super::super::fault::{Fault, Outcome};
use super::super::machine::Host;
use super::super::object::{Dict, Object, put};
use super::{no_ring, unknown};

pub(super) const NAMES: &[&str] = &[
    "clear",
    "copy",
    "fromkeys",
    "get",
    "items",
    "keys",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
];

pub(super) fn call<'a>(
    host: &Host<'a>,
    object: &Object<'a>,
    name: &str,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    let entries = || object.entries().unwrap_or_default();
    match name {
        "get" => {
            // A stream slice names its parameters, a dict does not.
            let parameters =
                if matches!(object, Object::Slice(_)) { ["key", "default"] } else { ["*key", "*default"] };
            let [key, default] = args.bind(name, parameters, 1)?;
            let key = key.unwrap_or(Object::None);
            key.hashable()?;
            Ok(object.lookup(&key).or(default).unwrap_or(Object::None))
        }
        "items" | "keys" | "values" => {
            args.bind(name, [], 0)?;
            let entries = entries();
            host.budget.work(entries.len())?;
            Ok(match name {
                "items" => {
                    let pairs = entries.into_iter().map(|(key, value)| Object::tuple(vec![key, value]));
                    Object::view("dict_items", pairs.collect())
                }
                "keys" => Object::view("dict_keys", entries.into_iter().map(|(key, _)| key).collect()),
                _ => Object::view("dict_values", entries.into_iter().map(|(_, value)| value).collect()),
            })
        }
        "copy" => {
            args.bind(name, [], 0)?;
            Ok(Object::dict(entries()))
        }
        "fromkeys" => {
            let [keys, value] = args.bind(name, ["*iterable", "*value"], 1)?;
            let value = value.unwrap_or(Object::None);
            let mut made = Vec::new();
            for key in keys.unwrap_or(Object::None).items()? {
                key.hashable()?;
                host.budget.work(made.len() / 16 + 1)?;
                put(&mut made, key, value.clone());
            }
            Ok(Object::dict(made))
        }
        _ => change(host, object, name, args),
    }
}

fn change<'a>(host: &Host<'a>, object: &Object<'a>, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let Object::Dict(dict) = object else { return Err(unknown(object, name)) };
    match name {
        "update" => {
            let mut more = match args.positional.as_slice() {
                [] => Vec::new(),
                [other] => pairs(other)?,
                _ => return Err(Fault::kind("update expected at most 1 argument")),
            };
            more.extend(args.names().map(|(name, value)| (Object::from(name.to_owned()), value.clone())));
            more.iter().try_for_each(|(_, value)| no_ring(dict, value))?;
            for (key, value) in more {
                host.budget.room(2 * size_of::<Object>())?;
                host.budget.work(dict.borrow().len() / 16)?;
                put(&mut dict.borrow_mut(), key, value);
            }
            Ok(Object::None)
        }
        "setdefault" => {
            let [key, default] = args.bind(name, ["*key", "*default"], 1)?;
            let (key, default) = (key.unwrap_or(Object::None), default.unwrap_or(Object::None));
            key.hashable()?;
            if let Some(found) = object.lookup(&key) {
                return Ok(found);
            }
            no_ring(dict, &default)?;
            host.budget.room(2 * size_of::<Object>())?;
            dict.borrow_mut().push((key, default.clone()));
            Ok(default)
        }
        "pop" => {
            let [key, default] = args.bind(name, ["*key", "*default"], 1)?;
            let key = key.unwrap_or(Object::None);
            key.hashable()?;
            let place = dict.borrow().iter().position(|(known, _)| known.equals(&key));
            match (place, default) {
                (Some(place), _) => Ok(dict.borrow_mut().remove(place).1),
                (None, Some(default)) => Ok(default),
                (None, None) => Err(Fault::other("the key to take out is not there")),
            }
        }
        "popitem" => match dict.borrow_mut().pop() {
            Some((key, value)) => Ok(Object::tuple(vec![key, value])),
            None => Err(Fault::other("popitem(): dictionary is empty")),
        },
        "clear" => {
            dict.borrow_mut().clear();
            Ok(Object::None)
        }
        _ => Err(unknown(object, name)),
    }
}

/// The entries of a mapping, or of pairs one after the other.
pub(in super::super) fn pairs<'a>(object: &Object<'a>) -> Outcome<Dict<'a>> {
    if let Some(entries) = object.entries() {
        return Ok(entries);
    }
    object
        .items()?
        .iter()
        .map(|pair| {
            let mut pair = pair.items()?;
            match (pair.pop(), pair.pop(), pair.is_empty()) {
                (Some(value), Some(key), true) => {
                    key.hashable()?;
                    Ok((key, value))
                }
                _ => Err(Fault::other("an element to update with is no pair")),
            }
        })
        .collect()
}
