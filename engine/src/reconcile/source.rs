//! Reads what the source has, in parallel from one snapshot, and looks each row up in the image.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use protocol::{ConfiguredStream, DynSource, Error, ErrorKind, Event, Lifetime, Result, Versioned};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};

use super::columns::Columns;
use super::digest::Digests;
use super::image::Image;
use super::judge::{Counts, Found, Promise, Verdict, judge};
use super::key;
use super::report::WrongKeys;
use crate::budget::{Budget, Share};
use crate::lane::outlet::{LaneOutlet, Parcel};
use crate::panic::caught;
use crate::stream::first_error;

/// What a pass found so far.
pub(super) struct Findings {
    pub(super) image: Image,
    pub(super) counts: Counts,
    pub(super) keys: WrongKeys,
}

impl Findings {
    pub(super) fn new(image: Image) -> Self {
        Self { image, counts: Counts::default(), keys: WrongKeys::default() }
    }

    /// Forgets what was found: the source is read anew.
    fn rewind(&mut self) {
        self.image.rewind();
        (self.counts, self.keys) = (Counts::default(), WrongKeys::default());
    }
}

/// Reads one stream's source.
pub(super) struct Reader {
    pub(super) source: Arc<dyn DynSource>,
    /// The stream with the compared columns.
    pub(super) stream: ConfiguredStream,
    pub(super) columns: Columns,
    pub(super) digests: Digests,
    pub(super) promise: Promise,
    /// Where the stream stands: what is read is not older.
    pub(super) state: Option<Versioned>,
    /// How many keys of each kind are kept for people.
    pub(super) shown: usize,
    pub(super) budget: Arc<Budget>,
    pub(super) share: Share,
}

/// What the lanes of one read share.
struct Reading {
    findings: Arc<Mutex<Findings>>,
    queue: Mutex<VecDeque<Value>>,
    /// The state that a sync would have after this read.
    next: Mutex<Versioned>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    /// Looks every row of the source up in the image. After a failure the findings are worth nothing;
    /// the next call starts anew.
    pub(super) async fn read(self: &Arc<Self>, findings: &Arc<Mutex<Findings>>) -> Result<()> {
        locked(findings).rewind();
        let (state, lanes) = (self.state.as_ref(), self.share.lanes);
        let plan = self.source.plan(&self.stream, state, lanes, Lifetime::Session, false).await?;
        let endured = plan.max_in_flight.map_or(usize::MAX, NonZeroUsize::get);
        let count = lanes.get().min(endured).min(plan.partitions.len());
        let reading = Arc::new(Reading {
            findings: Arc::clone(findings),
            queue: Mutex::new(plan.partitions.into_iter().map(|planned| planned.partition).collect()),
            next: Mutex::new(plan.next),
        });
        let mut lanes = JoinSet::new();
        for _ in 0..count {
            let (reader, reading) = (Arc::clone(self), Arc::clone(&reading));
            lanes.spawn(async move {
                let result = caught("reading the source", reader.lane(&reading)).await;
                if result.is_err() {
                    // The others end with what they are reading: it is thrown away.
                    locked(&reading.queue).clear();
                }
                result
            });
        }
        first_error(&mut lanes).await?;
        if self.source.is_settled(&locked(&reading.next)) {
            return Ok(());
        }
        // A row that moved in between may have been in no part.
        Err(Error::new(ErrorKind::Stale, "parts of the stream were read at different times"))
    }

    /// Reads partitions until none is left.
    async fn lane(&self, reading: &Reading) -> Result<()> {
        let _charge = self.budget.reserve(self.share.reserve).await;
        loop {
            let Some(partition) = locked(&reading.queue).pop_front() else { return Ok(()) };
            self.partition(partition, reading).await?;
        }
    }

    async fn partition(&self, partition: Value, reading: &Reading) -> Result<()> {
        let (sender, mut parcels) = mpsc::channel(1);
        let advance = |seen| self.source.advance(&mut locked(&reading.next), &partition, seen);
        let rows = async {
            let mut outlet = LaneOutlet::new(sender, Arc::clone(&self.budget), self.share);
            let read = self.source.read(&self.stream, partition.clone(), &mut outlet).await;
            // Who compares waits for the end of it.
            drop(outlet);
            read
        };
        let comparing = async move {
            while let Some(Parcel { event, charge }) = parcels.recv().await {
                match event {
                    Event::Batch(batch) => block_in_place(|| self.compare(&batch, &reading.findings))?,
                    Event::Checkpoint { seen, .. } => advance(seen)?,
                    Event::Adjusted(_) => {}
                }
                drop(charge);
            }
            Ok(())
        };
        let (read, compared) = futures::join!(rows, comparing);
        // Where comparing fails, reading fails for want of somebody who takes its rows.
        compared?;
        advance(read?)
    }

    fn compare(&self, batch: &RecordBatch, findings: &Mutex<Findings>) -> Result<()> {
        let joined = self.columns.join(batch)?;
        let prints = self.columns.prints(&joined, &self.digests)?;
        let mut findings = locked(findings);
        let Findings { image, counts, keys } = &mut *findings;
        for (row, print) in prints.iter().enumerate() {
            if !image.covers(print.key) {
                continue;
            }
            let found = Found {
                content: print.content,
                is_deleted: print.is_deleted,
                is_promised: self.promise.covers(print.cursor),
            };
            let latest = image.get(print.key);
            let verdict = judge(found, latest.as_deref());
            if let Some(latest) = latest
                && std::mem::replace(&mut latest.is_met, true)
            {
                return Err(Error::data("several rows of the source have the same key")
                    .hint("set `primary_key` of the stream to columns that identify one row"));
            }
            counts.add(verdict);
            let keys = match verdict {
                Verdict::Missing => &mut keys.missing,
                Verdict::Differing => &mut keys.differing,
                Verdict::Equal | Verdict::Deleted | Verdict::Pending => continue,
            };
            if keys.len() < self.shown {
                keys.push(key::shown(self.columns.key(&joined), row)?);
            }
        }
        Ok(())
    }
}
