//! `UnionPartitionRouter`: the partitions of several routers, each value once.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::{Error, Result};

use super::router::{Builder, Part, Router, Walk, no_options};
use crate::source::declarative::component::Component;
use crate::source::declarative::state::{Parental, Snapshot, identity};
use crate::source::declarative::value::Map;

/// Routers that all give partitions of one key.
pub(in crate::source::declarative) struct Union {
    key: String,
    routers: Vec<Router>,
}

impl Union {
    pub(super) fn build(component: &Component<'_>, builder: &Builder<'_>) -> Result<Self> {
        let routers = component.children("partition_routers")?;
        if routers.len() < 2 {
            return Err(component.fail("`partition_routers` needs two routers at least"));
        }
        let parameters = component.parameters();
        let context = builder.scope.context(&parameters);
        let key = component.required_template("partition_field")?.eval_text(&context)?;
        let routers: Vec<Router> =
            routers.iter().map(|router| builder.build(router)).collect::<Result<_>>()?;
        if let Some(other) = routers.iter().flat_map(Router::keys).find(|other| *other != key) {
            return Err(component.fail(format!("all routers must give the key {key:?}, one gives {other:?}")));
        }
        if routers.iter().any(Router::has_options) {
            return Err(no_options(component));
        }
        Ok(Self { key, routers })
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn walk(union: &Arc<Self>) -> Members {
        Members { union: Arc::clone(union), place: 0, walk: None, seen: HashSet::new() }
    }

    /// The states of all parents; of two with the same name the last one's.
    pub(super) fn parental(&self) -> Parental {
        let mut all: Vec<(String, Snapshot)> = Vec::new();
        for parental in self.routers.iter().filter_map(Router::parental) {
            let Parental::Live(parents) = parental else { continue };
            for (name, snapshot) in parents.iter() {
                match all.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = snapshot.clone(),
                    None => all.push((name.clone(), snapshot.clone())),
                }
            }
        }
        Parental::Live(Arc::new(all))
    }

    pub(super) fn version(&self) -> u64 {
        self.routers.iter().map(Router::version).sum()
    }
}

/// The members of a union.
pub(super) struct Members {
    union: Arc<Union>,
    place: usize,
    walk: Option<Box<dyn Walk>>,
    seen: HashSet<String>,
}

impl Walk for Members {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Part>>> {
        Box::pin(async move {
            loop {
                let Some(router) = self.union.routers.get(self.place) else { return Ok(None) };
                let walk = self.walk.get_or_insert_with(|| router.walk());
                let Some(part) = walk.next().await? else {
                    (self.place, self.walk) = (self.place + 1, None);
                    continue;
                };
                let key = &self.union.key;
                let value = part.partition.get(key).cloned().ok_or_else(|| {
                    Error::config(format!("a router of a union gave a partition without {key:?}"))
                })?;
                let partition: Map = [(key.as_str(), value)].into_iter().collect();
                if !self.seen.insert(identity(&partition)) {
                    continue;
                }
                let mut extra = part.extra;
                for (name, value) in part.partition {
                    if *name != **key {
                        extra.insert(name, value);
                    }
                }
                return Ok(Some(Part { partition, extra, child: part.child }));
            }
        })
    }
}
