//! Stands in until the room of decoders is here.

use protocol::Result;

use super::component::Component;
use super::scope::Scope;
use super::value::{Map, Value};
use crate::http::Answer;

/// Takes answers apart.
pub struct Decoder {}

/// The bodies of one answer.
pub struct Bodies(pub Vec<Value>);

impl Decoder {
    /// JSON.
    pub fn build(component: Option<&Component<'_>>, scope: &Scope) -> Result<Self> {
        let _ = (component, scope);
        Ok(Self {})
    }

    /// Whether the body is read as a stream.
    pub fn is_streamed(&self) -> bool {
        false
    }

    /// Takes an answer apart.
    pub fn decode(&self, answer: &Answer) -> Result<Bodies> {
        Ok(Bodies(match Value::from_json(&answer.body) {
            Ok(Value::List(items)) => items,
            Ok(value) => vec![value],
            Err(_) => vec![Map::new().into()],
        }))
    }
}

impl Bodies {
    /// What paginators see.
    pub fn response(&self) -> Value {
        self.0.first().cloned().unwrap_or_else(|| Map::new().into())
    }
}
