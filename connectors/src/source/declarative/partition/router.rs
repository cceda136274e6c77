//! Routers of all kinds.

use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::{Error, Result};

use super::group::Group;
use super::list::List;
use super::parent::Parents;
use super::product::Product;
use super::substream::Substream;
use super::union::Union;
use crate::source::declarative::component::Component;
use crate::source::declarative::request::{Data, Parts};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::state::Parental;
use crate::source::declarative::value::{Map, Value};

/// Where partitions come from.
pub(in crate::source::declarative) enum Router {
    /// Nowhere: there is one, without a key.
    Single,
    List(List),
    Substream(Arc<Substream>),
    Product(Arc<Product>),
    Group(Arc<Group>),
    Union(Arc<Union>),
}

/// A partition.
#[derive(Debug, Default, Clone)]
pub(in crate::source::declarative) struct Part {
    pub(in crate::source::declarative) partition: Map,
    /// Fields of the parent's record.
    pub(in crate::source::declarative) extra: Map,
    /// What `lazy_read_pointer` found.
    pub(in crate::source::declarative) child: Option<Value>,
}

/// Gives partitions one after the other.
pub(in crate::source::declarative) trait Walk: Send {
    /// The next partition; `None` at the end.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Part>>>;
}

/// What routers are built with.
pub(in crate::source::declarative) struct Builder<'a> {
    pub(in crate::source::declarative) scope: &'a Scope,
    /// The state of the stream that the partitions are for.
    pub(in crate::source::declarative) child: Option<&'a Map>,
    pub(in crate::source::declarative) parents: &'a dyn Parents,
}

impl Router {
    /// The router in `partition_router` of `retriever`.
    pub(in crate::source::declarative) fn of(
        retriever: &Component<'_>,
        scope: &Scope,
        child: Option<&Map>,
        parents: &dyn Parents,
    ) -> Result<Self> {
        let builder = Builder { scope, child, parents };
        match retriever.value("partition_router").filter(|router| router.is_true()) {
            None => Ok(Self::Single),
            Some(Value::List(_)) => {
                let routers = retriever.children("partition_router")?;
                let routers = routers.iter().map(|router| builder.build(router)).collect::<Result<_>>()?;
                Ok(Self::Product(Arc::new(Product::new(routers))))
            }
            Some(_) => builder.build(&retriever.required("partition_router")?),
        }
    }

    /// Whether it does not partition.
    pub(in crate::source::declarative) fn is_single(&self) -> bool {
        matches!(self, Self::Single)
    }

    /// Whether it puts partitions into groups, of which no states can be kept.
    pub(in crate::source::declarative) fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }

    /// Begins to give partitions. To be called once.
    pub(in crate::source::declarative) fn walk(&self) -> Box<dyn Walk> {
        match self {
            Self::Single => Box::new(Once(Some(Part::default()))),
            Self::List(list) => Box::new(list.walk()),
            Self::Substream(substream) => Box::new(Substream::walk(substream)),
            Self::Product(product) => Box::new(Product::walk(product)),
            Self::Group(group) => Box::new(Group::walk(group)),
            Self::Union(union) => Box::new(Union::walk(union)),
        }
    }

    /// Where its parents stand; `None` where it keeps no parents.
    pub(in crate::source::declarative) fn parental(&self) -> Option<Parental> {
        match self {
            Self::Single | Self::List(_) | Self::Product(_) => None,
            Self::Substream(substream) => Some(substream.parental()),
            Self::Group(group) => group.parental(),
            Self::Union(union) => Some(union.parental()),
        }
    }

    /// A number that grows whenever [`Self::parental`] changes.
    pub(in crate::source::declarative) fn version(&self) -> u64 {
        match self {
            Self::Single | Self::List(_) | Self::Product(_) => 0,
            Self::Substream(substream) => substream.version(),
            Self::Group(group) => group.version(),
            Self::Union(union) => union.version(),
        }
    }

    /// What a partition adds to requests.
    pub(in crate::source::declarative) fn options(&self, partition: &Map) -> Parts {
        let mut parts = Parts::default();
        match self {
            Self::Single | Self::Group(_) | Self::Union(_) => {}
            Self::List(list) => list.inject(&mut parts, partition),
            Self::Substream(substream) => substream.inject(&mut parts, partition),
            Self::Product(product) => {
                // The first router's options win.
                for router in product.routers().iter().rev() {
                    overlay(&mut parts, router.options(partition));
                }
            }
        }
        parts
    }

    /// The keys that its partitions are known to have.
    pub(super) fn keys(&self) -> Vec<&str> {
        match self {
            Self::List(list) => vec![list.key()],
            Self::Substream(substream) => substream.keys(),
            Self::Union(union) => vec![union.key()],
            Self::Single | Self::Product(_) | Self::Group(_) => Vec::new(),
        }
    }

    /// Whether it puts values of its own into requests.
    pub(super) fn has_options(&self) -> bool {
        match self {
            Self::List(list) => list.has_option(),
            Self::Substream(substream) => substream.has_options(),
            _ => false,
        }
    }
}

impl Builder<'_> {
    /// A router of whatever kind.
    pub(super) fn build(&self, router: &Component<'_>) -> Result<Router> {
        match router.kind() {
            "ListPartitionRouter" => Ok(Router::List(List::build(router, self.scope)?)),
            "SubstreamPartitionRouter" => Ok(Router::Substream(Arc::new(Substream::build(router, self)?))),
            "GroupingPartitionRouter" => Ok(Router::Group(Arc::new(Group::build(router, self)?))),
            "UnionPartitionRouter" => Ok(Router::Union(Arc::new(Union::build(router, self)?))),
            _ => Err(router.unknown("partition router")),
        }
    }
}

struct Once(Option<Part>);

impl Walk for Once {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Part>>> {
        let part = self.0.take();
        Box::pin(async move { Ok(part) })
    }
}

/// Puts `upper` over `lower`: where both have a key, `upper`'s value stays, in its first place.
pub(in crate::source::declarative) fn overlay(lower: &mut Parts, upper: Parts) {
    let put = |lower: &mut Map, upper: Map| {
        for (key, value) in upper {
            lower.insert(key, value);
        }
    };
    put(&mut lower.params, upper.params);
    put(&mut lower.headers, upper.headers);
    put(&mut lower.json, upper.json);
    match (&mut lower.data, upper.data) {
        (Data::Form(lower), Data::Form(upper)) => put(lower, upper),
        (lower, upper @ Data::Text(_)) => *lower = upper,
        (Data::Text(_), Data::Form(_)) => {}
    }
}

/// That an option stands where none can be applied.
pub(super) fn no_options(router: &Component<'_>) -> Error {
    router
        .fail("routers inside of it have a `request_option`, which can't be applied here")
        .hint("Use `stream_partition` in the requester's parameters instead.")
}
