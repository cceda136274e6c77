//! Google Cloud Storage, where a file goes in one request: a stage's token need not allow uploads in
//! parts, and a URL that is signed beforehand is for one request.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::{Error, ErrorKind, Result, Secret};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Client, Method, RequestBuilder, Response, StatusCode};
use url::Url;

use super::metadata::Metadata;
use super::remote::{Object, address, advised, is_loopback, refuse_large};
use super::spool::Spooled;
use crate::storage::Network;

use super::super::client::{Credentials, Place};

/// What stands before the names of metadata.
const PREFIX: &str = "x-goog-meta-";
/// Bytes of a file that are in memory at once.
const BLOCK_BYTES: usize = 1 << 20;
/// Retries of one request, beyond the first attempt.
const RETRIES: usize = 5;
/// A connection that carries fewer bytes a second is given up.
const SLOWEST: u64 = 64 << 10;
/// What a key may hold as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A bucket, or the one URL that was signed.
pub(super) struct Google {
    client: Client,
    /// What stands before a key.
    base: String,
    prefix: String,
    token: Option<Secret>,
    presigned: Option<Secret>,
    /// Time of a request, besides that of its content.
    patience: Duration,
}

impl Google {
    pub(super) fn open(place: &Place, network: &Network) -> Result<Self> {
        let token = match &place.credentials {
            Credentials::Gcs(token) => Some(token.clone()),
            _ => None,
        };
        let presigned = if token.is_some() { None } else { place.presigned_url.clone() };
        if token.is_none() && presigned.is_none() {
            return Err(Error::unsupported(
                "the stage is on Google Cloud Storage, but its answer has no credentials for it",
            ));
        }
        Ok(Self {
            client: network.http_client()?,
            base: base(place)?,
            prefix: place.prefix.clone(),
            token,
            presigned,
            patience: network.request_timeout.duration(),
        })
    }

    fn request(&self, method: Method, key: &str) -> Result<RequestBuilder> {
        if let Some(url) = &self.presigned {
            // The parser's error is left out together with the text: it holds a signature.
            let url = Url::parse(url.reveal())
                .ok()
                .filter(|url| url.scheme() == "https" || is_loopback(url))
                .ok_or_else(|| Error::unsupported("the stage's presigned URL is none that can be used"))?;
            return Ok(self.client.request(method, url));
        }
        let key = format!("{}{key}", self.prefix);
        let url = format!("{}/{}", self.base, utf8_percent_encode(&key, KEPT));
        let request = self.client.request(method, url);
        Ok(match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    pub(super) async fn put(
        &self,
        place: &str,
        key: &str,
        body: &Spooled,
        metadata: &Metadata,
    ) -> Result<()> {
        let patience = self.patience + Duration::from_secs(body.bytes() / SLOWEST);
        let attempt = || async {
            let mut request = self
                .request(Method::PUT, key)?
                .timeout(patience)
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, body.bytes());
            for (name, value) in metadata {
                request = request.header(format!("{PREFIX}{name}"), value);
            }
            let sent = request.body(Body::wrap_stream(content(body.clone()))).send().await;
            self.accepted("can't upload", place, sent).await.map(drop)
        };
        retrying(attempt).await
    }

    pub(super) async fn get(&self, place: &str, key: &str, most: u64) -> Result<Option<Object>> {
        let attempt = || async {
            let sent = self.request(Method::GET, key)?.timeout(self.patience).send().await;
            if sent.as_ref().is_ok_and(|answer| answer.status() == StatusCode::NOT_FOUND) {
                return Ok(None);
            }
            let answer = self.accepted("can't read", place, sent).await?;
            let metadata = answer.headers().iter().filter_map(|(name, value)| {
                let name = name.as_str().strip_prefix(PREFIX)?;
                Some((name.to_owned(), value.to_str().ok()?.to_owned()))
            });
            let metadata = metadata.collect();
            let content = limited(place, answer, most).await?;
            Ok(Some(Object { content, metadata }))
        };
        retrying(attempt).await
    }

    async fn accepted(&self, action: &str, place: &str, sent: reqwest::Result<Response>) -> Result<Response> {
        let answer = sent.map_err(|error| interrupted(action, place, error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let kind = match status.as_u16() {
            401 | 403 => ErrorKind::Auth,
            // A signature that has ended.
            400 if self.presigned.is_some() => ErrorKind::Auth,
            429 => ErrorKind::RateLimited { retry_after: None },
            408 | 500..=599 => ErrorKind::Transient,
            _ => ErrorKind::Config,
        };
        let code = limited(place, answer, BLOCK_BYTES as u64).await.ok();
        let code = code.as_ref().and_then(|body| std::str::from_utf8(body).ok()).and_then(code_of);
        let code = code.map(|code| format!(": {code}")).unwrap_or_default();
        Err(advised(Error::new(kind, format!("{action} {place}: the store answers {status}{code}"))))
    }
}

fn base(place: &Place) -> Result<String> {
    let bucket = &place.bucket;
    if let Some(end_point) = &place.end_point {
        let base = String::from(address(end_point)?);
        let base = base.trim_end_matches('/');
        return Ok(if place.virtual_url { base.to_owned() } else { format!("{base}/{bucket}") });
    }
    if place.virtual_url {
        return Ok(format!("https://{bucket}.storage.googleapis.com"));
    }
    let region = place.region.as_deref().unwrap_or_default().to_ascii_lowercase();
    if !region.is_empty() && (place.regional_url || region == "me-central2") {
        return Ok(format!("https://storage.{region}.rep.googleapis.com/{bucket}"));
    }
    Ok(format!("https://storage.googleapis.com/{bucket}"))
}

/// The content of a file, read while it is sent.
fn content(body: Spooled) -> impl Stream<Item = Result<Bytes>> {
    stream::try_unfold((body, 0), async |(body, sent)| {
        let part = body.part(sent, BLOCK_BYTES).await?;
        let next = sent + part.len() as u64;
        Ok((!part.is_empty()).then_some((part, (body, next))))
    })
}

async fn limited(place: &str, answer: Response, most: u64) -> Result<Bytes> {
    let mut content = BytesMut::new();
    let mut parts = answer.bytes_stream();
    while let Some(part) = parts.next().await {
        content.extend_from_slice(&part.map_err(|error| interrupted("can't read", place, error))?);
        refuse_large(place, content.len() as u64, most)?;
    }
    Ok(content.freeze())
}

fn interrupted(action: &str, place: &str, error: reqwest::Error) -> Error {
    // A file that can't be read fails on its own account.
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        if let Some(own) = inner.downcast_ref::<Error>() {
            return Error::new(own.kind(), own.message());
        }
        cause = inner.source();
    }
    advised(Error::transient(format!("{action} {place}")).with_source(error.without_url()))
}

async fn retrying<T, F: Future<Output = Result<T>>>(attempt: impl FnMut() -> F) -> Result<T> {
    let waits = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(RETRIES);
    attempt.retry(waits).when(|error: &Error| error.kind().is_retryable()).await
}

fn code_of(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() < 100).then_some(code)
}
