//! The one error of every boundary. Its kind decides what the engine does and how the process exits.
//!
//! | kind | engine | exit |
//! |---|---|---|
//! | `Config`, `Unsupported` | stops | 78 |
//! | `Auth` | stops | 77 |
//! | `Schema`, `Data` | stops the stream, naming stream and column | 65 |
//! | `Transient`, `RateLimited` | restarts at the checkpoint, backoff with jitter | 75 once used up |
//! | `Stale` | discards what the plan staged and plans again | 75 once used up |
//! | `Conflict` | stops: another sync is ahead | 75 |
//! | `Storage` | stops: a place to write is full or failing | 74 |
//! | `Interrupted` | stops: a signal asked for it | 130 |
//! | `Internal` | stops: a bug | 70 |

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of every call that crosses a boundary.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class of failure this is, and so what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration can't ever work: a typo, a missing table, an unknown bucket.
    Config,
    /// What was asked for is not offered here.
    Unsupported,
    /// The other side refuses who we are or what we may do.
    Auth,
    /// The shape of the data is not what was agreed on.
    Schema,
    /// A value does not fit its column.
    Data,
    /// It failed now and may work later: network, restart, time-out.
    Transient,
    /// The other side asks for patience.
    RateLimited {
        /// How long it asked us to wait, where it said so.
        retry_after: Option<Duration>,
    },
    /// What the plan relied on is gone, such as a snapshot: its partitions can't be read any more.
    Stale,
    /// Another process has committed before us.
    Conflict,
    /// A place to write to is full or failing: disk, quota.
    Storage,
    /// A signal asked the sync to stop before it was complete.
    Interrupted,
    /// A bug in tidegate.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed when it is made again.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimited { .. })
    }

    /// The process exit code, after BSD's `sysexits.h`.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Config | Self::Unsupported => 78,
            Self::Auth => 77,
            Self::Schema | Self::Data => 65,
            Self::Transient | Self::RateLimited { .. } | Self::Stale | Self::Conflict => 75,
            Self::Storage => 74,
            Self::Interrupted => 130,
            Self::Internal => 70,
        }
    }

    /// The kind as one word, as it stands in logs and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Unsupported => "unsupported",
            Self::Auth => "auth",
            Self::Schema => "schema",
            Self::Data => "data",
            Self::Transient => "transient",
            Self::RateLimited { .. } => "rate_limited",
            Self::Stale => "stale",
            Self::Conflict => "conflict",
            Self::Storage => "storage",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }
}

/// A failure: kind, message, where it happened, what caused it, what to do. One pointer wide.
///
/// Messages are lower case without a full stop and say what failed on what. Secrets and row values
/// appear in none of them.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), context: Vec::new(), hint: None, source: None }))
    }

    /// [`ErrorKind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// [`ErrorKind::Schema`].
    pub fn schema(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Schema, message)
    }

    /// [`ErrorKind::Data`].
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// [`ErrorKind::Transient`].
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transient, message)
    }

    /// [`ErrorKind::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// [`ErrorKind::Internal`]: an invariant of tidegate's own does not hold.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds where it happened: `("stream", "public.orders")`. The innermost value of a key is kept.
    #[must_use]
    pub fn context(mut self, key: &'static str, value: impl Into<String>) -> Self {
        if !self.0.context.iter().any(|(k, _)| *k == key) {
            self.0.context.push((key, value.into()));
        }
        self
    }

    /// Adds what the person can do about it, as a sentence of its own.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The class of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What failed, without context or causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, where something can be said.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Where it happened, outermost last.
    #[must_use]
    pub fn context_pairs(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// The context value of `key`.
    #[must_use]
    pub fn context_value(&self, key: &str) -> Option<&str> {
        self.0.context.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }
}

impl fmt::Display for Error {
    /// The message and its context; with `{:#}` also the causes, outermost first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (key, value)) in self.0.context.iter().enumerate() {
            let open = if i == 0 { " (" } else { ", " };
            write!(f, "{open}{key} {value:?}")?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        if f.alternate() {
            let mut cause = self.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self:#}", self.0.kind.name())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_message_context_and_causes() {
        let cause = std::io::Error::other("connection reset");
        let error = Error::transient("read failed")
            .with_source(cause)
            .context("stream", "public.t")
            .context("stream", "x");
        assert_eq!(error.to_string(), "read failed (stream \"public.t\")");
        assert_eq!(format!("{error:#}"), "read failed (stream \"public.t\"): connection reset");
    }

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
    }

    #[test]
    fn only_passing_failures_are_retried() {
        for kind in
            [ErrorKind::Config, ErrorKind::Auth, ErrorKind::Schema, ErrorKind::Data, ErrorKind::Conflict]
        {
            assert!(!kind.is_retryable());
        }
        assert!(ErrorKind::RateLimited { retry_after: None }.is_retryable());
    }
}
