//! One statement to run.

use std::time::Duration;

use uuid::Uuid;

use super::QueryTag;

/// A statement with its values. Its id is made once: the server answers a repeated id with the first
/// answer, so a statement is never run twice however often it is sent.
#[derive(Debug, Clone)]
pub(in super::super) struct Statement {
    pub(super) text: String,
    pub(super) bindings: Vec<Binding>,
    pub(super) request_id: Uuid,
    pub(super) tag: Option<QueryTag>,
    pub(super) timeout: Option<Duration>,
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
        Self { text: text.into(), bindings: Vec::new(), request_id: Uuid::new_v4(), tag: None, timeout: None }
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

    /// Its text.
    pub(in super::super) fn text(&self) -> &str {
        &self.text
    }
}
