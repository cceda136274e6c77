//! What came back.

use bytes::Bytes;
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
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}
