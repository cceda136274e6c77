//! `StateDelegatingStream`: one stream for the first time, another from then on.

use chrono::Utc;
use protocol::Result;

use super::family::Family;
use super::plain::{Origin, Stream};
use crate::source::declarative::component::Component;
use crate::source::declarative::moment::Duration;

/// All three names must be one.
pub(super) fn check_names(component: &Component<'_>) -> Result<()> {
    let name = component.text("name")?;
    for field in ["full_refresh_stream", "incremental_stream"] {
        if component.required(field)?.text("name")? != name {
            return Err(component.fail(format!("`{field}` must have the name of its stream")));
        }
    }
    Ok(())
}

/// The stream that is to be read from this state on. Tells whether the state is to be forgotten, since it is older than
/// what the API keeps.
pub(super) fn choose(
    component: &Component<'_>,
    family: &Family,
    origin: &Origin<'_>,
) -> Result<(Stream, bool)> {
    check_names(component)?;
    let (full, incremental) =
        (component.required("full_refresh_stream")?, component.required("incremental_stream")?);
    let Some(state) = origin.state.filter(|state| state.is_true()) else {
        return Ok((Stream::build(&full, family, &Origin { state: None, ..origin.clone() })?, false));
    };
    let stream = Stream::build(&incremental, family, origin)?;
    let parameters = component.parameters();
    let period = match component.template("api_retention_period")? {
        Some(template) => template.eval_text(&family.scope().context(&parameters))?,
        None => String::new(),
    };
    if period.is_empty() {
        return Ok((stream, false));
    }
    let oldest = Duration::parse(&period)?;
    let first = Stream::build(&full, family, origin)?;
    let stands =
        first.slicing().cursor().moment_of(state).or_else(|| stream.slicing().cursor().moment_of(state));
    let limit = oldest.before(&family.scope().clock().now());
    if stands.is_some_and(|stands| limit.is_some_and(|limit| stands.with_timezone(&Utc) >= limit)) {
        return Ok((stream, false));
    }
    tracing::warn!(stream = stream.name(), "the state is older than what the API keeps: all is read anew");
    Ok((Stream::build(&full, family, &Origin { state: None, ..origin.clone() })?, true))
}
