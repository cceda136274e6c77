//! `GroupingPartitionRouter`: several partitions in one, for APIs that take lists of keys.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use protocol::{Error, Result};

use super::router::{Builder, Part, Router, Walk, no_options};
use crate::source::declarative::component::Component;
use crate::source::declarative::state::{Parental, identity};
use crate::source::declarative::value::{Map, Value};

/// A router whose partitions are put into groups.
pub(in crate::source::declarative) struct Group {
    router: Router,
    size: usize,
    is_deduplicating: bool,
    /// Where the parents stood when the last group was full.
    stood: Mutex<(u64, Option<Parental>)>,
}

impl Group {
    pub(super) fn build(component: &Component<'_>, builder: &Builder<'_>) -> Result<Self> {
        let router = builder.build(&component.required("underlying_partition_router")?)?;
        let size = component.int("group_size")?.and_then(|size| usize::try_from(size).ok());
        let size = size
            .filter(|size| *size > 0)
            .ok_or_else(|| component.fail("`group_size` must be an integer above 0"))?;
        if router.has_options() {
            return Err(no_options(component));
        }
        let empty = Parental::Live(Arc::new(Vec::new()));
        Ok(Self {
            router,
            size,
            is_deduplicating: component.flag("deduplicate", true)?,
            stood: Mutex::new((0, Some(empty))),
        })
    }

    pub(super) fn walk(group: &Arc<Self>) -> Groups {
        Groups { walk: group.router.walk(), group: Arc::clone(group), seen: HashSet::new(), is_over: false }
    }

    pub(super) fn parental(&self) -> Option<Parental> {
        self.stood.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(super) fn version(&self) -> u64 {
        self.stood.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn note(&self) {
        let stands = self.router.parental();
        let mut stood = self.stood.lock().unwrap_or_else(PoisonError::into_inner);
        *stood = (stood.0 + 1, stands);
    }
}

/// Groups, one after the other.
pub(super) struct Groups {
    group: Arc<Group>,
    walk: Box<dyn Walk>,
    seen: HashSet<String>,
    is_over: bool,
}

impl Walk for Groups {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Part>>> {
        Box::pin(async move {
            if self.is_over {
                return Ok(None);
            }
            let mut batch = Vec::new();
            while let Some(part) = self.walk.next().await? {
                if !self.is_new(&part)? {
                    continue;
                }
                batch.push(part);
                if batch.len() == self.group.size {
                    self.group.note();
                    return Ok(Some(grouped(&batch)));
                }
            }
            self.is_over = true;
            self.group.note();
            Ok((!batch.is_empty()).then(|| grouped(&batch)))
        })
    }
}

impl Groups {
    fn is_new(&mut self, part: &Part) -> Result<bool> {
        let mut keys = part.partition.iter().filter(|(key, _)| *key != "parent_slice");
        let (Some((_, value)), None) = (keys.next(), keys.next()) else {
            return Err(Error::config("partitions that are grouped must have one key each"));
        };
        if !self.group.is_deduplicating {
            return Ok(true);
        }
        Ok(self.seen.insert(identity(&[("", value.clone())].into_iter().collect())))
    }
}

fn grouped(batch: &[Part]) -> Part {
    let gather = |keys: Vec<&str>, of: fn(&Part) -> &Map| -> Map {
        let gathered = keys.into_iter().map(|key| {
            let values = batch.iter().map(|part| of(part).get(key).cloned().unwrap_or_default());
            (key, Value::List(values.collect()))
        });
        gathered.collect()
    };
    let mut extra: Vec<&str> = Vec::new();
    for key in batch.iter().flat_map(|part| part.extra.keys()) {
        if !extra.contains(&key) {
            extra.push(key);
        }
    }
    let keys = batch.first().map(|part| part.partition.keys().collect()).unwrap_or_default();
    Part {
        partition: gather(keys, |part| &part.partition),
        extra: gather(extra, |part| &part.extra),
        child: None,
    }
}
