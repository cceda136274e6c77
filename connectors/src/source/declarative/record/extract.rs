//! Extractors: where in an answer its records are.

use protocol::{Error, Result};

use super::super::component::Component;
use super::super::decode::Bodies;
use super::super::scope::Scope;
use super::super::template::TextTemplate;
use super::super::value::Value;
use super::expand::Expander;
use super::path::{self, Part};
use crate::json::Records;

/// Where the records are.
pub(super) enum Extractor {
    Path {
        path: Vec<Part>,
        expander: Option<Expander>,
    },
    Combined {
        extractors: Vec<Extractor>,
        takes_first: bool,
        skips_empty: bool,
    },
    /// The decoder has done all: `ResponseToFileExtractor`.
    All,
}

/// Records as they were extracted, and how many count for pagination.
pub(super) struct Extracted {
    pub(super) records: Records,
    pub(super) count: usize,
}

impl From<Records> for Extracted {
    fn from(records: Records) -> Self {
        Self { count: records.len(), records }
    }
}

impl Extractor {
    pub(super) fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        match component.kind() {
            "DpathExtractor" => Ok(Self::Path {
                path: parts(component, "field_path", scope)?,
                expander: component
                    .child("record_expander")?
                    .map(|expander| Expander::build(&expander, scope))
                    .transpose()?,
            }),
            "CombinedExtractor" => {
                let extractors = component.children("extractors")?;
                if extractors.is_empty() {
                    return Err(component.fail("`extractors` is empty"));
                }
                Ok(Self::Combined {
                    extractors: extractors
                        .iter()
                        .map(|one| Self::build(one, scope))
                        .collect::<Result<_>>()?,
                    takes_first: match component.text("mode")?.as_deref() {
                        None | Some("union") => false,
                        Some("first_match") => true,
                        Some(_) => return Err(component.fail("`mode` must be union or first_match")),
                    },
                    skips_empty: component.flag("skip_empty_records", false)?,
                })
            }
            "ResponseToFileExtractor" => Ok(Self::All),
            _ => Err(component.unknown("extractor")),
        }
    }

    /// The one path of plain keys that the records are at.
    pub(super) fn plain(&self) -> Option<Vec<&str>> {
        match self {
            Self::Path { path, expander: None } => path.iter().map(Part::plain).collect(),
            _ => None,
        }
    }

    pub(super) fn extract(&self, bodies: &Bodies) -> Result<Extracted> {
        if let Some(path) = self.plain()
            && let Some(records) = bodies.records(&path)?
        {
            return Ok(records.into());
        }
        match self {
            Self::All => Ok(Records::from_values(bodies.values()?).into()),
            Self::Path { path, expander } => {
                let mut found = Vec::new();
                for body in bodies.values()? {
                    at(&body, path, &mut |record| {
                        if let Some(expander) = expander {
                            expander.expand(record, &mut found)
                        } else {
                            found.push(record.clone());
                            Ok(())
                        }
                    })?;
                }
                Ok(Records::from_values(found).into())
            }
            Self::Combined { extractors, takes_first, skips_empty } => {
                let (mut found, mut count) = (Vec::new(), 0);
                for extractor in extractors {
                    let extracted = extractor.extract(bodies)?;
                    let mut records = extracted.records.into_values()?;
                    if *skips_empty {
                        records.retain(Value::is_true);
                    }
                    if *takes_first && records.is_empty() {
                        continue;
                    }
                    count += extracted.count;
                    found.append(&mut records);
                    if *takes_first {
                        break;
                    }
                }
                Ok(Extracted { records: Records::from_values(found), count })
            }
        }
    }
}

/// The records of one body.
fn at(body: &Value, path: &[Part], take: &mut dyn FnMut(&Value) -> Result<()>) -> Result<()> {
    let has_star = path.iter().any(|part| matches!(part, Part::Text(text) if text == "*"));
    if has_star {
        return path::values(body, path)?.into_iter().try_for_each(take);
    }
    match path::get(body, path)? {
        Some(Value::List(items)) => items.iter().try_for_each(take),
        Some(value) if value.is_true() => take(value),
        _ => Ok(()),
    }
}

/// The path in `field`: templates that see the configuration alone.
pub(super) fn parts(component: &Component<'_>, field: &str, scope: &Scope) -> Result<Vec<Part>> {
    let parameters = component.parameters();
    let context = scope.context(&parameters);
    let items = match component.value(field) {
        None => return Ok(Vec::new()),
        Some(Value::List(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    items
        .iter()
        .map(|item| match item {
            Value::Text(text) => {
                let place =
                    |error: Error| error.context("component", format!("{}.{field}", component.place()));
                let value = TextTemplate::compile(text)
                    .and_then(|template| template.eval(&context))
                    .map_err(place)?;
                Ok(Part::of(value))
            }
            other => Ok(Part::Text(super::text_of(other)?)),
        })
        .collect()
}
