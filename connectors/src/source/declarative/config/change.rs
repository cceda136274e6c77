//! What migrations and transformations do to a configuration.

use protocol::{Error, Result};

use super::place;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::component::Component;
use crate::source::declarative::record::Lookup;
use crate::source::declarative::template::{
    Condition, Context, MappingTemplate, Template, TextTemplate, Types,
};
use crate::source::declarative::value::{Map, Value};

pub(super) enum Change {
    Add { fields: Vec<Field>, condition: Option<Condition> },
    Remap { path: Vec<TextTemplate>, map: MappingTemplate },
    Remove { paths: Vec<Lookup>, condition: Option<Condition> },
}

pub(super) struct Field {
    path: Vec<String>,
    text: TextTemplate,
    /// With the types that are wanted.
    typed: Option<(Template, Types)>,
    parameters: Value,
}

impl Change {
    pub(super) fn build(component: &Component<'_>) -> Result<Self> {
        if component.value("class_name").is_some() {
            return Err(component.unknown("change of the configuration"));
        }
        match component.kind() {
            "ConfigAddFields" => Ok(Self::Add {
                fields: component.children("fields")?.iter().map(Field::build).collect::<Result<_>>()?,
                condition: component.condition("condition")?,
            }),
            "ConfigRemapField" => Ok(Self::Remap {
                path: templates(component)?,
                map: MappingTemplate::compile(component.required_value("map")?)?,
            }),
            "ConfigRemoveFields" => {
                let pointers = component.value("field_pointers").and_then(Value::as_list).unwrap_or_default();
                let path = |pointer: &Value| match pointer {
                    Value::List(keys) => Lookup::of(keys.iter().cloned()),
                    one => Lookup::of([one.clone()]),
                };
                Ok(Self::Remove {
                    paths: pointers.iter().map(path).collect(),
                    condition: component.condition("condition")?,
                })
            }
            _ => Err(component.unknown("change of the configuration")),
        }
    }

    /// Applies it to `config`.
    pub(super) fn apply(&self, config: &mut Value, clock: &Clock) -> Result<()> {
        match self {
            Self::Add { fields, condition } => {
                fields.iter().try_for_each(|field| field.apply(config, condition.as_ref(), clock))
            }
            Self::Remap { path, map } => remap(config, path, map, clock),
            Self::Remove { paths, condition } => {
                if let Some(condition) = condition
                    && !condition.eval(&context(clock, config))?
                {
                    return Ok(());
                }
                paths.iter().try_for_each(|path| path.remove(config))
            }
        }
    }
}

impl Field {
    fn build(component: &Component<'_>) -> Result<Self> {
        let path = component.texts("path")?;
        if path.is_empty() {
            return Err(component.fail("`path` is empty"));
        }
        let text = component.text("value")?.unwrap_or_default();
        let types = match component.text("value_type")?.as_deref() {
            None => None,
            Some("string") => Some(Types::TEXT),
            Some("integer") => Some(Types::INT),
            Some("number") => Some(Types::FLOAT),
            Some("boolean") => Some(Types::BOOL),
            Some(other) => return Err(component.fail(format!("{other:?} is no type of a value"))),
        };
        Ok(Self {
            path,
            typed: types.map(|types| Ok::<_, Error>((Template::compile(&text)?, types))).transpose()?,
            text: TextTemplate::compile(&text)?,
            parameters: component.parameters(),
        })
    }

    fn apply(&self, config: &mut Value, condition: Option<&Condition>, clock: &Clock) -> Result<()> {
        let value = {
            let context = context(clock, config).with("parameters", &self.parameters);
            match &self.typed {
                Some((template, types)) => template.eval(&context, *types)?.unwrap_or_else(|| "".into()),
                None => self.text.eval(&context)?,
            }
        };
        if let Some(condition) = condition {
            let path = Value::List(self.path.iter().map(|key| key.as_str().into()).collect());
            if !condition.eval(&context(clock, config).with("value", &value).with("path", &path))? {
                return Ok(());
            }
        }
        place::set(config, &self.path, value)
    }
}

/// Replaces a value by what the map has for it.
fn remap(config: &mut Value, path: &[TextTemplate], map: &MappingTemplate, clock: &Clock) -> Result<()> {
    let path = {
        let context = context(clock, config);
        path.iter().map(|key| key.eval_text(&context)).collect::<Result<Vec<_>>>()?
    };
    let new = {
        let current = match place::get(config, &path) {
            Some(Value::Text(current)) => current,
            Some(Value::Map(_) | Value::List(_)) => {
                let fault = Error::config("`ConfigRemapField` can't replace an object or a list");
                return Err(fault.context("field", path.join(".")));
            }
            _ => return Ok(()),
        };
        let map = map.eval(&context(clock, config), Types::ANY)?;
        map.get(current).cloned()
    };
    match new {
        Some(new) => place::set(config, &path, new),
        None => Ok(()),
    }
}

fn templates(component: &Component<'_>) -> Result<Vec<TextTemplate>> {
    let path = component.texts("field_path")?;
    if path.is_empty() {
        return Err(component.fail("`field_path` is empty"));
    }
    path.iter().map(|key| TextTemplate::compile(key)).collect()
}

/// What templates of changes see: the configuration alone.
pub(super) fn context<'a>(clock: &Clock, config: &'a Value) -> Context<'a> {
    static NONE: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Map::new().into());
    Context::new(clock, config).with("parameters", &NONE)
}
