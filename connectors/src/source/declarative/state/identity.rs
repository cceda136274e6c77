//! What a partition is known by: its keys and values, whatever their order.

use crate::source::declarative::value::{Map, Value};

/// A text that is the same for the same partition.
pub(in crate::source::declarative) fn identity(partition: &Map) -> String {
    let mut out = String::new();
    write_map(&mut out, partition);
    out
}

/// The same partition with all keys in order: as states have it.
pub(in crate::source::declarative) fn sorted(partition: &Map) -> Map {
    let mut entries: Vec<(&str, &Value)> = partition.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries.into_iter().map(|(key, value)| (key, sorted_value(value))).collect()
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(sorted(map)),
        Value::List(items) | Value::Tuple(items) => Value::List(items.iter().map(sorted_value).collect()),
        other => other.clone(),
    }
}

fn write_map(out: &mut String, map: &Map) {
    let mut entries: Vec<(&str, &Value)> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    out.push('{');
    for (place, (key, value)) in entries.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        Value::from(key).write_json(out);
        out.push(':');
        write(out, value);
    }
    out.push('}');
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Map(map) => write_map(out, map),
        Value::List(items) | Value::Tuple(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        other => other.write_json(out),
    }
}
