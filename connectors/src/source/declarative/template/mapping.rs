//! Templates of whole objects: request parameters, headers, bodies.

use protocol::{Error, Result};

use super::{Context, Template, Types};
use crate::source::declarative::literal::Entries;
use crate::source::declarative::value::Value;

/// An object with templates for keys and for those values that are text. Values stay `None` where they are empty or
/// undefined: who sends them leaves those out.
#[derive(Debug)]
pub struct MappingTemplate(Vec<(Template, Part)>);

#[derive(Debug)]
enum Part {
    Template(Template),
    Constant(Value),
}

impl MappingTemplate {
    /// Compiles the keys and texts of `value`, which must be an object.
    pub fn compile(value: &Value) -> Result<Self> {
        let Some(map) = value.as_map() else {
            return Err(Error::config(format!("an object was expected, not {}", value.kind())));
        };
        let parts = map.iter().map(|(key, value)| {
            let part = match value {
                Value::Text(text) => Part::Template(Template::compile(text)?),
                other => Part::Constant(other.clone()),
            };
            Ok((Template::compile(key)?, part))
        });
        Ok(Self(parts.collect::<Result<_>>()?))
    }

    /// What it evaluates to; literals are taken for text but where `types` has theirs.
    pub fn eval<'a>(&'a self, context: &'a Context<'a>, types: Types) -> Result<Value> {
        let mut entries = Entries::default();
        for (key, value) in &self.0 {
            let key = key.eval(context, Types::TEXT)?.unwrap_or_default();
            let value = match value {
                Part::Template(template) => template.eval(context, types)?.unwrap_or_default(),
                Part::Constant(value) => value.clone(),
            };
            put(&mut entries, key, value)?;
        }
        Ok(entries.value())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn put(entries: &mut Entries, key: Value, value: Value) -> Result<()> {
    entries.insert(key, value).ok_or_else(|| Error::config("a key evaluates to a list or an object"))
}

/// A value of any depth with templates for all texts and keys in it. `None` values of objects are left out.
#[derive(Debug)]
pub struct NestedTemplate(Tree);

#[derive(Debug)]
enum Tree {
    Template(Template),
    Constant(Value),
    List(Vec<Tree>),
    Map(Vec<(Template, Tree)>),
}

impl NestedTemplate {
    /// Compiles all texts of `value`.
    pub fn compile(value: &Value) -> Result<Self> {
        Tree::compile(value).map(Self)
    }

    /// What it evaluates to.
    pub fn eval<'a>(&'a self, context: &'a Context<'a>) -> Result<Value> {
        self.0.eval(context)
    }
}

impl Tree {
    fn compile(value: &Value) -> Result<Self> {
        Ok(match value {
            Value::Text(text) => Self::Template(Template::compile(text)?),
            Value::List(items) => Self::List(items.iter().map(Self::compile).collect::<Result<_>>()?),
            Value::Map(map) => Self::Map(
                map.iter()
                    .map(|(key, value)| Ok((Template::compile(key)?, Self::compile(value)?)))
                    .collect::<Result<_>>()?,
            ),
            other => Self::Constant(other.clone()),
        })
    }

    fn eval<'a>(&'a self, context: &'a Context<'a>) -> Result<Value> {
        Ok(match self {
            Self::Template(template) => template.eval(context, Types::ANY)?.unwrap_or_default(),
            Self::Constant(value) => value.clone(),
            Self::List(items) => {
                Value::List(items.iter().map(|item| item.eval(context)).collect::<Result<Vec<Value>>>()?)
            }
            Self::Map(parts) => {
                // A later entry of the same key counts before the empty ones go.
                let mut entries = Entries::default();
                for (key, part) in parts {
                    put(
                        &mut entries,
                        key.eval(context, Types::ANY)?.unwrap_or_default(),
                        part.eval(context)?,
                    )?;
                }
                match entries.value() {
                    Value::Map(map) => {
                        Value::Map(map.into_iter().filter(|(_, value)| !value.is_none()).collect())
                    }
                    Value::Dict(entries) => {
                        Value::Dict(entries.into_iter().filter(|(_, value)| !value.is_none()).collect())
                    }
                    other => other,
                }
            }
        })
    }
}
