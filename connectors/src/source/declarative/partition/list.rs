//! `ListPartitionRouter`: a partition for each item of a list.

use futures::future::BoxFuture;
use protocol::{Error, Result};

use super::router::{Part, Walk};
use crate::source::declarative::component::Component;
use crate::source::declarative::request::{Parts, RequestOption};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{Object, TextTemplate};
use crate::source::declarative::value::{Map, Value};

/// The items and the key that each of them is the value of.
pub(in crate::source::declarative) struct List {
    key: String,
    values: Values,
    option: Option<RequestOption>,
}

/// The items, or what came in their place: a stream whose list is left out of the configuration is there, and fails
/// when it is read.
type Values = std::result::Result<Vec<Value>, &'static str>;

impl List {
    pub(super) fn build(router: &Component<'_>, scope: &Scope) -> Result<Self> {
        let parameters = router.parameters();
        let context = scope.context(&parameters);
        let values = match router.required_value("values")? {
            // Items are texts as they stand; only a text in their place is a template.
            Value::List(items) => Ok(items.iter().map(|item| text(router, item)).collect::<Result<_>>()?),
            value => {
                let Value::Text(template) = text(router, value)? else { return Ok(Self::none()) };
                items(TextTemplate::compile(&template)?.eval(&context)?)
            }
        };
        let option = router.child("request_option")?;
        Ok(Self {
            key: router.required_template("cursor_field")?.eval_text(&context)?,
            values,
            option: option.map(|option| RequestOption::build(&option, scope)).transpose()?,
        })
    }

    fn none() -> Self {
        Self { key: String::new(), values: Ok(Vec::new()), option: None }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn has_option(&self) -> bool {
        self.option.is_some()
    }

    pub(super) fn inject(&self, parts: &mut Parts, partition: &Map) {
        if let (Some(option), Some(value)) = (&self.option, partition.get(&self.key))
            && value.is_true()
        {
            option.inject(parts, value.clone());
        }
    }

    pub(super) fn walk(&self) -> Items {
        Items { key: self.key.clone(), values: self.values.clone().map(Vec::into_iter) }
    }
}

/// What a scalar of a list is as text.
fn text(router: &Component<'_>, value: &Value) -> Result<Value> {
    match value {
        Value::Text(_) => Ok(value.clone()),
        Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_) => {
            let text = Object::from(value).text().map(std::borrow::Cow::into_owned);
            text.map(Value::Text).map_err(|_| router.fail("a value of `values` can't be written as text"))
        }
        other => Err(router.fail(format!("`values` has {} in it, not texts", other.kind()))),
    }
}

/// What Python iterates over.
fn items(value: Value) -> Values {
    Ok(match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items,
        Value::Text(text) => text.chars().map(|character| Value::Text(character.to_string())).collect(),
        Value::Map(map) => map.keys().map(Value::from).collect(),
        Value::Dict(entries) => entries.into_iter().map(|(key, _)| key).collect(),
        other => return Err(other.kind()),
    })
}

pub(super) struct Items {
    key: String,
    values: std::result::Result<std::vec::IntoIter<Value>, &'static str>,
}

impl Walk for Items {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Part>>> {
        let part = match &mut self.values {
            Ok(values) => Ok(values.next().map(|value| Part {
                partition: [(self.key.as_str(), value)].into_iter().collect(),
                ..Part::default()
            })),
            Err(kind) => Err(Error::config(format!(
                "the list of the partitions by {:?} evaluates to {kind}, not a list",
                self.key
            ))
            .hint("set it in the configuration")),
        };
        Box::pin(async move { part })
    }
}
