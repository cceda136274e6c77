//! Why a template gave nothing. The reference treats the kinds differently, so they are told apart.

/// A failure inside of a template. Its message names keys and types, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something was asked of what is not there: the default is taken.
    Undefined(String),
    /// Python's `TypeError`: the reference then takes the text of the template for its result.
    Type(String),
    /// Any other failure: the evaluation fails.
    Other(String),
    /// More work, text or depth than any manifest needs.
    Limit(String),
}

pub(crate) type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn kind(message: impl Into<String>) -> Self {
        Self::Type(message.into())
    }

    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Undefined(message) | Self::Type(message) | Self::Other(message) | Self::Limit(message) => {
                message
            }
        }
    }
}
