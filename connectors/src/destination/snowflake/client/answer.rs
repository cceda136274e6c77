//! What a statement answers.

/// The answer of one statement.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Answer {
    /// The statement's id in the account's query history.
    pub(in super::super) query_id: String,
    /// The columns of `rows`.
    pub(in super::super) columns: Vec<Column>,
    /// All rows, each value as Snowflake writes it in JSON answers; `None` for NULL.
    pub(in super::super) rows: Vec<Vec<Option<String>>>,
    /// Rows that the statement inserted, updated and deleted, where it is one that does.
    pub(in super::super) affected: Option<u64>,
    /// The same one by one, where the server says.
    pub(in super::super) changed: Changed,
    /// How long the server took to answer, the way there and back included.
    pub(in super::super) server_millis: u64,
}

/// A column of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Column {
    /// Its name as the answer has it.
    pub(in super::super) name: String,
    /// Its type in lower case: `fixed`, `text`, `timestamp_ltz`, `variant`.
    pub(in super::super) kind: String,
    /// Digits after the point, or of a second.
    pub(in super::super) scale: Option<u32>,
}

/// What a statement did to rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Changed {
    /// Rows that are new.
    pub(in super::super) inserted: u64,
    /// Rows that are not as they were.
    pub(in super::super) updated: u64,
    /// Rows that are gone.
    pub(in super::super) deleted: u64,
}

impl Answer {
    /// The value of the column of that name (in any case of letters) in a row; `None` for NULL and where
    /// there is no such column or row.
    pub(in super::super) fn get(&self, row: usize, column: &str) -> Option<&str> {
        let column = self.columns.iter().position(|known| known.name.eq_ignore_ascii_case(column))?;
        self.rows.get(row)?.get(column)?.as_deref()
    }
}
