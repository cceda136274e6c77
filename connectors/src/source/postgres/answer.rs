//! Questions to the server by the simple protocol: one round trip for several statements, every value
//! as text.

use protocol::{Error, Result};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::failed;

/// What one statement returned.
pub(super) type Rows = Vec<Row>;

/// Runs statements, parted by semicolons, and returns what each one that returns rows returned. `what`
/// begins the error: `could not list the running transactions`.
pub(super) async fn ask(client: &Client, what: &str, sql: &str) -> Result<Vec<Rows>> {
    let messages = client.simple_query(sql).await.map_err(|error| failed(what, &error))?;
    let mut answers = Vec::new();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(_) => answers.push(Vec::new()),
            SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect();
                answers.last_mut().ok_or_else(|| unexpected(what))?.push(Row(values));
            }
            _ => {}
        }
    }
    Ok(answers)
}

/// The only row of the only statement.
pub(super) async fn ask_one(client: &Client, what: &str, sql: &str) -> Result<Row> {
    let row = ask(client, what, sql).await?.into_iter().flatten().next();
    row.ok_or_else(|| unexpected(what))
}

/// One row, its values as text.
#[derive(Debug, Default)]
pub(super) struct Row(Vec<Option<String>>);

impl Row {
    /// A value; none for NULL.
    pub(super) fn text(&self, column: usize) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    /// A value as a number; none for NULL and for what is no such number.
    pub(super) fn number<T: std::str::FromStr>(&self, column: usize) -> Option<T> {
        self.text(column)?.parse().ok()
    }

    /// Whether a value is true.
    pub(super) fn is_true(&self, column: usize) -> bool {
        self.text(column) == Some("t")
    }

    /// All values as numbers.
    pub(super) fn numbers<T: std::str::FromStr>(&self) -> Option<Vec<T>> {
        (0..self.0.len()).map(|column| self.number(column)).collect()
    }
}

/// The server did not return what the statement always returns.
pub(super) fn unexpected(what: &str) -> Error {
    Error::internal(format!("{what}: the server's answer is not understood"))
}

/// `text` as an SQL literal, whatever is in it and however the server reads backslashes.
pub(super) fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_never_ends_early() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"\'; DROP TABLE t; --"), r" E'\\''; DROP TABLE t; --'");
    }
}
