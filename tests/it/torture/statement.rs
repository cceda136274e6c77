//! One statement that writes, and what it says it has done.

use super::session::{Cut, Session, Told};
use super::stamp::Stamp;
use super::table::Table;
use super::truth::{Work, Written};

/// Row versions that one statement writes.
pub(super) struct Statement {
    sql: String,
    table: Table,
    stamp: Stamp,
    /// First number of its versions, and how many.
    first: i64,
    count: i64,
}

impl Statement {
    /// Rows with the versions that follow `first`. In `item` the version is the row's number too.
    pub(super) fn insert(table: Table, first: i64, count: i64, stamp: Stamp) -> Self {
        let (last, value) = (first + count - 1, stamp.sql());
        let versions = format!("FROM generate_series({first}, {last}) v");
        let insert = match table {
            Table::Item => {
                format!(
                    "INSERT INTO item (id, version, updated_at) SELECT v, v, {value}::timestamptz {versions}"
                )
            }
            Table::Event => {
                format!("INSERT INTO event (version, updated_at) SELECT v, {value}::timestamptz {versions}")
            }
            Table::Number => format!("INSERT INTO number (version) SELECT v {versions}"),
            Table::Part => format!(
                "INSERT INTO part (version, region, updated_at) SELECT v, v % 2, {value}::timestamptz {versions}"
            ),
        };
        let sql = format!("{insert} RETURNING version, NULL, {}", table.position());
        Self { sql, table, stamp, first, count }
    }

    /// A new version of a row of `item`, by one of the two ways there are.
    pub(super) fn update(row: i64, version: i64, stamp: Stamp) -> Self {
        let (table, value) = (Table::Item, stamp.sql());
        let update = if version % 2 == 0 {
            format!(
                "UPDATE item SET previous = version, version = {version}, updated_at = {value} WHERE id = {row}"
            )
        } else {
            format!(
                "INSERT INTO item (id, version, updated_at) VALUES ({row}, {version}, {value}) ON CONFLICT (id) \
                 DO UPDATE SET previous = item.version, version = excluded.version, updated_at = excluded.updated_at"
            )
        };
        let sql = format!("{update} RETURNING version, previous, {}", table.position());
        Self { sql, table, stamp, first: version, count: 1 }
    }

    /// The end of a row of `item`.
    pub(super) fn delete(row: i64) -> Self {
        let sql = format!("DELETE FROM item WHERE id = {row} RETURNING NULL, version, NULL");
        Self { sql, table: Table::Item, stamp: Stamp::Begin, first: 0, count: 0 }
    }

    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    pub(super) async fn run(&self, session: &Session, work: &mut Work) -> Cut<()> {
        let answer = session.run(&self.sql).await?;
        assert!(!answer.is_empty(), "no row: {}", self.sql);
        self.learn(&answer, work);
        Ok(())
    }

    /// Asks for what it has inserted.
    pub(super) fn look(&self) -> String {
        let (table, position, last) = (self.table.name(), self.table.position(), self.first + self.count - 1);
        format!(
            "SELECT version, NULL, {position} FROM {table} WHERE version BETWEEN {} AND {last}",
            self.first
        )
    }

    /// Adds what of the answer is about this statement: the new version, the one that was replaced, and
    /// the position of the new.
    pub(super) fn learn(&self, answer: &[Told], work: &mut Work) {
        for [new, old, position] in answer {
            let is_own = new.is_none_or(|new| (self.first..self.first + self.count).contains(&new));
            if is_own {
                work.put(*old, new.map(|version| self.written(version, *position)));
            }
        }
    }

    /// Adds what it will write, before it is known where.
    pub(super) fn foretell(&self, work: &mut Work) {
        for version in self.first..self.first + self.count {
            work.put(None, Some(self.written(version, None)));
        }
    }

    fn written(&self, version: i64, position: Option<i64>) -> Written {
        Written { version, table: self.table, stamp: self.stamp, position }
    }
}
