//! `DynamicSchemaLoader`: a schema out of a record that describes fields.

use protocol::{Error, Result};

use super::super::component::Component;
use super::super::record::{Lookup, Transformations, filtered};
use super::super::scope::Scope;
use super::super::template::Condition;
use super::super::value::{Map, Value};

/// What a `DynamicSchemaLoader` makes of the first record that its retriever gave.
pub struct Dynamic {
    scope: Scope,
    fields: Lookup,
    key: Lookup,
    kind: Option<Lookup>,
    mapping: Vec<Mapping>,
    transformations: Transformations,
    filter: Option<Value>,
}

/// A type of the source and what it is here.
struct Mapping {
    current: Value,
    target: Value,
    condition: Option<Condition>,
}

impl Dynamic {
    /// Of a `DynamicSchemaLoader`; its retriever is not looked at.
    pub fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let identifier = component.required("schema_type_identifier")?;
        let mapping = identifier
            .children("types_mapping")?
            .iter()
            .map(|mapping| {
                Ok(Mapping {
                    current: mapping.required_value("current_type")?.clone(),
                    target: mapping.required_value("target_type")?.clone(),
                    condition: mapping.condition("condition")?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            scope: scope.clone(),
            fields: Lookup::build(&identifier, "schema_pointer", scope)?,
            key: Lookup::build(&identifier, "key_pointer", scope)?,
            kind: Some(Lookup::build(&identifier, "type_pointer", scope)?).filter(|path| !path.is_empty()),
            mapping,
            transformations: Transformations::build(&component.children("schema_transformations")?, scope)?,
            filter: component.value("schema_filter").cloned(),
        })
    }

    /// The JSON schema.
    pub fn schema(&self, record: Option<&Value>) -> Result<Value> {
        let found = match record.filter(|record| record.is_true()) {
            None => None,
            Some(record) => self.fields.get(record)?,
        };
        let mut properties = Map::new();
        let definitions: Vec<Value> = match found {
            Some(Value::List(items)) => items.clone(),
            // Fields by their names: the names are what is looked through.
            Some(Value::Map(map)) => map.keys().map(Value::from).collect(),
            Some(Value::None) | None if record.is_none() => Vec::new(),
            _ => return Err(Error::schema("the record that describes a schema has no list of fields")),
        };
        for definition in &definitions {
            let key = self
                .key
                .get(definition)?
                .and_then(Value::as_text)
                .ok_or_else(|| Error::schema("a field of a dynamic schema has no text for its key"))?;
            properties.insert(key, self.type_of(definition)?);
        }
        if let Some(filter) = &self.filter {
            properties = filtered(&Component::new(filter, "schema_filter")?, properties, &self.scope)?;
        }
        let properties = self.transformations.apply(properties, &self.scope)?;
        Ok(Map::from_iter([
            ("$schema", Value::from("https://json-schema.org/draft-07/schema#")),
            ("type", "object".into()),
            ("additionalProperties", true.into()),
            ("properties", properties.into()),
        ])
        .into())
    }

    fn type_of(&self, definition: &Value) -> Result<Value> {
        let text = Value::from("string");
        let found = match &self.kind {
            None => &text,
            Some(path) => path.get(definition)?.unwrap_or(&text),
        };
        let none = Value::Map(Map::new());
        let mut target = found;
        for mapping in &self.mapping {
            let holds = match &mapping.condition {
                None => true,
                Some(condition) => {
                    condition.eval(&self.scope.context(&none).with("raw_schema", definition))?
                }
            };
            if holds && *found == mapping.current {
                target = &mapping.target;
                break;
            }
        }
        resolved(target)
    }
}

/// The schema of a type's name, of two of them, or of a list of something.
fn resolved(target: &Value) -> Result<Value> {
    match target {
        Value::Text(name) => named(name).map(Value::Map),
        Value::List(names) => match names.as_slice() {
            [Value::Text(one), Value::Text(other)] => {
                let several = vec![named(one)?.into(), named(other)?.into()];
                Ok(Map::from_iter([("oneOf", Value::List(several))]).into())
            }
            _ => Err(unknown(target)),
        },
        Value::Map(complex) => {
            let name = complex.get("field_type").and_then(Value::as_text).ok_or_else(|| unknown(target))?;
            let mut made = named(name)?;
            if let Some(items) = complex.get("items").filter(|items| items.is_true()) {
                if name != "array" {
                    return Err(Error::config("`items` of a type that is no array"));
                }
                made.insert("items", resolved(items)?);
            }
            Ok(made.into())
        }
        _ => Err(unknown(target)),
    }
}

fn unknown(target: &Value) -> Error {
    Error::schema(format!("the type of a field is not known: {}", target.to_json()))
        .hint("map it in `types_mapping` of the schema loader")
}

fn named(name: &str) -> Result<Map> {
    let (kind, format, airbyte) = match name {
        "string" | "boolean" | "integer" | "number" | "array" | "object" => (name, None, None),
        "date" => ("string", Some("date"), None),
        "timestamp_without_timezone" => ("string", Some("date-time"), Some(name)),
        "timestamp_with_timezone" => ("string", Some("date-time"), None),
        "time_without_timezone" | "time_with_timezone" => ("string", Some("time"), Some(name)),
        _ => return Err(unknown(&name.into())),
    };
    let types: Vec<Value> = vec!["null".into(), kind.into()];
    let mut made = Map::from_iter([("type", Value::List(types))]);
    if let Some(format) = format {
        made.insert("format", format);
    }
    if let Some(airbyte) = airbyte {
        made.insert("airbyte_type", airbyte);
    }
    Ok(made)
}
