//! What a changed schema does to a target: added and widened columns, and the refusal of the rest.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DriftPolicy, Error, Result, Stream};

/// One difference between a target's schema and the one that comes now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// A column is new.
    Added {
        /// The column.
        column: String,
        /// Its type.
        to: String,
    },
    /// A column's type holds more than before, and all it held.
    Widened {
        /// The column.
        column: String,
        /// The type before.
        from: String,
        /// The type now.
        to: String,
    },
    /// A column is gone at the source: the target keeps it, NULL from now on.
    Removed {
        /// The column.
        column: String,
    },
    /// A column may be NULL from now on.
    Nullable {
        /// The column.
        column: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { column, to } => write!(f, "column {column:?} is new: {to}"),
            Self::Widened { column, from, to } => write!(f, "column {column:?} changes from {from} to {to}"),
            Self::Removed { column } => write!(f, "column {column:?} is gone"),
            Self::Nullable { column } => write!(f, "column {column:?} may be NULL"),
        }
    }
}

/// Joins the schema that a target has with the one that comes now, as `policy` allows.
///
/// Columns keep the target's order; new ones follow. Called by destinations in
/// [`Destination::prepare`](crate::Destination::prepare). Fails with
/// [`ErrorKind::Schema`](crate::ErrorKind::Schema), naming the column, when a type changes its
/// meaning or, with [`DriftPolicy::Freeze`], when anything differs.
pub fn reconcile(
    target: &Schema,
    incoming: &Schema,
    policy: DriftPolicy,
) -> Result<(SchemaRef, Vec<Change>)> {
    let mut changes = Vec::new();
    let mut fields = Vec::with_capacity(target.fields().len());
    for old in target.fields() {
        let Ok(new) = incoming.field_with_name(old.name()) else {
            // Written by `reconcile` alone: that a sync does not know it is no change.
            if old.metadata().contains_key(Stream::DELETED_AT) {
                fields.push(old.clone());
                continue;
            }
            changes.push(Change::Removed { column: old.name().clone() });
            fields.push(Arc::new(old.as_ref().clone().with_nullable(true)));
            continue;
        };
        let data_type = join(old, new).ok_or_else(|| refusal(old, new))?;
        if data_type != *old.data_type() {
            changes.push(Change::Widened {
                column: old.name().clone(),
                from: old.data_type().to_string(),
                to: data_type.to_string(),
            });
        }
        if new.is_nullable() && !old.is_nullable() {
            changes.push(Change::Nullable { column: old.name().clone() });
        }
        let nullable = old.is_nullable() || new.is_nullable();
        fields.push(Arc::new(
            Field::new(old.name(), data_type, nullable).with_metadata(new.metadata().clone()),
        ));
    }
    for new in incoming.fields() {
        if target.field_with_name(new.name()).is_err() {
            changes.push(Change::Added { column: new.name().clone(), to: new.data_type().to_string() });
            fields.push(new.clone());
        }
    }
    if policy == DriftPolicy::Freeze && !changes.is_empty() {
        let list: Vec<String> = changes.iter().map(ToString::to_string).collect();
        return Err(Error::schema(format!("the schema changed and is frozen: {}", list.join("; ")))
            .hint("set `on_drift: evolve` to follow such changes"));
    }
    Ok((Arc::new(Schema::new_with_metadata(fields, HashMap::new())), changes))
}

fn refusal(old: &Field, new: &Field) -> Error {
    Error::schema(format!(
        "column {:?} changed from {} to {}, which would change what the column means",
        old.name(),
        described(old),
        described(new)
    ))
    .context("column", old.name().clone())
    .hint("give the stream a new `target`, or reset its state and overwrite")
}

/// Name of the Arrow extension type, where a field has one: a UUID is not just any 16 bytes.
const EXTENSION: &str = "ARROW:extension:name";

fn described(field: &Field) -> String {
    match field.metadata().get(EXTENSION) {
        Some(name) => format!("{} ({name})", field.data_type()),
        None => field.data_type().to_string(),
    }
}

/// The type that holds all values of both fields unchanged, where there is one.
fn join(old: &Field, new: &Field) -> Option<DataType> {
    if old.metadata().get(EXTENSION) != new.metadata().get(EXTENSION) {
        return None;
    }
    wider(old.data_type(), new.data_type())
}

fn wider(old: &DataType, new: &DataType) -> Option<DataType> {
    use DataType::{Decimal128, Decimal256, Float32, Float64, Int16, Int32, Int64, List, UInt32};
    if old == new {
        return Some(old.clone());
    }
    match (old, new) {
        (Int16, Int32) | (Int32, Int16) => Some(Int32),
        (Int16 | Int32 | UInt32, Int64) | (Int64, Int16 | Int32 | UInt32) => Some(Int64),
        (Float32, Float64) | (Float64, Float32) => Some(Float64),
        (
            Decimal128(old_precision, old_scale) | Decimal256(old_precision, old_scale),
            Decimal128(new_precision, new_scale) | Decimal256(new_precision, new_scale),
        ) => {
            let integer_digits = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
            let scale = *old_scale.max(new_scale);
            let integer =
                integer_digits(*old_precision, *old_scale).max(integer_digits(*new_precision, *new_scale));
            let both_small = matches!((old, new), (Decimal128(..), Decimal128(..)));
            match u8::try_from(integer + i16::from(scale)).ok()? {
                precision @ ..=38 if both_small => Some(Decimal128(precision, scale)),
                precision @ ..=76 => Some(Decimal256(precision, scale)),
                _ => None,
            }
        }
        (List(old), List(new)) => {
            let item = Field::new(old.name(), join(old, new)?, old.is_nullable() || new.is_nullable());
            Some(List(Arc::new(item.with_metadata(new.metadata().clone()))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn schema(fields: &[(&str, DataType)]) -> Schema {
        Schema::new(
            fields
                .iter()
                .map(|(name, data_type)| Field::new(*name, data_type.clone(), true))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn adds_widens_and_keeps_what_is_gone() {
        let before = schema(&[
            ("id", DataType::Int32),
            ("gone", DataType::Utf8),
            ("sum", DataType::Decimal128(10, 2)),
        ]);
        let now = schema(&[
            ("new", DataType::Boolean),
            ("sum", DataType::Decimal128(38, 4)),
            ("id", DataType::Int64),
        ]);
        let (joined, changes) = reconcile(&before, &now, DriftPolicy::Evolve).unwrap();
        let names: Vec<_> = joined.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["id", "gone", "sum", "new"]);
        assert_eq!(joined.field(0).data_type(), &DataType::Int64);
        assert_eq!(joined.field(2).data_type(), &DataType::Decimal128(38, 4));
        assert_eq!(changes.len(), 4);
    }

    #[test]
    fn the_column_of_deleted_rows_is_never_gone() {
        let mark = HashMap::from([(Stream::DELETED_AT.to_owned(), String::new())]);
        let deleted_at = Field::new("deleted", DataType::Utf8, true).with_metadata(mark);
        let before = Schema::new(vec![Field::new("id", DataType::Int64, false), deleted_at.clone()]);
        let now = Schema::new(vec![Field::new("id", DataType::Int64, false)]);
        let (joined, changes) = reconcile(&before, &now, DriftPolicy::Freeze).unwrap();
        assert_eq!(joined.field(1), &deleted_at);
        assert_eq!(changes, []);
    }

    #[test]
    fn a_narrower_source_changes_nothing() {
        let before = schema(&[("id", DataType::Int64)]);
        let (joined, changes) =
            reconcile(&before, &schema(&[("id", DataType::Int16)]), DriftPolicy::Freeze).unwrap();
        assert_eq!(joined.field(0).data_type(), &DataType::Int64);
        assert_eq!(changes, []);
    }

    #[test]
    fn refuses_a_new_meaning_naming_the_column() {
        let error = reconcile(
            &schema(&[("at", DataType::Date32)]),
            &schema(&[("at", DataType::Utf8)]),
            DriftPolicy::Evolve,
        )
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(error.to_string().contains("\"at\""), "{error}");
    }

    #[test]
    fn refuses_a_changed_extension() {
        let plain = Schema::new(vec![Field::new("j", DataType::Utf8, true)]);
        let json = Field::new("j", DataType::Utf8, true)
            .with_metadata(HashMap::from([(EXTENSION.to_owned(), "arrow.json".to_owned())]));
        assert!(reconcile(&plain, &Schema::new(vec![json]), DriftPolicy::Evolve).is_err());
    }

    #[test]
    fn freeze_names_every_difference() {
        let error = reconcile(
            &schema(&[("a", DataType::Utf8)]),
            &schema(&[("b", DataType::Utf8)]),
            DriftPolicy::Freeze,
        )
        .unwrap_err();
        assert!(
            error.message().contains("\"a\" is gone") && error.message().contains("\"b\" is new"),
            "{error}"
        );
    }
}
