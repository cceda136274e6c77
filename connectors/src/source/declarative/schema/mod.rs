//! Schema loaders.

mod dynamic;
mod file;

use protocol::Result;

use super::component::Component;
use super::scope::Scope;
use super::value::{Map, Value};

pub use dynamic::Dynamic;

/// The `DynamicSchemaLoader`s among the loaders of a stream, in order: their schemas need requests.
pub fn dynamics<'m>(loader: Option<&Component<'m>>) -> Result<Vec<Component<'m>>> {
    let Some(loader) = loader else { return Ok(Vec::new()) };
    match loader.kind() {
        "DynamicSchemaLoader" => Ok(vec![loader.clone()]),
        "CompositeSchemaLoader" => {
            let mut found = Vec::new();
            for one in loader.children("schema_loaders")? {
                found.extend(dynamics(Some(&one))?);
            }
            Ok(found)
        }
        _ => Ok(Vec::new()),
    }
}

/// The JSON schema of a stream (`name`) by its loader: `InlineSchemaLoader`, `JsonFileSchemaLoader`,
/// `CompositeSchemaLoader`, and for [`dynamics`] the schemas that they gave, in the same order. For a list of loaders
/// see [`load_all`].
pub fn load(loader: Option<&Component<'_>>, name: &str, scope: &Scope, dynamic: &[Value]) -> Result<Value> {
    match loader {
        None => Ok(file::default(name, scope)?.unwrap_or_else(|| Map::new().into())),
        Some(loader) => one(loader, name, scope, &mut dynamic.iter()),
    }
}

/// [`load`] for the field `schema_loader` of a stream, which may be a list: then they are put together.
pub fn load_all(loaders: &[Component<'_>], name: &str, scope: &Scope, dynamic: &[Value]) -> Result<Value> {
    together(loaders, name, scope, &mut dynamic.iter())
}

fn one(
    loader: &Component<'_>,
    name: &str,
    scope: &Scope,
    dynamic: &mut dyn Iterator<Item = &Value>,
) -> Result<Value> {
    match loader.kind() {
        "InlineSchemaLoader" => Ok(loader.value("schema").cloned().unwrap_or_else(|| Map::new().into())),
        "JsonFileSchemaLoader" => file::load(loader, name, scope),
        "DynamicSchemaLoader" => {
            dynamic.next().cloned().ok_or_else(|| loader.fail("its schema was not asked for"))
        }
        "CompositeSchemaLoader" => together(&loader.children("schema_loaders")?, name, scope, dynamic),
        _ => Err(loader.unknown("schema loader")),
    }
}

/// The properties of all; the first of equal names counts.
fn together(
    loaders: &[Component<'_>],
    name: &str,
    scope: &Scope,
    dynamic: &mut dyn Iterator<Item = &Value>,
) -> Result<Value> {
    let mut properties = Map::new();
    for loader in loaders {
        let schema = one(loader, name, scope, dynamic)?;
        for (key, value) in schema.get("properties").and_then(Value::as_map).into_iter().flat_map(Map::iter) {
            if !properties.contains(key) {
                properties.insert(key, value.clone());
            }
        }
    }
    let types: Vec<Value> = vec!["null".into(), "object".into()];
    Ok(Map::from_iter([
        ("$schema", Value::from("http://json-schema.org/draft-07/schema#")),
        ("type", types.into()),
        ("properties", properties.into()),
    ])
    .into())
}
