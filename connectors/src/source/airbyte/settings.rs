//! The configuration that an Airbyte source takes: what tidegate's file has of it, and the file in which it is kept
//! where the source itself changes it.
//!
//! Some APIs give a new refresh token with each access token, and the old one is worth nothing from then on. What a
//! source gives back is stored before it goes on.

use std::io::Write;
use std::path::{Path, PathBuf};

use protocol::{Error, ErrorKind, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::source::declarative::{Map, Value};

/// Settings of a source by name. They hold secrets: no `Debug`.
#[derive(Deserialize, Default, Clone)]
#[serde(transparent)]
pub struct Inline(serde_json::Map<String, serde_json::Value>);

impl JsonSchema for Inline {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Inline".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A password as a whole: no value of it is ever shown.
        json_schema!({ "type": "object", "additionalProperties": true, "format": "password" })
    }
}

/// A configuration, and where it is kept.
#[derive(Clone)]
pub(crate) struct Settings {
    value: Value,
    file: Option<PathBuf>,
}

impl Settings {
    /// What `inline` says, overruled by what the file holds, if it exists.
    pub(crate) fn read(inline: &Inline, file: Option<PathBuf>) -> Result<Self> {
        let text = serde_json::to_vec(&inline.0)
            .map_err(|error| Error::config("the source's `config` is no JSON").with_source(error))?;
        let mut value = Value::from_json(&text)?;
        if let (Some(path), Value::Map(map)) = (&file, &mut value) {
            for (key, kept) in kept(path)? {
                map.insert(key, kept);
            }
        }
        Ok(Self { value, file })
    }

    /// The configuration.
    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// Whether there is a place for what changes.
    pub(crate) fn is_kept(&self) -> bool {
        self.file.is_some()
    }

    /// Stores a changed configuration: the file is replaced as a whole, or stays as it was.
    pub(crate) fn keep(&self, config: &Value) -> Result<()> {
        let Some(path) = &self.file else {
            return Err(Error::config(
                "the source gave a new configuration, and there is no place to keep it",
            )
            .hint("set `config_file`: the next sync would be refused with the old refresh token"));
        };
        let fail = |error: std::io::Error| {
            Error::new(ErrorKind::Storage, format!("{} can't be written", path.display())).with_source(error)
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Only its owner can read what is made here.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        file.write_all(config.to_json().as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(fail)?;
        file.persist(path).map_err(|error| fail(error.error))?;
        Ok(())
    }
}

/// What a file holds; nothing where there is none yet.
fn kept(path: &Path) -> Result<Map> {
    let shown = path.display();
    match std::fs::read(path) {
        Ok(text) => match Value::from_json(&text) {
            Ok(Value::Map(map)) => Ok(map),
            _ => Err(Error::config(format!("`config_file` {shown} is no JSON object"))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(Error::config(format!("`config_file` {shown} can't be read")).with_source(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_kept_wins_over_what_is_written_in_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        let inline: Inline = serde_json::from_value(json!({ "id": 1, "refresh_token": "old" })).unwrap();
        let settings = Settings::read(&inline, Some(path.clone())).unwrap();
        assert_eq!(settings.value().to_json(), r#"{"id":1,"refresh_token":"old"}"#);
        settings.keep(&Value::from_json(br#"{"id":1,"refresh_token":"new"}"#).unwrap()).unwrap();
        let settings = Settings::read(&inline, Some(path)).unwrap();
        assert_eq!(settings.value().to_json(), r#"{"id":1,"refresh_token":"new"}"#);
    }

    #[test]
    fn a_changed_configuration_without_a_place_is_an_error() {
        let settings = Settings::read(&Inline::default(), None).unwrap();
        assert!(!settings.is_kept());
        assert_eq!(settings.keep(&Value::None).unwrap_err().kind(), ErrorKind::Config);
    }
}
