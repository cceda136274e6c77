//! How one stream is cut: its cursor, its router and its state together.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use protocol::{Error, Result};

use super::definition::Definition;
use super::many::{Limits, Many};
use super::single::Single;
use super::{Course, Cursor, Inner, Kind, Slicer};
use crate::source::declarative::component::Component;
use crate::source::declarative::partition::{Parents, Router, overlay};
use crate::source::declarative::request::{Parts, RequestOption};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::state::migrate;
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::{Map, Value};

/// How one stream is cut into slices, and where it stands: its `incremental_sync`, its `partition_router` and its
/// state together.
pub struct Slicing {
    cursor: Cursor,
    router: Arc<Router>,
    options: Vec<(RequestOption, String)>,
    is_data_feed: bool,
    is_client_side: bool,
    was_cut: AtomicBool,
}

impl Slicing {
    /// Of a `DeclarativeStream`. `state` is what the stream emitted last (migrations are done here). `chosen` is the
    /// cursor field that the configured catalog names, which counts only where the manifest allows it; parents have none.
    pub fn build(
        stream: &Component<'_>,
        scope: &Scope,
        state: Option<&Value>,
        chosen: Option<&str>,
        parents: &dyn Parents,
    ) -> Result<Self> {
        Self::within(Limits::default(), stream, scope, state, chosen, parents)
    }

    /// [`Self::build`] with other limits.
    pub(super) fn within(
        limits: Limits,
        stream: &Component<'_>,
        scope: &Scope,
        state: Option<&Value>,
        chosen: Option<&str>,
        parents: &dyn Parents,
    ) -> Result<Self> {
        let state = match state {
            None | Some(Value::None) => Map::new(),
            Some(Value::Map(state)) => state.clone(),
            Some(other) => return Err(Error::data(format!("the stream's state is {}", other.kind()))),
        };
        let state = migrate(stream, scope, state)?;
        let retriever = stream.required("retriever")?;
        let router = Arc::new(Router::of(&retriever, scope, Some(&state), parents)?);
        let cursor = stream.child("incremental_sync")?;
        let definition =
            cursor.as_ref().map(|cursor| Definition::build(cursor, scope, chosen)).transpose()?;
        let definition = definition.map(Arc::new);
        let kind = match (&definition, &cursor) {
            (Some(definition), _) if router.is_single() => {
                Kind::Single(Mutex::new((Single::new(definition, state, 0)?, 0)))
            }
            (Some(definition), Some(cursor)) => {
                if !definition.is_time() {
                    return Err(cursor.fail("a counting cursor can't be used with a partition router"));
                }
                let use_global = router.is_group() || cursor.flag("global_substream_cursor", false)?;
                let many = Many::new(Arc::clone(definition), limits, use_global, &state)?;
                Kind::Many(Mutex::new(Course { many, began: None, told: None }), Arc::clone(&router))
            }
            _ => Kind::Stateless,
        };
        let inner = Inner {
            definition,
            kind,
            clock: scope.clock().clone(),
            next_slice: AtomicU64::new(0),
            is_cut: AtomicBool::new(false),
        };
        Ok(Self {
            options: options(cursor.as_ref(), inner.definition.as_deref(), scope)?,
            is_data_feed: flag(cursor.as_ref(), "is_data_feed")?,
            is_client_side: flag(cursor.as_ref(), "is_client_side_incremental")?,
            cursor: Cursor(Arc::new(inner)),
            router,
            was_cut: AtomicBool::new(false),
        })
    }

    /// The slices, lazily. To be called once.
    pub fn slicer(&self) -> Result<Slicer> {
        if self.was_cut.swap(true, std::sync::atomic::Ordering::AcqRel) {
            return Err(Error::internal("a stream is cut into slices more than once"));
        }
        Slicer::new(&self.cursor, &self.router)
    }

    /// Where the stream stands. Cheap to clone.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// What a slice adds to a request: the router's and the cursor's options. Call it again for slices that
    /// [`Cursor::split`] or a [`Tracker`](super::Tracker) made.
    #[must_use]
    pub fn options(&self, slice: &StreamSlice) -> Parts {
        let mut parts = self.router.options(slice.partition());
        let bounds = slice.cursor();
        if !bounds.is_empty() {
            let mut own = Parts::default();
            for (option, key) in &self.options {
                option.inject(&mut own, bounds.get(key).cloned().unwrap_or_default());
            }
            overlay(&mut parts, own);
        }
        parts
    }

    /// Whether the stream keeps a state: it has a cursor.
    #[must_use]
    pub fn is_incremental(&self) -> bool {
        self.cursor.field().is_some()
    }

    /// `is_data_feed`: pagination ends when a page's last record does not pass the [`Sieve`](super::Sieve), and records
    /// that do not are dropped after paging.
    #[must_use]
    pub fn is_data_feed(&self) -> bool {
        self.is_data_feed
    }

    /// `is_client_side_incremental`: the record selector drops what does not pass the [`Sieve`](super::Sieve) (not where
    /// the stream is a data feed), and transforms before it filters by default.
    #[must_use]
    pub fn is_client_side(&self) -> bool {
        self.is_client_side
    }
}

fn flag(cursor: Option<&Component<'_>>, name: &str) -> Result<bool> {
    cursor.map_or(Ok(false), |cursor| cursor.flag(name, false))
}

/// Where the bounds of slices go.
fn options(
    cursor: Option<&Component<'_>>,
    definition: Option<&Definition>,
    scope: &Scope,
) -> Result<Vec<(RequestOption, String)>> {
    let (Some(cursor), Some(definition)) = (cursor, definition) else { return Ok(Vec::new()) };
    let (start, end) = (&definition.keys.0, &definition.keys.1);
    let fields = if definition.is_time() {
        vec![("start_time_option", start), ("end_time_option", end)]
    } else {
        vec![("start_value_option", start)]
    };
    let mut options = Vec::new();
    for (field, key) in fields {
        if let Some(option) = cursor.child(field)? {
            options.push((RequestOption::build(&option, scope)?, key.clone()));
        }
    }
    Ok(options)
}
