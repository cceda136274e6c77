//! Statements that make tables, stages and schemas, and widen them. All can be repeated.

use super::super::column::Kind;
use super::super::name::{Identifier, Name, literal};

/// A column that is to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ColumnDefinition {
    pub(in super::super) name: Identifier,
    pub(in super::super) sql_type: String,
    pub(in super::super) comment: Option<String>,
}

impl ColumnDefinition {
    pub(in super::super) fn new(name: Identifier, kind: Kind) -> Self {
        Self { name, sql_type: kind.table_type(), comment: None }
    }

    fn text(&self) -> String {
        match &self.comment {
            Some(comment) => format!("{} {} COMMENT {}", self.name, self.sql_type, literal(comment)),
            None => format!("{} {}", self.name, self.sql_type),
        }
    }
}

fn list(columns: &[ColumnDefinition]) -> String {
    columns.iter().map(ColumnDefinition::text).collect::<Vec<_>>().join(", ")
}

pub(in super::super) fn create_schema(place: &str) -> String {
    format!("CREATE SCHEMA IF NOT EXISTS {place}")
}

pub(in super::super) fn create_stage(name: &Name) -> String {
    format!("CREATE STAGE IF NOT EXISTS {name}")
}

/// No column is NOT NULL: what is gone at the source is NULL from then on.
pub(in super::super) fn create_table(name: &Name, columns: &[ColumnDefinition]) -> String {
    format!("CREATE TABLE IF NOT EXISTS {name} ({})", list(columns))
}

/// A table without a past to go back to, which costs storage only while it is there.
pub(in super::super) fn create_transient(name: &Name, columns: &[ColumnDefinition]) -> String {
    format!("CREATE TRANSIENT TABLE IF NOT EXISTS {name} ({}) DATA_RETENTION_TIME_IN_DAYS = 0", list(columns))
}

pub(in super::super) fn drop_table(name: &Name) -> String {
    format!("DROP TABLE IF EXISTS {name}")
}

pub(in super::super) fn describe(name: &Name) -> String {
    format!("DESCRIBE TABLE {name}")
}

pub(in super::super) fn add_column(name: &Name, column: &ColumnDefinition) -> String {
    format!("ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {}", column.text())
}

pub(in super::super) fn widen_column(name: &Name, column: &ColumnDefinition) -> String {
    format!("ALTER TABLE {name} ALTER COLUMN {} SET DATA TYPE {}", column.name, column.sql_type)
}

/// The table, and others whose names differ by case or by letters that are none of ASCII's. Answers with how
/// many rows they have, which needs no warehouse.
pub(in super::super) fn show_table(name: &Name) -> String {
    // Whatever means something in a pattern, or in a text, stands for any character.
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    let pattern: String = name.object.name().chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!("SHOW TABLES LIKE {} IN SCHEMA {}", literal(&pattern), name.place())
}

/// Tables beside `name` whose names begin with `start`: letters, digits and underscores.
pub(in super::super) fn show_tables(name: &Name, start: &str) -> String {
    // An underscore stands for any character there: what is found is looked at again.
    format!("SHOW TABLES LIKE {} IN SCHEMA {}", literal(&format!("{start}%")), name.place())
}
