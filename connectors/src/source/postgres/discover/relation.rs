//! One table as the catalogs describe it.

use protocol::StreamKind;

use crate::source::postgres::quote_identifier;
use crate::source::postgres::types::NativeType;

/// A table, view or the like, as the catalogs describe it now.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// Its number in `pg_class`.
    pub(crate) oid: u32,
    pub(crate) kind: StreamKind,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The columns that the role may read, in the table's order.
    pub(crate) columns: Vec<RelationColumn>,
    /// Columns that identify a row, in key order.
    pub(crate) primary_key: Vec<String>,
    /// The tables that hold its rows, to be read with `ONLY`: itself, its partitions, its heirs. None
    /// for a view.
    pub(crate) leaves: Vec<Leaf>,
    /// Rows, as the last ANALYZE estimates them.
    pub(crate) estimated_rows: Option<u64>,
    /// Bytes with those stored out of line, as the last ANALYZE counted them.
    pub(crate) bytes: Option<u64>,
    /// Indexes that a range of values can use, on it or, the same on each, on all leaves.
    pub(crate) indexes: Vec<Index>,
    /// Whether the role may read the whole table and so its system columns, and not only some columns.
    pub(crate) whole: bool,
    /// Whether a policy decides which of its rows the role sees. A leaf does not have the policies of
    /// what it is a leaf of.
    pub(crate) row_security: bool,
    pub(crate) comment: Option<String>,
}

/// A column of a [`Relation`].
#[derive(Debug, Clone)]
pub(crate) struct RelationColumn {
    pub(crate) name: String,
    /// Its number in the table, from 1; numbers of dropped columns stay unused.
    pub(crate) number: i16,
    pub(crate) native: NativeType,
    pub(crate) not_null: bool,
    pub(crate) comment: Option<String>,
}

/// A table that holds rows.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// [`Table`](StreamKind::Table), [`MaterializedView`](StreamKind::MaterializedView) or
    /// [`ForeignTable`](StreamKind::ForeignTable).
    pub(crate) kind: StreamKind,
    /// The access method: `heap` can be read by ranges of `ctid`. None for a foreign table.
    pub(crate) access_method: Option<String>,
    /// Blocks; from [`relation`](super::relation()) as they are now, from
    /// [`relations`](super::relations) as the last ANALYZE counted them.
    pub(crate) pages: u64,
    /// Bytes with those stored out of line.
    pub(crate) bytes: u64,
    /// Whether the role may read it directly. Reading through its parent needs no right on it.
    pub(crate) readable: bool,
    /// The number of the file that holds its rows: another one after it was rewritten or truncated.
    pub(crate) file: u32,
}

/// An index that a range of values can use: ordered or by blocks, on all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// The column that it leads with.
    pub(crate) leading: String,
    /// How many columns it has.
    pub(crate) columns: usize,
    /// `btree` or `brin`.
    pub(crate) method: String,
}

impl Relation {
    /// Its name in SQL.
    pub(crate) fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }

    /// Its name as a stream.
    pub(crate) fn stream_name(&self) -> String {
        super::name::stream_name(&self.schema, &self.name)
    }

    /// Its column of that name.
    pub(crate) fn column(&self, name: &str) -> Option<&RelationColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Leaf {
    /// Its name in SQL.
    pub(crate) fn qualified(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

#[cfg(test)]
pub(super) use crate::source::postgres::quote_identifier as quoted;

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}
