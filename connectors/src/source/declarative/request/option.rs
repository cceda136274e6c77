//! `RequestOption`: where a token, a bound or a partition's key is put into a request.

use protocol::Result;

use super::parts::{Data, Parts};
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::value::{Map, Value};

/// The part of a request that a value is put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A query parameter.
    Parameter,
    /// A header.
    Header,
    /// A field of a form.
    Data,
    /// A field of a JSON object.
    Json,
}

/// Where a value is put.
#[derive(Debug, Clone)]
pub struct RequestOption {
    place: Place,
    /// One name, or the way to a nested field of JSON.
    path: Vec<String>,
}

impl RequestOption {
    /// Of its component. Its names are evaluated here: they see nothing but the configuration.
    pub fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let place = match component.required_text("inject_into")?.as_str() {
            "request_parameter" => Place::Parameter,
            "header" => Place::Header,
            "body_data" => Place::Data,
            "body_json" => Place::Json,
            other => return Err(component.fail(format!("`inject_into` can't be {other:?}"))),
        };
        let parameters = component.parameters();
        let context = scope.context(&parameters);
        let path = match (component.template("field_name")?, component.value("field_path").is_some()) {
            (Some(_), true) => {
                return Err(component.fail("only one of `field_name` and `field_path` can be given"));
            }
            (None, false) => return Err(component.fail("`field_name` or `field_path` is missing")),
            (Some(name), false) => vec![name.eval_text(&context)?],
            (None, true) if place != Place::Json => {
                return Err(component.fail("`field_path` is for `body_json` only"));
            }
            (None, true) => component
                .texts("field_path")?
                .iter()
                .map(|text| {
                    crate::source::declarative::template::TextTemplate::compile(text)?.eval_text(&context)
                })
                .collect::<Result<_>>()?,
        };
        if path.is_empty() {
            return Err(component.fail("`field_path` is empty"));
        }
        Ok(Self { place, path })
    }

    /// An option that puts values into `place` by the name `name`.
    #[must_use]
    pub fn new(place: Place, name: impl Into<String>) -> Self {
        Self { place, path: vec![name.into()] }
    }

    /// The part of a request that it is about.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Puts `value` where this says; what stood there gives way.
    pub fn inject(&self, parts: &mut Parts, value: Value) {
        let target = match self.place {
            Place::Parameter => &mut parts.params,
            Place::Header => &mut parts.headers,
            Place::Json => &mut parts.json,
            Place::Data => {
                if let Data::Text(_) = parts.data {
                    parts.data = Data::default();
                }
                let Data::Form(form) = &mut parts.data else { return };
                form
            }
        };
        put(target, &self.path, value);
    }
}

fn put(target: &mut Map, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        target.insert(first.as_str(), value);
        return;
    }
    if !matches!(target.get(first), Some(Value::Map(_))) {
        target.insert(first.as_str(), Map::new());
    }
    if let Some(Value::Map(inner)) = target.get_mut(first) {
        put(inner, rest, value);
    }
}
