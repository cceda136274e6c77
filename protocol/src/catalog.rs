//! What a source offers, and what of it is synced how.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow_schema::{Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All streams of a source, as [`Source::discover`](crate::Source::discover) found them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// In the source's own order; names are unique.
    pub streams: Vec<Stream>,
}

impl Catalog {
    /// A catalog of `streams`.
    pub fn new(streams: impl IntoIterator<Item = Stream>) -> Self {
        Self { streams: streams.into_iter().collect() }
    }

    /// The stream of that name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }
}

/// What kind of thing a stream is at its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamKind {
    /// A plain table.
    Table,
    /// A table that is divided into partitions of its own.
    PartitionedTable,
    /// A stored query.
    View,
    /// A stored query with stored rows.
    MaterializedView,
    /// A table of another server.
    ForeignTable,
    /// A resource of an HTTP API.
    Endpoint,
}

/// A table, a view, an endpoint: rows of one schema.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// Unique in its source, as the source writes it: `public.orders`.
    pub name: String,
    /// What it is at the source.
    pub kind: StreamKind,
    /// Its columns as Arrow fields: type, nullability, and field metadata (see [`meta`](Stream::COMMENT)).
    pub schema: SchemaRef,
    /// Columns that identify a row, in key order; empty where there is no key.
    pub primary_key: Vec<String>,
    /// What the source's owner wrote about it.
    pub comment: Option<String>,
    /// Rows, as the source's statistics estimate them.
    pub estimated_rows: Option<u64>,
    /// Bytes at the source, as its statistics estimate them.
    pub estimated_bytes: Option<u64>,
    /// Columns that could serve as cursor, best first.
    pub cursors: Vec<CursorCandidate>,
}

impl Stream {
    /// Key of the field metadata that holds the source's name for the column's type.
    pub const NATIVE_TYPE: &'static str = "tidegate.native_type";
    /// Key of the field metadata that holds the column's comment.
    pub const COMMENT: &'static str = "tidegate.comment";
    /// Key of the field metadata of the column that says since when a row is known to be deleted.
    pub const DELETED_AT: &'static str = "tidegate.deleted_at";

    /// An endpoint without columns: the start of a chain of builder calls.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: StreamKind::Endpoint,
            schema: Arc::new(Schema::empty()),
            primary_key: Vec::new(),
            comment: None,
            estimated_rows: None,
            estimated_bytes: None,
            cursors: Vec::new(),
        }
    }

    /// Adds a nullable column.
    #[must_use]
    pub fn field(mut self, name: &str, data_type: arrow_schema::DataType) -> Self {
        let mut fields = self.schema.fields().to_vec();
        fields.push(Arc::new(Field::new(name, data_type, true)));
        self.schema = Arc::new(Schema::new(fields));
        self
    }

    /// Sets the columns that identify a row.
    #[must_use]
    pub fn primary_key<'a>(mut self, columns: impl IntoIterator<Item = &'a str>) -> Self {
        self.primary_key = columns.into_iter().map(str::to_owned).collect();
        self
    }

    /// Adds a column that can serve as cursor.
    #[must_use]
    pub fn cursor(mut self, field: &str) -> Self {
        self.cursors.push(CursorCandidate { field: field.to_owned(), indexed: None, note: None, mode: None });
        self
    }
}

/// A column that could serve as cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CursorCandidate {
    /// The column.
    pub field: String,
    /// Whether an index leads with it; `None` where the source has no such thing.
    pub indexed: Option<bool>,
    /// What to know before choosing it.
    pub note: Option<String>,
    /// How the source makes sure that nothing is lost by it, as [`Plan::mode`](crate::Plan::mode) names
    /// it, and why not better; `None` where the source does not say.
    #[serde(default)]
    pub mode: Option<String>,
}

/// Which streams [`Source::discover`](crate::Source::discover) is asked for, so that a source with
/// ten thousand tables need not describe them all for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamFilter {
    /// Names, in which `*` stands for any run of characters; empty means all streams.
    pub patterns: Vec<String>,
}

impl StreamFilter {
    /// All streams.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether a stream of that name is asked for.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| Self::pattern_matches(pattern, name))
    }

    /// Whether `name` fits `pattern`, where `*` stands for any run of characters.
    #[must_use]
    pub fn pattern_matches(pattern: &str, name: &str) -> bool {
        let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
        let Some(mut left) = name.strip_prefix(head) else { return false };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            match left.find(part) {
                Some(at) => left = &left[at + part.len()..],
                None => return false,
            }
        }
        left.ends_with(last)
    }
}

/// Whether a sync reads everything or what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// Every row, each time.
    FullRefresh,
    /// What the cursor says is new since the last sync; everything the first time.
    Incremental,
}

/// How new rows meet old ones at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// They are added.
    Append,
    /// They take the place of all that a former sync wrote, at once when the sync ends.
    Overwrite,
    /// Each takes the place of the one with the same primary key, or is added.
    Merge,
}

/// What becomes of a value that its column can't hold: an infinite date, NaN in a decimal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnfitPolicy {
    /// The stream stops with [`ErrorKind::Data`](crate::ErrorKind::Data).
    #[default]
    Error,
    /// It becomes NULL, and is counted.
    Null,
    /// It becomes the nearest value that fits (NULL where there is none), and is counted.
    Clamp,
}

/// What a changed schema does to a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftPolicy {
    /// New columns are added, types are widened where no value changes; anything else stops the stream.
    #[default]
    Evolve,
    /// Any difference stops the stream.
    Freeze,
}

/// A stream of the catalog joined with its configuration: what a sync works on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfiguredStream {
    /// The connection it belongs to. A target takes commits of one connection only.
    pub connection: String,
    /// Its name at the source.
    pub name: String,
    /// Its name at the destination; the same unless configured otherwise.
    pub target: String,
    /// The selected columns as `read` delivers them.
    pub schema: SchemaRef,
    /// Columns that identify a row; may be empty.
    pub primary_key: Vec<String>,
    /// Everything or what is new.
    pub sync_mode: SyncMode,
    /// Added or in place of.
    pub write_mode: WriteMode,
    /// The cursor column of an incremental sync.
    pub cursor: Option<String>,
    /// The column that says of a row that it is deleted: by a time that is not NULL, or by true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_delete: Option<String>,
    /// How far below the settled bound rows may still appear, where the source should not decide itself.
    pub lag: Option<Duration>,
    /// A condition in the source's own language that rows must meet.
    pub filter: Option<String>,
    /// What becomes of values that don't fit.
    pub on_unfit: UnfitPolicy,
    /// What a changed schema does.
    pub on_drift: DriftPolicy,
    /// Settings that only the source understands, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, serde_json::Value>,
}

impl ConfiguredStream {
    /// What must not change while a sync is unfinished: which rows it reads, as what, and whether they
    /// are added to those before.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        serde_json::json!([
            self.name,
            self.sync_mode,
            self.write_mode,
            self.cursor,
            self.filter,
            columns,
            self.options
        ])
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("public.*", "public.orders", true),
            ("public.*", "publik.orders", false),
            ("*", "", true),
            ("*.orders", "a.orders", true),
            ("*.orders", "a.orders_old", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("public.orders", "public.orders", true),
        ] {
            assert_eq!(StreamFilter::pattern_matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!(StreamFilter::all().matches("anything"));
    }
}
