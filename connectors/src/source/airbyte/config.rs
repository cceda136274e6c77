//! What an Airbyte connector is configured with.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use protocol::Secret;
use schemars::JsonSchema;
use serde::Deserialize;

use super::settings::Inline;
use crate::source::manifest::config::{Nested, Undeclared};

/// Any Airbyte source connector, run as a command. A bridge for what tidegate does not read itself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The connector's command and its first arguments: `[source-faker]`. `{folder}` stands for the folder with
    /// configuration, catalog and state, as in `[docker, run, --rm, -i, -v, "{folder}:{folder}", airbyte/source-faker]`.
    pub command: Vec<String>,
    /// The connector's own configuration.
    #[serde(default)]
    pub config: Inline,
    /// A JSON file with more of `config`, which wins. What the connector changes is stored there.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub config_file: Option<PathBuf>,
    /// Variables of the command's environment, beside those of tidegate's own.
    #[serde(default)]
    pub environment: BTreeMap<String, Secret>,
    /// How objects and lists become columns.
    #[serde(default)]
    pub nested: Nested,
    /// What becomes of fields that a stream's schema does not declare.
    #[serde(default)]
    pub undeclared: Undeclared,
    /// Most processes at once, each of which reads a stream; unless given, as many as the engine has lanes.
    #[serde(default)]
    pub processes: Option<NonZeroUsize>,
}
