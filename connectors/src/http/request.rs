//! A request, as it will be sent.

use std::time::Duration;

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
    /// Whether the body holds a credential: then it is never sent on to another host.
    pub secret_body: bool,
    /// Longest silence of the server, instead of the client's.
    pub idle: Option<Duration>,
}

/// What a request sends.
#[derive(Clone, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// JSON; sets the content type where no header does.
    Json(Bytes),
    /// An encoded form; sets the content type where no header does.
    Form(Bytes),
    /// As it is.
    Raw(Bytes),
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: Body::Empty, secret_body: false, idle: None }
    }

    /// A GET request.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// A POST request that sends a form: names and values, not yet encoded.
    #[must_use]
    pub fn post_form<K: AsRef<str>, V: AsRef<str>>(
        url: Url,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self { body: Body::Form(form.into()), ..Self::new(Method::POST, url) }
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }

    /// Sets a header; one of the same name, in whatever case, gives way.
    pub fn set_header(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// The first header of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl Body {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        static EMPTY: Bytes = Bytes::new();
        match self {
            Self::Empty => &EMPTY,
            Self::Json(bytes) | Self::Form(bytes) | Self::Raw(bytes) => bytes,
        }
    }
}
