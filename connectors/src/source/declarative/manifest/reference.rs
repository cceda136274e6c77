//! `$ref` and bare `#/…` references.

use std::collections::{HashMap, HashSet};

use protocol::Result;

use super::{MOST_VALUES, Trail};
use crate::source::declarative::value::{Map, Value};

const REF: &str = "$ref";
/// A field that holds values of a configuration: text in it that looks like a reference is none.
const VERBATIM: &str = "config_overrides";

struct Resolver<'m> {
    manifest: &'m Value,
    /// References that are being put in place, to find those that lead to themselves.
    open: HashSet<&'m str>,
    /// Those that are done, with the number of their values.
    done: HashMap<&'m str, (Value, usize)>,
    values: usize,
}

/// The manifest with all references in place.
pub(super) fn resolve(manifest: &Value) -> Result<Value> {
    let mut resolver = Resolver { manifest, open: HashSet::new(), done: HashMap::new(), values: 0 };
    resolver.value(manifest, &Trail::ROOT)
}

impl<'m> Resolver<'m> {
    fn count(&mut self, values: usize, trail: &Trail<'_>) -> Result<()> {
        self.values += values;
        if self.values > MOST_VALUES {
            return Err(trail.fail(format!(
                "the manifest has more than {MOST_VALUES} values with its references in place"
            )));
        }
        Ok(())
    }

    fn value(&mut self, value: &'m Value, trail: &Trail<'_>) -> Result<Value> {
        self.count(1, trail)?;
        match value {
            Value::Map(map) => self.map(map, trail),
            Value::List(items) => {
                let mut made = Vec::with_capacity(items.len());
                for (place, item) in items.iter().enumerate() {
                    made.push(self.value(item, &trail.index(place)?)?);
                }
                Ok(Value::List(made))
            }
            Value::Text(text) if text.starts_with("#/") => self.reference(text, trail),
            other => Ok(other.clone()),
        }
    }

    fn map(&mut self, map: &'m Map, trail: &Trail<'_>) -> Result<Value> {
        // Keys beside the reference win, in the places of the referenced ones.
        let mut made = match map.get(REF) {
            None => Map::new(),
            Some(reference) => match self.value(reference, &trail.key(REF)?)? {
                Value::Map(made) => made,
                other => return Ok(other),
            },
        };
        for (key, value) in map.iter().filter(|(key, _)| *key != REF) {
            let value = if key == VERBATIM { value.clone() } else { self.value(value, &trail.key(key)?)? };
            made.insert(key, value);
        }
        Ok(Value::Map(made))
    }

    fn reference(&mut self, reference: &'m str, trail: &Trail<'_>) -> Result<Value> {
        if let Some((value, values)) = self.done.get(reference) {
            let (value, values) = (value.clone(), *values);
            self.count(values, trail)?;
            return Ok(value);
        }
        if !self.open.insert(reference) {
            return Err(trail.fail(format!("the reference {reference:?} leads to itself")));
        }
        let path = reference[2..].lines().next().unwrap_or("");
        let found = find(self.manifest, path)
            .ok_or_else(|| trail.fail(format!("the reference {reference:?} leads to nothing")))?;
        let value = self.value(found, &trail.key(reference)?)?;
        self.open.remove(reference);
        // What stands beside references has replaced some of what was counted on the way.
        self.done.insert(reference, (value.clone(), size(&value)));
        Ok(value)
    }
}

/// The values in a value, itself included.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::Map(map) => map.iter().map(|(_, value)| size(value)).sum(),
        Value::List(items) => items.iter().map(size).sum(),
        _ => 0,
    }
}

/// The value at a path. A key that holds the rest of the path, slashes and all, comes first.
fn find<'m>(mut value: &'m Value, path: &str) -> Option<&'m Value> {
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(found) = value.get(rest) {
            return Some(found);
        }
        let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
        value = match value {
            Value::Map(map) => map.get(head)?,
            Value::List(items) => {
                let place: i64 = head.parse().ok()?;
                let place = if place < 0 { place + i64::try_from(items.len()).ok()? } else { place };
                items.get(usize::try_from(place).ok()?)?
            }
            _ => return None,
        };
        rest = tail;
    }
    Some(value)
}
