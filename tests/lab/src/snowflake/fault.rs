//! Troubles that a test orders for its account.

use serde_json::{Value, json};

/// Something that goes wrong, once unless [`times`](Self::times) says otherwise, at the next statement
/// unless told where.
#[derive(Clone, Debug)]
pub struct Fault(pub(super) Value);

impl Fault {
    /// An HTTP status instead of an answer; nothing is run.
    pub fn status(status: u16) -> Self {
        Self(json!({"kind": "status", "status": status}))
    }

    /// A refusal with that code (`000625`, `390100`); nothing is run.
    pub fn refusal(code: u32, message: &str) -> Self {
        Self(json!({"kind": "error", "code": code, "message": message}))
    }

    /// The connection ends before anything is run.
    pub fn lost_before() -> Self {
        Self(json!({"kind": "hangup", "moment": "before"}))
    }

    /// The statement is run, and the connection ends without an answer.
    pub fn lost_after() -> Self {
        Self(json!({"kind": "hangup", "moment": "after"}))
    }

    /// The statement is run, and half of the answer arrives under status 200.
    pub fn truncated() -> Self {
        Self(json!({"kind": "truncate"}))
    }

    /// The statement starts after so many seconds.
    pub fn delayed(seconds: f64) -> Self {
        Self(json!({"kind": "delay", "seconds": seconds}))
    }

    /// The session's token is no longer good (390112): it has to be renewed. The session and its
    /// transaction go on.
    pub fn expired() -> Self {
        Self(json!({"kind": "expire"}))
    }

    /// The session is gone, its transaction is taken back, and the answer is that code: 390114, 390111, 390104.
    pub fn forgotten(code: u32) -> Self {
        Self(json!({"kind": "forget", "code": code}))
    }

    /// The answer has to be asked for: 333334 first, then so many times 333333.
    pub fn later(polls: u32) -> Self {
        Self(json!({"kind": "polls", "polls": polls}))
    }

    /// COPY tells that many rows more than it loaded, for its first file.
    pub fn miscounted(rows: i64) -> Self {
        Self(json!({"kind": "rows", "rows": rows}))
    }

    /// COPY tells that its first file was loaded in part, and that many rows more or less.
    pub fn partly_loaded(rows: i64) -> Self {
        Self(json!({"kind": "rows", "rows": rows, "status": "PARTIALLY_LOADED"}))
    }

    /// The credentials that the next PUT or GET lends are good for so many seconds.
    pub fn short_credentials(seconds: f64) -> Self {
        Self(json!({"kind": "credentials", "seconds": seconds}))
    }

    /// So many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        self.with("times", times.into())
    }

    /// Only after so many others that it could have struck.
    #[must_use]
    pub fn skipping(self, others: u32) -> Self {
        self.with("skip", others.into())
    }

    /// Only where the statement, or the request's path, contains this regular expression, in any case of
    /// letters.
    #[must_use]
    pub fn matching(self, pattern: &str) -> Self {
        self.with("matching", pattern.into())
    }

    /// With a `Retry-After` of so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with("retry_after", seconds.into())
    }

    /// At logins.
    #[must_use]
    pub fn at_login(self) -> Self {
        self.with("on", "login".into())
    }

    /// At the renewal of tokens.
    #[must_use]
    pub fn at_renewal(self) -> Self {
        self.with("on", "renew".into())
    }

    /// Where an answer is asked for that was not there at first.
    #[must_use]
    pub fn at_poll(self) -> Self {
        self.with("on", "poll".into())
    }

    /// At requests to the stages' S3 endpoint; patterns look at method and path: `PUT /bucket/…`.
    #[must_use]
    pub fn at_stage(self) -> Self {
        self.with("on", "stage".into())
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        self.0[key] = value;
        self
    }
}
