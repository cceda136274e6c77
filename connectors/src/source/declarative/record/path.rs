//! Paths into records: what is found, set and taken out by them, as the reference's `dpath` does.
//!
//! A part of a path is a pattern (`*`, `?`, `[ab]`), `**` stands for any number of parts, and a number is the index of
//! a list.

use num_traits::ToPrimitive;
use protocol::{Error, Result};

use super::super::number;
use super::super::value::{Map, Value};

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// A number that is none of text: it is no key, only an index.
    Index(i64),
}

impl From<&str> for Part {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Part {
    /// Of what a template gave.
    pub(super) fn of(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Int(index) => Self::Index(index),
            Value::Bool(truth) => Self::Index(i64::from(truth)),
            Value::Float(number) => Self::Index(number.to_i64().unwrap_or(i64::MAX)),
            other => Self::Text(other.to_json()),
        }
    }

    /// The key, where this is nothing but one.
    pub(super) fn plain(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.contains(['*', '?', '[']) => Some(text),
            _ => None,
        }
    }

    pub(super) fn fits_key(&self, key: &str) -> bool {
        match self {
            Self::Text(pattern) => fits(pattern, key),
            Self::Index(_) => false,
        }
    }

    pub(super) fn fits_index(&self, index: usize, length: usize) -> bool {
        let wanted = match self {
            Self::Index(wanted) => Some(*wanted),
            Self::Text(pattern) => match number::parse_int(pattern, 10) {
                Some(wanted) => wanted.to_i64(),
                None => return fits(pattern, &index.to_string()),
            },
        };
        let place = |number: usize| i64::try_from(number).ok();
        let (index, length) = (place(index), place(length));
        wanted.is_some_and(|wanted| {
            index == Some(wanted) || index.zip(length).is_some_and(|(index, length)| length + wanted == index)
        })
    }
}

/// Shell patterns, letters as they are.
fn fits(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?', '[']) {
        return pattern == text;
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // The last star and where it began to match: the only place to come back to.
    let (mut at, mut next, mut star) = (0, 0, None);
    while next < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, next));
                at += 1;
                continue;
            }
            Some('?') => {
                at += 1;
                next += 1;
                continue;
            }
            Some('[') => {
                if let Some((holds, after)) = set(&pattern, at, text[next]) {
                    if holds {
                        at = after;
                        next += 1;
                        continue;
                    }
                } else if text[next] == '[' {
                    at += 1;
                    next += 1;
                    continue;
                }
            }
            Some(letter) if *letter == text[next] => {
                at += 1;
                next += 1;
                continue;
            }
            _ => {}
        }
        let Some((place, from)) = star else { return false };
        star = Some((place, from + 1));
        at = place + 1;
        next = from + 1;
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

/// Whether a set of characters that begins at `at` holds one, and where it ends; `None` where it does not end.
fn set(pattern: &[char], at: usize, wanted: char) -> Option<(bool, usize)> {
    let is_inverse = pattern.get(at + 1) == Some(&'!');
    let first = at + 1 + usize::from(is_inverse);
    let end = first + 1 + pattern.get(first + 1..)?.iter().position(|letter| *letter == ']')?;
    let (mut holds, mut place) = (false, first);
    while place < end {
        if place + 2 < end && pattern[place + 1] == '-' {
            holds |= (pattern[place]..=pattern[place + 2]).contains(&wanted);
            place += 3;
        } else {
            holds |= pattern[place] == wanted;
            place += 1;
        }
    }
    Some((holds != is_inverse, end + 1))
}

/// One step on the way to a value.
#[derive(Debug, Clone)]
enum Step {
    Key(Box<str>),
    Index(usize, usize),
}

impl Step {
    fn fits(&self, part: &Part) -> bool {
        match self {
            Self::Key(key) => part.fits_key(key),
            Self::Index(index, length) => part.fits_index(*index, *length),
        }
    }
}

/// `**` in a path: which parts stand before and behind.
fn split(path: &[Part]) -> Result<Option<(&[Part], &[Part])>> {
    let is_any = |part: &Part| matches!(part, Part::Text(text) if text == "**");
    let Some(place) = path.iter().position(is_any) else { return Ok(None) };
    let (before, behind) = (&path[..place], &path[place + 1..]);
    if behind.iter().any(is_any) {
        return Err(Error::config("a path has more than one `**`"));
    }
    Ok(Some((before, behind)))
}

/// Whether the way to a value is one of the path.
fn matches(way: &[Step], path: &[Part], any: Option<(&[Part], &[Part])>) -> bool {
    let all = |way: &[Step], parts: &[Part]| way.iter().zip(parts).all(|(step, part)| step.fits(part));
    match any {
        None => way.len() == path.len() && all(way, path),
        Some((before, behind)) => {
            way.len() >= before.len() + behind.len()
                && all(&way[..before.len()], before)
                && all(&way[way.len() - behind.len()..], behind)
        }
    }
}

/// Children of a value with the steps to them.
fn children(value: &Value) -> Vec<(Step, &Value)> {
    match value {
        Value::Map(map) => map.iter().map(|(key, value)| (Step::Key(key.into()), value)).collect(),
        Value::List(items) | Value::Tuple(items) => {
            items.iter().enumerate().map(|(index, item)| (Step::Index(index, items.len()), item)).collect()
        }
        _ => Vec::new(),
    }
}

/// All values at `path`, those nearer to the root before what is in them.
pub(super) fn values<'v>(root: &'v Value, path: &[Part]) -> Result<Vec<&'v Value>> {
    let any = split(path)?;
    let mut found = Vec::new();
    match any {
        None => plain_values(root, path, &mut found),
        Some(_) => {
            visit(root, &mut Vec::new(), &mut |way, value| {
                if matches(way, path, any) {
                    found.push(value);
                }
            });
        }
    }
    Ok(found)
}

/// Without `**`: only where the path leads.
fn plain_values<'v>(value: &'v Value, path: &[Part], found: &mut Vec<&'v Value>) {
    let Some((part, rest)) = path.split_first() else { return };
    let mut take = |child: &'v Value| {
        if rest.is_empty() { found.push(child) } else { plain_values(child, rest, found) }
    };
    match value {
        Value::Map(map) => match part.plain() {
            Some(key) => map.get(key).into_iter().for_each(take),
            None => map.iter().filter(|(key, _)| part.fits_key(key)).for_each(|(_, child)| take(child)),
        },
        Value::List(items) | Value::Tuple(items) => {
            let fitting = items.iter().enumerate().filter(|(index, _)| part.fits_index(*index, items.len()));
            fitting.for_each(|(_, child)| take(child));
        }
        _ => {}
    }
}

fn visit<'v>(value: &'v Value, way: &mut Vec<Step>, see: &mut impl FnMut(&[Step], &'v Value)) {
    for (step, child) in children(value) {
        way.push(step);
        see(way, child);
        way.pop();
    }
    for (step, child) in children(value) {
        way.push(step);
        visit(child, way, see);
        way.pop();
    }
}

/// The one value at `path`; the root without parts. Two are an error.
pub(super) fn get<'v>(root: &'v Value, path: &[Part]) -> Result<Option<&'v Value>> {
    if path.is_empty() {
        return Ok(Some(root));
    }
    let mut found = values(root, path)?;
    if found.len() > 1 {
        return Err(Error::data("a path leads to more than one value").hint("take `*` for all of them"));
    }
    Ok(found.pop())
}

/// Puts `value` at `path`, with the objects and lists that it takes on the way.
pub(super) fn put(record: &mut Map, path: &[String], value: Value) -> Result<()> {
    let Some((last, before)) = path.split_last() else { return Err(Error::config("a path is empty")) };
    let Some((first, more)) = before.split_first() else {
        record.insert(last.as_str(), value);
        return Ok(());
    };
    let names: Vec<&str> = before.iter().skip(1).chain([last]).map(String::as_str).collect();
    if !record.contains(first) {
        record.insert(first.as_str(), empty(names[0]));
    }
    let mut current = record.get_mut(first).ok_or_else(|| in_the_way(first))?;
    for (place, part) in more.iter().enumerate() {
        current = enter(current, part, names[place + 1])?;
    }
    match current {
        Value::Map(map) => {
            map.insert(last.as_str(), value);
            Ok(())
        }
        Value::List(items) => {
            let index = list_index(last)?;
            extend(items, index)?;
            items[index] = value;
            Ok(())
        }
        _ => Err(in_the_way(last)),
    }
}

/// What is made where nothing is: a list if a number follows.
fn empty(next: &str) -> Value {
    let is_index = !next.is_empty() && next.bytes().all(|byte| byte.is_ascii_digit());
    if is_index { Value::List(Vec::new()) } else { Value::Map(Map::new()) }
}

fn enter<'v>(current: &'v mut Value, part: &str, next: &str) -> Result<&'v mut Value> {
    match current {
        Value::Map(map) => {
            if !map.contains(part) {
                map.insert(part, empty(next));
            }
            map.get_mut(part).ok_or_else(|| in_the_way(part))
        }
        Value::List(items) => {
            let index = list_index(part)?;
            if index >= items.len() {
                extend(items, index)?;
                items[index] = empty(next);
            }
            Ok(&mut items[index])
        }
        _ => Err(in_the_way(part)),
    }
}

fn list_index(part: &str) -> Result<usize> {
    part.parse().map_err(|_| in_the_way(part))
}

fn extend(items: &mut Vec<Value>, index: usize) -> Result<()> {
    const MOST: usize = 1 << 20;
    if index >= MOST {
        return Err(Error::config("the index of a list in a path is too large"));
    }
    if index >= items.len() {
        items.resize(index + 1, Value::None);
    }
    Ok(())
}

fn in_the_way(part: &str) -> Error {
    Error::data(format!("a field can't be set: what stands before {part:?} of its path is no object"))
}

/// Takes out what is at `path`: an item of a list becomes null, unless it is the last. Whether there was anything.
pub(super) fn delete(record: &mut Value, path: &[Part]) -> Result<bool> {
    if let [part] = path
        && let (Some(key), Value::Map(map)) = (part.plain(), &mut *record)
    {
        return Ok(map.remove(key).is_some());
    }
    let any = split(path)?;
    let mut ways = Vec::new();
    visit(record, &mut Vec::new(), &mut |way, _| {
        if matches(way, path, any) {
            ways.push(way.to_vec());
        }
    });
    let found = !ways.is_empty();
    for way in &ways {
        remove(record, way);
    }
    Ok(found)
}

/// Takes out every value that is no object and no list of which `wanted` says so, wherever it is.
pub(super) fn delete_leaves(
    record: &mut Value,
    mut wanted: impl FnMut(&Value) -> Result<bool>,
) -> Result<()> {
    let mut ways = Vec::new();
    let mut failure = None;
    visit(record, &mut Vec::new(), &mut |way, value| {
        let is_leaf = !matches!(value, Value::Map(_) | Value::List(_) | Value::Tuple(_));
        if !is_leaf || failure.is_some() {
            return;
        }
        match wanted(value) {
            Ok(true) => ways.push(way.to_vec()),
            Ok(false) => {}
            Err(error) => failure = Some(error),
        }
    });
    for way in &ways {
        remove(record, way);
    }
    failure.map_or(Ok(()), Err)
}

/// Takes out what is at the end of a way, where it is still there.
fn remove(root: &mut Value, way: &[Step]) {
    let Some((last, before)) = way.split_last() else { return };
    let mut current = root;
    for step in before {
        let next = match (current, step) {
            (Value::Map(map), Step::Key(key)) => map.get_mut(key),
            (Value::List(items), Step::Index(index, _)) => items.get_mut(*index),
            _ => None,
        };
        let Some(next) = next else { return };
        current = next;
    }
    match (current, last) {
        (Value::Map(map), Step::Key(key)) => {
            map.remove(key);
        }
        (Value::List(items), Step::Index(index, _)) if index + 1 == items.len() => {
            items.pop();
        }
        (Value::List(items), Step::Index(index, _)) => {
            if let Some(item) = items.get_mut(*index) {
                *item = Value::None;
            }
        }
        _ => {}
    }
}
