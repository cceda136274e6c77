//! Keys of records: renamed, written with underscores, flattened.

use protocol::Result;

use super::super::value::{Map, Value};
use super::transform::not_an_object;

/// New keys for a record and the objects in it, not for those in lists; the last of those that fall together wins.
pub(super) fn renamed(record: &mut Value, name: &dyn Fn(&str) -> String) -> Result<()> {
    let Value::Map(map) = record else { return Err(not_an_object()) };
    let old = std::mem::take(map);
    let mut new = Map::new();
    for (key, mut value) in old {
        if matches!(value, Value::Map(_)) {
            renamed(&mut value, name)?;
        }
        new.insert(name(&key), value);
    }
    *map = new;
    Ok(())
}

/// A key in snake case: words begin at capitals, digits are words, what is neither letter nor digit divides.
pub(super) fn snake(key: &str) -> String {
    let key = any_ascii::any_ascii(key);
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = key.as_str();
    while let Some(first) = rest.chars().next() {
        let length =
            |of: &dyn Fn(&char) -> bool| rest.chars().take_while(of).map(char::len_utf8).sum::<usize>();
        let (end, is_word) = match first {
            'A'..='Z' => {
                let capitals = length(&|letter| letter.is_ascii_uppercase());
                let small = rest[capitals..].bytes().take_while(u8::is_ascii_lowercase).count();
                (capitals + small, true)
            }
            'a'..='z' => (length(&|letter| letter.is_ascii_lowercase()), true),
            '0'..='9' => (length(&|letter| letter.is_ascii_digit()), true),
            _ => (length(&|letter| !letter.is_ascii_alphanumeric()), false),
        };
        tokens.push(if is_word { rest[..end].to_ascii_lowercase() } else { String::new() });
        rest = &rest[end..];
    }
    if tokens.len() >= 3 {
        let last = tokens.len() - 1;
        let mut place = 0;
        tokens.retain(|token| {
            place += 1;
            place == 1 || place == last + 1 || !token.is_empty()
        });
    }
    if tokens.first().is_some_and(|first| first.starts_with(|letter: char| letter.is_ascii_digit())) {
        tokens.insert(0, String::new());
    }
    tokens.join("_")
}

/// All that is in a record, in one object. A key that is taken gets its parent's before it; from the first list on all
/// do.
pub(super) fn flattened(record: Value, lists: bool) -> Value {
    let mut stack = vec![(record, "_".to_owned())];
    let mut flat = Map::new();
    let mut is_forced = false;
    while let Some((value, name)) = stack.pop() {
        match value {
            Value::Map(map) => {
                for (key, value) in map {
                    let is_taken = is_forced || flat.contains(&key);
                    let key = if is_taken { format!("{name}.{key}") } else { key.into_string() };
                    stack.push((value, key));
                }
            }
            Value::List(items) if lists => {
                for (place, item) in items.into_iter().enumerate() {
                    is_forced = true;
                    stack.push((item, format!("{name}.{place}")));
                }
            }
            value => {
                flat.insert(name, value);
            }
        }
    }
    flat.into()
}
