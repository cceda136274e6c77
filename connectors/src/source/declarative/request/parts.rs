//! What one component adds to a request.

use protocol::{Error, Result};

use crate::source::declarative::value::{Map, Value};

/// What one component adds to a request, or several of them merged.
#[derive(Default, Clone)]
pub struct Parts {
    /// Query parameters.
    pub params: Map,
    /// Headers.
    pub headers: Map,
    /// The fields of a form, or a text that is sent as it is.
    pub data: Data,
    /// The fields of a JSON object.
    pub json: Map,
}

/// The body of a request that is no JSON.
#[derive(Clone)]
pub enum Data {
    /// The fields of a form.
    Form(Map),
    /// A text that is sent as it is.
    Text(String),
}

impl Default for Data {
    fn default() -> Self {
        Self::Form(Map::new())
    }
}

impl Parts {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
            && self.headers.is_empty()
            && self.json.is_empty()
            && match &self.data {
                Data::Form(map) => map.is_empty(),
                Data::Text(_) => false,
            }
    }

    /// Puts `other` beside what is there. The same key twice is an error; in JSON only with two different values.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        merge_flat(&mut self.params, other.params)?;
        merge_flat(&mut self.headers, other.headers)?;
        merge_nested(&mut self.json, other.json, "")?;
        self.merge_data(other.data)
    }

    fn merge_data(&mut self, other: Data) -> Result<()> {
        match (&mut self.data, other) {
            (Data::Form(known), Data::Form(new)) => merge_flat(known, new),
            (Data::Form(known), text @ Data::Text(_)) => {
                if !known.is_empty() {
                    return Err(Error::config("a text and fields of a form can't be one body"));
                }
                self.data = text;
                Ok(())
            }
            (Data::Text(_), Data::Form(new)) if new.is_empty() => Ok(()),
            (Data::Text(_), Data::Form(_)) => {
                Err(Error::config("a text and fields of a form can't be one body"))
            }
            (Data::Text(_), Data::Text(_)) => Err(Error::config("two texts can't be one body")),
        }
    }
}

fn merge_flat(known: &mut Map, new: Map) -> Result<()> {
    for (key, value) in new {
        if known.contains(&key) {
            return Err(collision(&key));
        }
        known.insert(key, value);
    }
    Ok(())
}

fn merge_nested(known: &mut Map, new: Map, path: &str) -> Result<()> {
    for (key, value) in new {
        let place = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        match (known.get_mut(&key), value) {
            (None, value) => {
                known.insert(key, value);
            }
            (Some(Value::Map(inner)), Value::Map(value)) => merge_nested(inner, value, &place)?,
            (Some(there), value) => {
                if *there != value {
                    return Err(collision(&place));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn collision(key: &str) -> Error {
    Error::config(format!("two parts of a request both set {key:?}"))
        .hint("every parameter, header and field of a body must come from one component")
}
