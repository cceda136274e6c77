//! The selected columns of a stream as they are read, and the check that they still are what they were.

use arrow_schema::Schema;
use protocol::{Error, Result};

use super::discover::Relation;
use super::error::SQLSTATE;
use super::quote_identifier;
use super::types::Column;

/// The selected columns of a stream, in order.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Column>,
    /// Their types, by number.
    pub(super) types: Vec<u32>,
}

impl Layout {
    /// How the columns of `schema` are read from `relation`.
    ///
    /// Fails with [`Schema`](protocol::ErrorKind::Schema), naming the column, where one is gone.
    pub(super) fn of(relation: &Relation, schema: &Schema) -> Result<Self> {
        let mut columns = Vec::with_capacity(schema.fields().len());
        let mut types = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let column = relation.column(field.name()).ok_or_else(|| gone(field.name()))?;
            columns.push(Column::new(&column.native, field)?);
            types.push(column.native.oid);
        }
        Ok(Self { columns, types })
    }

    /// What stands in SELECT.
    pub(super) fn expressions(&self) -> Vec<&str> {
        self.columns.iter().map(Column::select_expression).collect()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(Column::name)
    }

    /// Asks for the types that the columns of the table named `qualified` have now, whatever snapshot
    /// the transaction sees; none where there is nothing to ask.
    pub(super) fn types_now(&self, qualified: &str) -> Option<String> {
        let types: Vec<String> =
            self.names().map(|name| format!("pg_typeof((r).{})::oid", quote_identifier(name))).collect();
        (!types.is_empty())
            .then(|| format!("SELECT {} FROM (SELECT NULL::{qualified} AS r) q", types.join(", ")))
    }

    /// Fails with [`Schema`](protocol::ErrorKind::Schema), naming the column, where `types` are others.
    pub(super) fn check(&self, types: &[u32]) -> Result<()> {
        if types.len() != self.types.len() {
            return Err(Error::schema("the selected columns are not those of the plan"));
        }
        let differs = |((_, now), then): &((&str, &u32), &u32)| now != then;
        match self.names().zip(types).zip(&self.types).find(differs) {
            None => Ok(()),
            Some(((name, _), _)) => {
                Err(Error::schema(format!("column {name:?} changed its type since the sync was planned"))
                    .context("column", name)
                    .hint("run the sync again"))
            }
        }
    }

    /// Names the column where the server says that there is none of its name.
    pub(super) fn explain(&self, error: Error) -> Error {
        if error.context_value(SQLSTATE) != Some("42703") {
            return error;
        }
        match self.names().find(|name| error.message().contains(&format!("\"{name}\""))) {
            Some(name) => gone(name).with_source(error),
            None => Error::schema("a column is gone").with_source(error),
        }
    }
}

fn gone(name: &str) -> Error {
    Error::schema(format!("column {name:?} is gone"))
        .context("column", name)
        .hint("leave it out of `columns`, or run the sync again to read what is there now")
}
