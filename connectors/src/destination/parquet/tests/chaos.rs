//! Processes that start, stage, commit, stall and die at random: whatever is committed is there once, and
//! whatever is not is gone in the end.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use protocol::{Commit, ErrorKind, StagedFile};

use super::bench::{InMemory, Process, rows};
use super::memory::{Call, Fault};
use crate::destination::parquet::head;
use crate::destination::parquet::layout::Layout;

const STEPS: usize = 250;
const AT_ONCE: usize = 4;

struct World {
    place: InMemory,
    random: fastrand::Rng,
    processes: Vec<Worker>,
    /// Rows whose commit was answered.
    committed: BTreeSet<i64>,
    ids: BTreeMap<String, i64>,
}

struct Worker {
    process: Process,
    staged: Vec<StagedFile>,
    /// A commit without an answer.
    doubted: Option<Commit>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            place: InMemory::new(),
            random: fastrand::Rng::with_seed(seed),
            processes: Vec::new(),
            committed: BTreeSet::new(),
            ids: BTreeMap::new(),
        }
    }

    async fn step(&mut self) {
        if self.processes.len() < AT_ONCE && self.random.u8(..4) == 0 || self.processes.is_empty() {
            let process = Process::start(self.place.destination()).await;
            if self.random.u8(..4) > 0 {
                process.prepared.stage.claim();
            }
            self.processes.push(Worker { process, staged: Vec::new(), doubted: None });
            return;
        }
        let at = self.random.usize(..self.processes.len());
        let mut worker = self.processes.swap_remove(at);
        let goes_on = match self.random.u8(..16) {
            0..6 => self.stage(&mut worker).await,
            6..13 => self.commit(&mut worker).await,
            // It gives no sign of life for a while.
            13 => {
                self.place.0.fail(Call::Put, "/stage/run-", Fault::Forbidden, 8);
                tokio::time::sleep(std::time::Duration::from_secs(40)).await;
                self.place.0.heal();
                true
            }
            14 => {
                worker.process.prepared.stage.release().await;
                false
            }
            // Killed.
            _ => false,
        };
        if goes_on {
            self.processes.push(worker);
        }
    }

    async fn stage(&mut self, worker: &mut Worker) -> bool {
        let id = i64::try_from(self.ids.len()).unwrap();
        match worker.process.stage(&[id]).await {
            Ok(file) => {
                self.ids.insert(file.path.clone(), id);
                worker.staged.push(file);
                true
            }
            Err(error) => {
                let kind = error.kind();
                assert!(matches!(kind, ErrorKind::Conflict | ErrorKind::Stale), "{error:?}");
                worker.process.prepared.stage.release().await;
                false
            }
        }
    }

    async fn commit(&mut self, worker: &mut Worker) -> bool {
        let commit = worker.doubted.take().unwrap_or_else(|| {
            let count = self.random.usize(..=worker.staged.len());
            worker.process.next(worker.staged.split_off(worker.staged.len() - count))
        });
        match self.random.u8(..8) {
            0 => self.place.0.fail(Call::Put, "manifest", Fault::AnswerLost, 1),
            1 => {
                self.place.0.fail(Call::Put, "manifest", Fault::AnswerLost, 1);
                self.place.0.fail(Call::Get, "manifest", Fault::Unavailable, 1);
            }
            2 => self.place.0.fail(Call::Complete, "public.orders", Fault::Unavailable, 4),
            _ => {}
        }
        let result = worker.process.commit(&commit).await;
        self.place.0.heal();
        match result {
            Ok(()) => {
                self.committed.extend(commit.files.iter().map(|file| self.ids[&file.path]));
                true
            }
            Err(error) if error.kind() == ErrorKind::Transient => {
                worker.doubted = Some(commit);
                true
            }
            Err(error) => {
                let kind = error.kind();
                assert!(matches!(kind, ErrorKind::Conflict | ErrorKind::Stale), "{error:?}");
                worker.process.prepared.stage.release().await;
                false
            }
        }
    }

    async fn ends_well(mut self) {
        self.processes.clear();
        // The last ones find dead processes, and take their number from them first.
        for id in [1_000_000, 1_000_001, 1_000_002] {
            let mut last = Process::syncing(self.place.destination()).await;
            match last.stage(&[id]).await {
                Ok(file) => {
                    self.ids.insert(file.path.clone(), id);
                    let commit = last.next(vec![file]);
                    last.commit(&commit).await.unwrap();
                    self.committed.insert(id);
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Stale, "{error:?}"),
            }
            last.prepared.stage.release().await;
        }
        let (parquet, layout) = (self.place.destination(), Layout::new("public.orders").unwrap());
        let last = head::find(&parquet.store, &layout).await.unwrap().sequence();
        let commits: Vec<_> = head::commits(&parquet.store, &layout, 1, last).try_collect().await.unwrap();
        let mut named: Vec<i64> =
            commits.iter().flat_map(|commit| &commit.files).map(|file| self.ids[&file.path]).collect();
        named.sort_unstable();
        let mut seen = rows(self.place.0.as_ref(), "lake/public.orders").await;
        seen.sort_unstable();
        assert_eq!(seen, named, "what is committed is there, once");
        let missing: Vec<_> = self.committed.iter().filter(|id| !seen.contains(id)).collect();
        assert!(missing.is_empty(), "answered and not there: {missing:?}");
        let notes = self.place.keys().await.into_iter().filter(|key| key.contains("/stage/"));
        assert_eq!((self.place.0.open_uploads(), notes.collect::<Vec<_>>()), (0, vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_what_is_committed_is_there_once() {
    let first = std::env::var("TIDEGATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = first.unwrap_or_else(|| fastrand::u64(..u64::MAX / 2));
    for seed in first..first + 12 {
        eprintln!("TIDEGATE_TEST_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step().await;
        }
        world.ends_well().await;
    }
}
