//! Stands in until the room of records is here.

use protocol::Result;

use super::component::Component;
use super::decode::Bodies;
use super::scope::Scope;
use super::template::StreamSlice;
use super::value::Value;

/// Records of one page.
#[derive(Default)]
pub struct Records(pub Vec<Value>);

impl Records {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The last one.
    pub fn last(&self) -> Option<Value> {
        self.0.last().cloned()
    }

    /// A top-level field.
    pub fn field(&self, index: usize, name: &str) -> Value {
        self.0[index].get(name).cloned().unwrap_or_default()
    }

    /// Keeps some.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut index = 0;
        self.0.retain(|_| {
            index += 1;
            keep(index - 1)
        });
    }

    /// All of them.
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }
}

impl From<Vec<Value>> for Records {
    fn from(values: Vec<Value>) -> Self {
        Self(values)
    }
}

/// Takes records out of bodies.
pub struct Selector {
    path: Vec<String>,
}

impl Selector {
    /// Of a `RecordSelector`.
    pub fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let _ = scope;
        Ok(Self { path: component.required("extractor")?.texts("field_path")? })
    }

    /// Takes records out of bodies.
    pub fn select(&self, bodies: &Bodies, slice: &StreamSlice) -> Result<(Records, usize)> {
        let _ = slice;
        let mut records = Vec::new();
        for body in &bodies.0 {
            let mut at = Some(body);
            for step in &self.path {
                at = at.and_then(|value| value.get(step));
            }
            match at {
                Some(Value::List(items)) => records.extend(items.iter().cloned()),
                Some(value) if value.is_true() => records.push(value.clone()),
                _ => {}
            }
        }
        let extracted = records.len();
        Ok((Records(records), extracted))
    }
}
