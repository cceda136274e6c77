//! Ways into a configuration: lists of keys, of which numbers are places in lists.

use protocol::{Error, Result};

use crate::source::declarative::value::{Map, Value};

/// The longest list that a path makes by itself.
const LONGEST: usize = 1000;

/// The value at the end of `path`.
pub(in crate::source::declarative) fn get<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Map(map) => map.get(key),
        Value::List(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// All values at the end of `path`, in which `*` stands for any key.
pub(super) fn all<'v>(value: &'v Value, path: &[String], found: &mut Vec<&'v Value>) {
    let Some((key, rest)) = path.split_first() else {
        found.push(value);
        return;
    };
    match value {
        Value::Map(map) if key == "*" => map.values().for_each(|value| all(value, rest, found)),
        Value::List(items) if key == "*" => items.iter().for_each(|value| all(value, rest, found)),
        _ => {
            if let Some(inner) = get(value, std::slice::from_ref(key)) {
                all(inner, rest, found);
            }
        }
    }
}

/// Puts `new` at the end of `path`; objects and lists that are missing on the way are made.
pub(in crate::source::declarative) fn set(value: &mut Value, path: &[String], new: Value) -> Result<()> {
    let Some((key, rest)) = path.split_first() else {
        *value = new;
        return Ok(());
    };
    if value.is_none() {
        *value = container(key);
    }
    let inner = match value {
        Value::Map(map) => {
            if !map.contains(key) {
                map.insert(key.as_str(), Value::None);
            }
            map.get_mut(key)
        }
        Value::List(items) => key.parse::<usize>().ok().filter(|at| *at < LONGEST).and_then(|at| {
            if at >= items.len() {
                items.resize(at + 1, Value::None);
            }
            items.get_mut(at)
        }),
        _ => None,
    };
    match inner {
        Some(inner) => set(inner, rest, new),
        None => Err(Error::config(format!("the configuration has no place for {key:?}"))),
    }
}

/// What is made for a key to be put into.
fn container(key: &str) -> Value {
    if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()) {
        Value::List(Vec::new())
    } else {
        Map::new().into()
    }
}

/// Takes what is at the end of `path` out; an item of a list becomes `None`. What is not there is fine.
pub(super) fn remove(value: &mut Value, path: &[String]) {
    let Some((key, rest)) = path.split_first() else { return };
    match value {
        Value::Map(map) if rest.is_empty() && key == "*" => *map = Map::new(),
        Value::Map(map) if rest.is_empty() => drop(map.remove(key)),
        Value::Map(map) if key == "*" => map.iter_mut().for_each(|(_, value)| remove(value, rest)),
        Value::Map(map) => {
            if let Some(inner) = map.get_mut(key) {
                remove(inner, rest);
            }
        }
        Value::List(items) => {
            let wanted = key.parse::<usize>().ok();
            for (at, item) in items.iter_mut().enumerate() {
                if key == "*" || wanted == Some(at) {
                    if rest.is_empty() {
                        *item = Value::None;
                    } else {
                        remove(item, rest);
                    }
                }
            }
        }
        _ => {}
    }
}
