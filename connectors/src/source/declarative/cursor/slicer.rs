//! Slices, one after the other, made when they are asked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::{Error, Result};

use super::window::Windows;
use super::{Cursor, Kind, lock};
use crate::source::declarative::partition::{Part, Router, Slice, Walk};
use crate::source::declarative::state::Parental;
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::Map;

/// Gives slices one after the other.
pub struct Slicer {
    cursor: Cursor,
    cut: Cut,
}

enum Cut {
    /// Windows of a stream without partitions.
    Windows(Box<Windows>),
    /// Partitions as they are.
    Parts(Box<dyn Walk>),
    /// Windows of each partition.
    Both(Box<Both>),
    Over,
}

struct Both {
    walk: Box<dyn Walk>,
    router: Arc<Router>,
    /// The partition that comes next: known before slices of the one before are made, as in the reference.
    ahead: Option<Known>,
    has_begun: bool,
    current: Option<Current>,
    /// Where parents stood last, and the version of that: asked for only when it changed.
    stood: Option<(u64, Option<Parental>)>,
}

/// A partition, and where parents stood when it was made.
struct Known {
    part: Part,
    version: u64,
    parents: Option<Parental>,
}

/// A partition that is being cut.
struct Current {
    part: Part,
    key: Arc<str>,
    windows: Windows,
    /// The next window: to know whether one is the last.
    ahead: Option<Map>,
}

impl Slicer {
    pub(super) fn new(cursor: &Cursor, router: &Arc<Router>) -> Result<Self> {
        let cut = match &cursor.0.kind {
            Kind::Stateless => Cut::Parts(router.walk()),
            Kind::Single(single) => Cut::Windows(Box::new(lock(single).0.windows()?)),
            Kind::Many(course, _) => {
                lock(course).began = Some(cursor.0.clock.now());
                Cut::Both(Box::new(Both {
                    walk: router.walk(),
                    router: Arc::clone(router),
                    ahead: None,
                    has_begun: false,
                    current: None,
                    stood: None,
                }))
            }
        };
        Ok(Self { cursor: cursor.clone(), cut })
    }

    /// The next slice; `None` at the end. Reads parents where partitions come from them. After an error it is over.
    pub async fn next(&mut self) -> Result<Option<Slice>> {
        let next = match &mut self.cut {
            Cut::Over => return Ok(None),
            Cut::Windows(windows) => windows.next().and_then(|bounds| {
                bounds.map(|bounds| slice(&self.cursor, Part::default(), bounds, None)).transpose()
            }),
            Cut::Parts(walk) => walk
                .next()
                .await
                .and_then(|part| part.map(|part| slice(&self.cursor, part, Map::new(), None)).transpose()),
            Cut::Both(both) => both.next(&self.cursor).await,
        };
        if !matches!(next, Ok(Some(_))) {
            self.cut = Cut::Over;
            self.cursor.0.is_cut.store(next.is_ok(), Ordering::Release);
        }
        next
    }
}

impl Both {
    async fn next(&mut self, cursor: &Cursor) -> Result<Option<Slice>> {
        let Kind::Many(course, _) = &cursor.0.kind else {
            return Err(Error::internal("partitions are cut without cursors of their own"));
        };
        loop {
            if let Some(current) = &mut self.current {
                if let Some(bounds) = current.ahead.take() {
                    current.ahead = current.windows.next()?;
                    let is_last = current.ahead.is_none();
                    lock(course).many.release(&current.key, is_last);
                    let (part, key) = (current.part.clone(), Some(Arc::clone(&current.key)));
                    if is_last {
                        self.current = None;
                    }
                    return slice(cursor, part, bounds, key).map(Some);
                }
                self.current = None;
            }
            if !self.has_begun {
                self.has_begun = true;
                self.ahead = self.pull().await?;
            }
            let Some(known) = self.ahead.take() else { return Ok(None) };
            self.ahead = self.pull().await?;
            let Known { part, version, parents } = known;
            let begun = lock(course).many.begin(&part.partition, version, || parents)?;
            let Some(begun) = begun else { continue };
            let mut windows = begun.windows;
            let ahead = windows.next()?;
            self.current = Some(Current { part, key: begun.key, windows, ahead });
        }
    }

    async fn pull(&mut self) -> Result<Option<Known>> {
        let Some(part) = self.walk.next().await? else { return Ok(None) };
        let version = self.router.version();
        let (_, parents) = match &self.stood {
            Some(stood) if stood.0 == version => stood,
            _ => self.stood.insert((version, self.router.parental())),
        };
        Ok(Some(Known { part, version, parents: parents.clone() }))
    }
}

fn slice(cursor: &Cursor, part: Part, bounds: Map, key: Option<Arc<str>>) -> Result<Slice> {
    if let Some(key) = bounds.keys().find(|key| part.partition.contains(key)) {
        return Err(Error::config(format!("partition and cursor both have the key {key:?}"))
            .hint("Give them different names by `partition_field_start` and `partition_field_end`."));
    }
    let Part { partition, extra, child } = part;
    Ok(Slice::new(StreamSlice::new(partition, bounds, extra), child, cursor.next_number(), key))
}
