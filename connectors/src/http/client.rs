//! The one client of a source.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{Error, Result};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use super::answer::{Bounds, silent};
use super::cookie::Jar;
use super::failure::{host, lost};
use super::{Answer, Body, Budget, Incoming, Options, Request, auth, coding, redirect};

/// Sends requests: one pool of connections, one set of limits, one budget. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    options: Arc<Options>,
    gate: Arc<Semaphore>,
    cookies: Arc<Mutex<Jar>>,
    budget: Option<Arc<Budget>>,
}

impl Client {
    /// A client with these options.
    pub fn new(options: &Options) -> Result<Self> {
        options.verify()?;
        let most = usize::try_from(options.max_concurrent_requests).unwrap_or(Semaphore::MAX_PERMITS);
        Ok(Self {
            http: options.http_client()?,
            options: Arc::new(options.clone()),
            gate: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            cookies: Arc::default(),
            budget: None,
        })
    }

    /// The same client, whose requests wait for a budget.
    #[must_use]
    pub fn with_budget(&self, budget: Arc<Budget>) -> Self {
        Self { budget: Some(budget), ..self.clone() }
    }

    /// The same client with a jar of cookies of its own, which is empty.
    #[must_use]
    pub fn with_own_cookies(&self) -> Self {
        Self { cookies: Arc::default(), ..self.clone() }
    }

    /// A client with other time-outs: for a connection, and for the server's silence. It has connections of its own;
    /// budget, cookies and the number of requests under way are shared.
    pub fn with_timeouts(&self, connect: Option<Duration>, idle: Option<Duration>) -> Result<Self> {
        let mut options = Options::clone(&self.options);
        options.connect_timeout = connect.map_or(options.connect_timeout, Into::into);
        options.idle_timeout = idle.map_or(options.idle_timeout, Into::into);
        let http = if connect.is_some() { options.http_client()? } else { self.http.clone() };
        Ok(Self { http, options: Arc::new(options), ..self.clone() })
    }

    /// Sends a request once and reads the whole answer, whatever its status. Fails with
    /// [`ErrorKind::Transient`](protocol::ErrorKind::Transient) where no whole answer came, with another kind where
    /// asking again is of no use.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
        let total = self.options.total_timeout;
        let whole = async { self.open(request).await?.whole().await };
        tokio::time::timeout(total.duration(), whole).await.unwrap_or_else(|_| {
            Err(Error::transient(format!("an answer was not complete after {total}"))
                .context("host", host(&request.url)))
        })
    }

    /// Sends a request once and reads the head of the answer. Dropping it closes the connection.
    pub async fn open(&self, request: &Request) -> Result<Incoming> {
        let mut request = Cow::Borrowed(request);
        if !request.url.username().is_empty() || request.url.password().is_some() {
            request = Cow::Owned(without_user(&request));
        }
        for _ in 0..=self.options.max_redirects {
            let response = self.hop(&request).await?;
            let location =
                response.headers().get("location").map(|to| String::from_utf8_lossy(to.as_bytes()));
            let allowed = self.options.allow_insecure_redirects;
            if let Some(next) =
                redirect::next(&request, response.status().as_u16(), location.as_deref(), allowed)?
            {
                request = Cow::Owned(next);
            } else {
                let bounds = Bounds {
                    idle: self.idle(&request),
                    max_body: self.options.max_body,
                    max_download: self.options.max_download,
                };
                return Incoming::new(response, request.url.clone(), bounds);
            }
        }
        Err(Error::data(format!("a request is redirected more than {} times", self.options.max_redirects))
            .context("host", host(&request.url)))
    }

    /// Sends one request and reads the head of what comes.
    async fn hop(&self, request: &Request) -> Result<reqwest::Response> {
        if let Some(budget) = &self.budget {
            budget.acquire(request).await?;
        }
        let _permit = self.gate.acquire().await.map_err(|_| Error::internal("the client is closed"))?;
        let built = self.build(request)?;
        let idle = self.idle(request);
        let limit = idle.saturating_add(self.options.connect_timeout.duration());
        let response = tokio::time::timeout(limit, self.http.execute(built))
            .await
            .map_err(|_| silent(&request.url, idle))?
            .map_err(|error| lost(error, &request.url))?;
        if let Some(budget) = &self.budget {
            budget.observe(request, response.status().as_u16(), |name| {
                response.headers().get(name).and_then(|value| value.to_str().ok())
            });
        }
        let set = response.headers().get_all("set-cookie");
        for cookie in set.iter().filter_map(|value| value.to_str().ok()) {
            self.cookies.lock().unwrap_or_else(PoisonError::into_inner).set(&request.url, cookie);
        }
        Ok(response)
    }

    fn idle(&self, request: &Request) -> Duration {
        request.idle.unwrap_or(self.options.idle_timeout.duration())
    }

    fn build(&self, request: &Request) -> Result<reqwest::Request> {
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 4);
        for (name, value) in &request.headers {
            headers.append(header_name(name)?, header_value(name, value)?);
        }
        let kind = match &request.body {
            Body::Json(_) => Some("application/json"),
            Body::Form(_) => Some("application/x-www-form-urlencoded"),
            Body::Empty | Body::Raw(_) => None,
        };
        let is_read = matches!(request.method, Method::GET | Method::HEAD);
        let empty = (matches!(request.body, Body::Empty) && !is_read).then_some("0");
        let cookie = self.cookies.lock().unwrap_or_else(PoisonError::into_inner).header(&request.url);
        for (name, value) in [
            ("content-type", kind),
            ("accept", Some("*/*")),
            ("accept-encoding", Some(coding::ACCEPTED)),
            ("user-agent", Some(self.options.user_agent.as_str())),
            ("cookie", cookie.as_deref()),
            ("content-length", empty),
        ] {
            if let Some(value) = value.filter(|_| !headers.contains_key(name)) {
                headers.insert(HeaderName::from_static(name), header_value(name, value)?);
            }
        }
        let mut built = reqwest::Request::new(request.method.clone(), request.url.clone());
        *built.headers_mut() = headers;
        if !matches!(request.body, Body::Empty) {
            *built.body_mut() = Some(request.body.bytes().clone().into());
        }
        Ok(built)
    }
}

fn header_name(name: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Error::config(format!("{name:?} can't be a header's name")))
}

/// A header's value, as Python sends it: Latin-1 where that is possible.
fn header_value(name: &str, value: &str) -> Result<HeaderValue> {
    let latin: Option<Vec<u8>> = value.chars().map(|letter| u8::try_from(letter).ok()).collect();
    let value = latin
        .map_or_else(|| HeaderValue::from_bytes(value.as_bytes()), |latin| HeaderValue::from_bytes(&latin));
    value.map_err(|_| {
        // The value may be a secret.
        Error::config(format!("the value of header {name:?} holds a line break or another control character"))
            .hint("a key that was copied with the end of its line is the usual cause")
    })
}

/// A user and a password in an address become a header, which redirects are careful with.
fn without_user(request: &Request) -> Request {
    let mut request = request.clone();
    let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (plain(request.url.username()), plain(request.url.password().unwrap_or_default()));
    // Neither fails for an address that has a host.
    let _ = request.url.set_username("");
    let _ = request.url.set_password(None);
    if request.header("authorization").is_none() {
        request.set_header("Authorization", auth::basic(&user, &password));
    }
    request
}
