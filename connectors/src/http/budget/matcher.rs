//! Which requests a policy is for.

use fancy_regex::Regex;
use protocol::{Error, Result};

use crate::http::Request;

/// Which requests a policy is for.
#[derive(Default)]
pub struct Matcher {
    method: Option<String>,
    base: Option<String>,
    path: Option<Regex>,
    params: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    weight: Option<u64>,
}

impl Matcher {
    /// Fits every request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only of that method, in whatever case.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_ascii_uppercase());
        self
    }

    /// Only to that scheme and host (`https://api.test`).
    #[must_use]
    pub fn base(mut self, base: &str) -> Self {
        self.base = Some(base.trim_end_matches('/').to_owned());
        self
    }

    /// Only where the regular expression finds something in the path.
    pub fn path(mut self, pattern: &str) -> Result<Self> {
        let regex = Regex::new(pattern).map_err(|error| {
            Error::config(format!("{pattern:?} is no regular expression")).with_source(error)
        })?;
        self.path = Some(regex);
        Ok(self)
    }

    /// Only with that parameter.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Only with that header, its name in whatever case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Counts so many times.
    pub fn weight(mut self, weight: u64) -> Result<Self> {
        if weight == 0 {
            return Err(Error::config("a weight must be at least 1"));
        }
        self.weight = Some(weight);
        Ok(self)
    }

    /// How many times a request that fits counts.
    pub(super) fn times(&self) -> u64 {
        self.weight.unwrap_or(1)
    }

    /// Whether a request is one of those.
    #[must_use]
    pub fn fits(&self, request: &Request) -> bool {
        let url = &request.url;
        // The last of several parameters of one name counts, as in a dictionary of Python's.
        let param = |name: &str| url.query_pairs().filter(|(known, _)| known == name).last();
        self.method.as_ref().is_none_or(|method| request.method.as_str() == method)
            && self.base.as_ref().is_none_or(|base| *base == url.origin().ascii_serialization())
            && self
                .path
                .as_ref()
                .is_none_or(|path| path.is_match(url.path().trim_end_matches('/')).unwrap_or(false))
            && self.params.iter().all(|(name, value)| param(name).is_some_and(|(_, found)| found == *value))
            && self.headers.iter().all(|(name, value)| request.header(name) == Some(value.as_str()))
    }
}
