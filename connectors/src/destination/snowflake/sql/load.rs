//! Statements that move rows: from staged files into a table, and from there to where people read them.

use super::super::name::{Identifier, Name, literal};

/// Most files that one COPY takes.
pub(in super::super) const MOST_FILES: usize = 1000;

/// How names of columns in files meet those of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Match {
    Exact,
    AnyCase,
}

/// Loads files by their exact names. `place` is the stage's, quoted.
pub(in super::super) fn copy(table: &Name, place: &str, files: &[&str], matching: Match) -> String {
    let files = files.iter().map(|file| literal(file)).collect::<Vec<_>>().join(", ");
    let matching = match matching {
        Match::Exact => "CASE_SENSITIVE",
        Match::AnyCase => "CASE_INSENSITIVE",
    };
    format!(
        "COPY INTO {table} FROM {place} FILES = ({files}) FILE_FORMAT = (TYPE = PARQUET \
         USE_VECTORIZED_SCANNER = TRUE USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE) \
         MATCH_BY_COLUMN_NAME = {matching} ON_ERROR = ABORT_STATEMENT"
    )
}

/// A column that is written, and the value that it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Written {
    pub(in super::super) name: Identifier,
    pub(in super::super) value: String,
}

fn names(columns: &[Written]) -> String {
    columns.iter().map(|column| column.name.to_string()).collect::<Vec<_>>().join(", ")
}

fn values(columns: &[Written]) -> String {
    columns.iter().map(|column| column.value.clone()).collect::<Vec<_>>().join(", ")
}

fn named_values(columns: &[Written]) -> String {
    columns.iter().map(|column| format!("{} AS {}", column.value, column.name)).collect::<Vec<_>>().join(", ")
}

/// Adds rows.
pub(in super::super) fn insert(table: &Name, from: &Name, columns: &[Written]) -> String {
    format!("INSERT INTO {table} ({}) SELECT {} FROM {from}", names(columns), values(columns))
}

/// Puts rows in the place of all that are there.
pub(in super::super) fn overwrite(table: &Name, from: &Name, columns: &[Written]) -> String {
    format!("INSERT OVERWRITE INTO {table} ({}) SELECT {} FROM {from}", names(columns), values(columns))
}

/// Removes all rows.
pub(in super::super) fn empty(table: &Name) -> String {
    format!("DELETE FROM {table}")
}

/// Which rows of a merge meet, and which of them stays.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Merging {
    /// Columns of the key, and whether one may be NULL.
    pub(in super::super) key: Vec<(Identifier, bool)>,
    /// What the latest of several rows with one key has most of.
    pub(in super::super) cursor: Option<Identifier>,
    /// Whether a row that is there stays where its cursor is greater.
    pub(in super::super) guarded: bool,
    /// The condition by which a row of `s` is deleted rather than written.
    pub(in super::super) deleted: Option<String>,
}

/// Puts rows in the place of those with the same key, and adds the others.
pub(in super::super) fn merge(table: &Name, from: &Name, columns: &[Written], merging: &Merging) -> String {
    let key = |side: &str| {
        merging.key.iter().map(|(name, _)| format!("{side}{name}")).collect::<Vec<_>>().join(", ")
    };
    let order = match &merging.cursor {
        Some(cursor) => format!("{cursor} DESC NULLS LAST"),
        None => key(""),
    };
    let on = merging.key.iter().map(|(name, may_be_null)| {
        if *may_be_null { format!("EQUAL_NULL(t.{name}, s.{name})") } else { format!("t.{name} = s.{name}") }
    });
    let on = on.collect::<Vec<_>>().join(" AND ");
    let guard = match &merging.cursor {
        Some(cursor) if merging.guarded => {
            format!(" AND (s.{cursor} >= t.{cursor} OR s.{cursor} IS NULL OR t.{cursor} IS NULL)")
        }
        _ => String::new(),
    };
    let set = columns
        .iter()
        .map(|column| format!("{name} = s.{name}", name = column.name))
        .collect::<Vec<_>>()
        .join(", ");
    let source_values =
        columns.iter().map(|column| format!("s.{}", column.name)).collect::<Vec<_>>().join(", ");
    let (delete, unless_deleted) = match &merging.deleted {
        Some(deleted) => {
            (format!(" WHEN MATCHED AND {deleted}{guard} THEN DELETE"), format!(" AND NOT ({deleted})"))
        }
        None => (String::new(), String::new()),
    };
    format!(
        "MERGE INTO {table} AS t USING ({rows}) AS s \
         ON {on}{delete} WHEN MATCHED{guard} THEN UPDATE SET {set} \
         WHEN NOT MATCHED{unless_deleted} THEN INSERT ({names}) VALUES ({source_values})",
        rows = latest(columns, from, &key(""), &order),
        names = names(columns),
    )
}

/// One row for each key. By the names of the result, so that all agree what a key is.
fn latest(columns: &[Written], from: &Name, key: &str, order: &str) -> String {
    format!(
        "SELECT * FROM (SELECT {} FROM {from}) QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {order}) = 1",
        named_values(columns)
    )
}
