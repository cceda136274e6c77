//! States in Airbyte's forms: what its connectors print, what its platform exports, what it once wrote.

use protocol::{ConfiguredStream, DynSource, Error, Result, StreamState};
use serde_json::{Map, Value, json};

use crate::command::document::StateEntry;

/// A state of a stream as Airbyte has it.
#[derive(Debug, PartialEq)]
pub(super) struct Foreign {
    namespace: Option<String>,
    name: String,
    state: Value,
}

impl Foreign {
    /// Whether it belongs to the stream of that name.
    fn is_of(&self, stream: &str) -> bool {
        match &self.namespace {
            Some(space) => {
                stream == self.name
                    || stream.strip_prefix(space.as_str()).and_then(|rest| rest.strip_prefix('.'))
                        == Some(&self.name)
            }
            None => stream == self.name,
        }
    }

    /// As an `AirbyteStreamState`.
    fn entry(&self) -> Value {
        let mut descriptor = json!({ "name": self.name });
        if let Some(space) = &self.namespace {
            descriptor["namespace"] = json!(space);
        }
        json!({ "stream_descriptor": descriptor, "stream_state": self.state })
    }
}

/// The states in `text`; `None` where it holds no form of Airbyte's.
///
/// Known are: lists of state messages and lines of messages, as connectors take and print them; what the platform's
/// API gives of a connection; and an object of states by stream, as old connectors wrote it.
pub(super) fn parse(text: &str) -> Option<Vec<Foreign>> {
    let mut found = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match value.ok()? {
            Value::Array(messages) => {
                messages.iter().try_for_each(|message| message_of(message, &mut found))?;
            }
            Value::Object(map) if map.contains_key("states") && map.contains_key("version") => return None,
            value @ Value::Object(_) => any_of(&value, &mut found)?,
            _ => return None,
        }
    }
    Some(found)
}

fn any_of(value: &Value, found: &mut Vec<Foreign>) -> Option<()> {
    if let Some(inner) = value.get("connectionState").or(value.get("connection_state")) {
        return any_of(inner, found);
    }
    if value.get("type").is_some() {
        return message_of(value, found);
    }
    let streams = value.get("streamState").or_else(|| value.pointer("/globalState/streamStates"));
    if let Some(streams) = streams.and_then(Value::as_array) {
        return streams.iter().try_for_each(|stream| stream_of(stream, found));
    }
    let legacy = value.get("state").unwrap_or(value).as_object()?;
    legacy_of(legacy, found)
}

/// A message of the protocol; others than states say nothing.
fn message_of(message: &Value, found: &mut Vec<Foreign>) -> Option<()> {
    match message.get("type").and_then(Value::as_str) {
        Some("STATE") => message_of(message.get("state")?, found),
        Some("STREAM") => stream_of(message.get("stream")?, found),
        Some("GLOBAL") => {
            let streams = message.pointer("/global/stream_states")?.as_array()?;
            streams.iter().try_for_each(|stream| stream_of(stream, found))
        }
        Some("LEGACY") => legacy_of(message.get("data")?.as_object()?, found),
        Some("RECORD" | "LOG" | "TRACE" | "CONTROL" | "SPEC" | "CATALOG" | "CONNECTION_STATUS" | "DEBUG") => {
            Some(())
        }
        // What once had no type.
        None if message.get("data").is_some() => legacy_of(message.get("data")?.as_object()?, found),
        _ => None,
    }
}

fn stream_of(stream: &Value, found: &mut Vec<Foreign>) -> Option<()> {
    let either = |one: &str, other: &str| stream.get(one).or_else(|| stream.get(other));
    let descriptor = either("stream_descriptor", "streamDescriptor")?;
    let text = |key: &str| descriptor.get(key).and_then(Value::as_str).map(str::to_owned);
    let state = either("stream_state", "streamState").filter(|state| !state.is_null());
    add(text("namespace").filter(|space| !space.is_empty()), text("name")?, state?.clone(), found);
    Some(())
}

fn legacy_of(streams: &Map<String, Value>, found: &mut Vec<Foreign>) -> Option<()> {
    for (name, state) in streams {
        state.as_object()?;
        add(None, name.clone(), state.clone(), found);
    }
    Some(())
}

/// The last state of a stream counts.
fn add(namespace: Option<String>, name: String, state: Value, found: &mut Vec<Foreign>) {
    found.retain(|known| (&known.namespace, &known.name) != (&namespace, &name));
    found.push(Foreign { namespace, name, state });
}

/// What `source` makes of them, for the streams that there are; and what people should know.
pub(super) fn adopt(
    source: &dyn DynSource,
    streams: &[ConfiguredStream],
    found: &[Foreign],
) -> Result<(Vec<StateEntry>, Vec<String>)> {
    let (mut entries, mut notes) = (Vec::new(), Vec::new());
    for stream in streams {
        let Some(foreign) = found.iter().find(|foreign| foreign.is_of(&stream.name)) else {
            notes.push(format!("{}: the file has no state of it, and it stays as it is", stream.name));
            continue;
        };
        let (state, advice) = source.import_airbyte(stream, &foreign.entry())?;
        notes.extend(advice.map(|advice| format!("{}: {advice}", stream.name)));
        let state = StreamState { source: Some(state), unfinished: None };
        entries.push(StateEntry {
            stream: stream.name.clone(),
            target: stream.target.clone(),
            sequence: 0,
            state,
        });
    }
    let strange = found.iter().filter(|foreign| !streams.iter().any(|stream| foreign.is_of(&stream.name)));
    notes.extend(strange.map(|foreign| format!("{}: the connection has no such stream", foreign.name)));
    Ok((entries, notes))
}

/// A list of state messages of these streams.
pub(super) fn export(source: &dyn DynSource, entries: &[StateEntry]) -> Result<Value> {
    let mut messages = Vec::new();
    for StateEntry { stream, state, .. } in entries {
        if state.unfinished.is_some() {
            return Err(Error::config(
                "a sync of the stream is unfinished: its state is not one that Airbyte knows",
            )
            .context("stream", stream.clone())
            .hint("let a sync end, and export then"));
        }
        let Some(state) = &state.source else { continue };
        if let Some(state) = source.export_airbyte(stream, state)? {
            messages.push(json!({ "type": "STREAM", "stream": state }));
        }
    }
    Ok(Value::Array(messages))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(namespace: Option<&str>) -> Vec<Foreign> {
        let namespace = namespace.map(str::to_owned);
        vec![Foreign { namespace, name: "items".to_owned(), state: json!({ "at": "x" }) }]
    }

    #[test]
    fn all_forms_of_a_state_are_known() {
        let snake = r#"{"stream_descriptor":{"name":"items"},"stream_state":{"at":"x"}}"#;
        let camel = r#"{"streamDescriptor":{"name":"items","namespace":null},"streamState":{"at":"x"}}"#;
        for text in [
            format!(r#"[{{"type":"STREAM","stream":{snake}}}]"#),
            format!(r#"[{{"type":"GLOBAL","global":{{"shared_state":{{}},"stream_states":[{snake}]}}}}]"#),
            format!(
                "{{\"type\":\"LOG\",\"log\":{{}}}}\n{{\"type\":\"STATE\",\"state\":{{\"type\":\"STREAM\",\"stream\":{snake}}}}}\n"
            ),
            format!(r#"{{"stateType":"stream","connectionId":"c","streamState":[{camel}]}}"#),
            format!(
                r#"{{"connectionState":{{"stateType":"global","globalState":{{"streamStates":[{camel}]}}}}}}"#
            ),
            r#"{"items":{"at":"x"}}"#.to_owned(),
            r#"{"state":{"items":{"at":"x"}}}"#.to_owned(),
            r#"[{"type":"LEGACY","data":{"items":{"at":"x"}}}]"#.to_owned(),
        ] {
            assert_eq!(parse(&text), Some(one(None)), "{text}");
        }
        let spaced = snake.replace("\"name\"", "\"namespace\":\"public\",\"name\"");
        let found = parse(&format!(r#"[{{"type":"STREAM","stream":{spaced}}}]"#));
        assert_eq!(found, Some(one(Some("public"))));
        assert!(found.unwrap()[0].is_of("public.items"));
        assert_eq!(parse("[]"), Some(Vec::new()));
        for other in [r#"{"version":1,"connection":"c","states":[]}"#, "[1]", "nonsense", r#"{"a":1}"#] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_last_state_of_a_stream_counts() {
        let line = |at: &str| {
            format!(
                r#"{{"type":"STATE","state":{{"type":"STREAM","stream":{{"stream_descriptor":{{"name":"items"}},"stream_state":{{"at":"{at}"}}}}}}}}"#
            )
        };
        assert_eq!(parse(&format!("{}\n{}", line("w"), line("x"))), Some(one(None)));
    }
}
