//! A path that others look up: in what a `DynamicSchemaLoader` read, in configurations.

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

    /// Of its parts, as they stand in a manifest.
    pub(crate) fn of(parts: impl IntoIterator<Item = Value>) -> Self {
        Self(parts.into_iter().map(Part::of).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value at it.
    pub(crate) fn get<'v>(&self, value: &'v Value) -> Result<Option<&'v Value>> {
        path::get(value, &self.0)
    }

    /// All values at it.
    pub(crate) fn all<'v>(&self, value: &'v Value) -> Result<Vec<&'v Value>> {
        path::values(value, &self.0)
    }

    /// Takes out what is at it. What is not there is fine.
    pub(crate) fn remove(&self, value: &mut Value) -> Result<()> {
        path::delete(value, &self.0).map(drop)
    }
}
