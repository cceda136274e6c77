//! Paths into a parent's record: keys of objects and places of lists, with the wildcards of file names.

use protocol::{Error, Result};

use crate::source::declarative::value::Value;

/// A path into a record.
#[derive(Debug)]
pub(super) struct Path {
    segments: Vec<String>,
    has_wildcard: bool,
}

impl Path {
    /// Of segments as they are.
    pub(super) fn new(segments: Vec<String>) -> Self {
        let has_wildcard = segments.iter().any(|segment| segment.contains(['*', '?', '[']));
        Self { segments, has_wildcard }
    }

    /// Of a text with slashes between segments. An empty one leads to the record itself.
    pub(super) fn parse(text: &str) -> Self {
        if text.is_empty() || text == "/" {
            return Self::new(Vec::new());
        }
        Self::new(text.trim_start_matches('/').split('/').map(str::to_owned).collect())
    }

    /// The segments with points between.
    pub(super) fn dotted(&self) -> String {
        self.segments.join(".")
    }

    /// What it leads to in `record`; `None` where that is nothing. More than one is an error.
    pub(super) fn find<'v>(&self, record: &'v Value) -> Result<Option<&'v Value>> {
        if !self.has_wildcard {
            return Ok(self.segments.iter().try_fold(record, |value, segment| step(value, segment)));
        }
        let mut found = Vec::new();
        let segments: Vec<&str> = self.segments.iter().map(String::as_str).collect();
        collect(record, &segments, &mut found);
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(Error::data(format!("the path {:?} leads to more than one value", self.dotted()))
                .hint("A path to a parent's key must be unique in each record.")),
        }
    }
}

fn step<'v>(value: &'v Value, segment: &str) -> Option<&'v Value> {
    match value {
        Value::Map(map) => map.get(segment),
        Value::List(items) | Value::Tuple(items) => {
            let place: i64 = segment.trim().parse().ok()?;
            let length = i64::try_from(items.len()).ok()?;
            let place = if place < 0 { place + length } else { place };
            items.get(usize::try_from(place).ok()?)
        }
        _ => None,
    }
}

fn collect<'v>(value: &'v Value, segments: &[&str], found: &mut Vec<&'v Value>) {
    // One more than wanted is enough.
    if found.len() > 1 {
        return;
    }
    let Some((first, rest)) = segments.split_first() else {
        found.push(value);
        return;
    };
    if *first == "**" {
        collect_below(value, rest, found);
        return;
    }
    match value {
        Value::Map(map) => {
            for (_, value) in map.iter().filter(|(key, _)| matches(key, first)) {
                collect(value, rest, found);
            }
        }
        Value::List(items) | Value::Tuple(items) => {
            if let Some(item) = step(value, first) {
                collect(item, rest, found);
                return;
            }
            for (place, item) in items.iter().enumerate() {
                if matches(&place.to_string(), first) {
                    collect(item, rest, found);
                }
            }
        }
        _ => {}
    }
}

/// `**`: what follows may begin here or anywhere below.
fn collect_below<'v>(value: &'v Value, rest: &[&str], found: &mut Vec<&'v Value>) {
    if !rest.is_empty() {
        collect(value, rest, found);
    }
    let mut below = |value: &'v Value| {
        if rest.is_empty() {
            found.push(value);
        }
        collect_below(value, rest, found);
    };
    match value {
        Value::Map(map) => map.values().for_each(&mut below),
        Value::List(items) | Value::Tuple(items) => items.iter().for_each(&mut below),
        _ => {}
    }
}

/// Whether `text` matches a pattern of file names: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`.
fn matches(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    // The place after the last star, and how much of the text that star has taken.
    let (mut at, mut place, mut star) = (0, 0, None);
    while at < text.len() {
        let fits = match pattern.get(place) {
            Some('*') => {
                star = Some((place + 1, at));
                place += 1;
                continue;
            }
            Some('?') => Some(place + 1),
            Some('[') => class(&pattern, place, text[at]),
            Some(character) => (*character == text[at]).then_some(place + 1),
            None => None,
        };
        match (fits, star) {
            (Some(next), _) => {
                at += 1;
                place = next;
            }
            (None, Some((after, taken))) => {
                at = taken + 1;
                place = after;
                star = Some((after, taken + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[place..].iter().all(|character| *character == '*')
}

/// The place after the class at `place`, where `character` is one of it. A bracket that is not closed stands for itself.
fn class(pattern: &[char], place: usize, character: char) -> Option<usize> {
    let inverted = pattern.get(place + 1) == Some(&'!');
    let first = place + 1 + usize::from(inverted);
    let Some(end) = (first + 1..pattern.len()).find(|at| pattern[*at] == ']') else {
        return (character == '[').then_some(place + 1);
    };
    let members = &pattern[first..end];
    let (mut at, mut is_member) = (0, false);
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == '-' {
            is_member |= (members[at]..=members[at + 2]).contains(&character);
            at += 3;
        } else {
            is_member |= members[at] == character;
            at += 1;
        }
    }
    (is_member != inverted).then_some(end + 1)
}
