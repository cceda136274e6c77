//! The pages of one listing, one after the other, for sources in Rust.

use std::borrow::Cow;
use std::collections::HashMap;

use protocol::{Error, Result};
use serde_json::value::RawValue;
use url::Url;

use super::failure::host;
use super::{Answer, Client, Polite, Request, Trail, links};

/// How a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// It has one page.
    Single,
    /// The header `Link` names the next page.
    Link,
    /// The body holds the next page's address.
    NextUrl {
        /// Keys that lead to it.
        path: &'static [&'static str],
    },
    /// The body holds what the next page is asked for with.
    Cursor {
        /// Keys that lead to it.
        path: &'static [&'static str],
        /// The parameter that it is sent as.
        param: &'static str,
    },
    /// Pages have numbers. A page with fewer records than asked for is the last one.
    Page {
        /// The parameter of the number.
        param: &'static str,
        /// The number of the first page.
        first: u64,
        /// Records that a full page has.
        size: u64,
    },
    /// Pages begin at a record. A page with fewer records than asked for is the last one.
    Offset {
        /// The parameter that says at which.
        param: &'static str,
        /// Records that a full page has.
        size: u64,
    },
}

/// Reads the pages of one listing. Fails where it goes in a circle, or leads to another host.
pub struct Pages<'c> {
    client: &'c Client,
    manners: &'c Polite,
    first: Request,
    next: Option<Request>,
    paging: Paging,
    trail: Trail,
    number: u64,
}

impl<'c> Pages<'c> {
    /// The pages that begin with `first`. Parameters of their size are the caller's.
    #[must_use]
    pub fn new(client: &'c Client, manners: &'c Polite, first: Request, paging: Paging) -> Self {
        let number = if let Paging::Page { first, .. } = paging { first } else { 0 };
        Self { client, manners, next: Some(first.clone()), first, paging, trail: Trail::new(), number }
    }

    /// The next page and its records, which `read` takes out of the answer and `len` counts; none after the last.
    pub async fn next<R>(
        &mut self,
        read: impl FnOnce(&Answer) -> Result<R>,
        len: impl FnOnce(&R) -> usize,
    ) -> Result<Option<R>> {
        let Some(request) = self.next.take() else { return Ok(None) };
        let answer = self.manners.fetch(self.client, &request).await?;
        let records = read(&answer)?;
        let count = len(&records);
        if count > 0 {
            self.trail.page(&answer.body)?;
        }
        if let Some(url) = self.following(&answer, count)? {
            if url.origin() != self.first.url.origin() {
                return Err(Error::data("the next page is on another host")
                    .context("host", host(&self.first.url))
                    .context("next", host(&url)));
            }
            self.trail.step(url.as_str())?;
            self.next = Some(Request { url, ..self.first.clone() });
        }
        Ok(Some(records))
    }

    fn following(&mut self, answer: &Answer, count: usize) -> Result<Option<Url>> {
        let count = count as u64;
        let (param, value) = match self.paging {
            Paging::Single => return Ok(None),
            Paging::Link => {
                let all = answer.headers.iter().filter(|(name, _)| name == "link");
                let next = all.flat_map(|(_, value)| links(value)).find(|link| link.is("next"));
                return next.map(|link| joined(&answer.url, &link.url)).transpose();
            }
            Paging::NextUrl { path } => {
                return text_at(&answer.body, path)?.map(|next| joined(&answer.url, &next)).transpose();
            }
            Paging::Cursor { path, param } => match text_at(&answer.body, path)? {
                Some(cursor) => (param, cursor),
                None => return Ok(None),
            },
            Paging::Page { size, .. } | Paging::Offset { size, .. } if count == 0 || count < size => {
                return Ok(None);
            }
            Paging::Page { param, .. } => {
                self.number += 1;
                (param, self.number.to_string())
            }
            Paging::Offset { param, .. } => {
                self.number += count;
                (param, self.number.to_string())
            }
        };
        let mut url = self.first.url.clone();
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != param)
            .map(|(n, v)| (n.into_owned(), v.into_owned()))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(others).append_pair(param, &value);
        Ok(Some(url))
    }
}

fn joined(from: &Url, to: &str) -> Result<Url> {
    from.join(to).map_err(|_| Error::data("the next page has no address").context("host", host(from)))
}

/// The text or number that these keys lead to; none where it is not there, null or empty.
fn text_at(body: &[u8], path: &[&str]) -> Result<Option<String>> {
    let wrong = |error| Error::data("a page is not JSON").with_source(error);
    let mut at: &RawValue = serde_json::from_slice(body).map_err(wrong)?;
    for key in path {
        let Ok(members) = serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(at.get()) else {
            return Ok(None);
        };
        let Some(member) = members.get(*key) else { return Ok(None) };
        at = member;
    }
    let text = match serde_json::from_str(at.get()).map_err(wrong)? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    Ok((!text.is_empty()).then_some(text))
}
