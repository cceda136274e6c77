//! How many requests a server endures: policies by which requests wait, shared by all streams of a source.

use std::time::Duration;

use protocol::Result;

use super::Request;

/// Policies, of which the first that fits a request holds for it.
pub struct Budget(());

/// So many requests in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub limit: u64,
    /// The time.
    pub interval: Duration,
}

/// For which requests, and how many at a time.
pub struct Policy(());

/// Which requests a policy is for.
#[derive(Default)]
pub struct Matcher(());

impl Budget {
    /// Of these policies. Reacts to the headers `ratelimit-reset`, `ratelimit-remaining` and the status 429.
    #[must_use]
    pub fn new(policies: Vec<Policy>) -> Self {
        let _ = policies;
        Self(())
    }

    /// Reacts to other headers and codes.
    #[must_use]
    pub fn reacting_to(self, reset_header: &str, remaining_header: &str, hit: Vec<u16>) -> Self {
        let _ = (reset_header, remaining_header, hit);
        self
    }

    /// Waits until the request may be sent. The client does it for each request and each redirect.
    pub async fn acquire(&self, request: &Request) -> Result<()> {
        let _ = request;
        Ok(())
    }

    /// Learns from an answer. The client does it.
    pub fn observe<'a>(&self, request: &Request, status: u16, header: impl Fn(&str) -> Option<&'a str>) {
        let _ = (request, status, header("x"));
    }
}

impl Policy {
    /// So many requests from one reset to the next.
    #[must_use]
    pub fn fixed_window(period: Duration, limit: u64) -> Self {
        let _ = (period, limit);
        Self(())
    }

    /// So many requests in any stretch of time, for each of the rates.
    pub fn moving_window(rates: Vec<Rate>) -> Result<Self> {
        let _ = rates;
        Ok(Self(()))
    }

    /// As many as one likes.
    #[must_use]
    pub fn unlimited() -> Self {
        Self(())
    }

    /// Only for requests that one of these fits. Without any it is for all.
    #[must_use]
    pub fn matching(self, matchers: Vec<Matcher>) -> Self {
        let _ = matchers;
        self
    }
}

impl Matcher {
    /// Fits every request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only of that method, in whatever case.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        let _ = method;
        self
    }

    /// Only to that scheme and host (`https://api.test`).
    #[must_use]
    pub fn base(self, base: &str) -> Self {
        let _ = base;
        self
    }

    /// Only where the regular expression finds something in the path.
    pub fn path(self, pattern: &str) -> Result<Self> {
        let _ = pattern;
        Ok(self)
    }

    /// Only with that parameter.
    #[must_use]
    pub fn param(self, name: &str, value: &str) -> Self {
        let _ = (name, value);
        self
    }

    /// Only with that header, its name in whatever case.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        let _ = (name, value);
        self
    }

    /// Counts so many times.
    pub fn weight(self, weight: u64) -> Result<Self> {
        let _ = weight;
        Ok(self)
    }
}
