//! Paths into components, as `dpath` walks them: keys, indexes, and `*` for all.

use crate::source::declarative::value::{Map, Value};

/// The value at `path`.
pub(super) fn get<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    let mut at = value;
    for step in path {
        at = match at.as_list() {
            Some(items) => items.get(step.parse::<usize>().ok()?)?,
            None => at.get(step)?,
        };
    }
    Some(at)
}

/// Gives all that is at `path` another value; tells how many there were.
pub(super) fn set(target: &mut Value, path: &[String], value: &Value) -> usize {
    let Some((step, rest)) = path.split_first() else {
        *target = value.clone();
        return 1;
    };
    match target {
        Value::Map(map) if step == "*" => map.iter_mut().map(|(_, inner)| set(inner, rest, value)).sum(),
        Value::Map(map) => map.get_mut(step).map_or(0, |inner| set(inner, rest, value)),
        Value::List(items) if step == "*" => items.iter_mut().map(|inner| set(inner, rest, value)).sum(),
        Value::List(items) => step
            .parse::<usize>()
            .ok()
            .and_then(|index| items.get_mut(index))
            .map_or(0, |inner| set(inner, rest, value)),
        _ => 0,
    }
}

/// Puts a value at `path`, with the objects on the way that are not there. What is no object on the way stays.
pub(super) fn create(target: &mut Value, path: &[String], value: Value) {
    let Some((step, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    match target {
        Value::Map(map) => {
            if !map.contains(step) {
                map.insert(step.as_str(), Map::new());
            }
            if let Some(inner) = map.get_mut(step) {
                create(inner, rest, value);
            }
        }
        Value::List(items) => {
            let Ok(index) = step.parse::<usize>() else { return };
            if index == items.len() {
                items.push(Value::Map(Map::new()));
            }
            if let Some(inner) = items.get_mut(index) {
                create(inner, rest, value);
            }
        }
        _ => {}
    }
}
