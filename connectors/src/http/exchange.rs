//! A request until it is answered for good: who signs it, who judges the answer, how often it is made again.

use std::time::Duration;

use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Result};

use super::pause::{Moment, pause, wall};
use super::{Answer, Client, Incoming, Request, date};

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
    /// No attempt is begun later than this after the first one of its kind; what asks for patience without saying how
    /// much is not bound by it.
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
    match drive(client, request, manners, retries, false).await? {
        Outcome::Success(Came::Whole(answer)) => Ok(Outcome::Success(answer)),
        Outcome::Success(Came::Open(incoming)) => incoming.whole().await.map(Outcome::Success),
        Outcome::Ignored(answer) => Ok(Outcome::Ignored(answer)),
        Outcome::Adapt(adapt) => Ok(Outcome::Adapt(adapt)),
    }
}

/// The same for an answer whose body is read as a stream. A body that breaks off later is not asked for again.
pub async fn exchange_open(
    client: &Client,
    request: &Request,
    manners: &dyn Manners,
    retries: Retries,
) -> Result<Opened> {
    match drive(client, request, manners, retries, true).await? {
        Outcome::Success(Came::Open(incoming)) => Ok(Outcome::Success(incoming)),
        Outcome::Success(Came::Whole(answer)) => Ok(Outcome::Success(answer.into())),
        Outcome::Ignored(answer) => Ok(Outcome::Ignored(answer)),
        Outcome::Adapt(adapt) => Ok(Outcome::Adapt(adapt)),
    }
}

enum Came {
    Whole(Answer),
    Open(Incoming),
}

async fn drive(
    client: &Client,
    request: &Request,
    manners: &dyn Manners,
    retries: Retries,
    is_stream: bool,
) -> Result<Outcome<Came>> {
    let mut patience = Patience::new(retries);
    let mut refreshed = None;
    for attempt in 1.. {
        let mut signed = request.clone();
        manners.sign(client, &mut signed).await?;
        let came = send(client, &signed, is_stream && !manners.looks_inside()).await;
        let verdict = match &came {
            Ok(Came::Whole(answer)) => manners.judge(Ok(answer), attempt),
            Ok(Came::Open(incoming)) => manners.judge(Ok(&incoming.head()), attempt),
            Err(error) => manners.judge(Err(error), attempt),
        };
        match verdict {
            Verdict::Success => return came.map(Outcome::Success),
            Verdict::Ignore => {
                return Ok(Outcome::Ignored(match came {
                    Ok(Came::Whole(answer)) => Some(answer),
                    Ok(Came::Open(incoming)) => Some(incoming.head()),
                    Err(_) => None,
                }));
            }
            Verdict::Adapt(adapt) => return Ok(Outcome::Adapt(adapt)),
            Verdict::Fail(error) => return Err(caused(error, came.err())),
            Verdict::Retry { wait, error } => {
                let asked = if wait.is_some() { Asked::Told } else { Asked::Again };
                patience.wait(asked, wait, caused(error, came.err())).await?;
            }
            Verdict::RateLimited { wait, error } => {
                let asked = if wait.is_some() { Asked::Told } else { Asked::Slower };
                patience.wait(asked, wait, caused(error, came.err())).await?;
            }
            Verdict::RefreshToken { wait, error } => {
                let error = caused(error, came.err());
                match refreshed {
                    Some(true) => return Err(Error::new(ErrorKind::Auth, error.message()).with_source(error)),
                    Some(false) => return Err(error),
                    None => refreshed = renew(client, &signed, manners).await?,
                }
                let asked = if wait.is_some() { Asked::Told } else { Asked::Again };
                patience.wait(asked, wait, error).await?;
            }
        }
    }
    Err(Error::internal("a request was made more often than can be counted"))
}

/// One attempt. As a stream only bodies that will be taken are left open.
async fn send(client: &Client, request: &Request, is_stream: bool) -> Result<Came> {
    if !is_stream {
        return client.send(request).await.map(Came::Whole);
    }
    let incoming = client.open(request).await?;
    if incoming.status < 400 { Ok(Came::Open(incoming)) } else { incoming.whole().await.map(Came::Whole) }
}

/// Replaces the token: whether that was done, or may be later; nothing where there is none to replace. Then the request
/// is made again as it is.
async fn renew(client: &Client, sent: &Request, manners: &dyn Manners) -> Result<Option<bool>> {
    match manners.refresh(client, sent).await {
        Ok(is_done) => Ok(is_done.then_some(true)),
        Err(error) if error.kind().is_retryable() => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

/// Keeps why there was no answer in the chain of causes.
fn caused(error: Error, cause: Option<Error>) -> Error {
    match cause {
        Some(cause) if std::error::Error::source(&error).is_none() => error.with_source(cause),
        _ => error,
    }
}

/// Why a request is made again.
#[derive(Clone, Copy)]
enum Asked {
    /// After a wait that was named.
    Told = 0,
    /// More slowly, whatever that is.
    Slower = 1,
    /// Because it failed.
    Again = 2,
}

/// Counts attempts and waits between them. Each reason has a count and a time of its own, which a graver one sets
/// back: so it is in the reference, where one loop stands within the other.
struct Patience {
    retries: Retries,
    tries: [u32; 3],
    begun: [Moment; 3],
}

impl Patience {
    fn new(retries: Retries) -> Self {
        Self { retries, tries: [0; 3], begun: [Moment::now(); 3] }
    }

    /// Waits until the next attempt. Fails with `error` where there is none.
    async fn wait(&mut self, asked: Asked, wait: Option<Duration>, error: Error) -> Result<()> {
        let kind = asked as usize;
        self.tries[kind] += 1;
        let elapsed = self.begun[kind].elapsed();
        let limit = self.retries.time.filter(|_| !matches!(asked, Asked::Slower));
        if self.tries[kind] > self.retries.max || limit.is_some_and(|limit| elapsed >= limit) {
            return Err(error.context("attempts", (self.tries.iter().sum::<u32>()).to_string()));
        }
        let mut length = wait.unwrap_or_else(|| doubled(self.tries[kind]));
        if wait.is_none() {
            length = limit.map_or(length, |limit| length.min(limit.saturating_sub(elapsed)));
        }
        if length > self.retries.longest_wait {
            return Err(impatient(length, error));
        }
        pause(length).await;
        for graver in 0..kind {
            (self.tries[graver], self.begun[graver]) = (0, Moment::now());
        }
        Ok(())
    }
}

/// 1, 2, 4 ... seconds.
fn doubled(attempt: u32) -> Duration {
    Duration::from_secs(1 << (attempt - 1).min(30))
}

fn impatient(wait: Duration, error: Error) -> Error {
    let told = protocol::Period::from(Duration::from_secs(wait.as_secs()));
    Error::new(
        ErrorKind::RateLimited { retry_after: Some(wait) },
        format!("the server asks to wait for {told}"),
    )
    .with_source(error)
    .hint("what was read up to here is kept; sync again later")
}

/// How long the server asks to wait: `Retry-After` in seconds or as a date. Nothing where it is negative or no number;
/// for ever where it is beyond all numbers.
#[must_use]
pub fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let is_one = seconds.is_finite() && seconds >= 0.0;
        return is_one.then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    (date::parse(text)? - wall()).to_std().ok()
}
