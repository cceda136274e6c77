//! The engine's side of a read: takes everything down, or stops in the middle.

use arrow_array::RecordBatch;
use futures::FutureExt;
use futures::future::{BoxFuture, pending};
use serde_json::Value;

use crate::{Error, ErrorKind, Event, Outlet, Result};

/// What a read said.
pub(super) struct Recorded {
    batch_bytes: usize,
    pub(super) events: Vec<Event>,
    /// What it returned.
    pub(super) seen: Option<Value>,
}

impl Recorded {
    pub(super) fn new(batch_bytes: usize) -> Self {
        Self { batch_bytes, events: Vec::new(), seen: None }
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        batches(&self.events)
    }

    /// Each checkpoint's rest, with the events after it.
    pub(super) fn checkpoints(&self) -> Vec<(&Value, &[Event])> {
        let events = self.events.iter().enumerate();
        let checkpoints = events.filter_map(|(at, event)| match event {
            Event::Checkpoint { rest, .. } => Some((rest, &self.events[at + 1..])),
            _ => None,
        });
        checkpoints.collect()
    }

    /// What was seen, in order: at each checkpoint and at the end.
    pub(super) fn learned(&self) -> Vec<Value> {
        let checkpoints = self.events.iter().filter_map(|event| match event {
            Event::Checkpoint { seen, .. } => Some(seen.clone()),
            _ => None,
        });
        checkpoints.chain(self.seen.clone()).collect()
    }
}

pub(super) fn batches(events: &[Event]) -> impl Iterator<Item = &RecordBatch> {
    events.iter().filter_map(|event| match event {
        Event::Batch(batch) => Some(batch),
        _ => None,
    })
}

impl Outlet for Recorded {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        self.events.push(event);
        // Yields, as the engine's does when it is full.
        async {
            tokio::task::yield_now().await;
            Ok(())
        }
        .boxed()
    }

    fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }
}

/// What becomes of the event that is one too many.
#[derive(Debug, Clone, Copy)]
pub(super) enum Then {
    /// It is never taken.
    Full,
    /// It is refused: the engine wants the read to end.
    Refused,
}

/// Takes some events and no more.
pub(super) struct Limited {
    pub(super) batch_bytes: usize,
    pub(super) left: usize,
    pub(super) then: Then,
    /// Told when an event is one too many.
    pub(super) reached: std::sync::Arc<tokio::sync::Notify>,
}

impl Outlet for Limited {
    fn send(&mut self, _: Event) -> BoxFuture<'_, Result<()>> {
        if self.left > 0 {
            self.left -= 1;
            return async { Ok(()) }.boxed();
        }
        self.reached.notify_one();
        match self.then {
            Then::Full => pending().boxed(),
            Then::Refused => async { Err(Error::new(ErrorKind::Interrupted, "the lane has ended")) }.boxed(),
        }
    }

    fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }
}
