//! How the engine shall cut and name the files of a destination.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How files are cut. A destination decides it from its configuration; the engine follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOptions {
    /// Close a file at about this many encoded bytes.
    pub target_bytes: u64,
    /// Close a row group at about this many encoded bytes; the engine may close it earlier when
    /// memory is short.
    pub row_group_bytes: u64,
    /// How pages are compressed.
    pub compression: Compression,
    /// Which folder a row's file goes to; `None` puts all files side by side.
    pub folder_by: Option<FolderBy>,
}

/// How pages are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Small and fast enough: level 1.
    #[default]
    Zstd,
    /// For readers that know nothing else.
    Snappy,
    /// As they are.
    None,
}

/// Hive-style folders, `name=value`, by a date column or by the day of the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderBy {
    /// A date or timestamp column; left out, the day of the load is taken.
    #[serde(default)]
    pub column: Option<String>,
    /// How fine.
    #[serde(default)]
    pub grain: FolderGrain,
}

impl FolderBy {
    /// Name of the folder level, and so of the column that readers see: `created_at_day`, `load_day`.
    #[must_use]
    pub fn folder_name(&self) -> String {
        format!("{}_{}", self.column.as_deref().unwrap_or("load"), self.grain)
    }
}

/// How fine folders are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FolderGrain {
    /// `2026-11-22`
    #[default]
    Day,
    /// `2026-11`
    Month,
    /// `2026`
    Year,
}

impl fmt::Display for FolderGrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        })
    }
}
