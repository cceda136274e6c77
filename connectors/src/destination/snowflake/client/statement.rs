//! One statement to run.

use std::fmt;
use std::time::Duration;

use protocol::Secret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::QueryTag;

/// A statement with its values. Its id is made once: the server answers a repeated id with the first
/// answer, so a statement is never run twice however often it is sent.
#[derive(Clone)]
pub(in super::super) struct Statement {
    pub(super) text: String,
    pub(super) bindings: Vec<Binding>,
    pub(super) request_id: Uuid,
    pub(super) tag: Option<QueryTag>,
    pub(super) timeout: Option<Duration>,
    pub(super) concealed: Vec<Secret>,
    /// Whether it ends a transaction, and so is never aborted.
    pub(super) settles: bool,
}

/// A value of a statement's `?`, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Binding {
    /// Text, or NULL.
    Text(Option<String>),
    /// A whole number.
    Number(i64),
    /// True or false.
    Boolean(bool),
}

impl Statement {
    /// A statement of that text, to be run once.
    pub(in super::super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            bindings: Vec::new(),
            request_id: Uuid::new_v4(),
            tag: None,
            timeout: None,
            concealed: Vec::new(),
            settles: false,
        }
    }

    /// A statement that ends a transaction.
    pub(super) fn settling(text: &str) -> Self {
        Self { settles: true, ..Self::new(text) }
    }

    /// The value of the next `?`.
    #[must_use]
    pub(in super::super) fn bind(mut self, value: Binding) -> Self {
        self.bindings.push(value);
        self
    }

    /// The text that is the value of the next `?`.
    #[must_use]
    pub(in super::super) fn bind_text(self, value: impl Into<String>) -> Self {
        self.bind(Binding::Text(Some(value.into())))
    }

    /// What this statement is marked with, instead of the session's tag.
    #[must_use]
    pub(in super::super) fn tagged(mut self, tag: QueryTag) -> Self {
        self.tag = Some(tag);
        self
    }

    /// How long the server may work on it, instead of the account's `statement_timeout`.
    #[must_use]
    pub(in super::super) fn at_most(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A secret that its text holds, such as the key of a bucket: it is taken out of what the server says.
    #[must_use]
    pub(in super::super) fn concealing(mut self, secret: Secret) -> Self {
        self.concealed.push(secret);
        self
    }

    /// Its text.
    pub(in super::super) fn text(&self) -> &str {
        &self.text
    }

    /// What it is, for messages: `COPY INTO`, `SELECT`.
    pub(super) fn kind(&self) -> String {
        /// Those that say little without their second word.
        const PAIRS: [&str; 8] = ["ALTER", "COPY", "CREATE", "DELETE", "DROP", "INSERT", "MERGE", "SHOW"];
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let mut words = self.text.split_whitespace().take_while(is_word).map(str::to_ascii_uppercase);
        let first = words.next().unwrap_or_else(|| "a statement".to_owned());
        match words.next().filter(|_| PAIRS.contains(&first.as_str())) {
            Some(second) => format!("{first} {second}"),
            None => first,
        }
    }
}

impl Binding {
    /// As the server wants it: values are text, their type says how they are read.
    pub(super) fn json(&self) -> Value {
        let (kind, value) = match self {
            Self::Text(value) => ("TEXT", value.clone().into()),
            Self::Number(value) => ("FIXED", Value::from(value.to_string())),
            Self::Boolean(value) => ("BOOLEAN", Value::from(value.to_string())),
        };
        json!({ "type": kind, "value": value })
    }
}

impl fmt::Debug for Statement {
    /// Without text and values: either may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement")
            .field("kind", &self.kind())
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_its_first_words_and_nothing_more() {
        for (text, kind) in [
            ("copy into \"T\" from @s", "COPY INTO"),
            ("CREATE TABLE IF NOT EXISTS x", "CREATE TABLE"),
            ("SELECT secret FROM t", "SELECT"),
            ("  begin", "BEGIN"),
            ("PUT file:///x @s", "PUT"),
            ("drop \"x\"", "DROP"),
            ("'what'", "a statement"),
        ] {
            assert_eq!(Statement::new(text).kind(), kind);
        }
    }

    #[test]
    fn what_it_holds_is_not_shown() {
        let statement =
            Statement::new("SELECT 'canary'").bind_text("canary").concealing(Secret::new("canary"));
        assert!(!format!("{statement:?}").contains("canary"));
    }
}
