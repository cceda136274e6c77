//! The files that Airbyte's commands take: configuration, configured catalog, states. Read as strictly as the
//! reference reads them, and no more.

use std::fs;
use std::path::Path;

use connectors::source::declarative::{Map, Value};
use protocol::{Error, Result};

/// A stream of a configured catalog.
pub(super) struct Configured {
    pub(super) name: String,
    pub(super) json_schema: Value,
    pub(super) is_incremental: bool,
    /// `append`, `overwrite` or another.
    pub(super) destination_mode: String,
    /// The cursor's path; empty where none was chosen.
    pub(super) cursor_field: Vec<String>,
    /// Paths of the key's columns; empty where none was chosen.
    pub(super) primary_key: Vec<Vec<String>>,
}

/// A configured catalog.
pub(super) struct Catalog {
    pub(super) streams: Vec<Configured>,
    /// As it was given.
    pub(super) value: Value,
}

/// States by their stream's name.
pub(super) struct States(Vec<(String, Value)>);

/// The JSON document in the file at `path`.
fn document(path: &Path) -> Result<Value> {
    let shown = path.display();
    let text = fs::read(path)
        .map_err(|error| Error::config(format!("file {shown} can't be read")).with_source(error))?;
    Value::from_json(&text)
        .map_err(|error| Error::config(format!("file {shown} is not JSON")).with_source(error))
}

/// The configuration in the file at `path`.
pub(super) fn config(path: &Path) -> Result<Map> {
    match document(path)? {
        Value::Map(map) => Ok(map),
        other => Err(Error::config(format!(
            "file {} holds {}, and a configuration is an object",
            path.display(),
            other.kind()
        ))),
    }
}

impl Catalog {
    /// The configured catalog in the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let value = document(path)?;
        let streams = value
            .get("streams")
            .and_then(Value::as_list)
            .ok_or_else(|| unfit(path, "`streams` is missing or no list"))?
            .iter()
            .enumerate()
            .map(|(place, entry)| {
                Configured::of(entry).map_err(|what| unfit(path, &format!("streams[{place}]: {what}")))
            })
            .collect::<Result<_>>()?;
        Ok(Self { streams, value })
    }
}

fn unfit(path: &Path, what: &str) -> Error {
    Error::config(format!("file {} is no configured catalog: {what}", path.display()))
        .hint("`discover` prints a catalog; a configured one wraps each stream with `sync_mode` and `destination_sync_mode`")
}

impl Configured {
    fn of(entry: &Value) -> std::result::Result<Self, String> {
        let stream = entry.get("stream").ok_or("`stream` is missing")?;
        let text = |value: &Value, key: &str| {
            value
                .get(key)
                .and_then(Value::as_text)
                .map(str::to_owned)
                .ok_or(format!("`{key}` is missing or no text"))
        };
        let name = text(stream, "name")?;
        let json_schema = stream.get("json_schema").filter(|schema| schema.as_map().is_some());
        let json_schema = json_schema.cloned().ok_or("`json_schema` is missing or no object")?;
        if stream.get("supported_sync_modes").and_then(Value::as_list).is_none() {
            return Err("`supported_sync_modes` is missing or no list".to_owned());
        }
        let mode = text(entry, "sync_mode")?;
        if !["full_refresh", "incremental"].contains(&mode.as_str()) {
            return Err("`sync_mode` is neither full_refresh nor incremental".to_owned());
        }
        let path = |value: &Value| -> Vec<String> {
            value
                .as_list()
                .unwrap_or_default()
                .iter()
                .filter_map(|step| step.as_text().map(str::to_owned))
                .collect()
        };
        let primary_key = entry.get("primary_key").and_then(Value::as_list).unwrap_or_default();
        Ok(Self {
            name,
            json_schema,
            is_incremental: mode == "incremental",
            destination_mode: text(entry, "destination_sync_mode")?,
            cursor_field: entry.get("cursor_field").map(path).unwrap_or_default(),
            primary_key: primary_key.iter().map(path).collect(),
        })
    }
}

impl States {
    /// None.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// The states in the file at `path`: a list of state messages, or nothing (`[]`, `{}`, `null`).
    pub(super) fn read(path: &Path) -> Result<Self> {
        let fail = |what: &str| {
            Error::config(format!("file {} holds no states: {what}", path.display())).hint(
                "a list of state messages is expected: [{\"type\": \"STREAM\", \"stream\": {\"stream_descriptor\": {\"name\": …}, \"stream_state\": {…}}}]",
            )
        };
        let value = document(path)?;
        if !value.is_true() {
            return Ok(Self::none());
        }
        let messages = value.as_list().ok_or_else(|| fail("it is no list"))?;
        Self::of(messages).map_err(|what| fail(&what))
    }

    fn of(messages: &[Value]) -> std::result::Result<Self, String> {
        for message in messages {
            if message.as_map().is_none() {
                return Err("a message is no object".to_owned());
            }
            if !["stream", "global", "data"].iter().any(|key| message.get(key).is_some_and(Value::is_true)) {
                return Err("a message has neither `stream` nor `global` nor `data`".to_owned());
            }
            let kind = message.get("type").and_then(Value::as_text);
            if kind.is_some_and(|kind| !["STREAM", "GLOBAL", "LEGACY"].contains(&kind)) {
                return Err("the type of a message is none of STREAM, GLOBAL and LEGACY".to_owned());
            }
        }
        let of_kind = |message: &Value, wanted| message.get("type").and_then(Value::as_text) == Some(wanted);
        let mut states = Self::none();
        match messages {
            [only] if of_kind(only, "GLOBAL") => {
                let global = only.get("global").ok_or("a GLOBAL message without `global`")?;
                if global.get("shared_state").is_some_and(Value::is_true) {
                    return Err(
                        "a GLOBAL message with a `shared_state`, which no source of APIs writes".to_owned()
                    );
                }
                for stream in global.get("stream_states").and_then(Value::as_list).unwrap_or_default() {
                    states.add(stream)?;
                }
            }
            _ => {
                for message in messages.iter().filter(|message| of_kind(message, "STREAM")) {
                    states.add(message.get("stream").ok_or("a STREAM message without `stream`")?)?;
                }
            }
        }
        Ok(states)
    }

    fn add(&mut self, stream: &Value) -> std::result::Result<(), String> {
        let descriptor = stream.get("stream_descriptor").ok_or("`stream_descriptor` is missing")?;
        let name = descriptor.get("name").and_then(Value::as_text).ok_or("a stream has no `name`")?;
        // Streams of manifests have no namespace: a state of another is none of theirs.
        if descriptor.get("namespace").is_some_and(|space| !space.is_none()) {
            return Ok(());
        }
        self.0.retain(|(known, _)| known != name);
        if let Some(state) = stream.get("stream_state").filter(|state| !state.is_none()) {
            if state.as_map().is_none() {
                return Err("a `stream_state` is no object".to_owned());
            }
            self.0.push((name.to_owned(), state.clone()));
        }
        Ok(())
    }

    /// Where the stream of that name stands; an empty state is none.
    pub(super) fn of_stream(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, state)| state).filter(|state| state.is_true())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(text: &str) -> std::result::Result<States, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        fs::write(&path, text).unwrap();
        States::read(&path)
    }

    const MESSAGE: &str = r#"{"stream_descriptor":{"name":"items"},"stream_state":{"at":"x"}}"#;

    #[test]
    fn states_of_all_shapes_are_read_as_the_reference_does() {
        let at = |text: &str| {
            let found = states(text).map(|states| states.of_stream("items").map(Value::to_json));
            found.map_err(|error| error.to_string())
        };
        let x = Ok(Some(r#"{"at":"x"}"#.to_owned()));
        for nothing in [
            "[]",
            "{}",
            "null",
            "[{\"type\":\"STREAM\",\"stream\":{\"stream_descriptor\":{\"name\":\"items\"}}}]",
        ] {
            assert_eq!(at(nothing), Ok(None), "{nothing}");
        }
        assert_eq!(at(&format!(r#"[{{"type":"STREAM","stream":{MESSAGE}}}]"#)), x);
        assert_eq!(at(&format!(r#"[{{"type":"GLOBAL","global":{{"stream_states":[{MESSAGE}]}}}}]"#)), x);
        assert_eq!(at(r#"[{"type":"LEGACY","data":{"items":{"at":"x"}}}]"#), Ok(None));
        let other = MESSAGE.replace(r#""name":"items""#, r#""name":"items","namespace":"n""#);
        assert_eq!(at(&format!(r#"[{{"type":"STREAM","stream":{other}}}]"#)), Ok(None));
        for wrong in [
            "",
            r#"{"items":{"at":"x"}}"#,
            r#"[{"type":"STATE","stream":{}}]"#,
            r#"[{"type":"STREAM"}]"#,
            r#"[{"type":"GLOBAL","global":{"shared_state":{"a":1},"stream_states":[]}}]"#,
            r#"[{"type":"STREAM","stream":{"stream_descriptor":{"name":"items"},"stream_state":[1]}}]"#,
        ] {
            assert!(states(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_catalog_needs_what_the_protocol_says() {
        let folder = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            let path = folder.path().join("catalog.json");
            fs::write(&path, text).unwrap();
            Catalog::read(&path)
        };
        let stream = r#"{"name":"items","json_schema":{},"supported_sync_modes":["full_refresh"]}"#;
        let good = format!(
            r#"{{"streams":[{{"stream":{stream},"sync_mode":"incremental","destination_sync_mode":"append","cursor_field":["at"],"extra":1}}]}}"#
        );
        let catalog = read(&good).unwrap();
        assert_eq!((catalog.streams[0].name.as_str(), catalog.streams[0].is_incremental), ("items", true));
        assert_eq!(catalog.streams[0].cursor_field, ["at"]);
        for wrong in [
            good.replace(r#""json_schema":{},"#, ""),
            good.replace("incremental", "sometimes"),
            good.replace(r#""destination_sync_mode":"append","#, ""),
            "[]".to_owned(),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
