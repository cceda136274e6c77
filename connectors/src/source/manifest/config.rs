//! What a manifest source is configured with.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::airbyte::settings::Inline;
use crate::http;

/// An HTTP API that an Airbyte declarative manifest describes. Runs without Python.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The manifest: a YAML or JSON file.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// The connector's own configuration, as the manifest's `spec` describes it: keys, start dates, accounts.
    #[serde(default)]
    pub config: Inline,
    /// A JSON file with more of `config`, which wins. Where an API replaces its refresh token, the new one is stored
    /// there.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub config_file: Option<PathBuf>,
    /// How objects and lists become columns.
    #[serde(default)]
    pub nested: Nested,
    /// What becomes of fields that a stream's schema does not declare.
    #[serde(default)]
    pub undeclared: Undeclared,
    /// What becomes of records that an increment gives again as the sync before gave them.
    #[serde(default)]
    pub repeated: Repeated,
    /// Most streams that are read at once; unless given, as many as the engine has lanes.
    #[serde(default)]
    pub streams_at_once: Option<NonZeroUsize>,
    /// How requests are sent: time-outs, limits, a proxy, certificates of one's own.
    #[serde(default)]
    pub http: http::Options,
    /// The time that templates go by, instead of the machine's.
    #[serde(default)]
    pub now: Option<DateTime<Utc>>,
}

/// How objects and lists become columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nested {
    /// As JSON text.
    #[default]
    Json,
    /// As structs and lists of Arrow, as far as the schema says what is in them.
    Columns,
}

/// What becomes of fields that a stream's schema does not declare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Undeclared {
    /// They are kept in the column `_extra`, as one JSON object.
    #[default]
    Keep,
    /// They are left out.
    Drop,
}

/// What becomes of records that an increment gives again as the sync before gave them: those at its cursor's value, and in
/// its `lookback_window`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// They are left out, as long as they are the same and not more than some thousand.
    #[default]
    Skip,
    /// They are written again.
    Keep,
}
