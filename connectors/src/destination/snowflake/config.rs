//! The destination's settings.

use std::path::PathBuf;

use protocol::{ByteSize, Compression, Error, FileOptions, Period, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::client::Account;
use super::column::JsonAs;
use super::name::{Identifier, Places, Schemas, Spelling};
use super::stage::file_options;

/// Schema of tidegate's own objects.
const OWN_SCHEMA: &str = "_TIDEGATE";

/// Typed tables in Snowflake, loaded from staged files together with the state, exactly once.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(flatten)]
    pub(super) account: Account,
    /// Schema of tidegate's own objects: a small table of state for each target, the internal stage, and
    /// tables that are there while a commit is made. Created where it is missing.
    #[serde(default = "Config::state_schema")]
    pub(super) state_schema: String,
    /// Which schema a target's table is in.
    #[serde(default)]
    pub(super) schemas: Schemas,
    /// How names of schemas, tables and columns are spelled.
    #[serde(default)]
    pub(super) names: Spelling,
    /// What JSON becomes.
    #[serde(default)]
    pub(super) json: JsonAs,
    /// Whether a table has a column for each column of the stream, or one VARIANT.
    #[serde(default)]
    pub(super) layout: Layout,
    /// Whether tables have Airbyte's columns too: `_airbyte_raw_id`, `_airbyte_extracted_at`,
    /// `_airbyte_meta` and `_airbyte_generation_id`.
    #[serde(default)]
    pub(super) airbyte_columns: bool,
    /// What `write: merge` does with a row that the stream's `soft_delete` column calls deleted.
    #[serde(default)]
    pub(super) deletes: Deletes,
    /// Which of two rows with one key `write: merge` keeps.
    #[serde(default)]
    pub(super) merge_by: MergeBy,
    /// What becomes of a table that has rows before its stream's first commit, or whose state is lost.
    #[serde(default)]
    pub(super) existing: Existing,
    /// A commit without rows is made when the last one is older than this: until then a sync that finds
    /// nothing new leaves the warehouse asleep. `0s` makes each.
    #[serde(default = "Config::commit_empty_after")]
    pub(super) commit_empty_after: Period,
    /// A stage in a bucket of your own, instead of an internal one.
    #[serde(default)]
    pub(super) external_stage: Option<ExternalStage>,
    /// Close a file at about this size. Default: 160MiB, which loads best.
    #[serde(default)]
    pub(super) file_size: Option<ByteSize>,
    /// Close a row group at about this size; it is closed earlier when memory is short.
    #[serde(default)]
    pub(super) row_group_size: Option<ByteSize>,
    /// How pages are compressed.
    #[serde(default)]
    pub(super) compression: Compression,
    /// Directory where files wait until they are whole; default: `/var/tmp`, or what `TMPDIR` says.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub(super) spool: Option<PathBuf>,
}

/// What columns a table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    /// One for each column of the stream.
    #[default]
    Columns,
    /// One VARIANT, `_data`, that holds all of them as an object.
    Variant,
}

/// What becomes of rows that are deleted at the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deletes {
    /// They stay, marked as the source marks them.
    #[default]
    Soft,
    /// They are deleted.
    Hard,
}

/// Which of two rows with one key is the later one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MergeBy {
    /// The one of the later commit; inside one commit the one with the greater cursor. Right for sources
    /// that are read in order, and for rows that are written with old cursor values.
    #[default]
    Commit,
    /// The one with the greater cursor, whenever it came. Right where a later read may show older rows.
    Cursor,
}

/// What becomes of rows that no state tells of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Existing {
    /// `append` and `overwrite` stop before they change anything: one would double rows that were loaded
    /// already, the other would remove rows that somebody else wrote. `merge` goes on.
    #[default]
    Refuse,
    /// They stay and new ones are added, or they are replaced: as the stream's write mode has it.
    Adopt,
}

/// A stage in a bucket of your own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExternalStage {
    /// Its name as SQL has it, made by an administrator: `RAW.PUBLIC.LAKE_STAGE`.
    pub(super) name: String,
    /// The `URL` that it was made with: `s3://bucket/prefix/`.
    pub(super) url: String,
    /// Address of an S3 service other than AWS.
    #[serde(default)]
    pub(super) endpoint: Option<String>,
    /// Region of the bucket.
    #[serde(default)]
    pub(super) region: Option<String>,
    /// Access key; left out, credentials are taken from the environment.
    #[serde(default)]
    pub(super) access_key_id: Option<Secret>,
    /// Secret of the access key.
    #[serde(default)]
    pub(super) secret_access_key: Option<Secret>,
    /// Session token of temporary credentials.
    #[serde(default)]
    pub(super) session_token: Option<Secret>,
}

impl Config {
    fn state_schema() -> String {
        OWN_SCHEMA.to_owned()
    }

    fn commit_empty_after() -> Period {
        Period::from_secs(24 * 60 * 60)
    }

    /// How files are cut. Fails with `Config` where the numbers can't be meant.
    pub(super) fn file_options(&self) -> Result<FileOptions> {
        file_options(self.file_size, self.row_group_size, self.compression)
    }

    /// Where tables are. Names of the account's own objects are folded as SQL folds them: what is in upper
    /// case there may be written in lower case here, what is not is written in quotes.
    pub(super) fn places(&self) -> Result<Places> {
        let missing = |what: &str| {
            Error::config(format!("`{what}` is not set"))
                .hint(format!("name the {what} that tables are written to"))
        };
        let database = self.account.database().ok_or_else(|| missing("database"))?;
        let schema = self.account.schema().ok_or_else(|| missing("schema"))?;
        let places = Places {
            database: as_written(database, "database")?,
            schema: as_written(schema, "schema")?,
            own: as_written(&self.state_schema, "state_schema")?,
            schemas: self.schemas,
            spelling: self.names,
        };
        if places.schema == places.own {
            return Err(Error::config("`state_schema` and `schema` are the same")
                .hint("tidegate's own objects stay apart from what people read"));
        }
        Ok(places)
    }
}

/// A name in the configuration, as SQL would read it: folded to upper case unless it is in quotes.
fn as_written(text: &str, what: &str) -> Result<Identifier> {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => Identifier::of_source(&quoted.replace("\"\"", "\""), Spelling::Source, what),
        None => Identifier::of_source(text, Spelling::Upper, what),
    }
}

#[cfg(test)]
mod tests {
    use protocol::ErrorKind;
    use serde_json::json;

    use super::*;

    fn config(more: &serde_json::Value) -> Result<Config, serde_json::Error> {
        let mut all =
            json!({ "account": "a", "user": "u", "password": "p", "database": "lake", "schema": "raw" });
        let extra = more.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(extra);
        serde_json::from_value(all)
    }

    #[test]
    fn names_are_read_as_sql_reads_them() {
        let places = config(&json!({ "schema": "\"Raw \"\"x\"" })).unwrap().places().unwrap();
        assert_eq!((places.database.name(), places.schema.name()), ("LAKE", "Raw \"x"));
        assert_eq!(places.own.name(), "_TIDEGATE");
        let same = config(&json!({ "state_schema": "Raw" })).unwrap().places().unwrap_err();
        assert_eq!(same.kind(), ErrorKind::Config);
    }

    #[test]
    fn settings_that_nobody_knows_are_refused() {
        assert!(config(&json!({ "databse": "x" })).is_err());
        assert!(config(&json!({ "warehouse": "W", "names": "source", "merge_by": "cursor" })).is_ok());
    }
}
