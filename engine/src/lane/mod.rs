//! Reads partitions of one stream, one after the other, into files. Several lanes work at once.

mod chain;
pub(crate) mod outlet;
mod threads;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use protocol::{ConfiguredStream, Done, DynSource, Error, ErrorKind, Event, Grain, Result, Stage, Staged};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::budget::{Budget, Share};
use crate::conform::Conform;
use crate::mark;
use crate::panic::caught;
use crate::retry::{Attempts, Patience, interrupted};
use crate::write::{FileSettings, Folders};
use crate::{Stop, StreamProgress};
use chain::Chain;
use outlet::{LaneOutlet, Parcel};
use threads::Slot;
pub(crate) use threads::Threads;

/// What all lanes of one stream share.
pub(crate) struct Reading {
    pub(crate) source: Arc<dyn DynSource>,
    pub(crate) stream: ConfiguredStream,
    pub(crate) stage: Box<dyn Stage>,
    pub(crate) conform: Conform,
    pub(crate) settings: FileSettings,
    pub(crate) folders: Folders,
    pub(crate) budget: Arc<Budget>,
    pub(crate) share: Share,
    /// Partitions that wait to be read, as the state keeps them.
    pub(crate) queue: Mutex<VecDeque<Value>>,
    pub(crate) grain: Grain,
    pub(crate) progress: Arc<StreamProgress>,
    pub(crate) patience: Patience,
    /// Asked for by a person or a scheduler: what is complete is committed.
    pub(crate) stop: Stop,
    /// Asked for by another lane of the stream that failed: all is thrown away.
    pub(crate) halt: Stop,
    /// Whether the source has said of a part that it can't be read any more.
    pub(crate) lost: AtomicBool,
}

impl Reading {
    /// Whether what the plan says is not there any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    fn next(&self) -> Option<Value> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Gives partitions back, to be read before anything else.
    fn give_back(&self, partitions: Vec<Value>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in partitions.into_iter().rev() {
            queue.push_front(partition);
        }
    }

    /// Waits before the next attempt; `false` when the sync ends.
    async fn wait(&self, attempts: &mut Attempts, error: Error) -> Result<bool> {
        let waited = tokio::select! {
            waited = attempts.again(error, &self.stop, &self.progress.retries) => waited,
            () = self.halt.requested() => return Ok(false),
        };
        match waited {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn ends(&self) -> bool {
        self.stop.is_requested() || self.halt.is_requested()
    }
}

/// One lane. What it has finished goes to the committer at each clean cut.
pub(crate) struct Lane {
    reading: Arc<Reading>,
    chain: Chain,
    finished: mpsc::Sender<Staged>,
    /// Since a failure nothing has been handed over: the next chance to is taken, however little it is.
    is_careful: bool,
}

/// Stops the reading task when the lane does.
struct Reader(JoinHandle<Result<Value>>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lane {
    pub(crate) fn new(reading: Arc<Reading>, finished: mpsc::Sender<Staged>) -> Self {
        Self { reading, chain: Chain::default(), finished, is_careful: false }
    }

    /// Runs the lane on a thread of its own, and halts all lanes if it fails.
    pub(crate) async fn run_apart(self, slot: Slot) -> Result<()> {
        let halt = self.reading.halt.clone();
        let runtime = Handle::current();
        // Dropped with this future: nothing goes on for nobody.
        let (wanted, unwanted) = oneshot::channel::<()>();
        let lane = async move {
            tokio::select! {
                biased;
                result = caught("a lane", self.run()) => result,
                _ = unwanted => Err(interrupted()),
            }
        };
        let result = slot.run(move || runtime.block_on(lane)).await.flatten();
        drop(wanted);
        if result.is_err() {
            halt.request();
        }
        result
    }

    /// Reads until no partition is left or the sync ends.
    async fn run(mut self) -> Result<()> {
        let charge = self.reading.budget.reserve(self.reading.share.reserve).await;
        let result = self.work().await;
        if result.is_err() {
            self.reading.halt.request();
            self.chain.discard(&self.reading).await;
        }
        drop(charge);
        result
    }

    async fn work(&mut self) -> Result<()> {
        let mut attempts = Attempts::new(self.reading.patience);
        while !self.reading.ends() {
            let partition = self.reading.next();
            let is_last = partition.is_none();
            match self.step(partition).await {
                Ok(()) if is_last => return Ok(()),
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => break,
                Err(error) => {
                    // Only what was handed over counts as getting further: a partition that was read
                    // well and thrown away with the one that failed would start the count anew for ever.
                    if !std::mem::replace(&mut self.is_careful, true) {
                        attempts.reset();
                    }
                    let partitions = self.chain.discard(&self.reading).await;
                    if !self.reading.wait(&mut attempts, error).await? {
                        break;
                    }
                    self.reading.give_back(partitions);
                }
            }
        }
        // Asked to stop: what is complete is handed over, the rest thrown away.
        if self.reading.halt.is_requested() || self.chain.is_torn() {
            self.chain.discard(&self.reading).await;
            return Ok(());
        }
        self.cut().await
    }

    /// Reads a partition, or ends the files where none is left.
    async fn step(&mut self, partition: Option<Value>) -> Result<()> {
        let Some(partition) = partition else { return self.cut().await };
        self.partition(partition).await?;
        self.reading.progress.partitions_done.add(1);
        if self.is_worth_a_cut() { self.cut().await } else { Ok(()) }
    }

    /// Half a file is: what a failure throws away stays small, and files stay large. After a failure
    /// anything is.
    fn is_worth_a_cut(&self) -> bool {
        self.is_careful || self.chain.bytes() * 2 >= self.reading.stage.options().target_bytes
    }

    /// Reads one partition into the open files.
    async fn partition(&mut self, partition: Value) -> Result<()> {
        let (sender, mut parcels) = mpsc::channel(1);
        self.chain.begin(partition.clone());
        let mut reader = self.spawn(partition, sender);
        let received = self.receive(&mut parcels).await;
        drop(parcels);
        if received.is_err() {
            reader.0.abort();
        }
        // Also one that is aborted is waited for: it holds a connection until it is gone, and the
        // source endures only so many.
        let ended = (&mut reader.0).await;
        received?;
        let seen = match ended {
            Ok(Err(error)) => {
                self.reading.lost.fetch_or(error.kind() == ErrorKind::Stale, Ordering::Relaxed);
                return Err(error.context("stream", self.reading.stream.name.clone()));
            }
            Ok(Ok(seen)) => seen,
            // What a panic says may hold values of rows, so it is no cause that is told.
            Err(_panic) => return Err(Error::internal("reading panicked")),
        };
        self.chain.finish(seen);
        Ok(())
    }

    /// Takes what a read says until it ends.
    async fn receive(&mut self, parcels: &mut mpsc::Receiver<Parcel>) -> Result<()> {
        loop {
            let parcel = tokio::select! {
                biased;
                () = self.reading.stop.requested() => return Err(interrupted()),
                () = self.reading.halt.requested() => return Err(interrupted()),
                parcel = parcels.recv() => parcel,
            };
            let Some(Parcel { event, charge }) = parcel else { return Ok(()) };
            self.take(event).await?;
            drop(charge);
        }
    }

    fn spawn(&self, partition: Value, sender: mpsc::Sender<Parcel>) -> Reader {
        let reading = Arc::clone(&self.reading);
        Reader(tokio::spawn(async move {
            let mut outlet = LaneOutlet::new(sender, Arc::clone(&reading.budget), reading.share);
            reading.source.read(&reading.stream, partition, &mut outlet).await
        }))
    }

    async fn take(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Batch(batch) => self.write(batch).await,
            Event::Adjusted(adjustment) => {
                self.chain.staged.adjust([adjustment]);
                Ok(())
            }
            Event::Checkpoint { rest, seen } => {
                self.chain.checkpoint(rest, seen);
                // Where all is committed together, files need not end at checkpoints, but for a
                // failure to be got over.
                let apart = self.reading.grain == Grain::Partition || self.is_careful;
                if apart && self.is_worth_a_cut() { self.cut().await } else { Ok(()) }
            }
        }
    }

    async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let stream = || self.reading.stream.name.clone();
        let (rows, bytes) = (batch.num_rows() as u64, batch.get_array_memory_size() as u64);
        let soft_deleted = match &self.reading.stream.soft_delete {
            Some(column) => mark::count(&batch, column),
            None => 0,
        };
        let batch = self.reading.conform.apply(&batch).map_err(|error| error.context("stream", stream()))?;
        if rows == 0 {
            return Ok(());
        }
        for (folder, part) in self.reading.folders.split(batch)? {
            self.chain.write(&self.reading, folder, &part).await?;
        }
        self.chain.count(&self.reading, rows, bytes);
        self.chain.staged.soft_deleted += soft_deleted;
        Ok(())
    }

    /// A clean cut: all open files end, and with them the partitions that they account for.
    async fn cut(&mut self) -> Result<()> {
        let staged = self.chain.cut(&self.reading).await?;
        protocol::point!("lane.cut");
        if staged.files.is_empty() && staged.done.is_empty() {
            return Ok(());
        }
        // A checkpoint that leaves what there was gets nobody further.
        let gets_further = |done: &Done| done.rest.as_ref() != Some(&done.partition);
        if staged.rows > 0 || staged.done.iter().any(gets_further) {
            self.is_careful = false;
        }
        // The committer outlives all lanes unless it failed, and then this lane is to end as well.
        if let Err(mpsc::error::SendError(staged)) = self.finished.send(staged).await {
            self.chain.staged = staged;
            return Err(interrupted());
        }
        Ok(())
    }
}
