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
