//! Requests to the server: sent again where they fail, each time under a new `request_guid`.

use std::error::Error as StdError;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::Retryable;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use protocol::{Error, ErrorKind, Period, Result, Secret};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, Proxy, Response, StatusCode, redirect};
use url::Url;
use uuid::Uuid;

use super::account::Account;
use super::pace::Pace;
use super::reply::Reply;

/// Most bytes of one answer.
const LARGEST_ANSWER: usize = 256 << 20;
const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Speaks to one server.
pub(super) struct Http {
    client: Client,
    base: Url,
    pace: Pace,
    through_proxy: bool,
}

/// A request, which may be sent several times.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What is authorised with, where anything is.
    pub(super) token: Option<&'a Secret>,
    /// The body, made anew for each try.
    pub(super) body: &'a (dyn Fn() -> Result<Bytes> + Send + Sync),
    /// Whether the server shall be told how often and why it is sent again.
    pub(super) counted: bool,
    /// How often it is sent at most.
    pub(super) tries: usize,
}

/// Why there is no answer.
pub(super) struct Failure {
    cause: Cause,
    /// Whether the server may have got and done it.
    pub(super) uncertain: bool,
    passes: bool,
    retry_after: Option<Duration>,
}

enum Cause {
    Transport(reqwest::Error),
    Status(StatusCode),
    Unreadable(serde_json::Error),
    TooLarge,
    Ours(Error),
}

/// Which try this is, and why.
#[derive(Clone, Copy)]
struct Attempt {
    number: u32,
    status: u16,
    uncertain: bool,
    unreadable: u32,
    started: i64,
}

impl Http {
    pub(super) fn new(account: &Account, base: Url, pace: Pace) -> Result<Self> {
        let connect = account.connect_timeout.map_or(Duration::from_secs(15), Period::duration);
        let request = account.request_timeout.map_or(Duration::from_mins(5), Period::duration);
        let mut client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .connect_timeout(connect)
            .timeout(request);
        if let Some(proxy) = &account.proxy {
            // The setting may hold a password: the cause may show it.
            let proxy = Proxy::all(proxy.reveal()).map_err(|_| {
                Error::config("`proxy` is not the URL of a proxy").hint("`http://proxy:3128`")
            })?;
            client = client.proxy(proxy);
        }
        if let Some(path) = &account.ca_file {
            let named = |error: Error| error.context("ca_file", path.display().to_string());
            let pem = std::fs::read(path)
                .map_err(|error| named(Error::config("`ca_file` can't be read").with_source(error)))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or_else(|| named(Error::config("`ca_file` holds no certificate in PEM form")))?;
            client = client.tls_certs_merge(certificates);
        }
        let client = client.build().map_err(|error| {
            Error::config("the HTTP client can't be made")
                .hint("install ca-certificates, or name the authority to trust in `ca_file`")
                .with_source(error.without_url())
        })?;
        Ok(Self { client, base, pace, through_proxy: account.proxy.is_some() })
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// An address on the server, with ids of its own.
    pub(super) fn url(&self, path: &str, request_id: Uuid) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("requestId", &request_id.to_string());
        url
    }

    /// The address that the server refers us to, if it is its own.
    pub(super) fn referred(&self, to: &str) -> Result<Url> {
        self.base
            .join(to)
            .ok()
            .filter(|url| url.origin() == self.base.origin())
            .ok_or_else(|| Error::internal("the server refers to another server for an answer"))
    }

    /// Sends a request until it is answered, and reads the answer.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Reply, Failure> {
        let first = Attempt {
            number: 0,
            status: 0,
            uncertain: false,
            unreadable: 0,
            started: Utc::now().timestamp_millis(),
        };
        let state = Mutex::new(first);
        let state = &state;
        let now = || *state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = (|| async {
            let attempt = now();
            let result = self.once(call, attempt).await;
            *state.lock().unwrap_or_else(PoisonError::into_inner) = attempt.after(&result);
            result
        })
        .retry(self.pace.delays(call.tries))
        .when(|failure| failure.passes)
        .adjust(|failure, delay| {
            let wait = failure.retry_after.map(|asked| asked.min(protocol::longest_wait().unwrap_or(asked)));
            delay.map(|delay| wait.unwrap_or(delay))
        })
        .await;
        let attempt = now();
        match result {
            Ok(reply) => Ok(Reply { after_uncertain: attempt.uncertain, ..reply }),
            Err(failure) => Err(Failure { uncertain: attempt.uncertain, ..failure }),
        }
    }

    async fn once(&self, call: &Call<'_>, attempt: Attempt) -> Result<Reply, Failure> {
        let body = (call.body)().map_err(Failure::ours)?;
        let mut url = call.url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("request_guid", &Uuid::new_v4().to_string());
            if call.counted {
                query.append_pair("clientStartTime", &attempt.started.to_string());
                if attempt.number > 0 {
                    query.append_pair("retryCount", &attempt.number.to_string());
                    query.append_pair("retryReason", &attempt.status.to_string());
                }
            }
        }
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .header(ACCEPT, HeaderValue::from_static("application/snowflake"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = call.token {
            request = request.header(AUTHORIZATION, authorization(token).map_err(Failure::ours)?);
        }
        let response = request.body(body).send().await.map_err(Failure::transport)?;
        let status = response.status();
        let headers = response.headers().clone();
        if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
            return Err(self.refused(status, &headers));
        }
        let bytes = read(response).await?;
        match Reply::read(&bytes, clock(&headers)) {
            Ok(reply) => Ok(reply),
            Err(_) if !status.is_success() => Err(self.refused(status, &headers)),
            // Cut short on its way: once more, and then it is no accident.
            Err(error) => Err(Failure {
                cause: Cause::Unreadable(error),
                uncertain: true,
                passes: attempt.unreadable == 0,
                retry_after: None,
            }),
        }
    }

    /// Gets a part of an answer from where the server put it: no token of ours goes there.
    pub(super) async fn fetch(&self, url: &Url, headers: &HeaderMap) -> Result<Bytes, Failure> {
        if url.scheme() != "https" && url.scheme() != self.base.scheme() {
            return Err(Failure::ours(Error::internal(
                "a part of the answer is at an address without encryption",
            )));
        }
        (|| async {
            let response = self.client.get(url.clone()).headers(headers.clone()).send().await;
            let response = response.map_err(Failure::transport)?;
            let status = response.status();
            if !status.is_success() {
                return Err(self.refused(status, response.headers()));
            }
            read(response).await
        })
        .retry(self.pace.delays(self.pace.tries))
        .when(|failure: &Failure| failure.passes)
        .await
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap) -> Failure {
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        // Who asks for more than that is asked by the next attempt of the sync.
        let bearable = retry_after.is_none_or(|wait| wait <= self.pace.longest_wait);
        Failure {
            cause: Cause::Status(status),
            // 429 and 503 are said before anything is done, but by whom is not known.
            uncertain: status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT,
            passes: passes && bearable,
            retry_after,
        }
    }

    /// The error of a call that was not answered.
    pub(super) fn error(&self, what: &str, failure: Failure) -> Error {
        let server = self.base.host_str().unwrap_or_default().to_owned();
        let error = match failure.cause {
            Cause::Ours(error) => return error,
            Cause::Transport(error) => self.unreached(what, error),
            Cause::Status(status) => Self::unwelcome(what, status, failure.retry_after),
            Cause::Unreadable(cause) => {
                Error::transient(format!("can't {what}: the answer is not one of Snowflake's")).with_source(
                    // Its text may show a piece of the answer.
                    io::Error::other(format!("not readable at byte {}", cause.column())),
                )
            }
            Cause::TooLarge => {
                Error::new(ErrorKind::Unsupported, format!("can't {what}: the answer is larger than 256 MiB"))
            }
        };
        error.context("server", server)
    }

    fn unreached(&self, what: &str, error: reqwest::Error) -> Error {
        if let Some(cause) = untrusted(&error) {
            return Error::config(format!("can't {what}: the server's certificate is not trusted"))
                .hint(
                    "name the file of the authority that signed it in `ca_file`; a proxy that looks into \
                     connections has one of its own",
                )
                .with_source(cause);
        }
        let silent =
            if error.is_timeout() { "the server does not answer" } else { "the server can't be reached" };
        let told = Error::transient(format!("can't {what}: {silent}"));
        let told = if error.is_connect() { told.hint(self.reachability()) } else { told };
        told.with_source(error.without_url())
    }

    fn unwelcome(what: &str, status: StatusCode, retry_after: Option<Duration>) -> Error {
        let said = format!("can't {what}: the server answers HTTP {}", status.as_u16());
        match status.as_u16() {
            429 => Error::new(ErrorKind::RateLimited { retry_after }, said),
            503 if retry_after.is_some() => Error::new(ErrorKind::RateLimited { retry_after }, said),
            408 | 500..=599 => Error::transient(said),
            401 => Error::new(ErrorKind::Auth, said)
                .hint("a proxy or a gateway before Snowflake wants to know who this is"),
            // Snowflake's front door answers so for accounts that do not exist.
            403 | 404 => Error::config(said).hint(
                "there may be no such account: check `account` (`myorg-myaccount`), its region, and whether it is reached by a private link only",
            ),
            300..=399 => Error::config(said).hint("something between here and Snowflake sends requests elsewhere"),
            407 => Error::config(said).hint("`proxy` wants a user and a password: `http://user:password@proxy:3128`"),
            _ => Error::config(said),
        }
    }

    fn reachability(&self) -> &'static str {
        if self.through_proxy {
            "check `proxy`, and that it lets connections to this server through"
        } else {
            "check `account` or `host`, and that a firewall or a private link lets connections through"
        }
    }
}

impl Attempt {
    fn after(self, result: &Result<Reply, Failure>) -> Self {
        let Err(failure) = result else { return self };
        let unreadable = u32::from(matches!(failure.cause, Cause::Unreadable(_)));
        let status = match &failure.cause {
            Cause::Status(status) => status.as_u16(),
            _ => 0,
        };
        Self {
            number: self.number + 1,
            status,
            uncertain: self.uncertain || failure.uncertain,
            unreadable: self.unreadable + unreadable,
            started: self.started,
        }
    }
}

impl Failure {
    fn transport(error: reqwest::Error) -> Self {
        let reached = !error.is_connect();
        let passes = untrusted(&error).is_none() && !error.is_builder();
        Self { cause: Cause::Transport(error), uncertain: reached, passes, retry_after: None }
    }

    fn ours(error: Error) -> Self {
        Self { cause: Cause::Ours(error), uncertain: false, passes: false, retry_after: None }
    }
}

fn authorization(token: &Secret) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Snowflake Token=\"{}\"", token.reveal()))
        .map_err(|_| Error::internal("the server gave a token that can't be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(mut response: Response) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(Failure::transport)? {
        if bytes.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Failure {
                cause: Cause::TooLarge,
                uncertain: true,
                passes: false,
                retry_after: None,
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// What the server's clock says.
fn clock(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let date = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(date).ok().map(|date| date.to_utc())
}

/// Why the server's certificate is not trusted, if that is what failed.
fn untrusted(error: &(dyn StdError + 'static)) -> Option<rustls::Error> {
    if let Some(found @ rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return Some(found.clone());
    }
    // An I/O error has its cause inside, and several may be one in the other.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match inner {
        Some(inner) => untrusted(inner),
        None => error.source().and_then(untrusted),
    }
}
