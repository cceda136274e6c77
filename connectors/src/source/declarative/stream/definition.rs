//! The streams of a manifest before they are built: which there are, which of them are parents, what groups they are in.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::Result;

use super::dynamic::Made;
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::value::Value;

/// A stream of the catalog, not yet built.
#[derive(Clone)]
pub(super) struct Definition {
    /// Its name; empty where it has none.
    pub(super) name: String,
    pub(super) place: String,
    pub(super) stream: Arc<Value>,
    /// The `DynamicDeclarativeStream` that it was made by.
    pub(super) made_by: Option<String>,
}

impl Definition {
    pub(super) fn component(&self) -> Result<Component<'_>> {
        Component::new(&self.stream, self.place.as_str())
    }

    /// Of a stream that was made of a template.
    pub(super) fn made(made: Made) -> Self {
        Self {
            place: format!("dynamic_streams.{}.{}", made.of, made.name),
            name: made.name,
            stream: Arc::new(made.stream),
            made_by: Some(made.of),
        }
    }
}

/// The streams that stand in the manifest itself, those of `ConditionalStreams` whose condition holds among them.
pub(super) fn of_manifest(manifest: &Component<'_>, scope: &Scope) -> Result<Vec<Definition>> {
    let mut streams = Vec::new();
    for stream in manifest.children("streams")? {
        if stream.kind() == "ConditionalStreams" {
            let parameters = stream.parameters();
            let holds = match stream.condition("condition")? {
                Some(condition) => condition.eval(&scope.context(&parameters))?,
                None => false,
            };
            if holds {
                for inner in stream.children("streams")? {
                    streams.push(definition(&inner)?);
                }
            }
        } else {
            streams.push(definition(&stream)?);
        }
    }
    Ok(streams)
}

fn definition(stream: &Component<'_>) -> Result<Definition> {
    let mut map = stream.fields().clone();
    if !map.contains("type") {
        map.insert("type", "DeclarativeStream");
    }
    Ok(Definition {
        name: stream.text("name")?.unwrap_or_default(),
        place: stream.place().to_owned(),
        stream: Arc::new(Value::Map(map)),
        made_by: None,
    })
}

/// Whether a stream of this name is a direct parent of one of `streams`: its answers are kept.
pub(super) fn is_parent<'d>(name: &str, streams: impl IntoIterator<Item = &'d Definition>) -> bool {
    let mut is_parent = false;
    for definition in streams {
        for_each_parent(&definition.stream, &mut |parent| {
            is_parent |= parent.get("name").and_then(Value::as_text) == Some(name);
        });
    }
    is_parent
}

/// The names of a stream's parents, their parents and so on.
pub(super) fn ancestors(stream: &Value, names: &mut BTreeSet<String>) {
    for_each_parent(stream, &mut |parent| {
        if let Some(name) = parent.get("name").and_then(Value::as_text)
            && names.insert(name.to_owned())
        {
            ancestors(parent, names);
        }
    });
}

/// The groups by the streams in them: of those in one, one is read at a time.
pub(super) fn groups(manifest: &Component<'_>) -> Vec<(String, String)> {
    let mut groups = Vec::new();
    for (group, value) in manifest.child_map("stream_groups").iter().flat_map(|map| map.iter()) {
        for stream in value.get("streams").and_then(Value::as_list).unwrap_or_default() {
            if let Some(name) = stream.get("name").and_then(Value::as_text) {
                groups.push((name.to_owned(), group.to_owned()));
            }
        }
    }
    groups
}

fn for_each_parent(stream: &Value, tell: &mut dyn FnMut(&Value)) {
    if let Some(parent) = stream.get("incremental_sync").and_then(|sync| sync.get("parent_stream")) {
        tell(parent);
        return;
    }
    let router = stream.get("retriever").and_then(|retriever| retriever.get("partition_router"));
    let mut routers: Vec<&Value> = router.into_iter().collect();
    while let Some(router) = routers.pop() {
        if let Value::List(items) = router {
            routers.extend(items);
            continue;
        }
        for config in router.get("parent_stream_configs").and_then(Value::as_list).unwrap_or_default() {
            if let Some(parent) = config.get("stream") {
                tell(parent);
            }
        }
        routers.extend(router.get("partition_routers").and_then(Value::as_list).unwrap_or_default());
        routers.extend(router.get("underlying_partition_router"));
    }
}
