//! `tidegate spec`: which connectors there are, and their settings.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::args::Spec;
use crate::config::{Connector, Registry, nearest};
use crate::failure::Failure;
use crate::human::Columns;
use crate::output::{Answer, FAINT, STRONG, styled};

/// A connector of either side.
struct Spoken {
    side: &'static str,
    name: &'static str,
    schema: Value,
    grants: Option<&'static str>,
}

pub(super) fn run(arguments: &Spec) -> Result<Answer, Failure> {
    let registry = Registry::built_in();
    let mut all = Vec::new();
    add(&mut all, "source", &registry.sources);
    add(&mut all, "destination", &registry.destinations);
    let names: Vec<&str> = all.iter().map(|connector| connector.name).collect();
    let Some(wanted) = &arguments.connector else {
        return Ok(Answer::new(list(&all), &document(&all)));
    };
    if !names.contains(&wanted.as_str()) {
        let meant = nearest(wanted, names.iter().copied());
        return Err(Failure::Usage {
            message: format!("there is no connector {wanted:?}"),
            hint: Some(match meant {
                Some(name) => format!("did you mean {name:?}?"),
                None => format!("there are: {}", names.join(", ")),
            }),
        });
    }
    all.retain(|connector| connector.name == wanted);
    if arguments.grants {
        return grants(&all, wanted);
    }
    let text = all.iter().map(settings).collect::<Vec<_>>().join("\n");
    Ok(Answer::new(text, &document(&all)))
}

fn add<Open>(all: &mut Vec<Spoken>, side: &'static str, connectors: &[Connector<Open>]) {
    all.extend(connectors.iter().map(|connector| Spoken {
        side,
        name: connector.name,
        schema: (connector.schema)().to_value(),
        grants: connector.grants,
    }));
}

/// What an administrator runs, as it is: to be read, changed and run there.
fn grants(connectors: &[Spoken], wanted: &str) -> Result<Answer, Failure> {
    let Some((side, grants)) = connectors.iter().find_map(|one| Some((one.side, one.grants?))) else {
        return Err(Failure::usage(format!("{wanted} has no rights of its own to grant")));
    };
    Ok(Answer::new(
        grants.to_owned(),
        &json!({ "version": 1, "side": side, "name": wanted, "grants": grants }),
    ))
}

fn document(connectors: &[Spoken]) -> Value {
    let one = |connector: &Spoken| json!({ "side": connector.side, "name": connector.name, "schema": connector.schema });
    json!({ "version": 1, "connectors": connectors.iter().map(one).collect::<Vec<_>>() })
}

fn list(connectors: &[Spoken]) -> String {
    let mut table = Columns::new(&["connector", "side", "what it is"]);
    for connector in connectors {
        table.row([connector.name.to_owned(), connector.side.to_owned(), first_sentence(&connector.schema)]);
    }
    format!("{}\n`tidegate spec NAME` shows the settings of one.\n", table.text())
}

fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_sentence(schema: &Value) -> String {
    let text = description(schema);
    text.split_once(". ").map_or(text.as_str(), |(first, _)| first).trim_end_matches('.').to_owned()
}

/// All settings of a connector.
fn settings(connector: &Spoken) -> String {
    let mut text = styled(STRONG, &format!("{} ({})", connector.name, connector.side));
    let _ = writeln!(text, "\n{}\n", wrapped(&description(&connector.schema), 0));
    keys(&mut text, &connector.schema, &connector.schema, 0);
    text
}

/// The keys of an object, those of groups in it indented.
fn keys(text: &mut String, root: &Value, schema: &Value, depth: usize) {
    const DEEPEST: usize = 3;
    let indent = "  ".repeat(depth + 1);
    let required = schema.get("required").and_then(Value::as_array);
    for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let target = resolved(root, property);
        let is_required = required.is_some_and(|names| names.iter().any(|name| name == key));
        let default = match property.get("default") {
            None | Some(Value::Null) if is_required => ", required".to_owned(),
            // The keys of a group show their own defaults.
            None | Some(Value::Null | Value::Object(_)) => String::new(),
            Some(Value::String(word)) => format!(", default {word}"),
            Some(value) => format!(", default {value}"),
        };
        let kind = styled(FAINT, &format!("{}{default}", kind(root, property, DEEPEST)));
        let _ = writeln!(text, "{indent}{}  {kind}", styled(STRONG, key));
        let about = Some(description(property)).filter(|about| !about.is_empty());
        let about = about.unwrap_or_else(|| description(target));
        if !about.is_empty() {
            let _ = writeln!(text, "{}", wrapped(&about, depth + 2));
        }
        if depth < DEEPEST {
            keys(text, root, target, depth + 1);
        }
    }
}

/// The schema that `schema` refers to, past `null` as an alternative.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..8 {
        let referred =
            schema.get("$ref").and_then(Value::as_str).and_then(|target| root.pointer(&target[1..]));
        match (referred, alternatives(schema).as_slice()) {
            (Some(target), _) => schema = target,
            (None, [only]) => schema = only,
            _ => break,
        }
    }
    schema
}

/// The schemas one of which applies, but for `null`.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key).and_then(Value::as_array));
    lists.flatten().filter(|option| option.get("type").is_none_or(|name| name != "null")).collect()
}

/// What may stand at a key.
fn kind(root: &Value, schema: &Value, depth: usize) -> String {
    let schema = resolved(root, schema);
    let options = alternatives(schema);
    if let Some(word) = schema.get("const") {
        return word.as_str().map_or_else(|| word.to_string(), str::to_owned);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return words.join(" | ");
    }
    if depth > 0 && !options.is_empty() {
        let mut kinds: Vec<String> = options.iter().map(|option| kind(root, option, depth - 1)).collect();
        kinds.dedup();
        return kinds.join(" | ");
    }
    let name = match schema.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        _ => "",
    };
    match (name, schema.get("format").and_then(Value::as_str)) {
        ("string", Some("password")) => "secret text".to_owned(),
        ("string", Some("path")) => "path".to_owned(),
        ("string", _) => "text".to_owned(),
        ("integer" | "number", _) => "number".to_owned(),
        ("boolean", _) => "true | false".to_owned(),
        ("array", _) if depth > 0 => {
            format!(
                "list of {}",
                schema.get("items").map(|item| kind(root, item, depth - 1)).unwrap_or_default()
            )
        }
        ("object", _) if schema.get("properties").is_some() => "group".to_owned(),
        ("object", _) => "map".to_owned(),
        _ => "any value".to_owned(),
    }
}

/// `text` in lines that a terminal shows whole, indented by `depth` steps.
fn wrapped(text: &str, depth: usize) -> String {
    const WIDTH: usize = 96;
    let indent = "  ".repeat(depth);
    let mut lines = vec![indent.clone()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if line.chars().count() + word.chars().count() >= WIDTH && line.len() > indent.len() {
            lines.push(format!("{indent}{word}"));
        } else if line.len() == indent.len() {
            line.push_str(word);
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}
