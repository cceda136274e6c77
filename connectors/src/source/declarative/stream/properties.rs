//! `QueryProperties`: the fields that requests ask for by name, in chunks where a server takes only so many at once.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use protocol::Result;
use tokio::sync::OnceCell;

use super::family::Family;
use super::plain::Stream;
use crate::source::declarative::component::Component;
use crate::source::declarative::request::python_text;
use crate::source::declarative::template::TextTemplate;
use crate::source::declarative::value::{Map, Value};

/// The properties of a stream's requests.
pub(super) struct QueryProperties {
    list: List,
    always: Vec<String>,
    chunking: Option<Chunking>,
    /// Those that the user chose, where there is a catalog and a selector.
    chosen: Option<HashSet<String>>,
}

enum List {
    Known(Vec<String>),
    Endpoint { stream: Arc<Stream>, path: Vec<String>, found: OnceCell<Vec<String>> },
}

/// `PropertyChunking`.
struct Chunking {
    /// In properties, or characters.
    limit: Option<usize>,
    by_characters: bool,
    key: Vec<String>,
}

/// Puts the records of one page's chunks together.
pub(super) struct Merger<'q> {
    chunking: Option<&'q Chunking>,
    loose: Vec<Value>,
    merged: IndexMap<String, Map>,
}

impl QueryProperties {
    /// Of a `QueryProperties` component.
    pub(super) fn build(
        component: &Component<'_>,
        family: &Family,
        chosen: Option<HashSet<String>>,
    ) -> Result<Self> {
        let list = match component.value("property_list") {
            Some(Value::Map(_)) => Self::endpoint(&component.required("property_list")?, family)?,
            _ => List::Known(component.texts("property_list")?),
        };
        let chunking =
            component.child("property_chunking")?.map(|child| Chunking::build(&child)).transpose()?;
        let chosen = if component.value("property_selector").is_some() { chosen } else { None };
        Ok(Self { list, always: component.texts("always_include_properties")?, chunking, chosen })
    }

    /// Of a `PropertiesFromEndpoint` that stands alone.
    pub(super) fn of_endpoint(component: &Component<'_>, family: &Family) -> Result<Self> {
        Ok(Self {
            list: Self::endpoint(component, family)?,
            always: Vec::new(),
            chunking: None,
            chosen: None,
        })
    }

    fn endpoint(component: &Component<'_>, family: &Family) -> Result<List> {
        let parameters = component.parameters();
        let context = family.scope().context(&parameters);
        let path = component
            .texts("property_field_path")?
            .iter()
            .map(|step| TextTemplate::compile(step)?.eval_text(&context))
            .collect::<Result<_>>()?;
        let stream = Stream::of_retriever(component, "retriever", "dynamic_properties", family)?;
        Ok(List::Endpoint { stream: Arc::new(stream), path, found: OnceCell::new() })
    }

    /// The names for each request of a page.
    pub(super) async fn chunks(&self) -> Result<Vec<Vec<String>>> {
        let names = match &self.list {
            List::Known(names) => names,
            List::Endpoint { stream, path, found } => {
                found.get_or_try_init(|| Box::pin(names_of(stream, path))).await?
            }
        };
        let wanted = |name: &&String| self.chosen.as_ref().is_none_or(|chosen| chosen.contains(*name));
        match &self.chunking {
            None => Ok(vec![self.always.iter().chain(names.iter().filter(wanted)).cloned().collect()]),
            Some(chunking) => Ok(chunking.chunks(names, &self.always, wanted)),
        }
    }

    /// What puts the records of chunks together.
    pub(super) fn merger(&self) -> Merger<'_> {
        Merger { chunking: self.chunking.as_ref(), loose: Vec::new(), merged: IndexMap::new() }
    }
}

async fn names_of(stream: &Stream, path: &[String]) -> Result<Vec<String>> {
    let records = stream.all_records().await?;
    Ok(records
        .iter()
        .map(|record| {
            let mut at = Some(record);
            for step in path {
                at = at.and_then(|value| step_into(value, step));
            }
            at.map_or_else(|| "[]".to_owned(), python_text)
        })
        .collect())
}

fn step_into<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match value.as_list() {
        Some(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
        None => value.get(step),
    }
}

impl Chunking {
    fn build(component: &Component<'_>) -> Result<Self> {
        let by_characters = component.text("property_limit_type")?.as_deref() == Some("characters");
        let limit = component.int("property_limit")?.and_then(|limit| usize::try_from(limit).ok());
        let key = match component.child("record_merge_strategy")? {
            None => vec!["id".to_owned()],
            Some(strategy) if strategy.kind() == "GroupByKeyMergeStrategy" => strategy.texts("key")?,
            Some(strategy) => return Err(strategy.unknown("merge strategy")),
        };
        Ok(Self { limit: limit.filter(|limit| *limit > 0), by_characters, key })
    }

    fn chunks(
        &self,
        names: &[String],
        always: &[String],
        wanted: impl Fn(&&String) -> bool,
    ) -> Vec<Vec<String>> {
        let Some(limit) = self.limit else {
            return vec![names.iter().chain(always).cloned().collect()];
        };
        let (mut chunks, mut current, mut size) = (Vec::new(), always.to_vec(), 0);
        for name in names.iter().filter(wanted) {
            // Three more: the delimiter between two names, encoded.
            let cost = if self.by_characters { name.chars().count() + 3 } else { 1 };
            if size + cost > limit {
                chunks.push(std::mem::replace(&mut current, always.to_vec()));
                size = 0;
            }
            current.push(name.clone());
            size += cost;
        }
        chunks.push(current);
        chunks
    }

    /// What makes two records one; `None` where a key is missing or empty.
    fn group(&self, record: &Value) -> Option<String> {
        let keys: Option<Vec<String>> = self
            .key
            .iter()
            .map(|key| record.get(key).filter(|value| value.is_true()).map(python_text))
            .collect();
        keys.map(|keys| keys.join(","))
    }
}

impl Merger<'_> {
    pub(super) fn add(&mut self, records: Vec<Value>) {
        for record in records {
            match (self.chunking.and_then(|chunking| chunking.group(&record)), record) {
                (Some(group), Value::Map(map)) => merge(self.merged.entry(group).or_default(), map),
                (_, record) => self.loose.push(record),
            }
        }
    }

    /// Records without a key first, then those that were put together.
    pub(super) fn finish(self) -> Vec<Value> {
        self.loose.into_iter().chain(self.merged.into_values().map(Value::Map)).collect()
    }
}

fn merge(known: &mut Map, new: Map) {
    for (key, value) in new {
        match (known.get_mut(&key), value) {
            (Some(Value::Map(inner)), Value::Map(value)) => merge(inner, value),
            (_, value) => {
                known.insert(key, value);
            }
        }
    }
}
