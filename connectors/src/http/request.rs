//! A request, as it will be sent.

use bytes::Bytes;
use reqwest::Method;
use url::Url;

/// A request, as it will be sent. Headers and query hold secrets: no `Debug`.
#[derive(Clone)]
pub struct Request {
    /// GET, POST ...
    pub method: Method,
    /// With its query.
    pub url: Url,
    /// In the order in which they are sent; a name may come more than once.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Body,
}

/// What a request sends.
#[derive(Clone, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// JSON; sets the content type.
    Json(Bytes),
    /// An encoded form; sets the content type.
    Form(Bytes),
    /// As it is.
    Raw(Bytes),
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: Body::Empty }
    }

    /// Sets a header; one of the same name, in whatever case, gives way.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }
}
