//! Several routers in a list: every combination of their partitions.

use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::Result;

use super::router::{Part, Router, Walk};
use crate::source::declarative::value::Map;

/// Routers, of which the last one turns fastest.
pub(in crate::source::declarative) struct Product {
    routers: Vec<Router>,
}

impl Product {
    pub(super) fn new(routers: Vec<Router>) -> Self {
        Self { routers }
    }

    pub(super) fn routers(&self) -> &[Router] {
        &self.routers
    }

    pub(super) fn walk(product: &Arc<Self>) -> Combinations {
        Combinations { product: Arc::clone(product), pools: None, places: Vec::new() }
    }
}

/// Every combination; all routers are read to their ends first.
pub(super) struct Combinations {
    product: Arc<Product>,
    pools: Option<Vec<Vec<Part>>>,
    places: Vec<usize>,
}

impl Walk for Combinations {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Part>>> {
        Box::pin(async move {
            let pools = match &mut self.pools {
                Some(pools) => pools,
                empty @ None => {
                    let mut pools = Vec::new();
                    for router in &self.product.routers {
                        pools.push(all(router).await?);
                    }
                    self.places = vec![0; pools.len()];
                    empty.insert(pools)
                }
            };
            if pools.iter().zip(&self.places).any(|(pool, place)| *place >= pool.len()) {
                return Ok(None);
            }
            let chosen = pools.iter().zip(&self.places).map(|(pool, place)| &pool[*place]);
            let part = combine(chosen);
            turn(&mut self.places, pools);
            Ok(Some(part))
        })
    }
}

async fn all(router: &Router) -> Result<Vec<Part>> {
    let (mut walk, mut parts) = (router.walk(), Vec::new());
    while let Some(part) = walk.next().await? {
        parts.push(part);
    }
    Ok(parts)
}

/// The first router's values win, as its options do.
fn combine<'p>(parts: impl DoubleEndedIterator<Item = &'p Part>) -> Part {
    let mut whole = Part::default();
    let put = |target: &mut Map, source: &Map| {
        for (key, value) in source.iter() {
            target.insert(key, value.clone());
        }
    };
    for part in parts.rev() {
        put(&mut whole.partition, &part.partition);
        put(&mut whole.extra, &part.extra);
        whole.child = part.child.clone().or(whole.child);
    }
    whole
}

/// The next combination; past the last one the first place is out of its pool.
fn turn(places: &mut [usize], pools: &[Vec<Part>]) {
    for index in (0..places.len()).rev() {
        places[index] += 1;
        if places[index] < pools[index].len() || index == 0 {
            return;
        }
        places[index] = 0;
    }
}
