//! The threads that lanes run on: as many as may work at once, and the same ones again and again.
//!
//! Encoding keeps a core busy for as long as there are rows. On the runtime's threads it would hold up
//! those who read them, or each batch would wake a thread to stand in. And the allocator has an arena for
//! each thread, which keeps what its busiest moment took: the runtime would give each lane another one.

use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use protocol::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// The threads, and how many there may be.
pub(crate) struct Threads {
    permits: Arc<Semaphore>,
    /// Those that wait for work; the last one worked last. They end with their senders.
    idle: Mutex<Vec<Sender<Job>>>,
}

/// The right to one of them.
pub(crate) struct Slot {
    permit: OwnedSemaphorePermit,
    threads: Arc<Threads>,
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("permits", &self.permits).finish_non_exhaustive()
    }
}

impl Threads {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { permits, idle: Mutex::default() })
    }

    /// Waits until a lane may work.
    pub(crate) async fn slot(self: Arc<Self>) -> Slot {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        Slot { permit: permit.expect("the semaphore is never closed"), threads: self }
    }

    /// A thread that waits for work, a new one if none does.
    fn take(&self) -> Result<Sender<Job>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(start, Ok)
    }

    fn give_back(&self, thread: Sender<Job>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }
}

impl Slot {
    /// Does `work` on a thread. Whoever stops waiting leaves it at work, and the slot taken until it ends.
    pub(crate) async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let Self { permit, threads } = self;
        let thread = threads.take()?;
        let (sender, ended) = oneshot::channel();
        let own = thread.clone();
        let job = move || {
            let result = work();
            threads.give_back(own);
            drop((permit, threads));
            // Nobody may wait any more.
            let _ = sender.send(result);
        };
        let lost = || Error::internal("a lane did not end");
        thread.send(Box::new(job)).map_err(|_| lost())?;
        drop(thread);
        ended.await.map_err(|_| lost())
    }
}

fn start() -> Result<Sender<Job>> {
    let (thread, jobs) = channel();
    let started = thread::Builder::new().name("lane".to_owned()).spawn(move || work(&jobs));
    started.map_err(|error| Error::internal("no thread can be started for a lane").with_source(error))?;
    Ok(thread)
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_after_the_other_they_run_on_one_thread() {
        let threads = Threads::new(4);
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(Arc::clone(&threads).slot().await.run(|| thread::current().id()).await.unwrap());
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_ne!(ids[0], thread::current().id());
    }

    #[tokio::test]
    async fn no_more_work_at_once_than_there_are_slots() {
        let threads = Threads::new(1);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = Arc::clone(&threads).slot().await;
        let first = tokio::spawn(first.run(move || wait.recv().is_ok()));
        let mut second = Box::pin(Arc::clone(&threads).slot());
        assert!(futures::poll!(&mut second).is_pending());
        go.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        assert_eq!(second.await.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_slot() {
        let threads = Threads::new(1);
        let slot = Arc::clone(&threads).slot().await;
        assert!(slot.run(|| panic!("on purpose")).await.is_err());
        assert_eq!(Arc::clone(&threads).slot().await.run(|| 7).await.unwrap(), 7);
    }
}
