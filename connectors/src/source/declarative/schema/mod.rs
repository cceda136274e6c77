//! Schema loaders.

use protocol::Result;

use super::component::Component;
use super::scope::Scope;
use super::value::Value;

/// The `DynamicSchemaLoader`s among the loaders of a stream, in order: their schemas need requests.
pub fn dynamics<'m>(loader: Option<&Component<'m>>) -> Result<Vec<Component<'m>>> {
    let _ = loader;
    Ok(Vec::new())
}

/// The JSON schema of a stream (`name`) by its loaders: `InlineSchemaLoader`, `JsonFileSchemaLoader`,
/// `CompositeSchemaLoader`, and for [`dynamics`] the schemas that they gave, in the same order.
pub fn load(loader: Option<&Component<'_>>, name: &str, scope: &Scope, dynamic: &[Value]) -> Result<Value> {
    let _ = (loader, name, scope, dynamic);
    Ok(loader.and_then(|l| l.value("schema")).cloned().unwrap_or_default())
}

/// What a `DynamicSchemaLoader` makes of the first record that its retriever gave.
pub struct Dynamic {}

impl Dynamic {
    /// Of a `DynamicSchemaLoader`; its retriever is not looked at.
    pub fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let _ = (component, scope);
        Ok(Self {})
    }

    /// The JSON schema.
    pub fn schema(&self, record: Option<&Value>) -> Result<Value> {
        let _ = record;
        Err(protocol::Error::unsupported("not yet"))
    }
}
