//! Faults at numbered steps. Source and destination take a step before each thing they do; the
//! test says what happens at which.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use engine::Stop;
use protocol::{Error, ErrorKind, Result};
use tokio::sync::{Notify, Semaphore};

/// What happens at a step.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The call fails.
    Error(ErrorKind),
    /// The call panics.
    Panic,
    /// The call never returns.
    Hang,
    /// The process dies: the call never returns, and whoever waits for [`Faults::crashed`] is told.
    Crash,
    /// Somebody asks the sync to stop; the call goes on.
    Stop,
    /// The call waits for a permit.
    Pause(Arc<Semaphore>),
}

/// Where a fault happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    /// At the n-th step of all, counted from 1.
    Step(usize),
    /// At the n-th step of that name, counted from 1.
    Named(&'static str, usize),
    /// At each n-th step of that name.
    Each(&'static str, usize),
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Mutex<Vec<(At, Fault)>>,
    taken: Mutex<Vec<&'static str>>,
    fired: AtomicUsize,
    crashed: Notify,
    stop: OnceLock<Stop>,
}

impl Faults {
    pub(crate) fn none() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn at(step: usize, fault: Fault) -> Arc<Self> {
        Self::of([(At::Step(step), fault)])
    }

    pub(crate) fn of(planned: impl IntoIterator<Item = (At, Fault)>) -> Arc<Self> {
        Arc::new(Self { planned: Mutex::new(planned.into_iter().collect()), ..Self::default() })
    }

    /// Whom [`Fault::Stop`] stops.
    pub(crate) fn stops(&self, stop: Stop) {
        let _ = self.stop.set(stop);
    }

    /// Takes a step, and lets happen what is to happen there.
    pub(crate) async fn step(&self, name: &'static str) -> Result<()> {
        let Some(fault) = self.take(name) else { return Ok(()) };
        self.fired.fetch_add(1, Ordering::SeqCst);
        match fault {
            Fault::Error(kind) => Err(Error::new(kind, format!("injected at {name}"))),
            Fault::Panic => panic!("injected at {name}"),
            Fault::Hang => pending().await,
            Fault::Crash => {
                self.crashed.notify_one();
                pending().await
            }
            Fault::Stop => {
                self.stop.get().expect("set").request();
                Ok(())
            }
            Fault::Pause(semaphore) => {
                semaphore.acquire().await.expect("open").forget();
                Ok(())
            }
        }
    }

    fn take(&self, name: &'static str) -> Option<Fault> {
        let mut taken = self.taken.lock().unwrap();
        taken.push(name);
        let (all, same) = (taken.len(), taken.iter().filter(|other| **other == name).count());
        let planned = self.planned.lock().unwrap();
        let due = planned.iter().find(|(at, _)| match at {
            At::Step(n) => *n == all,
            At::Named(other, n) => *other == name && *n == same,
            At::Each(other, n) => *other == name && same % n == 0,
        });
        due.map(|(_, fault)| fault.clone())
    }

    /// Waits for [`Fault::Crash`].
    pub(crate) async fn crashed(&self) {
        self.crashed.notified().await;
    }

    /// Steps that were taken, by name.
    pub(crate) fn taken(&self) -> Vec<&'static str> {
        self.taken.lock().unwrap().clone()
    }

    /// How many faults happened.
    pub(crate) fn fired(&self) -> usize {
        self.fired.load(Ordering::SeqCst)
    }
}
