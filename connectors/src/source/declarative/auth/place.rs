//! Ways into a configuration: lists of keys.

use protocol::{Error, Result};

use crate::source::declarative::value::{Map, Value};

/// The value at the end of `path`; numbers are places in lists.
pub(super) fn get<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| match value {
        Value::Map(map) => map.get(key),
        Value::List(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Puts `new` at the end of `path`; objects that are missing on the way are made.
pub(super) fn set(value: &mut Value, path: &[String], new: Value) -> Result<()> {
    let Some((key, rest)) = path.split_first() else {
        *value = new;
        return Ok(());
    };
    match value {
        Value::Map(map) => {
            if !map.contains(key) {
                map.insert(key.as_str(), Map::new());
            }
            match map.get_mut(key) {
                Some(inner) => set(inner, rest, new),
                None => Ok(()),
            }
        }
        Value::List(items) => match key.parse::<usize>().ok().and_then(|at| items.get_mut(at)) {
            Some(inner) => set(inner, rest, new),
            None => Err(astray(key)),
        },
        Value::None => {
            *value = Map::new().into();
            set(value, path, new)
        }
        _ => Err(astray(key)),
    }
}

fn astray(key: &str) -> Error {
    Error::config(format!("the configuration has no place for {key:?}"))
}
