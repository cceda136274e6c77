//! The JSON schema of a whole configuration file, for editors: `tidegate schema`.

use std::collections::BTreeSet;

use engine::ConnectionConfig;
use schemars::schema_for;
use serde_json::{Map, Value, json};

use super::{Connector, Registry};

/// Where references to values may stand, whatever the type of the value.
const REFERENCE: &str = r"^\$\{(env|file):.+\}$";

/// Schema of a connection.
pub(crate) fn connection() -> Value {
    schema_for!(ConnectionConfig).to_value()
}

/// Schema of a file with all three keys.
pub(crate) fn schema(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    definitions.insert(
        "reference".to_owned(),
        json!({
            "description": "${env:NAME}, ${env:NAME:-default} or ${file:PATH}",
            "type": "string",
            "pattern": REFERENCE,
        }),
    );
    let sources = choice("source", &registry.sources, &mut definitions);
    let destinations = choice("destination", &registry.destinations, &mut definitions);
    add("connection", connection(), &mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tidegate",
        "description": "What tidegate moves from where to where.",
        "type": "object",
        "additionalProperties": false,
        "patternProperties": { "^x-": { "description": "a place for YAML anchors; not read" } },
        "properties": {
            "sources": {
                "description": "systems to read from, by a name of your choice",
                "type": "object",
                "additionalProperties": sources,
            },
            "destinations": {
                "description": "systems to write to, by a name of your choice",
                "type": "object",
                "additionalProperties": destinations,
            },
            "connections": {
                "description": "what moves from a source to a destination, by a name of your choice",
                "type": "object",
                "additionalProperties": { "$ref": "#/$defs/connection" },
            },
        },
        "$defs": definitions,
    })
}

/// One of the connectors, told apart by `type`.
fn choice<Open>(side: &str, connectors: &[Connector<Open>], definitions: &mut Map<String, Value>) -> Value {
    let mut options = Vec::new();
    for connector in connectors {
        let mut schema = (connector.schema)().to_value();
        if let Some(object) = schema.as_object_mut() {
            object.remove("$schema");
            let properties = object.entry("properties").or_insert_with(|| json!({}));
            if let Some(properties) = properties.as_object_mut() {
                properties.insert(
                    "type".to_owned(),
                    json!({ "const": connector.name, "description": "the connector" }),
                );
            }
            let required = object.entry("required").or_insert_with(|| json!([]));
            if let Some(required) = required.as_array_mut() {
                required.insert(0, json!("type"));
            }
        }
        let name = format!("{side}.{}", connector.name);
        options.push(json!({ "$ref": format!("#/$defs/{name}") }));
        add(&name, schema, definitions);
    }
    json!({
        "type": "object",
        "required": ["type"],
        "properties": { "type": { "enum": connectors.iter().map(|c| c.name).collect::<Vec<_>>() } },
        "oneOf": options,
    })
}

/// Adds `schema` and the definitions in it under names of their own.
fn add(name: &str, mut schema: Value, definitions: &mut Map<String, Value>) {
    let inner = schema.as_object_mut().and_then(|object| {
        object.remove("$schema");
        object.remove("$defs")
    });
    let mut inner = match inner {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    let groups: BTreeSet<String> = inner
        .iter()
        .filter(|(_, schema)| is_group(schema, &BTreeSet::new()))
        .map(|(key, _)| key.clone())
        .collect();
    for definition in inner.values_mut().chain([&mut schema]) {
        allow_references(definition, &groups);
        rename(name, definition);
    }
    for (key, definition) in inner {
        definitions.insert(format!("{name}.{key}"), definition);
    }
    definitions.insert(name.to_owned(), schema);
}

/// Whether a list or a map may stand at `schema`. `groups` are the definitions where that is so.
fn is_group(schema: &Value, groups: &BTreeSet<String>) -> bool {
    let is_composite = |name: &Value| name == "array" || name == "object";
    let by_type = match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(is_composite),
        Some(name) => is_composite(name),
        None => false,
    };
    let target =
        schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/"));
    let lists = ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key).and_then(Value::as_array));
    by_type
        || target.is_some_and(|name| groups.contains(name))
        || lists.flatten().any(|option| is_group(option, groups))
}

/// Makes references to definitions follow them to their new names.
fn rename(name: &str, schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        let inner = target.strip_prefix("#/$defs/").filter(|inner| *inner != "reference");
                        if let Some(inner) = inner {
                            *target = format!("#/$defs/{name}.{inner}");
                        }
                    }
                    _ => rename(name, value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(name, item)),
        _ => {}
    }
}

/// Lets `${env:NAME}` stand where a number, a switch or one of some words is asked for.
fn allow_references(schema: &mut Value, groups: &BTreeSet<String>) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (key, property) in properties {
        let is_group = is_group(property, groups);
        let Some(object) = property.as_object_mut() else { continue };
        let is_text = |name: &Value| name == "string";
        let takes_any_text = !object.contains_key("enum")
            && !object.contains_key("pattern")
            && match object.get("type") {
                Some(Value::Array(names)) => names.iter().any(is_text),
                Some(name) => is_text(name),
                None => false,
            };
        if key == "type" || is_group || takes_any_text {
            continue;
        }
        // What editors show beside the key stays beside the key.
        let mut outer = Map::new();
        for word in ["description", "default"] {
            if let Some(value) = object.remove(word) {
                outer.insert(word.to_owned(), value);
            }
        }
        let inner = Value::Object(std::mem::take(object));
        outer.insert("anyOf".to_owned(), json!([inner, { "$ref": "#/$defs/reference" }]));
        *property = Value::Object(outer);
    }
}
