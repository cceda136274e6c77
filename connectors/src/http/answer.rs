//! What came back.

use bytes::Bytes;
use futures::stream::BoxStream;
use protocol::Result;
use url::Url;

/// A whole answer, within the client's limits, its content encodings undone.
#[derive(Clone)]
pub struct Answer {
    /// 200, 404 ...
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: Url,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The first header of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// An answer of which the body is still to come.
pub struct Incoming {
    /// 200, 404 ...
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: Url,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    body: BoxStream<'static, Result<Bytes>>,
    max_body: u64,
}

impl Incoming {
    /// The first header of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The next piece of the body, its content encodings undone; none at its end. Fails with
    /// [`ErrorKind::Transient`](protocol::ErrorKind::Transient) where the body breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        futures::TryStreamExt::try_next(&mut self.body).await
    }

    /// The pieces of the body.
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        self.body
    }

    /// Reads the body whole, as far as the client's limit allows.
    pub async fn whole(self) -> Result<Answer> {
        let _ = self.max_body;
        Err(protocol::Error::internal("not yet"))
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
