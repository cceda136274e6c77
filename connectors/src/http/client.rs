//! The one client of a source.

use protocol::{Error, Result};

use super::{Answer, Body, Request};

/// How a client behaves.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {}

/// Sends requests: one pool of connections, one set of limits. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
}

impl Client {
    /// A client with these options.
    pub fn new(options: &Options) -> Result<Self> {
        let _ = options;
        let http = reqwest::Client::builder()
            .build()
            .map_err(|error| Error::config("the HTTP client can't be set up").with_source(error))?;
        Ok(Self { http })
    }

    /// Sends a request once and reads the whole answer, whatever its status. Fails with
    /// [`ErrorKind::Transient`](protocol::ErrorKind::Transient) where no whole answer came.
    pub async fn send(&self, request: &Request) -> Result<Answer> {
        let mut builder = self.http.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        builder = match &request.body {
            Body::Empty => builder,
            Body::Json(bytes) => builder.header("content-type", "application/json").body(bytes.clone()),
            Body::Form(bytes) => {
                builder.header("content-type", "application/x-www-form-urlencoded").body(bytes.clone())
            }
            Body::Raw(bytes) => builder.body(bytes.clone()),
        };
        let lost = |error: reqwest::Error| {
            Error::transient("a request got no whole answer").with_source(error.without_url())
        };
        let response = builder.send().await.map_err(lost)?;
        let (status, url) = (response.status().as_u16(), response.url().clone());
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = response.bytes().await.map_err(lost)?;
        Ok(Answer { status, url, headers, body })
    }
}
