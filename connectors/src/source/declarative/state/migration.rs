//! `state_migrations`: older shapes of a stream's state made into today's.

use protocol::Result;

use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::TextTemplate;
use crate::source::declarative::value::{Map, Value};

/// The state that `stream`, a `DeclarativeStream`, goes on from.
pub(in crate::source::declarative) fn migrate(
    stream: &Component<'_>,
    scope: &Scope,
    state: Map,
) -> Result<Map> {
    let migrations = stream.children("state_migrations")?;
    migrations.iter().try_fold(state, |state, migration| match migration.kind() {
        "LegacyToPerPartitionStateMigration" => Ok(Legacy::build(stream, migration, scope)?.migrate(state)),
        _ => Err(migration.unknown("state migration")),
    })
}

/// `{"13506132": {"last_changed": "…"}}`: states by the parent's key alone.
struct Legacy {
    /// The key of partitions.
    partition: String,
    /// The cursor's field.
    cursor: String,
    has_one_parent: bool,
}

impl Legacy {
    fn build(stream: &Component<'_>, migration: &Component<'_>, scope: &Scope) -> Result<Self> {
        let router = match stream.required("retriever")?.value("partition_router") {
            Some(Value::Map(_)) => stream.required("retriever")?.required("partition_router")?,
            _ => return Err(migration.fail("the stream has not exactly one `partition_router`")),
        };
        let (partition, has_one_parent) = match router.kind() {
            "UnionPartitionRouter" => (router.required_text("partition_field")?, true),
            _ if router.value("parent_stream_configs").is_some() => {
                let parents = router.children("parent_stream_configs")?;
                let first = parents.first().ok_or_else(|| router.fail("`parent_stream_configs` is empty"))?;
                (first.required_text("partition_field")?, parents.len() == 1)
            }
            _ => return Err(migration.fail("the stream's partitions do not come from a parent stream")),
        };
        let cursor = stream.required("incremental_sync")?.required_text("cursor_field")?;
        let parameters = stream.parameters();
        let eval = |text: &str| TextTemplate::compile(text)?.eval_text(&scope.context(&parameters));
        Ok(Self { partition: eval(&partition)?, cursor: eval(&cursor)?, has_one_parent })
    }

    fn migrate(&self, state: Map) -> Map {
        let is_legacy = self.has_one_parent
            && !state.is_empty()
            && !state.contains("states")
            && state.values().all(|value| {
                value.as_map().is_some_and(|inner| inner.len() == 1 && inner.contains(&self.cursor))
            });
        if !is_legacy {
            return state;
        }
        let states = state.into_iter().map(|(key, cursor)| {
            let mut partition = Map::new();
            partition.insert(self.partition.as_str(), String::from(key));
            let mut entry = Map::new();
            entry.insert("partition", partition);
            entry.insert("cursor", cursor);
            Value::Map(entry)
        });
        let states: Vec<Value> = states.collect();
        [("states", Value::List(states))].into_iter().collect()
    }
}
