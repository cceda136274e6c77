//! From the tree of a file to typed values: references become values, the parser's complaints get
//! the place they are about.

use std::fmt::Write as _;
use std::path::Path;

use protocol::InvalidConfig;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::Section;
use super::document::{Entry, Node, Span, Tree};
use super::error::{Problem, listed, nearest};
use super::reference::{Environment, Resolver};
use super::secrecy::{self, Secrets};
use super::shape::Shape;

/// Unknown keys that are reported at once.
const MAX_UNKNOWN: usize = 20;

/// Reads the value of `section` by `parse`, which `schema` belongs to. `skip` is a key that is not
/// the parser's matter.
///
/// Unknown keys are all reported; of other mistakes the first.
pub(crate) fn read<T>(
    section: &Section,
    schema: &Value,
    skip: Option<&str>,
    environment: &Environment,
    parse: impl Fn(Value) -> Result<T, InvalidConfig>,
) -> Result<T, Vec<Problem>> {
    let shape = Shape::new(schema);
    let mut node = section.node.clone();
    if let (Tree::Map(entries), Some(skip)) = (&mut node.tree, skip) {
        entries.retain(|entry| entry.key != skip);
    }
    let secrets = Secrets::of(&node, &shape);
    let mut resolver =
        Resolver { environment, file: &section.file, secrets: &secrets.spans, problems: Vec::new() };
    let mut node = resolver.resolve(&node, &section.path);
    let mut problems = resolver.problems;
    let secrets = secrets.resolved(&node, &shape);
    let lowering = Lowering { folder: &section.file.folder, environment };
    loop {
        let InvalidConfig { path, message } = match parse(lowering.value(&node, &shape)) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => return Err(problems),
            Err(invalid) => invalid,
        };
        // A value whose reference is missing is empty, and what that leads to is no news.
        let place = locate(section, &node, &shape, &path, &message);
        if place.leaf.is_none_or(|leaf| !leaf.referenced || problems.is_empty()) {
            problems.push(complaint(section, &place, &message, &secrets));
        }
        let unknown = place.unknown.clone();
        match unknown {
            Some(steps) if problems.len() < MAX_UNKNOWN && correct(&mut node, &steps, &message) => {}
            _ => return Err(problems),
        }
    }
}

/// A parser of `T` that says where it failed.
pub(crate) fn parse<T: DeserializeOwned>(value: Value) -> Result<T, InvalidConfig> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| InvalidConfig { path: error.path().to_string(), message: error.inner().to_string() })
}

/// Turns nodes into the values that a parser takes.
struct Lowering<'a> {
    folder: &'a Path,
    environment: &'a Environment,
}

impl Lowering<'_> {
    fn value(&self, node: &Node, shape: &Shape<'_>) -> Value {
        match &node.tree {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::Text(text) if node.referenced && !shape.allows("string") => unquoted(text, shape),
            Tree::Text(text) if shape.is_path() && !shape.names(text) => self.path(text),
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(items) => items.iter().map(|item| self.value(item, &shape.item())).collect(),
            Tree::Map(entries) => {
                let pair =
                    |entry: &Entry| (entry.key.clone(), self.value(&entry.value, &shape.key(&entry.key)));
                Value::Object(entries.iter().map(pair).collect::<Map<_, _>>())
            }
        }
    }

    /// Relative paths start from the folder of the file that they stand in, `~/` from the home.
    fn path(&self, text: &str) -> Value {
        if text.is_empty() || text.contains("://") {
            return Value::String(text.to_owned());
        }
        let path = match text.strip_prefix("~/").zip((self.environment)("HOME")) {
            Some((rest, home)) => Path::new(&home).join(rest),
            None => self.folder.join(text.strip_prefix("./").unwrap_or(text)),
        };
        Value::String(path.to_string_lossy().into_owned())
    }
}

/// What `text` is where no text may stand: variables hold numbers and switches too.
fn unquoted(text: &str, shape: &Shape<'_>) -> Value {
    let trimmed = text.trim();
    if shape.allows("boolean")
        && let Ok(switch) = trimmed.parse::<bool>()
    {
        return Value::Bool(switch);
    }
    if (shape.allows("integer") || shape.allows("number"))
        && let Ok(number) = trimmed.parse::<Number>()
    {
        return Value::Number(number);
    }
    Value::String(text.to_owned())
}

/// What a parser's path leads to.
struct Found<'a> {
    /// What to point at.
    span: Span,
    /// The path as it is shown.
    path: String,
    /// The value at the path, where it is neither a list nor a map.
    leaf: Option<&'a Node>,
    /// Whether that value is a secret.
    is_secret: bool,
    /// Indexes of entries and items down to a key that nobody knows.
    unknown: Option<Vec<usize>>,
}

/// Follows `path`, which is dotted keys and indexes, as far as the tree goes.
fn locate<'a>(section: &Section, root: &'a Node, shape: &Shape<'_>, path: &str, message: &str) -> Found<'a> {
    let (mut node, mut shape, mut named) = (root, shape.clone(), false);
    let mut found = Found {
        span: section.key_span,
        path: section.path.clone(),
        leaf: None,
        is_secret: false,
        unknown: None,
    };
    let (mut rest, mut steps) = (path, Vec::new());
    let mut last_key = None;
    while !rest.is_empty() {
        named |= shape.is_secret();
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some((index, after)) = list_step(node, rest)
            && let Tree::List(items) = &node.tree
        {
            (node, shape, rest) = (&items[index], shape.item(), after);
            let _ = write!(found.path, "[{index}]");
            (found.span, last_key) = (node.span, None);
            steps.push(index);
            continue;
        }
        let Some((index, entry)) = map_step(node, rest) else { break };
        (node, shape, rest) = (&entry.value, shape.key(&entry.key), &rest[entry.key.len()..]);
        named |= secrecy::is_secret_name(&entry.key);
        last_key = Some((found.path.len(), entry));
        let _ = write!(found.path, ".{}", entry.key);
        found.span = entry.key_span;
        steps.push(index);
    }
    let is_unknown = message.starts_with("unknown field");
    if let (true, Some((parent, _))) = (is_unknown, last_key) {
        found.path.truncate(parent);
        found.unknown = Some(steps);
    } else if !matches!(node.tree, Tree::List(_) | Tree::Map(_)) {
        found.leaf = Some(node);
        found.is_secret = secrecy::is_secret(node, &shape, named);
        // A value that is empty has no extent: its key is pointed at.
        if node.span.start != node.span.end {
            found.span = node.span;
        }
    }
    found
}

/// The item that `path` begins with, and what follows.
fn list_step<'p>(node: &Node, path: &'p str) -> Option<(usize, &'p str)> {
    let (index, after) = path.strip_prefix('[')?.split_once(']')?;
    let index = index.parse::<usize>().ok()?;
    match &node.tree {
        Tree::List(items) if index < items.len() => Some((index, after)),
        _ => None,
    }
}

/// The entry that `path` begins with: the longest key that fits, as keys may contain dots.
fn map_step<'a>(node: &'a Node, path: &str) -> Option<(usize, &'a Entry)> {
    let fits = |entry: &Entry| {
        path.strip_prefix(entry.key.as_str())
            .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
    };
    node.entries()
        .iter()
        .enumerate()
        .filter(|(_, entry)| fits(entry))
        .max_by_key(|(_, entry)| entry.key.len())
}

/// Gives the key at the end of `steps` the name that was most likely meant, or takes it out of the
/// tree: other mistakes can be found then.
fn correct(node: &mut Node, steps: &[usize], message: &str) -> bool {
    match (&mut node.tree, steps) {
        (Tree::Map(entries), [last]) if *last < entries.len() => {
            let known = message.split('`').skip(3).step_by(2);
            match nearest(&entries[*last].key, known) {
                Some(meant) if entries.iter().all(|entry| entry.key != meant) => {
                    meant.clone_into(&mut entries[*last].key);
                }
                _ => drop(entries.remove(*last)),
            }
            true
        }
        (Tree::Map(entries), [first, rest @ ..]) => {
            entries.get_mut(*first).is_some_and(|entry| correct(&mut entry.value, rest, message))
        }
        (Tree::List(items), [first, rest @ ..]) => {
            items.get_mut(*first).is_some_and(|item| correct(item, rest, message))
        }
        _ => false,
    }
}

/// What the parser said, at its place, with a suggestion and without secrets.
fn complaint(section: &Section, found: &Found<'_>, message: &str, secrets: &Secrets) -> Problem {
    let message = if found.is_secret { secrecy::without_value(message) } else { secrets.hide_in(message) };
    let mut shown = message.clone();
    if ["unknown field", "unknown variant", "missing field"].iter().any(|start| message.starts_with(start)) {
        shown = reworded(&message);
    }
    let mut problem = Problem::at(&section.file, found.span, shown, &secrets.spans).path(found.path.clone());
    if found.unknown.is_some() && section.may_hold_secrets {
        // Under a misspelt key may stand a password.
        problem.hide_values();
    }
    match found.leaf.and_then(|leaf| advice(leaf, &message)) {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// What a parser says about an unknown or missing name, with quotes around names and the likeliest one.
fn reworded(message: &str) -> String {
    let (said, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let given = said.split('`').nth(1);
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let shown = said.replace('`', "\"");
    let answer = match known.as_slice() {
        [] if expected.is_empty() => String::new(),
        [] => format!(", expected {expected}"),
        [one] => format!(", expected {one:?}"),
        many => format!(", expected one of {}", listed(many.iter().copied())),
    };
    match given.and_then(|given| nearest(given, known.iter().copied())) {
        Some(name) => format!("{shown}{answer}; did you mean {name:?}?"),
        None => shown + &answer,
    }
}

/// What YAML made of a value that was meant otherwise.
fn advice(leaf: &Node, message: &str) -> Option<&'static str> {
    let wants_text = message.contains("expected a string") || message.contains("expected string");
    match &leaf.tree {
        Tree::Number(_) | Tree::Bool(_) if wants_text => Some("put it in quotes: it is meant as text"),
        Tree::Null if wants_text => Some("the key has no value: write one, or leave the key out"),
        Tree::Text(text)
            if message.contains("a boolean")
                && ["yes", "no", "on", "off"].contains(&text.to_lowercase().as_str()) =>
        {
            Some("YAML 1.2 knows `true` and `false` only")
        }
        _ => None,
    }
}
