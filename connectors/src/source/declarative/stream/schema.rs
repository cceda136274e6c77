//! The JSON schema of a stream, some of which may have to be asked for.

use protocol::Result;

use super::family::Family;
use super::plain::Stream;
use crate::source::declarative::component::Component;
use crate::source::declarative::schema::{self, Dynamic};
use crate::source::declarative::value::{Map, Value};

/// The JSON schema of a stream.
pub(super) struct Shape {
    /// The stream's `schema_loader`; several are one of their own kind.
    loader: Option<Value>,
    place: String,
    name: String,
    family: Family,
}

impl Shape {
    /// Of a stream named `name`. A loader that can't work fails when the schema is asked for.
    pub(super) fn build(stream: &Component<'_>, name: &str, family: &Family) -> Self {
        let loader = match stream.value("schema_loader") {
            Some(Value::List(loaders)) => Some(Value::Map(Map::from_iter([
                ("type", Value::from("CompositeSchemaLoader")),
                ("schema_loaders", Value::List(loaders.clone())),
            ]))),
            other => other.cloned(),
        };
        Self { loader, place: stream.place().to_owned(), name: name.to_owned(), family: family.clone() }
    }

    /// The schema. Sends requests where a `DynamicSchemaLoader` is among the loaders.
    pub(super) async fn json_schema(&self) -> Result<Value> {
        let place = format!("{}.schema_loader", self.place);
        let loader = self.loader.as_ref().map(|loader| Component::new(loader, place)).transpose()?;
        let mut found = Vec::new();
        for dynamic in schema::dynamics(loader.as_ref())? {
            let stream = Stream::of_retriever(&dynamic, "retriever", "dynamic_properties", &self.family)?;
            let shape = Dynamic::build(&dynamic, self.family.scope())?;
            found.push(shape.schema(stream.first_record().await?.as_ref())?);
        }
        schema::load(loader.as_ref(), &self.name, self.family.scope(), &found)
    }
}
