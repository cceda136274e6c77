//! The manners of a well-behaved client, for sources in Rust.

use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Result};

use super::auth::Auth;
use super::failure::host;
use super::{Answer, Client, Manners, Outcome, Request, Retries, Verdict, exchange, retry_after};

/// Signs with one [`Auth`]. Any 2xx is a success; 408, 409, 425, 5xx and lost connections are retried, 429 too, and
/// when the server says; 401 renews the token once where there is one to renew; the rest fails.
#[derive(Clone, Default)]
pub struct Polite {
    /// Who signs.
    pub auth: Auth,
}

impl Polite {
    /// Sends a request until it is answered with 2xx.
    pub async fn fetch(&self, client: &Client, request: &Request) -> Result<Answer> {
        match exchange(client, request, self, Retries::default()).await? {
            Outcome::Success(answer) => Ok(answer),
            Outcome::Ignored(_) | Outcome::Adapt(_) => Err(Error::internal("nothing was ignored")),
        }
    }
}

impl Manners for Polite {
    fn sign<'a>(&'a self, _: &'a Client, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.auth.sign(request))
    }

    fn judge(&self, outcome: Result<&Answer, &Error>, _: u32) -> Verdict {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) if error.kind().is_retryable() => {
                return Verdict::Retry { wait: None, error: Error::transient("a request failed") };
            }
            Err(error) => return Verdict::Fail(again(error)),
        };
        let wait = retry_after(answer);
        let error = |kind| refused(kind, answer);
        match answer.status {
            200..300 => Verdict::Success,
            429 => Verdict::RateLimited { wait, error: error(ErrorKind::RateLimited { retry_after: wait }) },
            408 | 409 | 425 | 500.. => Verdict::Retry { wait, error: error(ErrorKind::Transient) },
            401 if self.auth.is_renewable() => {
                Verdict::RefreshToken { wait: None, error: error(ErrorKind::Auth) }
            }
            401 | 403 => Verdict::Fail(error(ErrorKind::Auth)),
            _ => Verdict::Fail(error(ErrorKind::Config)),
        }
    }

    fn refresh<'a>(&'a self, _: &'a Client, sent: &'a Request) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.auth.renew(sent))
    }
}

/// What an answer is, in one line.
fn refused(kind: ErrorKind, answer: &Answer) -> Error {
    Error::new(kind, format!("the server answers with status {}", answer.status))
        .context("host", host(&answer.url))
}

fn again(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message());
    for (key, value) in error.context_pairs() {
        copy = copy.context(key, value.clone());
    }
    match error.advice() {
        Some(hint) => copy.hint(hint),
        None => copy,
    }
}
