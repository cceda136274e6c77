//! When to try again, and how long to wait before.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::Future;
use protocol::{Error, ErrorKind, Result};

use crate::{Count, Stop};

/// The longest wait of our own making. A server may ask for more,
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// but not for more than this: a scheduler that runs us again later waits at less cost.
const LONGEST_ASKED: Duration = Duration::from_mins(15);

/// How often something is tried again, and how long is waited before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) retries: u32,
    /// The first wait; each next is twice as long, with up to as much again by chance.
    pub(crate) wait: Duration,
}

/// The attempts that are left until something gets further.
#[derive(Debug)]
pub(crate) struct Attempts {
    patience: Patience,
    waits: ExponentialBackoff,
}

impl Attempts {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, waits: waits(patience) }
    }

    /// Something got further: count anew.
    pub(crate) fn reset(&mut self) {
        self.waits = waits(self.patience);
    }

    /// Waits before the next attempt. Gives `error` back when another can't help or is one too many;
    /// fails with [`ErrorKind::Interrupted`] when the sync is asked to stop.
    pub(crate) async fn again(&mut self, error: Error, stop: &Stop, retries: &Count) -> Result<()> {
        if error.kind().is_retryable() { self.wait(error, stop, retries).await } else { Err(error) }
    }

    /// As [`Attempts::again`] for an error that the caller knows how to mend, of whatever kind.
    pub(crate) async fn wait(&mut self, error: Error, stop: &Stop, retries: &Count) -> Result<()> {
        let Some(wait) = self.waits.next() else { return Err(error) };
        let wait = match error.kind() {
            ErrorKind::RateLimited { retry_after: Some(asked) } if asked > LONGEST_ASKED => {
                return Err(error);
            }
            ErrorKind::RateLimited { retry_after: Some(asked) } => wait.max(asked),
            _ => wait,
        };
        retries.add(1);
        tracing::warn!(error = format!("{error:#}"), wait_ms = wait.as_millis(), "trying again");
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = stop.requested() => Err(interrupted().with_source(error)),
        }
    }
}

/// Somebody asked the sync to stop.
pub(crate) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "the sync was asked to stop")
}

fn waits(patience: Patience) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(patience.wait.min(LONGEST_WAIT))
        .with_max_delay(LONGEST_WAIT)
        .with_max_times(patience.retries as usize)
        .with_jitter()
        .build()
}

/// Makes `call` until it succeeds, fails for good, no more attempts are left, or the sync is asked to
/// stop: then the call under way is dropped.
pub(crate) fn retrying<T, F: Future<Output = Result<T>>>(
    patience: Patience,
    stop: &Stop,
    retries: &Count,
    call: impl FnMut() -> F,
) -> impl Future<Output = Result<T>> {
    retrying_if(patience, stop, retries, ErrorKind::is_retryable, call)
}

/// As [`retrying`], for what begins anew each time: what it relied on may be gone before it ends.
pub(crate) fn retrying_anew<T, F: Future<Output = Result<T>>>(
    patience: Patience,
    stop: &Stop,
    retries: &Count,
    call: impl FnMut() -> F,
) -> impl Future<Output = Result<T>> {
    let is_worth = |kind: ErrorKind| kind.is_retryable() || kind == ErrorKind::Stale;
    retrying_if(patience, stop, retries, is_worth, call)
}

async fn retrying_if<T, F: Future<Output = Result<T>>>(
    patience: Patience,
    stop: &Stop,
    retries: &Count,
    is_worth: impl Fn(ErrorKind) -> bool,
    mut call: impl FnMut() -> F,
) -> Result<T> {
    let mut attempts = Attempts::new(patience);
    loop {
        let result = tokio::select! {
            biased;
            () = stop.requested() => return Err(interrupted()),
            result = call() => result,
        };
        match result {
            Ok(value) => return Ok(value),
            Err(error) if is_worth(error.kind()) => attempts.wait(error, stop, retries).await?,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn patience(retries: u32) -> Patience {
        Patience { retries, wait: Duration::from_millis(250) }
    }

    async fn failing(kind: ErrorKind, limit: u32) -> u32 {
        tokio::time::pause();
        let calls = AtomicU32::new(0);
        let result: Result<()> = retrying(patience(limit), &Stop::default(), &Count::default(), || async {
            calls.fetch_add(1, Ordering::Relaxed);
            Err(Error::new(kind, "no"))
        })
        .await;
        assert_eq!(result.unwrap_err().kind(), kind);
        calls.into_inner()
    }

    #[tokio::test]
    async fn passing_failures_are_tried_again() {
        assert_eq!(failing(ErrorKind::Transient, 3).await, 4);
    }

    #[tokio::test]
    async fn lasting_failures_are_not() {
        assert_eq!(failing(ErrorKind::Auth, 3).await, 1);
    }

    #[tokio::test]
    async fn a_stop_ends_a_call_that_hangs() {
        let stop = Stop::default();
        let call = || std::future::pending::<Result<()>>();
        let retries = Count::default();
        let mut result = Box::pin(retrying(patience(3), &stop, &retries, call));
        assert!(futures::poll!(&mut result).is_pending());
        stop.request();
        assert_eq!(result.await.unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait_and_keeps_the_cause() {
        let (stop, retries) = (Stop::default(), Count::default());
        let mut attempts = Attempts::new(Patience { retries: 3, wait: LONGEST_WAIT });
        let mut wait = Box::pin(attempts.again(Error::transient("no"), &stop, &retries));
        assert!(futures::poll!(&mut wait).is_pending());
        stop.request();
        let error = wait.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(format!("{error:#}"), "the sync was asked to stop: no");
    }

    #[tokio::test]
    async fn a_server_that_asks_for_a_day_gets_none_of_it() {
        let asked = Duration::from_hours(24);
        assert_eq!(failing(ErrorKind::RateLimited { retry_after: Some(asked) }, 3).await, 1);
    }

    #[tokio::test]
    async fn a_server_that_asks_for_patience_gets_it() {
        let begin = tokio::time::Instant::now();
        let asked = Duration::from_mins(2);
        failing(ErrorKind::RateLimited { retry_after: Some(asked) }, 1).await;
        assert!(begin.elapsed() >= asked);
    }
}
