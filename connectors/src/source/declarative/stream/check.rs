//! `CheckStream` and `CheckDynamicStream`: whether a configuration works.

use protocol::{Error, Result};

use super::definition::Definition;
use super::engine::Engine;
use super::plain::Stream;
use crate::source::declarative::component::Component;
use crate::source::declarative::value::Value;

/// Names of streams to check instead of the manifest's, in the configuration.
const NAMES_IN_CONFIG: &str = "__airbyte_check_stream_names";

impl Engine {
    /// Proves that the configuration works, by what the manifest's `check` names: each stream gives its first record, or
    /// ends without one.
    pub async fn check(&self) -> Result<()> {
        let manifest = self.manifest()?;
        let Some(check) = manifest.child("check")? else {
            return Err(Error::config("the manifest has no `check`"));
        };
        match check.child_map("config_overrides").filter(|overrides| !overrides.is_empty()) {
            Some(overrides) => self.with_config(overrides)?.check_by(&check).await,
            None => self.check_by(&check).await,
        }
    }

    async fn check_by(&self, check: &Component<'_>) -> Result<()> {
        match check.kind() {
            "CheckStream" | "" => self.check_streams(check).await,
            "CheckDynamicStream" => {
                let all = self.definitions().await?;
                if all.is_empty() {
                    return Err(Error::config("there is no stream to connect to"));
                }
                if !check.flag("use_check_availability", true)? {
                    return Ok(());
                }
                let count = check.int("stream_count")?.and_then(|count| usize::try_from(count).ok());
                for definition in all.iter().take(count.unwrap_or_default()) {
                    self.check_stream(definition).await?;
                }
                Ok(())
            }
            _ => Err(check.unknown("check")),
        }
    }

    async fn check_streams(&self, check: &Component<'_>) -> Result<()> {
        let names = match self.config().get(NAMES_IN_CONFIG) {
            Some(Value::List(names)) if !names.is_empty() => {
                names.iter().filter_map(Value::as_text).map(str::to_owned).collect()
            }
            _ => check.texts("stream_names")?,
        };
        let dynamic = check.children("dynamic_streams_check_configs")?;
        let fixed = self.fixed_definitions()?;
        let all = if dynamic.is_empty() && names.iter().all(|name| fixed.iter().any(|d| d.name == *name)) {
            fixed.to_vec()
        } else {
            self.definitions().await?
        };
        if all.is_empty() {
            return Err(Error::config("there is no stream to connect to"));
        }
        for name in &names {
            let Some(definition) = all.iter().rev().find(|definition| definition.name == *name) else {
                return Err(check.fail(format!("there is no stream {name:?}")));
            };
            self.check_stream(definition).await?;
        }
        for config in &dynamic {
            let of = config.required_text("dynamic_stream_name")?;
            if !self.makes(&of)? {
                return Err(config.fail(format!("there is no dynamic stream {of:?}")));
            }
            let count = config.int("stream_count")?.and_then(|count| usize::try_from(count).ok());
            let made = all.iter().filter(|definition| definition.made_by.as_deref() == Some(&of));
            for definition in made.take(count.unwrap_or(usize::MAX)) {
                self.check_stream(definition).await?;
            }
        }
        Ok(())
    }

    async fn check_stream(&self, definition: &Definition) -> Result<()> {
        let check = async {
            let (stream, _) = self.build(definition, None)?;
            first_record(&stream).await
        };
        check.await.map_err(|error| error.context("stream", definition.name.clone()))
    }
}

/// Reads until the first record of the first slice.
async fn first_record(stream: &Stream) -> Result<()> {
    let Some(slice) = stream.slicing().slicer()?.next().await? else {
        return Err(Error::config("the stream has no slice to read: its parent gave no record"));
    };
    stream.json_schema().await?;
    let mut reading = stream.reading(slice);
    while let Some(page) = reading.next().await? {
        if !page.is_empty() {
            break;
        }
    }
    Ok(())
}
