//! A component of a resolved manifest, read field by field; what is wrong names the component's place.

use protocol::{Error, Result};

use super::template::{Condition, MappingTemplate, NestedTemplate, TextTemplate};
use super::value::{Map, Value};

/// An object of a resolved manifest with a `type`. Fields that nobody asks for mean nothing: parameters that were
/// handed down leave many of them behind. A field that is `null` counts as missing.
#[derive(Clone)]
pub struct Component<'m> {
    map: &'m Map,
    place: String,
}

impl<'m> Component<'m> {
    /// `value`, which must be an object and stands at `place` (`streams[2].retriever`).
    pub fn new(value: &'m Value, place: impl Into<String>) -> Result<Self> {
        let place = place.into();
        match value.as_map() {
            Some(map) => Ok(Self { map, place }),
            None => Err(Error::config(format!("an object was expected, not {}", value.kind()))
                .context("component", place)),
        }
    }

    /// What kind of component it is: `type`, empty where there is none.
    #[must_use]
    pub fn kind(&self) -> &'m str {
        self.map.get("type").and_then(Value::as_text).unwrap_or_default()
    }

    /// Where it stands in the manifest.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// All of its fields.
    #[must_use]
    pub fn fields(&self) -> &'m Map {
        self.map
    }

    /// The value of `field`.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&'m Value> {
        self.map.get(field).filter(|value| !value.is_none())
    }

    /// The value of `field`, which must be there.
    pub fn required_value(&self, field: &str) -> Result<&'m Value> {
        self.value(field).ok_or_else(|| self.fail(format!("`{field}` is missing")))
    }

    /// What templates of this component see as `parameters`.
    #[must_use]
    pub fn parameters(&self) -> Value {
        self.value("$parameters").cloned().unwrap_or_else(|| Map::new().into())
    }

    /// The component in `field`.
    pub fn child(&self, field: &str) -> Result<Option<Self>> {
        self.value(field).map(|value| Self::new(value, self.place_of(field))).transpose()
    }

    /// The object in `field`, be it a component or not.
    #[must_use]
    pub fn child_map(&self, field: &str) -> Option<&'m Map> {
        self.value(field).and_then(Value::as_map)
    }

    /// The component in `field`, which must be there.
    pub fn required(&self, field: &str) -> Result<Self> {
        Self::new(self.required_value(field)?, self.place_of(field))
    }

    /// The components of the list in `field`; one that stands alone is a list of one.
    pub fn children(&self, field: &str) -> Result<Vec<Self>> {
        match self.value(field) {
            None => Ok(Vec::new()),
            Some(Value::List(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Self::new(item, format!("{}[{index}]", self.place_of(field))))
                .collect(),
            Some(one) => Ok(vec![Self::new(one, self.place_of(field))?]),
        }
    }

    /// The text of `field`; numbers and truth values count as the text that Python would write.
    pub fn text(&self, field: &str) -> Result<Option<String>> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(Value::Bool(truth)) => Ok(Some(if *truth { "True" } else { "False" }.to_owned())),
            Some(value @ (Value::Int(_) | Value::Big(_) | Value::Float(_))) => Ok(Some(value.to_json())),
            Some(other) => Err(self.fail(format!("`{field}` must be text, not {}", other.kind()))),
        }
    }

    /// The text of `field`, which must be there.
    pub fn required_text(&self, field: &str) -> Result<String> {
        self.text(field)?.ok_or_else(|| self.fail(format!("`{field}` is missing")))
    }

    /// The truth value of `field`, or what it is without one. Texts count as in YAML.
    pub fn flag(&self, field: &str, default: bool) -> Result<bool> {
        match self.value(field) {
            None => Ok(default),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" | "" => Ok(false),
                _ => Err(self.fail(format!("`{field}` must be true or false"))),
            },
            Some(other) => Err(self.fail(format!("`{field}` must be true or false, not {}", other.kind()))),
        }
    }

    /// The integer of `field`.
    pub fn int(&self, field: &str) -> Result<Option<i64>> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::Text(text)) if text.trim().parse::<i64>().is_ok() => Ok(text.trim().parse().ok()),
            Some(other) => Err(self.fail(format!("`{field}` must be an integer, not {}", other.kind()))),
        }
    }

    /// The texts of the list in `field`; one that stands alone is a list of one.
    pub fn texts(&self, field: &str) -> Result<Vec<String>> {
        match self.value(field) {
            None => Ok(Vec::new()),
            Some(Value::List(items)) => items
                .iter()
                .map(|item| match item {
                    Value::Text(text) => Ok(text.clone()),
                    other => Ok(other.to_json()),
                })
                .collect(),
            Some(_) => Ok(self.text(field)?.into_iter().collect()),
        }
    }

    /// The template in `field`.
    pub fn template(&self, field: &str) -> Result<Option<TextTemplate>> {
        self.text(field)?.map(|text| self.at(field, TextTemplate::compile(&text))).transpose()
    }

    /// The template in `field`, which must be there.
    pub fn required_template(&self, field: &str) -> Result<TextTemplate> {
        self.at(field, TextTemplate::compile(&self.required_text(field)?))
    }

    /// The condition in `field`; an empty one is none.
    pub fn condition(&self, field: &str) -> Result<Option<Condition>> {
        match self.value(field) {
            Some(Value::Bool(truth)) => Ok(Some(Condition::constant(*truth))),
            _ => self
                .text(field)?
                .filter(|text| !text.is_empty())
                .map(|text| self.at(field, Condition::compile(&text)))
                .transpose(),
        }
    }

    /// The object of templates in `field`.
    pub fn mapping(&self, field: &str) -> Result<Option<MappingTemplate>> {
        self.value(field).map(|value| self.at(field, MappingTemplate::compile(value))).transpose()
    }

    /// The nested templates in `field`.
    pub fn nested(&self, field: &str) -> Result<Option<NestedTemplate>> {
        self.value(field).map(|value| self.at(field, NestedTemplate::compile(value))).transpose()
    }

    /// An error of configuration that names this component.
    #[must_use]
    pub fn fail(&self, message: impl Into<String>) -> Error {
        Error::config(message).context("component", self.name())
    }

    /// That this is no kind of component which tidegate has where `wanted` is expected. Components written in Python
    /// are told by the name of their class.
    #[must_use]
    pub fn unknown(&self, wanted: &str) -> Error {
        if let Some(class) = self.map.get("class_name").and_then(Value::as_text) {
            return Error::unsupported(format!("{wanted} is the Python class {class:?}"))
                .context("component", self.name())
                .hint("streams that need Python code can't be read; the others can");
        }
        match self.kind() {
            "" => self.fail(format!("{wanted} has no `type`")),
            kind => Error::unsupported(format!("{kind:?} is no kind of {wanted} that is known here"))
                .context("component", self.name()),
        }
    }

    fn place_of(&self, field: &str) -> String {
        if self.place.is_empty() { field.to_owned() } else { format!("{}.{field}", self.place) }
    }

    fn name(&self) -> String {
        format!("{} ({})", self.place, if self.kind().is_empty() { "no type" } else { self.kind() })
    }

    fn at<T>(&self, field: &str, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.context("component", self.place_of(field)))
    }
}
