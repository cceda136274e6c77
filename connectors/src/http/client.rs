//! The one client of a source.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Error, Result};

use super::{Answer, Budget, Incoming, Options, Request};

/// Sends requests: one pool of connections, one set of limits, one budget. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    budget: Option<Arc<Budget>>,
}

impl Client {
    /// A client with these options.
    pub fn new(options: &Options) -> Result<Self> {
        let _ = options;
        let http = reqwest::Client::builder()
            .build()
            .map_err(|error| Error::config("the HTTP client can't be set up").with_source(error))?;
        Ok(Self { http, budget: None })
    }

    /// The same client, whose requests wait for a budget.
    #[must_use]
    pub fn with_budget(&self, budget: Arc<Budget>) -> Self {
        Self { budget: Some(budget), ..self.clone() }
    }

    /// The same client with a jar of cookies of its own, which is empty.
    #[must_use]
    pub fn with_own_cookies(&self) -> Self {
        self.clone()
    }

    /// A client with other time-outs: for a connection, and for the server's silence.
    pub fn with_timeouts(&self, connect: Option<Duration>, idle: Option<Duration>) -> Result<Self> {
        let _ = (connect, idle);
        Ok(self.clone())
    }

    /// Sends a request once and reads the whole answer, whatever its status. Fails with
    /// [`ErrorKind::Transient`](protocol::ErrorKind::Transient) where no whole answer came, with another kind where
    /// asking again is of no use.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
        self.open(request).await?.whole().await
    }

    /// Sends a request once and reads the head of the answer.
    pub async fn open(&self, request: &Request) -> Result<Incoming> {
        let _ = (request, &self.http);
        Err(Error::internal("not yet"))
    }
}
