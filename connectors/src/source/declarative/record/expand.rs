//! `RecordExpander`: the items of a list in a record as records of their own.

use protocol::{Error, Result};

use super::super::component::Component;
use super::super::scope::Scope;
use super::super::value::{Map, Value};
use super::path::{self, Part};

/// What becomes of one record.
pub(super) struct Expander {
    path: Vec<Part>,
    keeps_original: bool,
    emits_parent: bool,
    merges_parent: bool,
    fields: Vec<(Vec<Part>, Vec<String>)>,
}

impl Expander {
    pub(super) fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        if component.value("truncated_list_retriever").is_some() {
            return Err(Error::unsupported(
                "a record expander that fetches truncated lists is not there yet",
            )
            .context("component", component.place().to_owned()));
        }
        let fields = component
            .children("parent_fields")?
            .iter()
            .map(|field| {
                let from = super::extract::parts(field, "parent_path", scope)?;
                let to = super::extract::parts(field, "record_path", scope)?;
                if from.is_empty() || to.is_empty() || from.iter().chain(&to).any(is_pattern) {
                    return Err(field.fail("paths of parent fields must be plain and not empty"));
                }
                Ok((from, to.into_iter().map(name).collect()))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            path: super::extract::parts(component, "expand_records_from_field", scope)?,
            keeps_original: component.flag("remain_original_record", false)?,
            emits_parent: component.text("on_no_records")?.as_deref() == Some("emit_parent"),
            merges_parent: component.flag("merge_parent", false)?,
            fields,
        })
    }

    pub(super) fn expand(&self, record: &Value, out: &mut Vec<Value>) -> Result<()> {
        if record.as_map().is_none() || self.path.is_empty() {
            out.push(record.clone());
            return Ok(());
        }
        let mut base = None;
        if self.merges_parent {
            let mut stripped = record.clone();
            self.strip(&mut stripped, 0);
            base = stripped.as_map().cloned();
        }
        let has_context = self.keeps_original || self.merges_parent || !self.fields.is_empty();
        let mut is_any = false;
        for list in path::values(record, &self.path)? {
            let Value::List(items) = list else { continue };
            for item in items {
                is_any = true;
                out.push(match item {
                    Value::Map(item) => self.child(record, item.clone(), base.as_ref())?,
                    item if has_context => {
                        self.child(record, Map::from_iter([("value", item.clone())]), base.as_ref())?
                    }
                    item => item.clone(),
                });
            }
        }
        if !is_any && self.emits_parent {
            out.push(record.clone());
        }
        Ok(())
    }

    fn child(&self, parent: &Value, item: Map, base: Option<&Map>) -> Result<Value> {
        let mut child = match base {
            None => item,
            Some(base) => {
                let mut merged = base.clone();
                for (key, value) in item {
                    merged.insert(key, value);
                }
                merged
            }
        };
        for (from, to) in &self.fields {
            let value = path::get(parent, from)?.cloned().unwrap_or_default();
            path::put(&mut child, to, value)?;
        }
        if self.keeps_original {
            child.insert("original_record", parent.clone());
        }
        Ok(child.into())
    }

    /// Takes the lists at the path out.
    fn strip(&self, value: &mut Value, depth: usize) {
        let rest = &self.path[depth..];
        let [part] = rest else {
            let children: Vec<&mut Value> = match value {
                Value::Map(map) => {
                    map.iter_mut().filter(|(key, _)| rest[0].fits_key(key)).map(|(_, child)| child).collect()
                }
                Value::List(items) => {
                    let length = items.len();
                    let fits = |(index, item)| rest[0].fits_index(index, length).then_some(item);
                    items.iter_mut().enumerate().filter_map(fits).collect()
                }
                _ => Vec::new(),
            };
            return children.into_iter().for_each(|child| self.strip(child, depth + 1));
        };
        match value {
            Value::Map(map) => {
                let fits = |(key, child): (&str, &Value)| {
                    (part.fits_key(key) && matches!(child, Value::List(_))).then(|| key.to_owned())
                };
                let keys: Vec<String> = map.iter().filter_map(fits).collect();
                for key in keys {
                    map.remove(&key);
                }
            }
            Value::List(items) => {
                let length = items.len();
                let mut index = 0;
                items.retain(|item| {
                    index += 1;
                    !(part.fits_index(index - 1, length) && matches!(item, Value::List(_)))
                });
            }
            _ => {}
        }
    }
}

fn is_pattern(part: &Part) -> bool {
    matches!(part, Part::Text(_)) && part.plain().is_none()
}

fn name(part: Part) -> String {
    match part {
        Part::Text(text) => text,
        Part::Index(index) => index.to_string(),
    }
}
