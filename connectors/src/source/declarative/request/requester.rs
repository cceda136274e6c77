//! `HttpRequester`: one request of a manifest, from its templates to its answer.

use protocol::Result;

use super::parts::Parts;
use crate::http::Answer;
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::Value;

/// Sends requests as an `HttpRequester` says.
pub struct Requester {}

/// What one request is about.
#[derive(Default)]
pub struct Call<'a> {
    /// The slice; its extra fields are variables of their own.
    pub slice: Option<&'a StreamSlice>,
    /// `next_page_token`: the object with the key of that name.
    pub token: Option<&'a Value>,
    /// A path or URL instead of the requester's own.
    pub path: Option<&'a str>,
    /// What paginator, cursor and partition routers add.
    pub parts: Parts,
}

/// How a request ended, once it did not fail.
pub enum Outcome {
    /// With an answer that counts.
    Answer(Answer),
    /// With one that is to be passed over: no records, no further page.
    Ignored,
    /// The pagination is to start over.
    ResetPagination,
    /// The page is to be asked for again, smaller. With the handler's message.
    ReducePageSize(Option<String>),
    /// The slice is to be split. With the handler's message.
    SplitWindow(Option<String>),
}

impl Requester {
    /// Of its component; `name` is the stream's.
    pub fn build(component: &Component<'_>, scope: &Scope, name: &str) -> Result<Self> {
        let _ = (component, scope, name);
        todo!()
    }

    /// Sends it, again and again as the error handler says.
    pub async fn send(&self, call: Call<'_>) -> Result<Outcome> {
        let _ = call;
        todo!()
    }
}
