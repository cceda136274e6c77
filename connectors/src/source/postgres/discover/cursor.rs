//! Columns that could serve as cursor, best first.

use protocol::{CursorCandidate, StreamKind};

use super::relation::{Relation, RelationColumn};
use crate::source::postgres::alone::Blind;
use crate::source::postgres::plan;

/// Names of columns that a row's every change touches.
const CHANGE: [&str; 6] = ["updat", "modif", "chang", "mtime", "last_write", "synced"];
/// Names of columns that only a row's birth sets.
const BIRTH: [&str; 6] = ["creat", "insert", "added", "ctime", "event", "ingest"];

/// What a column's values are, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Values {
    Instants,
    Timestamps,
    Dates,
    Numbers,
}

/// What a column's name says about when it is set, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Set {
    OnChange,
    AtBirth,
    Sometime,
}

/// Columns that could serve as cursor, best first.
pub(super) fn candidates(relation: &Relation, blind: Option<Blind>) -> Vec<CursorCandidate> {
    let reason = plan::unfit(relation);
    let mode = mode(relation, reason.as_deref(), blind);
    let mut found: Vec<_> = relation
        .columns
        .iter()
        .filter_map(|column| {
            let values = values(relation, column)?;
            let set = if values == Values::Numbers { Set::AtBirth } else { set(&column.name) };
            let indexed = indexed(relation, &column.name);
            let rank = (values == Values::Numbers, set, values, indexed == Some(false), !column.not_null);
            Some((
                rank,
                CursorCandidate {
                    field: column.name.clone(),
                    indexed,
                    note: note(values, set, indexed, reason.is_some()),
                    mode: Some(mode.clone()),
                },
            ))
        })
        .collect();
    // Stable: alike columns stay in the table's order.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// How the relation is read by a cursor, and why not better.
fn mode(relation: &Relation, unfit: Option<&str>, blind: Option<Blind>) -> String {
    match (unfit, blind) {
        (None, Some(blind)) if !plan::is_small(relation) => format!(
            "seen_set, for which each sync reads the whole table on the server, or lookback if \
             `options: {{mode: lookback}}` asks for it: {}",
            blind.why()
        ),
        (None, _) => "seen_set".to_owned(),
        (Some(unfit), None) => format!("settled_window: {unfit}"),
        (Some(unfit), Some(blind)) => {
            format!("none, only `sync_mode: full_refresh`: {unfit}, and {}", blind.why())
        }
    }
}

fn values(relation: &Relation, column: &RelationColumn) -> Option<Values> {
    let native = column.native.base();
    if native.schema != "pg_catalog" {
        return None;
    }
    match native.name.as_str() {
        "timestamptz" => Some(Values::Instants),
        "timestamp" => Some(Values::Timestamps),
        "date" => Some(Values::Dates),
        "int2" | "int4" | "int8" if relation.primary_key == [column.name.as_str()] => Some(Values::Numbers),
        _ => None,
    }
}

fn set(name: &str) -> Set {
    let name = name.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&CHANGE) {
        Set::OnChange
    } else if has(&BIRTH) {
        Set::AtBirth
    } else {
        Set::Sometime
    }
}

/// Whether an index leads with it; `None` where there are no indexes, or none that are known here.
fn indexed(relation: &Relation, column: &str) -> Option<bool> {
    let has_indexes = !matches!(relation.kind, StreamKind::View | StreamKind::ForeignTable);
    has_indexes.then(|| relation.indexes.iter().any(|index| index.leading == column))
}

fn note(values: Values, set: Set, indexed: Option<bool>, is_window: bool) -> Option<String> {
    let mut notes = Vec::new();
    match set {
        Set::OnChange => {}
        Set::AtBirth if values == Values::Numbers => notes.push("finds new rows, not changed ones"),
        Set::AtBirth => notes.push("finds new rows, not changed ones, unless changes set it too"),
        Set::Sometime => notes.push("right only if every insert and update sets it to the current time"),
    }
    match values {
        Values::Timestamps => notes.push("has no time zone: set `cursor_timezone` if it is not UTC"),
        Values::Dates if is_window => {
            notes.push("has no time of day: rows of a day come once it is over");
        }
        Values::Dates => notes.push("has no time of day: each sync looks at the last days' rows"),
        Values::Instants | Values::Numbers => {}
    }
    if indexed == Some(false) {
        notes.push("no index leads with it, so each sync reads the whole table");
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}
