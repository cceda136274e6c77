//! What a filter or the table of statuses says about an answer, before waits are reckoned.

use protocol::ErrorKind;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Success,
    Ignore,
    Retry,
    RateLimited,
    RefreshToken,
    ResetPagination,
    ReducePageSize,
    SplitWindow,
    Fail,
}

impl Action {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "SUCCESS" => Self::Success,
            "IGNORE" => Self::Ignore,
            "RETRY" => Self::Retry,
            "RATE_LIMITED" => Self::RateLimited,
            "REFRESH_TOKEN_THEN_RETRY" => Self::RefreshToken,
            "RESET_PAGINATION" => Self::ResetPagination,
            "REDUCE_PAGE_SIZE" => Self::ReducePageSize,
            "SPLIT_REQUEST_WINDOW" => Self::SplitWindow,
            "FAIL" => Self::Fail,
            _ => return None,
        })
    }
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Config,
    System,
    Transient,
}

impl Failure {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "config_error" => Self::Config,
            "system_error" => Self::System,
            "transient_error" => Self::Transient,
            _ => return None,
        })
    }

    /// The kind of error for an answer of `status`; `None` where there was no answer.
    pub(super) fn kind(self, status: Option<u16>) -> ErrorKind {
        match (self, status) {
            (Self::Config, Some(401 | 403)) => ErrorKind::Auth,
            (Self::Config, _) => ErrorKind::Config,
            (Self::System, _) => ErrorKind::Data,
            (Self::Transient, Some(429)) => ErrorKind::RateLimited { retry_after: None },
            (Self::Transient, _) => ErrorKind::Transient,
        }
    }
}

/// What one handler says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolution {
    pub(super) action: Action,
    pub(super) failure: Failure,
    /// In the manifest's words.
    pub(super) message: Option<String>,
}

impl Resolution {
    pub(super) fn new(action: Action, failure: Failure) -> Self {
        Self { action, failure, message: None }
    }

    /// What holds for a status that no filter is for.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            ..400 => Self::new(Action::Success, Failure::System),
            _ => Self::listed(status).unwrap_or(Self::new(Action::Retry, Failure::System)),
        }
    }

    /// The row of `status`, where it has one.
    pub(super) fn listed(status: u16) -> Option<Self> {
        Some(match status {
            400 | 404 | 405 => Self::new(Action::Fail, Failure::System),
            401 | 403 => Self::new(Action::Fail, Failure::Config),
            408 | 500 | 502 | 503 | 504 => Self::new(Action::Retry, Failure::Transient),
            429 => Self::new(Action::RateLimited, Failure::Transient),
            _ => return None,
        })
    }
}
