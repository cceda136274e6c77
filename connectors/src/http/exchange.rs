//! A request until it is answered for good: who signs it, who judges the answer, how often it is made again.

use std::time::Duration;

use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Result};

use super::auth::Auth;
use super::pause::{Moment, pause};
use super::{Answer, Client, Incoming, Request};

/// What becomes of one answer.
pub enum Verdict {
    /// It is what was asked for.
    Success,
    /// It counts as nothing, and is no failure.
    Ignore,
    /// The request is made again, after `wait` where a strategy says how long, else after 1, 2, 4 ... seconds. Once
    /// retries are used up, `error` is what failed.
    Retry {
        /// How long to wait, as it is.
        wait: Option<Duration>,
        /// What it comes to in the end.
        error: Error,
    },
    /// The same, for an answer that asks for patience.
    RateLimited {
        /// How long to wait, as it is.
        wait: Option<Duration>,
        /// What it comes to in the end.
        error: Error,
    },
    /// The token is replaced, by [`Manners::refresh`], and the request made again; once per request.
    RefreshToken {
        /// How long to wait, as it is.
        wait: Option<Duration>,
        /// What it comes to in the end.
        error: Error,
    },
    /// The caller shall ask differently.
    Adapt(Adapt),
    /// It failed for good.
    Fail(Error),
}

/// How the caller shall ask differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapt {
    /// With smaller pages.
    PageSize,
    /// From the first page on.
    Pagination,
    /// For a smaller window.
    Window,
}

/// What an exchange came to.
pub enum Outcome<A = Answer> {
    /// The answer.
    Success(A),
    /// An answer that counts as nothing, or none where the request failed.
    Ignored(Option<Answer>),
    /// The caller shall ask differently.
    Adapt(Adapt),
}

/// An answer whose body is read as a stream.
pub type Opened = Outcome<Incoming>;

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// Attempts after the first.
    pub max: u32,
    /// No attempt is begun later than this after the first one, waits for patience aside.
    pub time: Option<Duration>,
    /// A wait that is longer than this is an error instead.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { max: 5, time: Some(Duration::from_mins(10)), longest_wait: Duration::from_hours(2) }
    }
}

/// Who signs requests and judges answers.
pub trait Manners: Send + Sync {
    /// Puts credentials on a request. Called before each attempt, on the request as the caller made it.
    fn sign<'a>(&'a self, client: &'a Client, request: &'a mut Request) -> BoxFuture<'a, Result<()>>;

    /// Judges the answer of the attempt of that number, the first being 1, or why there is none.
    fn judge(&self, outcome: Result<&Answer, &Error>, attempt: u32) -> Verdict;

    /// Whether [`Manners::judge`] looks into the bodies of answers with a status below 400. Without it they are shown
    /// empty where the body is read as a stream.
    fn looks_inside(&self) -> bool {
        false
    }

    /// Replaces the token that `sent` was signed with. `false` where there is none that could be.
    fn refresh<'a>(&'a self, client: &'a Client, sent: &'a Request) -> BoxFuture<'a, Result<bool>> {
        let _ = (client, sent);
        Box::pin(async { Ok(false) })
    }
}

/// Sends a request until its answer is good, or it failed for good.
pub async fn exchange(
    client: &Client,
    request: &Request,
    manners: &dyn Manners,
    retries: Retries,
) -> Result<Outcome> {
    let _ = (client, request, manners, retries, pause(Duration::ZERO), Moment::now());
    Err(Error::internal("not yet"))
}

/// The same for an answer whose body is read as a stream. A body that breaks off later is not asked for again.
pub async fn exchange_open(
    client: &Client,
    request: &Request,
    manners: &dyn Manners,
    retries: Retries,
) -> Result<Opened> {
    let _ = (client, request, manners, retries);
    Err(Error::internal("not yet"))
}

/// How long the server asks to wait: `Retry-After` in seconds or as a date. Nothing where it is negative or no number.
#[must_use]
pub fn retry_after(answer: &Answer) -> Option<Duration> {
    let _ = (answer, ErrorKind::Transient);
    None
}

/// The manners of a well-behaved client, for sources in Rust: any 2xx is a success; 408, 409, 425, 5xx and lost
/// connections are retried, 429 and 503 when the server says so; 401 renews the token; the rest fails.
#[derive(Clone, Default)]
pub struct Polite {
    /// Who signs.
    pub auth: Auth,
}
