//! When to try again, and how long to wait before.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::Future;
use protocol::{Error, ErrorKind, Result};

use crate::{Count, Stop};

/// The longest wait of our own making. A server may ask for more.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

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

    /// Waits before the next attempt. Gives `error` back when another can't help, is one too many, or
    /// the sync ends.
    pub(crate) async fn again(&mut self, error: Error, stop: &Stop, retries: &Count) -> Result<()> {
        if error.kind().is_retryable() { self.wait(error, stop, retries).await } else { Err(error) }
    }

    /// As [`Attempts::again`] for an error that the caller knows how to mend, of whatever kind.
    pub(crate) async fn wait(&mut self, error: Error, stop: &Stop, retries: &Count) -> Result<()> {
        let Some(wait) = self.waits.next() else { return Err(error) };
        let wait = match error.kind() {
            ErrorKind::RateLimited { retry_after: Some(asked) } => wait.max(asked),
            _ => wait,
        };
        retries.add(1);
        tracing::warn!(error = format!("{error:#}"), wait_ms = wait.as_millis(), "trying again");
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            () = stop.requested() => Err(error),
        }
    }
}

fn waits(patience: Patience) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(patience.wait.min(LONGEST_WAIT))
        .with_max_delay(LONGEST_WAIT)
        .with_max_times(patience.retries as usize)
        .with_jitter()
        .build()
}

/// Makes `call` until it succeeds, fails for good, or no more attempts are left.
pub(crate) async fn retrying<T, F: Future<Output = Result<T>>>(
    patience: Patience,
    stop: &Stop,
    retries: &Count,
    mut call: impl FnMut() -> F,
) -> Result<T> {
    let mut attempts = Attempts::new(patience);
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) => attempts.again(error, stop, retries).await?,
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
    async fn a_server_that_asks_for_patience_gets_it() {
        let begin = tokio::time::Instant::now();
        let asked = Duration::from_mins(2);
        failing(ErrorKind::RateLimited { retry_after: Some(asked) }, 1).await;
        assert!(begin.elapsed() >= asked);
    }
}
