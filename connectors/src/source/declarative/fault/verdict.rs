//! What is to be done after a try, and how many there were.

use std::time::Duration;

use protocol::Error;

use crate::http::Moment;

/// No try is begun later than this after the first.
const LONGEST: Duration = Duration::from_mins(10);

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
        /// How long to wait.
        wait: Duration,
        /// What went wrong.
        why: Error,
    },
    /// Have the authenticator make a new token (`Authenticator::refresh`, told to [`Tries::refreshed`]), wait, send
    /// again.
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
///
/// Three counts, one in the other: waits that a strategy set, waits of rate limits without one, all others. One of an
/// outer kind lets the inner ones begin anew.
#[derive(Debug, Default)]
pub struct Tries {
    attempt: u32,
    set: Count,
    limited: Count,
    other: Count,
    /// When the coming try begins.
    next: Option<Moment>,
    refreshed: Option<bool>,
    rotates: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    failed: u32,
    began: Option<Moment>,
}

/// Which of the counts a failure is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wait {
    Set(f64),
    Limited,
    Other,
}

impl Tries {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.attempt
    }

    /// Remembers how the refresh that [`Verdict::RefreshToken`] asked for went.
    pub fn refreshed(&mut self, worked: bool) {
        self.refreshed = Some(worked);
    }

    /// Says, before an answer is judged, whether the request could go out with another token
    /// (`Authenticator::has_alternative`): then a rate limit needs no wait.
    pub fn rotates(&mut self, rotates: bool) {
        self.rotates = rotates;
    }

    pub(super) fn can_rotate(&self) -> bool {
        self.rotates
    }

    pub(super) fn refresh(&self) -> Option<bool> {
        self.refreshed
    }

    /// Counts a try that has an answer.
    pub(super) fn begin(&mut self) -> u32 {
        self.attempt += 1;
        self.next.get_or_insert_with(Moment::now);
        self.attempt
    }

    /// Counts a failed try; `None` where no further one is allowed.
    pub(super) fn failed(&mut self, wait: Wait, most: u32) -> Option<Duration> {
        let started = *self.next.get_or_insert_with(Moment::now);
        let count = match wait {
            Wait::Set(_) => &mut self.set,
            Wait::Limited => {
                self.set = Count::default();
                &mut self.limited
            }
            Wait::Other => {
                self.set = Count::default();
                self.limited = Count::default();
                &mut self.other
            }
        };
        let began = *count.began.get_or_insert(started);
        count.failed += 1;
        let failed = count.failed;
        let elapsed = started.since(began);
        if failed >= most || (wait != Wait::Limited && elapsed >= LONGEST) {
            return None;
        }
        let doubled = Duration::from_secs(1 << (failed - 1).min(20));
        let wait = match wait {
            // A second more, for the fractions of seconds that servers leave out.
            Wait::Set(seconds) => super::backoff::duration((seconds + 1.0).max(0.0)).unwrap_or(LONGEST),
            Wait::Limited => doubled,
            Wait::Other => doubled.min(LONGEST.saturating_sub(elapsed)),
        };
        self.next = Some(Moment::now().max(started).plus(wait));
        Some(wait)
    }
}
