//! Reading a stream: its slices at once, the pages of each in order, everything through one sink.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use protocol::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::plain::{Reading, Stream};
use super::retriever::cursor_values;
use super::room::{Room, Taken};
use super::sink::{Progress, Sink};
use crate::source::declarative::partition::Slice;
use crate::source::declarative::record::Records;
use crate::source::declarative::value::Value;

/// Pages that wait for the sink, beside the one of each slice under way.
const WAITING: usize = 2;

/// What the reads of all streams of a source share.
#[derive(Clone)]
pub(super) struct Limits {
    /// Slices at once.
    pub(super) slices: Arc<Semaphore>,
    /// Bytes of pages at once.
    pub(super) room: Room,
}

impl Limits {
    /// Waits until one more slice may be read.
    async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let gone = |error| Error::internal("the limit of slices is gone").with_source(error);
        self.slices.clone().acquire_owned().await.map_err(gone)
    }
}

/// How a slice ended.
enum Ended {
    Read,
    /// The server had nothing to read: it stays open, as if it had not been asked for.
    Skipped,
}

/// What the tasks of a read tell.
enum Event {
    Page {
        number: u64,
        slice: Slice,
        records: Records,
        values: Vec<Value>,
        room: Taken,
    },
    /// A slice was read to its end, or failed.
    Done {
        number: u64,
        slice: Slice,
        outcome: Result<Ended>,
    },
    /// No slice follows.
    Over(Result<()>),
}

impl Stream {
    /// Reads all slices into `sink`, as many at once as `limits` have room for. A slice that fails fails the stream, but
    /// not before the others were read.
    pub(super) async fn read(self: &Arc<Self>, limits: &Limits, sink: &mut dyn Sink) -> Result<()> {
        let (sender, mut events) = mpsc::channel(WAITING);
        let mut producer = JoinSet::new();
        let rest_wanted = Arc::new(AtomicBool::new(false));
        producer.spawn(produce(self.clone(), limits.clone(), sender, rest_wanted.clone()));
        let mut run = Run { stream: self.clone(), open: HashSet::new(), rest_wanted, failed: None };
        while let Some(event) = events.recv().await {
            run.take(event, sink).await?;
        }
        while let Some(ended) = producer.join_next().await {
            if let Err(error) = ended {
                run.fail(Error::internal("the task of a stream broke down").with_source(error));
            }
        }
        let state = self.slicing().cursor().finish()?;
        sink.state(Progress { state }).await?;
        match run.failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// What the reader of a stream knows.
struct Run {
    stream: Arc<Stream>,
    /// Slices of which records went out, and which are not closed.
    open: HashSet<u64>,
    /// Told to who hands slices out.
    rest_wanted: Arc<AtomicBool>,
    failed: Option<Error>,
}

impl Run {
    async fn take(&mut self, event: Event, sink: &mut dyn Sink) -> Result<()> {
        match event {
            Event::Page { number, slice, records, values, room } => {
                if !records.is_empty() {
                    self.page(number, &slice, records, &values, sink).await?;
                }
                drop(room);
            }
            Event::Done { number, slice, outcome: Ok(Ended::Read) } => {
                self.open.remove(&number);
                let cursor = self.stream.slicing().cursor();
                if let Some(state) = cursor.close(&slice)? {
                    sink.state(Progress { state }).await?;
                }
                // A stream without a cursor can't be gone on from.
                if self.open.is_empty() && cursor.field().is_some() {
                    sink.rest(&|| cursor.checkpoint()).await?;
                    self.rest_wanted.store(false, Ordering::Release);
                }
            }
            Event::Done { outcome: Err(error), .. } | Event::Over(Err(error)) => self.fail(error),
            Event::Done { outcome: Ok(Ended::Skipped), .. } | Event::Over(Ok(())) => {}
        }
        Ok(())
    }

    async fn page(
        &mut self,
        number: u64,
        slice: &Slice,
        mut records: Records,
        values: &[Value],
        sink: &mut dyn Sink,
    ) -> Result<()> {
        self.open.insert(number);
        let cursor = self.stream.slicing().cursor();
        if let Some(recall) = sink.recall() {
            records = recall.sift(cursor, slice, records, values)?;
        }
        if !records.is_empty() {
            sink.records(records).await?;
        }
        cursor.observe(slice, values)?;
        // After a failure there is no rest any more: its slice stays open.
        if self.failed.is_none() && sink.wants_rest() {
            self.rest_wanted.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The first failure is what the stream fails with.
    fn fail(&mut self, error: Error) {
        self.rest_wanted.store(false, Ordering::Release);
        if self.failed.is_none() {
            self.failed = Some(error);
        } else {
            tracing::warn!(stream = self.stream.name(), error = %error, "another slice failed");
        }
    }
}

/// Gives slices to tasks, as many at once as there is room for.
async fn produce(
    stream: Arc<Stream>,
    limits: Limits,
    events: mpsc::Sender<Event>,
    rest_wanted: Arc<AtomicBool>,
) {
    let mut readers = JoinSet::new();
    let over = hand_out(&stream, &limits, &events, &rest_wanted, &mut readers).await;
    while let Some(ended) = readers.join_next().await {
        if let Err(error) = ended {
            let error = Error::internal("the task of a slice broke down").with_source(error);
            let _ = events.send(Event::Over(Err(error))).await;
        }
    }
    let _ = events.send(Event::Over(over)).await;
}

async fn hand_out(
    stream: &Arc<Stream>,
    limits: &Limits,
    events: &mpsc::Sender<Event>,
    rest_wanted: &AtomicBool,
    readers: &mut JoinSet<()>,
) -> Result<()> {
    let broken = |error| Error::internal("the task of a slice broke down").with_source(error);
    let mut slicer = stream.slicing().slicer()?;
    let mut number = 0;
    while let Some(slice) = slicer.next().await? {
        if number == 0 {
            stream.json_schema().await?;
        }
        // A report waits for its turn to be made, and for a slice's only then.
        let permit = match stream.jobs() {
            Some(jobs) if jobs.is_broken() => break,
            Some(jobs) => jobs.turn().await?,
            None => limits.turn().await?,
        };
        if rest_wanted.load(Ordering::Acquire) {
            while let Some(ended) = readers.join_next().await {
                ended.map_err(broken)?;
            }
        }
        number += 1;
        let (stream, events, limits) = (stream.clone(), events.clone(), limits.clone());
        readers.spawn(async move {
            let mut permit = Some(permit);
            let outcome = read_slice(&stream, number, &slice, &limits, &events, &mut permit).await;
            let _ = events.send(Event::Done { number, slice, outcome }).await;
            drop(permit);
        });
        // What has ended is let go, so that many slices do not pile up.
        while let Some(ended) = readers.try_join_next() {
            ended.map_err(broken)?;
        }
    }
    Ok(())
}

/// Reads one slice. `permit` is for its report where it has one, else for the slice, and is held to the end.
async fn read_slice(
    stream: &Arc<Stream>,
    number: u64,
    slice: &Slice,
    limits: &Limits,
    events: &mpsc::Sender<Event>,
    permit: &mut Option<OwnedSemaphorePermit>,
) -> Result<Ended> {
    let field = stream.slicing().cursor().field();
    let mut reading = stream.reading(slice.clone());
    if let Reading::Report(report) = &mut reading
        && let Some(permission) = permit.take()
    {
        report.order(permission).await?;
        *permit = Some(limits.turn().await?);
    }
    let mut last = None;
    loop {
        let mut taken = limits.room.take(last).await;
        let Some(records) = reading.next().await? else { break };
        let bytes = records.bytes();
        taken.becomes(bytes);
        last = Some(bytes);
        let values = match field {
            Some(field) => cursor_values(&records, field)?,
            None => Vec::new(),
        };
        let page = Event::Page { number, slice: slice.clone(), records, values, room: taken };
        if events.send(page).await.is_err() {
            // Nobody listens any more: the read was given up.
            break;
        }
    }
    Ok(if reading.is_skipped() { Ended::Skipped } else { Ended::Read })
}
