//! `DynamicDeclarativeStream`: streams made of a template, once for each entry of a list that is configured or asked for.

use std::collections::HashSet;

use protocol::{Error, Result};

use super::family::Family;
use super::path;
use super::plain::Stream;
use crate::source::declarative::component::Component;
use crate::source::declarative::manifest;
use crate::source::declarative::template::{Condition, Context, StreamSlice, TextTemplate, Types};
use crate::source::declarative::value::{Map, Value};

/// A stream that was made of a template.
pub(super) struct Made {
    /// The name of the `DynamicDeclarativeStream`.
    pub(super) of: String,
    pub(super) name: String,
    pub(super) stream: Value,
}

/// The streams of all templates of a manifest. May send requests.
pub(super) async fn make_all(manifest: &Component<'_>, family: &Family) -> Result<Vec<Made>> {
    let (mut made, mut names) = (Vec::new(), HashSet::new());
    for (index, definition) in manifest.children("dynamic_streams")?.iter().enumerate() {
        let of = definition.text("name")?.unwrap_or_else(|| format!("dynamic_stream_{index}"));
        let parents_win = definition.flag("use_parent_parameters", true)?;
        for stream in make(definition, family).await? {
            let mut stream = manifest::propagate("", stream, None, parents_win)?;
            if let Value::Map(map) = &mut stream
                && !map.contains("type")
            {
                map.insert("type", "DeclarativeStream");
            }
            let Some(name) = stream.get("name").and_then(Value::as_text).map(str::to_owned) else {
                return Err(definition.fail("a stream that it makes has no text for a name"));
            };
            if !names.insert(name.clone()) {
                return Err(definition
                    .fail(format!("it makes two streams with the name {name:?}"))
                    .hint("Names of dynamic streams must differ; check the configuration."));
            }
            made.push(Made { of: of.clone(), name, stream });
        }
    }
    Ok(made)
}

async fn make(definition: &Component<'_>, family: &Family) -> Result<Vec<Value>> {
    let resolver = definition.required("components_resolver")?;
    let template = definition.required_value("stream_template")?;
    let kind = Kind::of(&resolver)?;
    let mappings = resolver
        .children("components_mapping")?
        .iter()
        .map(|mapping| Mapping::build(mapping, kind))
        .collect::<Result<Vec<_>>>()?;
    let fill = |values: &Value, slice: Option<&StreamSlice>| {
        fill(family, kind, &mappings, template, values, slice)
            .map_err(|error| error.context("component", resolver.place().to_owned()))
    };
    match kind {
        Kind::Config => configured(&resolver, family)?.iter().map(|values| fill(values, None)).collect(),
        Kind::Parameters => {
            let parameters = resolver.required("stream_parameters")?;
            match parameters.required_value("list_of_parameters_for_stream")? {
                Value::List(list) => list.iter().map(|values| fill(values, None)).collect(),
                _ => Err(parameters.fail("`list_of_parameters_for_stream` must be a list")),
            }
        }
        Kind::Http => {
            let name = definition.text("name")?.unwrap_or_else(|| "__http_components_resolver".to_owned());
            let stream = Stream::of_retriever(&resolver, "retriever", &name, family)?;
            let (mut streams, mut failed) = (Vec::new(), None);
            stream
                .each_page(|page, slice| {
                    for values in page {
                        match fill(&values, Some(slice.stream_slice())) {
                            Ok(stream) => streams.push(stream),
                            Err(error) => failed = failed.take().or(Some(error)),
                        }
                    }
                    failed.is_none()
                })
                .await?;
            failed.map_or(Ok(streams), Err)
        }
    }
}

/// Where the values of a template come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Config,
    Http,
    Parameters,
}

impl Kind {
    fn of(resolver: &Component<'_>) -> Result<Self> {
        match resolver.kind() {
            "ConfigComponentsResolver" => Ok(Self::Config),
            "HttpComponentsResolver" => Ok(Self::Http),
            "ParametrizedComponentsResolver" => Ok(Self::Parameters),
            _ => Err(resolver.unknown("components resolver")),
        }
    }
}

/// `ComponentMappingDefinition`: what is put where.
struct Mapping {
    path: Vec<TextTemplate>,
    value: TextTemplate,
    types: Types,
    creates: bool,
    condition: Option<Condition>,
    parameters: Value,
}

impl Mapping {
    fn build(component: &Component<'_>, kind: Kind) -> Result<Self> {
        let types = match component.text("value_type")?.as_deref() {
            None => Types::ANY,
            Some("string") => Types::TEXT,
            Some("number") => Types::FLOAT,
            Some("integer") => Types::INT,
            Some("boolean") => Types::BOOL,
            Some(other) => return Err(component.fail(format!("`value_type` can't be {other:?}"))),
        };
        let condition = component.condition("condition")?;
        if condition.is_some() && kind != Kind::Config {
            return Err(component.fail("`condition` is for `ConfigComponentsResolver` only"));
        }
        Ok(Self {
            path: component
                .texts("field_path")?
                .iter()
                .map(|step| TextTemplate::compile(step))
                .collect::<Result<_>>()?,
            value: component.required_template("value")?,
            types,
            creates: component.flag("create_or_update", false)?,
            condition,
            parameters: component.parameters(),
        })
    }
}

/// The template with one set of values put in.
fn fill(
    family: &Family,
    kind: Kind,
    mappings: &[Mapping],
    template: &Value,
    values: &Value,
    slice: Option<&StreamSlice>,
) -> Result<Value> {
    let mut stream = template.clone();
    for mapping in mappings {
        let mut context: Context<'_> = family
            .scope()
            .context(&mapping.parameters)
            .with("components_values", values)
            .with("stream_template_config", template);
        if kind == Kind::Http {
            context = context.with_slice(slice);
        }
        if let Some(condition) = &mapping.condition
            && !condition.eval(&context)?
        {
            continue;
        }
        let mut value = if mapping.types == Types::ANY {
            mapping.value.eval(&context)?
        } else {
            mapping.value.template().eval(&context, mapping.types)?.unwrap_or_else(|| Value::from(""))
        };
        let steps = mapping.path.iter().map(|step| step.eval_text(&context)).collect::<Result<Vec<_>>>()?;
        let stays = kind == Kind::Config && mapping.types == Types::TEXT;
        if kind != Kind::Http && !stays {
            value = read_yaml(value);
        }
        let is_true = value.is_true();
        let known = path::set(&mut stream, &steps, &value);
        if kind != Kind::Http && mapping.creates && is_true && known == 0 {
            path::create(&mut stream, &steps, value);
        }
    }
    Ok(stream)
}

/// A text that is YAML is what it says.
fn read_yaml(value: Value) -> Value {
    match &value {
        Value::Text(text) if text.trim().is_empty() => Value::None,
        Value::Text(text) => manifest::parse(text).unwrap_or(value),
        _ => value,
    }
}

/// Every combination of the entries that `stream_config` points at.
fn configured(resolver: &Component<'_>, family: &Family) -> Result<Vec<Value>> {
    let mut combinations = vec![Map::new()];
    for (place, config) in resolver.children("stream_config")?.iter().enumerate() {
        let parameters = config.parameters();
        let context = family.scope().context(&parameters);
        let pointer = config
            .texts("configs_pointer")?
            .iter()
            .map(|step| TextTemplate::compile(step)?.eval_text(&context))
            .collect::<Result<Vec<_>>>()?;
        let mut entries = match path::get(family.scope().config(), &pointer) {
            Some(Value::List(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        if let Some(Value::List(defaults)) = config.value("default_values") {
            entries.extend(defaults.iter().cloned());
        }
        let mut next = Vec::with_capacity(combinations.len() * entries.len());
        for known in &combinations {
            for (index, entry) in entries.iter().enumerate() {
                next.push(combined(known, place, index, entry));
            }
        }
        if next.len() > 100_000 {
            return Err(Error::config("the configuration makes more than 100,000 dynamic streams"));
        }
        combinations = next;
    }
    Ok(combinations.into_iter().map(Value::Map).collect())
}

fn combined(known: &Map, place: usize, index: usize, entry: &Value) -> Map {
    let mut all = known.clone();
    if let Value::Map(fields) = entry {
        for (key, value) in fields.iter() {
            all.insert(key, value.clone());
        }
    } else {
        let key = format!("source_config_{place}");
        if !all.contains(&key) {
            let index = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
            all.insert(key, Value::Tuple(vec![index, entry.clone()]));
        }
    }
    all
}
