//! Why a command ended without its result: exit code, text and document of a failure.

use engine::ErrorReport;
use protocol::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::config::{ConfigError, Problem};

/// Exit code for a command line that can't be understood, after BSD's `sysexits.h`.
pub(crate) const USAGE: u8 = 64;

/// Why a command ended without its result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line names what there is not, or too little.
    Usage {
        message: String,
        hint: Option<String>,
    },
    Config(ConfigError),
    Error(Error),
    /// Another process of ours said so.
    Reported {
        report: Box<ErrorReport>,
        exit_code: u8,
    },
}

impl Failure {
    /// A mistake on the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// What the process exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => USAGE,
            Self::Config(_) => ErrorKind::Config.exit_code(),
            Self::Error(error) => error.kind().exit_code(),
            Self::Reported { exit_code, .. } => *exit_code,
        }
    }

    /// What happened, as in a report.
    pub(crate) fn report(&self) -> ErrorReport {
        match self {
            Self::Usage { message, hint } => {
                let mut report = ErrorReport::from(&Error::config(message.clone()));
                "usage".clone_into(&mut report.kind);
                report.hint.clone_from(hint);
                report
            }
            Self::Config(error) => ErrorReport::from(&error.to_error()),
            Self::Error(error) => ErrorReport::from(error),
            Self::Reported { report, .. } => report.as_ref().clone(),
        }
    }

    /// All problems of a configuration.
    pub(crate) fn problems(&self) -> &[Problem] {
        match self {
            Self::Config(error) => error.problems(),
            _ => &[],
        }
    }

    /// The document that takes the place of the result.
    pub(crate) fn document(&self) -> Value {
        let is_interrupted = matches!(self, Self::Error(error) if error.kind() == ErrorKind::Interrupted);
        let mut document = json!({
            "version": 1,
            "outcome": if is_interrupted { "interrupted" } else { "failed" },
            "exit_code": self.exit_code(),
            "error": self.report(),
        });
        if !self.problems().is_empty() {
            document["problems"] = json!(self.problems());
        }
        document
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
