//! A path that is looked up in the records of a `DynamicSchemaLoader`.

use protocol::Result;

use super::super::component::Component;
use super::super::scope::Scope;
use super::super::value::Value;
use super::path::{self, Part};

/// A path.
pub(crate) struct Lookup(Vec<Part>);

impl Lookup {
    /// The one in `field` of a component.
    pub(crate) fn build(component: &Component<'_>, field: &str, scope: &Scope) -> Result<Self> {
        super::extract::parts(component, field, scope).map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at it.
    pub(crate) fn get<'v>(&self, value: &'v Value) -> Result<Option<&'v Value>> {
        path::get(value, &self.0)
    }
}
