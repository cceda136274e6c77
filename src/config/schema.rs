//! The JSON schema of a whole configuration file, for editors: `tidegate schema`.

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
    if let Some(Value::Object(inner)) = inner {
        for (key, mut definition) in inner {
            rename(name, &mut definition);
            allow_references(&mut definition);
            definitions.insert(format!("{name}.{key}"), definition);
        }
    }
    rename(name, &mut schema);
    allow_references(&mut schema);
    definitions.insert(name.to_owned(), schema);
}

/// Makes references to definitions follow them to their new names.
fn rename(name: &str, schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(inner) = target.strip_prefix("#/$defs/") {
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
fn allow_references(schema: &mut Value) {
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (key, property) in properties {
        let Some(object) = property.as_object_mut() else { continue };
        let is_plain_text = object.get("type").is_some_and(|t| {
            t == "string" || t.as_array().is_some_and(|types| types.iter().any(|t| t == "string"))
        }) && !object.contains_key("enum")
            && !object.contains_key("pattern");
        let is_composite = object.get("type").is_some_and(|t| {
            let composite = |t: &Value| t == "array" || t == "object";
            composite(t) || t.as_array().is_some_and(|types| types.iter().any(composite))
        });
        if key == "type" || is_plain_text || is_composite {
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
