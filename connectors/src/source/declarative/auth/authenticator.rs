//! One authenticator, of whatever kind.

use protocol::{Error, Result};

use crate::http::{Answer, Request};
use crate::source::declarative::component::Component;
use crate::source::declarative::request::Parts;
use crate::source::declarative::scope::Scope;

/// Makes requests known to a server. Streams of one source share their tokens through the scope's vault.
pub struct Authenticator {}

impl Authenticator {
    /// Of the component in `authenticator`; none signs nothing. `url_base` is the requester's `url` or `url_base` as it
    /// stands in the manifest; `name` is the stream's.
    pub fn build(
        component: Option<&Component<'_>>,
        scope: &Scope,
        url_base: &str,
        name: &str,
    ) -> Result<Self> {
        let _ = (component, scope, url_base, name);
        todo!()
    }

    /// What it adds to parameters and bodies (never headers): to be merged with what the other components add, before
    /// the request is put together. Once for each request.
    pub async fn parts(&self) -> Result<Parts> {
        todo!()
    }

    /// Sets the headers, before each try.
    pub async fn sign(&self, request: &mut Request) -> Result<()> {
        let _ = request;
        todo!()
    }

    /// Makes a new token, unless `request` was not sent with the one that there is. False where it can't, or where it
    /// failed in a way that may pass; an error where it never will.
    pub async fn refresh(&self, request: &Request) -> Result<bool> {
        let _ = request;
        todo!()
    }

    /// Takes note of what an answer says about quotas. After each answer that did not come from a cache.
    pub fn observe(&self, request: &Request, answer: &Answer) {
        let _ = (request, answer);
    }

    /// Whether a rate-limited request can go out with another token at once (after a tenth of a second).
    #[must_use]
    pub fn has_alternative(&self, request: &Request) -> bool {
        let _ = request;
        false
    }

    /// An error without the secrets that this authenticator knows.
    #[must_use]
    pub fn mask(&self, error: Error) -> Error {
        error
    }
}
