//! What is to be done after a try, and how many there were.

use std::time::Duration;

use protocol::Error;

/// What is to be done after a try.
#[derive(Debug)]
pub enum Verdict {
    /// The answer counts.
    Success,
    /// The answer is passed over: no records, no further page. With the handler's message.
    Ignore(Option<String>),
    /// Wait and send again. With what went wrong, for the log.
    Retry {
        /// How long to wait.
        wait: Duration,
        /// What went wrong.
        why: Error,
    },
    /// Wait and send again, because the server asked for patience.
    RateLimited {
        /// How long to wait; nothing where the authenticator has another token with quota left.
        wait: Duration,
        /// What went wrong.
        why: Error,
    },
    /// Have the authenticator make a new token (`Authenticator::refresh`, told to `Tries::refreshed`), wait, send again.
    RefreshToken {
        /// How long to wait.
        wait: Duration,
        /// What went wrong.
        why: Error,
    },
    /// The pagination starts over.
    ResetPagination,
    /// The page is asked for again, smaller. With the handler's message.
    ReducePageSize(Option<String>),
    /// The slice is split. With the handler's message.
    SplitWindow(Option<String>),
    /// The stream fails: told so by the handler, or all tries are used up.
    Fail(Error),
}

/// The tries of one request: made anew for each request, handed to each `judge` of it.
#[derive(Debug, Default)]
pub struct Tries {}

impl Tries {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers how the refresh that [`Verdict::RefreshToken`] asked for went.
    pub fn refreshed(&mut self, worked: bool) {
        let _ = worked;
    }
}
