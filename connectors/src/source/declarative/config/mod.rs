//! A configuration before it is used: migrations, transformations, validations; which of its values are secret.

mod change;
mod mask;
pub(in crate::source::declarative) mod place;
mod schema;
#[cfg(test)]
mod tests;

use protocol::{Error, Result};

use super::clock::Clock;
use super::component::Component;
use super::record::Lookup;
use super::template::TextTemplate;
use super::value::{Map, Value};
use change::{Change, context};

pub use mask::Mask;
pub use schema::validate;

/// A configuration after the manifest's rules.
#[derive(Debug)]
pub struct Prepared {
    /// What components see.
    pub config: Value,
    /// The migrated configuration, where migrations changed it: to be handed out and kept.
    pub migrated: Option<Value>,
}

/// Applies `spec.config_normalization_rules`: migrations, transformations, validations.
pub fn prepare(manifest: &Value, config: Value, clock: &Clock) -> Result<Prepared> {
    let Some(rules) = manifest
        .get("spec")
        .and_then(|spec| spec.get("config_normalization_rules"))
        .filter(|rules| !rules.is_none())
    else {
        return Ok(Prepared { config, migrated: None });
    };
    let rules = Component::new(rules, "spec.config_normalization_rules")?;
    let given = config.clone();
    let mut config = config;
    for migration in rules.children("config_migrations")? {
        for change in migration.children("transformations")? {
            Change::build(&change)?.apply(&mut config, clock)?;
        }
    }
    let migrated = if config == given { None } else { Some(config.clone()) };
    for change in rules.children("transformations")? {
        Change::build(&change)?.apply(&mut config, clock)?;
    }
    for validator in rules.children("validations")? {
        check(&validator, &config, clock)?;
    }
    Ok(Prepared { config, migrated })
}

/// The manifest's `connection_specification`; an empty object without one.
#[must_use]
pub fn connection_specification(manifest: &Value) -> Value {
    let specification = manifest.get("spec").and_then(|spec| spec.get("connection_specification"));
    specification
        .filter(|specification| specification.as_map().is_some())
        .cloned()
        .unwrap_or_else(|| Map::new().into())
}

/// One validation; what is written in Python is passed over, because it changes no data.
fn check(validator: &Component<'_>, config: &Value, clock: &Clock) -> Result<()> {
    let strategy = validator.required("validation_strategy")?;
    if let Some(class) = strategy.value("class_name").and_then(Value::as_text) {
        tracing::warn!(class, "a validation of the configuration is written in Python and is passed over");
        return Ok(());
    }
    if strategy.kind() != "ValidateAdheresToSchema" {
        return Err(strategy.unknown("validation strategy"));
    }
    let schema = match strategy.required_value("base_schema")? {
        Value::Text(text) => Value::from_json(text.as_bytes())?,
        schema => schema.clone(),
    };
    match validator.kind() {
        "DpathValidator" => {
            let empty = Map::new().into();
            let context = context(clock, &empty);
            let path = validator
                .texts("field_path")?
                .iter()
                .map(|key| TextTemplate::compile(key)?.eval_text(&context))
                .collect::<Result<Vec<_>>>()?;
            // Without `*` there is one value at most; two are an error.
            let lookup = Lookup::of(path.iter().map(|key| Value::from(key.as_str())));
            let values = if path.iter().any(|key| key == "*") {
                lookup.all(config)?
            } else {
                lookup.get(config)?.into_iter().collect()
            };
            values.into_iter().try_for_each(|value| fits(&schema, value, &path.join(".")))
        }
        "PredicateValidator" => {
            let value = validator.required_template("value")?.eval(&context(clock, config))?;
            fits(&schema, &value, "value")
        }
        _ => Err(validator.unknown("validator")),
    }
}

fn fits(schema: &Value, value: &Value, place: &str) -> Result<()> {
    let parsed;
    let value = match value {
        Value::Text(text) => {
            parsed = Value::from_json(text.as_bytes()).map_err(|error| {
                Error::config("the configuration has a text that is no JSON")
                    .context("field", place)
                    .with_source(error)
            })?;
            &parsed
        }
        value => value,
    };
    validate(schema, value).map_err(|what| {
        Error::config(format!("the configuration does not fit: {what}")).context("field", place)
    })
}
