//! The state that a parent begins with, taken from its child's.

use protocol::Result;

use super::NO_CURSOR;
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::value::{Map, Value};

/// The state that the parent of `link`, a `ParentStreamConfig`, begins with where the child's state is `child`.
pub(in crate::source::declarative) fn parent_state(
    link: &Component<'_>,
    child: Option<&Map>,
    scope: &Scope,
) -> Result<Option<Value>> {
    let Some(child) = child.filter(|_| link.value("incremental_dependency").is_some()) else {
        return Ok(None);
    };
    if !link.flag("incremental_dependency", false)? {
        return Ok(None);
    }
    let parent = link.required("stream")?;
    let name = parent.text("name")?.unwrap_or_default();
    if let Some(state) = child.get("parent_state").and_then(|parents| parents.get(&name)) {
        return Ok(objects(state));
    }
    if let Some(state) = child.get("state") {
        return Ok(objects(state));
    }
    let mut values = child.iter().filter(|(key, _)| *key != NO_CURSOR).map(|(_, value)| value);
    match (values.next(), values.next()) {
        // One value of a legacy state seeds the parent.
        (Some(value @ (Value::Text(_) | Value::Int(_) | Value::Big(_) | Value::Float(_))), None) => {
            let parent = if parent.kind() == "StateDelegatingStream" {
                parent.required("incremental_stream")?
            } else {
                parent
            };
            let cursor = parent.required("incremental_sync")?;
            let parameters = cursor.parameters();
            let field = cursor.required_template("cursor_field")?.eval_text(&scope.context(&parameters))?;
            let mut state = Map::new();
            state.insert(field, value.clone());
            Ok(Some(state.into()))
        }
        _ => Ok(None),
    }
}

fn objects(state: &Value) -> Option<Value> {
    state.as_map().map(|state| Value::Map(state.clone()))
}
