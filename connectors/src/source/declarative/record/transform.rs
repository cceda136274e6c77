//! Transformations: what is done to a record before it is handed over.

use protocol::{Error, Result};

use super::super::component::Component;
use super::super::scope::Scope;
use super::super::template::{Condition, Context, StreamSlice, TextTemplate, Types};
use super::super::value::{Map, Value};
use super::path::{self, Part};
use super::{keys, text_of};

/// One transformation.
pub(super) enum Transformation {
    Add { fields: Vec<Added>, condition: Option<Condition> },
    Remove { paths: Vec<Vec<Part>>, condition: Option<Condition> },
    Lower,
    Snake,
    Replace { old: TextTemplate, new: TextTemplate, parameters: Value },
    Flatten { lists: bool },
    FlattenAt(At),
}

/// A field that is added.
pub(super) struct Added {
    path: Vec<String>,
    path_value: Value,
    value: TextTemplate,
    types: Types,
    parameters: Value,
}

/// `DpathFlattenFields`: where, and what becomes of the keys.
pub(super) struct At {
    path: Vec<Part>,
    deletes: bool,
    replaces: bool,
    prefix: String,
    suffix: String,
}

impl Transformation {
    pub(super) fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        Ok(match component.kind() {
            "AddFields" => Self::Add {
                fields: component.children("fields")?.iter().map(Added::build).collect::<Result<_>>()?,
                condition: component.condition("condition")?,
            },
            "RemoveFields" => {
                Self::Remove { paths: pointers(component)?, condition: component.condition("condition")? }
            }
            "KeysToLower" => Self::Lower,
            "KeysToSnakeCase" => Self::Snake,
            "KeysReplace" => Self::Replace {
                old: component.required_template("old")?,
                new: component.required_template("new")?,
                parameters: component.parameters(),
            },
            "FlattenFields" => Self::Flatten { lists: component.flag("flatten_lists", true)? },
            "DpathFlattenFields" => Self::FlattenAt(At::build(component, scope)?),
            _ => return Err(component.unknown("transformation")),
        })
    }

    pub(super) fn apply(&self, record: &mut Value, scope: &Scope, slice: Option<&StreamSlice>) -> Result<()> {
        match self {
            Self::Add { fields, condition } => {
                fields.iter().try_for_each(|field| field.add(record, condition.as_ref(), scope, slice))
            }
            Self::Remove { paths, condition: None } => {
                paths.iter().try_for_each(|path| path::delete(record, path).map(drop))
            }
            Self::Remove { paths, condition: Some(condition) } => {
                let none = Value::Map(Map::new());
                paths.iter().try_for_each(|_| {
                    path::delete_leaves(record, |value| {
                        condition.eval(&scope.context(&none).with("property", value))
                    })
                })
            }
            Self::Lower => rename(record, str::to_lowercase),
            Self::Snake => keys::renamed(record, &keys::snake),
            Self::Replace { old, new, parameters } => {
                let (old, new) = {
                    let context = scope.context(parameters).with("record", record).with_slice(slice);
                    (old.eval_text(&context)?, new.eval_text(&context)?)
                };
                keys::renamed(record, &|key: &str| key.replace(&old, &new))
            }
            Self::Flatten { lists } => {
                *record = keys::flattened(std::mem::take(record), *lists);
                Ok(())
            }
            Self::FlattenAt(at) => at.flatten(record),
        }
    }
}

fn pointers(component: &Component<'_>) -> Result<Vec<Vec<Part>>> {
    let Some(Value::List(pointers)) = component.value("field_pointers") else {
        return Err(component.fail("`field_pointers` must be a list"));
    };
    let part = |value: &Value| text_of(value).map(Part::Text);
    pointers
        .iter()
        .map(|pointer| match pointer {
            Value::List(parts) => parts.iter().map(part).collect(),
            // A text is a path with slashes.
            Value::Text(text) => Ok(text.trim_start_matches('/').split('/').map(Part::from).collect()),
            other => Ok(vec![part(other)?]),
        })
        .collect()
}

/// New keys for a record's own fields; the later of two that fall together wins.
fn rename(record: &mut Value, name: impl Fn(&str) -> String) -> Result<()> {
    let Value::Map(map) = record else { return Err(not_an_object()) };
    let old = std::mem::take(map);
    *map = old.into_iter().map(|(key, value)| (name(&key), value)).collect();
    Ok(())
}

pub(super) fn not_an_object() -> Error {
    Error::data("a record that is to be transformed is not an object")
}

impl Added {
    fn build(component: &Component<'_>) -> Result<Self> {
        let path = component.texts("path")?;
        if path.is_empty() {
            return Err(component.fail("`path` is empty"));
        }
        let types = match component.text("value_type")?.as_deref() {
            Some("string") => Types::TEXT,
            Some("integer") => Types::INT,
            Some("number") => Types::FLOAT,
            Some("boolean") => Types::BOOL,
            _ => Types::ANY,
        };
        Ok(Self {
            path_value: path.iter().map(|part| Value::from(part.as_str())).collect::<Vec<_>>().into(),
            path,
            value: component.required_template("value")?,
            types,
            parameters: component.parameters(),
        })
    }

    fn add(
        &self,
        record: &mut Value,
        condition: Option<&Condition>,
        scope: &Scope,
        slice: Option<&StreamSlice>,
    ) -> Result<()> {
        let value = {
            let context = scope.context(&self.parameters).with("record", record).with_slice(slice);
            self.value.eval_types(&context, self.types)?
        };
        if let Some(condition) = condition {
            let none = Value::Map(Map::new());
            let context: Context<'_> = scope
                .context(&none)
                .with("record", record)
                .with_slice(slice)
                .with("value", &value)
                .with("path", &self.path_value);
            if !condition.eval(&context)? {
                return Ok(());
            }
        }
        let Value::Map(map) = record else { return Err(not_an_object()) };
        path::put(map, &self.path, value)
    }
}

impl At {
    fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let (mut prefix, mut suffix) = (String::new(), String::new());
        if let Some(key) = component.child("key_transformation")? {
            let parameters = key.parameters();
            let context = scope.context(&parameters);
            let affix = |field: &str| -> Result<String> {
                key.template(field)?.map_or(Ok(String::new()), |template| template.eval_text(&context))
            };
            prefix = affix("prefix")?;
            suffix = affix("suffix")?;
        }
        Ok(Self {
            path: super::extract::parts(component, "field_path", scope)?,
            deletes: component.flag("delete_origin_value", false)?,
            replaces: component.flag("replace_record", false)?,
            prefix,
            suffix,
        })
    }

    fn flatten(&self, record: &mut Value) -> Result<()> {
        let has_star = self.path.iter().any(|part| matches!(part, Part::Text(text) if text == "*"));
        let found = if has_star {
            path::values(record, &self.path)?.first().copied()
        } else {
            path::get(record, &self.path)?
        };
        let Some(Value::Map(found)) = found else { return Ok(()) };
        let found: Map = found
            .iter()
            .map(|(key, value)| (format!("{}{key}{}", self.prefix, self.suffix), value.clone()))
            .collect();
        if self.replaces && !found.is_empty() {
            *record = found.into();
            return Ok(());
        }
        let Value::Map(map) = &*record else { return Err(not_an_object()) };
        if found.keys().any(|key| map.contains(key)) {
            return Ok(());
        }
        if self.deletes {
            path::delete(record, &self.path)?;
        }
        let Value::Map(map) = record else { return Err(not_an_object()) };
        for (key, value) in found {
            map.insert(key, value);
        }
        Ok(())
    }
}
