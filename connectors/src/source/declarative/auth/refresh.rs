//! The request by which OAuth 2 gives a token, and how its answer is read.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{Error, ErrorKind, Result};

use super::legacy::address;
use crate::http::{Answer, Body, Moment, Request, pause};
use crate::source::declarative::moment::parse_moment;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::text_of;
use crate::source::declarative::value::{Map, Value};

/// How long a server that fails is asked again.
const PATIENCE: Duration = Duration::from_mins(5);
/// How deep a token may lie in an answer.
const DEPTH: usize = 5;

/// A request for a token, its templates evaluated.
pub(super) struct Refresh {
    pub(super) url: String,
    pub(super) query: Option<Map>,
    pub(super) body: Map,
    pub(super) headers: Map,
    pub(super) rejection: Rejection,
}

/// How a server says that a refresh token is none any more.
#[derive(Clone)]
pub(super) struct Rejection {
    pub(super) statuses: Vec<u16>,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl Refresh {
    /// Sends it, again while the server fails, and gives the answer's JSON.
    pub(super) async fn send(&self, scope: &Scope) -> Result<Value> {
        let request = self.request()?;
        let (began, mut wait) = (Moment::now(), Duration::from_secs(1));
        loop {
            let error = match scope.client().send(&request).await {
                Ok(answer) if answer.status < 400 => {
                    return Value::from_json(&answer.body).map_err(|error| {
                        Error::new(ErrorKind::Auth, "the token's answer is no JSON").with_source(error)
                    });
                }
                Ok(answer) => {
                    let error = self.refusal(&answer, scope);
                    if answer.status != 429 && answer.status < 500 {
                        return Err(error);
                    }
                    error
                }
                Err(error) if !error.kind().is_retryable() => return Err(error),
                Err(error) => error.context("request", "the refresh of an OAuth token"),
            };
            if began.elapsed() + wait > PATIENCE {
                return Err(error);
            }
            pause(wait).await;
            wait = (wait * 2).min(Duration::from_mins(1));
        }
    }

    fn request(&self) -> Result<Request> {
        let mut url = address(&self.url)?;
        if let Some(query) = self.query.as_ref().map(super::form::encode).filter(|query| !query.is_empty()) {
            let query = match url.query().filter(|known| !known.is_empty()) {
                Some(known) => format!("{known}&{query}"),
                None => query,
            };
            url.set_query(Some(&query));
        }
        let mut request = Request::new(reqwest::Method::POST, url);
        let body = super::form::encode(&self.body);
        if !body.is_empty() {
            request.body = Body::Form(body.into());
        }
        request.secret_body = true;
        for (name, value) in self.headers.iter().filter(|(_, value)| !value.is_none()) {
            request.set_header(name, text_of(value));
        }
        Ok(request)
    }

    /// What an answer of an error comes to. Of its text only OAuth's own codes are told.
    fn refusal(&self, answer: &Answer, scope: &Scope) -> Error {
        let status = answer.status;
        let body = Value::from_json(&answer.body).unwrap_or_default();
        let code = body.get("error").and_then(Value::as_text).filter(|code| code.len() <= 64);
        let code = code.map(|code| format!(": {}", scope.vault().mask().apply(code))).unwrap_or_default();
        if self.rejection.covers(status, &body) {
            return Error::new(ErrorKind::Auth, format!("the refresh token is rejected{code}"))
                .context("status", status.to_string())
                .hint("It is invalid, expired or was used before: sign in anew.");
        }
        let kind = match status {
            429 => ErrorKind::RateLimited { retry_after: crate::http::retry_after(answer) },
            500.. => ErrorKind::Transient,
            _ => ErrorKind::Auth,
        };
        Error::new(kind, format!("the request for an OAuth token was answered with {status}{code}"))
    }
}

impl Rejection {
    fn covers(&self, status: u16, body: &Value) -> bool {
        self.statuses.contains(&status)
            && body.get(&self.key).is_some_and(|value| self.values.contains(&text_of(value)))
    }
}

/// The value of `key`, wherever it lies in an answer.
pub(super) fn find<'v>(value: &'v Value, key: &str) -> Result<Option<&'v Value>> {
    search(value, key, 0)
}

fn search<'v>(value: &'v Value, key: &str, depth: usize) -> Result<Option<&'v Value>> {
    if depth > DEPTH {
        return Err(Error::new(
            ErrorKind::Auth,
            format!("the token's answer has no {key:?} in its first levels"),
        ));
    }
    match value {
        Value::Map(map) => {
            if let Some(found) = map.get(key) {
                return Ok(Some(found).filter(|found| !found.is_none()));
            }
            for inner in map.values() {
                if let Some(found) = search(inner, key, depth + 1)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        Value::List(items) => {
            for item in items {
                if let Some(found) = search(item, key, depth + 1)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// When a token ends by an answer's word: so many seconds from now, or, where `is_date`, a date.
pub(super) fn expiry(value: &Value, is_date: bool, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let fault = || {
        Error::new(
            ErrorKind::Auth,
            "the token's answer does not say when it runs out in a way that can be read",
        )
        .hint("Set `token_expiry_date_format` where the answer has a date instead of seconds.")
    };
    let text = text_of(value);
    if is_date {
        return date(&text).ok_or_else(fault);
    }
    let seconds = crate::source::declarative::number::parse_float(&text).filter(|number| number.is_finite());
    #[expect(clippy::cast_possible_truncation, reason = "so does int()")]
    let seconds = seconds.map(|seconds| seconds.trunc() as i64).ok_or_else(fault)?;
    TimeDelta::try_seconds(seconds).and_then(|delta| now.checked_add_signed(delta)).ok_or_else(fault)
}

/// A date of a configuration or an answer: seconds since 1970, or ISO 8601.
pub(super) fn date(text: &str) -> Option<DateTime<Utc>> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !text.is_empty() && digits {
        return text.parse().ok().filter(|_| text.len() <= 10).and_then(|at| DateTime::from_timestamp(at, 0));
    }
    parse_moment(text).map(|moment| moment.universal().and_utc())
}
