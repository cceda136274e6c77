//! What the streams of one source share, and how one of them reaches its parents.

use std::sync::Arc;

use protocol::Result;

use super::delegate;
use super::plain::{Origin, Reading, Stream};
use crate::source::declarative::component::Component;
use crate::source::declarative::cursor::Slicing;
use crate::source::declarative::partition::{Pages, Parent, Parents, Slice};
use crate::source::declarative::record::Records;
use crate::source::declarative::request::Cache;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::value::Value;
use futures::FutureExt;
use futures::future::BoxFuture;

/// What the streams of one source share. Cheap to clone.
#[derive(Clone)]
pub(super) struct Family {
    scope: Scope,
    cache: Cache,
    /// Whether parents' answers are kept: those of top-level streams are, unless they say no.
    keeps_parents: bool,
}

impl Family {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, cache: Cache::default(), keeps_parents: true }
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.cache
    }
}

impl Parents for Family {
    fn open(&self, stream: &Component<'_>, state: Option<&Value>) -> Result<Arc<dyn Parent>> {
        let below = Self { keeps_parents: false, ..self.clone() };
        let origin = Origin { state, chosen: None, keeps: self.keeps_parents, properties: None };
        let stream = match stream.kind() {
            "StateDelegatingStream" => {
                let field = if state.is_some() { "incremental_stream" } else { "full_refresh_stream" };
                delegate::check_names(stream)?;
                Stream::build(&stream.required(field)?, &below, &origin)?
            }
            _ => Stream::build(stream, &below, &origin)?,
        };
        Ok(Arc::new(stream))
    }
}

impl Parent for Stream {
    fn name(&self) -> &str {
        Stream::name(self)
    }

    fn slicing(&self) -> &Slicing {
        Stream::slicing(self)
    }

    fn read(&self, slice: &Slice) -> Result<Box<dyn Pages>> {
        Ok(Box::new(ParentPages(self.reading(slice.clone()))))
    }
}

/// A parent's pages as values.
struct ParentPages(Reading);

impl Pages for ParentPages {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Value>>>> {
        async { self.0.next().await?.map(Records::into_values).transpose() }.boxed()
    }
}
