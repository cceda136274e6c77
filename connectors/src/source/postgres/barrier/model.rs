//! The date cursor against all that a small server can do, in whatever order.
//!
//! What judges marks, numbers and sets is the real thing; the conditions of queries are written down here
//! as the planner writes them. After each sync the rows that were read must be those that its snapshot
//! shows, each once. Algorithms that lack a part must fail: else the worlds would be too tame.

mod world;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use self::world::{Event, MARGIN, World, events};
use super::super::xids::{Ends, Xids, narrowed};
use super::{Barrier, Mark, Running, Server};

/// Worlds of each test.
const WORLDS: u32 = 800;
/// From how long before the greatest value a lookback looks.
const LOOKBACK: i64 = 24;

/// How rows are found, and what of it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    SeenSet,
    /// Looks at all rows, and knows nothing of who is running.
    AllRows,
    /// Knows nothing of that either; what is open for longer than the lookback may be lost.
    Lookback,
    /// The same, and takes stamps of the future for the greatest value.
    LookbackFromTheFuture,
    /// Starts at the time of the last sync, whoever was running.
    NoBarrier,
    /// Lists who is running before it takes the time.
    ListedFirst,
    /// Does not know what it has seen above the snapshot's first open transaction.
    NoSeenSet,
    /// Takes what its snapshot did not list as open for seen.
    NoNumbers,
    /// Goes on above the greatest value that it has read.
    GreatestValue,
}

/// What a sync commits with its rows.
#[derive(Debug, Clone, Default)]
struct State {
    settled: Option<i64>,
    marks: Vec<Mark>,
    seen: Option<Seen>,
    greatest: Option<i64>,
}

#[derive(Debug, Clone)]
struct Seen {
    since: Option<i64>,
    ends: Ends,
    xids: Xids,
}

/// What a sync has done so far.
#[derive(Debug)]
enum Step {
    Idle,
    Timed { at: i64, running: Vec<Running> },
    Marked(Mark),
    Waited(Box<Barrier>),
    Read { rows: Vec<usize>, state: State },
}

struct Sync {
    algorithm: Algorithm,
    /// Whether the role sees when transactions began.
    may_know: bool,
    state: State,
    step: Step,
    /// How often each version was read by a sync that committed.
    read: BTreeMap<usize, u32>,
    /// Versions that were passed by, as was said.
    lost: BTreeSet<usize>,
    syncs: u32,
}

impl Sync {
    fn new(algorithm: Algorithm, may_know: bool) -> Self {
        let (state, step, read, lost) = (State::default(), Step::Idle, BTreeMap::new(), BTreeSet::new());
        Self { algorithm, may_know, state, step, read, lost, syncs: 0 }
    }

    /// Does what is next. Fails where rows are lost or doubled.
    fn goes_on(&mut self, world: &World) -> Result<(), TestCaseError> {
        self.step = match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle if self.algorithm == Algorithm::ListedFirst => {
                Step::Timed { at: 0, running: world.running(self.may_know) }
            }
            Step::Idle => Step::Timed { at: world.clock, running: Vec::new() },
            Step::Timed { at, running } => {
                let listed_first = self.algorithm == Algorithm::ListedFirst;
                let running = if listed_first { running } else { world.running(self.may_know) };
                let at = if listed_first { world.clock } else { at };
                let open = running.into_iter().map(|running| running.id).collect();
                Step::Marked(Mark { at, started: world.started, open, value: None })
            }
            Step::Marked(mark) => Step::Waited(Box::new(self.waited(mark, world))),
            Step::Waited(barrier) => self.read(&barrier, world),
            Step::Read { rows, state } => {
                self.commit(rows, state)?;
                Step::Idle
            }
        };
        // What was read is compared with what the snapshot of that moment shows.
        if let Step::Read { rows, .. } = &self.step {
            let rows = rows.clone();
            self.check(&rows, world)?;
        }
        Ok(())
    }

    /// The end of the wait: some of those that were listed have ended.
    fn waited(&self, mut mark: Mark, world: &World) -> Barrier {
        let running = world.running(self.may_know);
        mark.open.retain(|id| running.iter().any(|running| running.id == *id));
        let busy = running.iter().filter_map(|running| running.since).min();
        let server = Server { system: None, timeline: None, database: 1 };
        let busy_since = if self.may_know { busy } else { None };
        Barrier { server, listed: Instant::now(), has_waited: true, mark, running, busy_since }
    }

    fn read(&self, barrier: &Barrier, world: &World) -> Step {
        let settled = barrier.settle(&self.state.marks, None);
        let instant = match self.algorithm {
            Algorithm::NoBarrier => Some(barrier.at()),
            _ => self.state.settled.max(barrier.instant(&settled)),
        };
        let past = |stamp: &i64| self.algorithm != Algorithm::Lookback || *stamp <= barrier.at();
        let since = match self.algorithm {
            Algorithm::AllRows => None,
            Algorithm::Lookback | Algorithm::LookbackFromTheFuture => {
                let stamps = world.visible().into_iter().filter_map(|at| world.versions[at].stamp);
                stamps.filter(past).max().map(|greatest| greatest - LOOKBACK)
            }
            _ => instant.map(|instant| instant - MARGIN),
        };
        let ends = world.ends();
        let rows = self.rows(ends, world);
        // The transactions that wrote what the snapshot shows where the next sync looks.
        let shown = world.visible().into_iter().map(|at| &world.versions[at]);
        let shown = shown.filter(|version| version.xmin >= ends.xmin && in_window(version.stamp, since));
        let xids: Xids = match self.algorithm {
            Algorithm::NoSeenSet => Xids::default(),
            _ => shown.map(|version| ends.widened(narrowed(version.xmin))).collect(),
        };
        let kept = serde_json::to_string(&xids).expect("a set is written");
        let xids = serde_json::from_str(&kept).expect("and read");
        let stamps = rows.iter().filter_map(|at| world.versions[*at].stamp);
        let greatest = stamps.max().max(self.state.greatest);
        let seen = Some(Seen { since, ends, xids });
        Step::Read { rows, state: State { settled: instant, marks: settled.open, seen, greatest } }
    }

    /// The rows that the query returns.
    fn rows(&self, ends: Ends, world: &World) -> Vec<usize> {
        let is_new = |at: &usize| {
            let version = &world.versions[*at];
            if self.algorithm == Algorithm::GreatestValue {
                return self
                    .state
                    .greatest
                    .is_none_or(|greatest| version.stamp.is_some_and(|stamp| stamp > greatest));
            }
            let Some(seen) = &self.state.seen else { return true };
            assert!(ends.follows(seen.ends.xmin, seen.ends.xmax), "numbers go on");
            let xmin = ends.widened(narrowed(version.xmin));
            let is_late = match self.algorithm {
                Algorithm::NoNumbers => xmin >= seen.ends.xmax,
                _ => xmin >= seen.ends.xmin && !seen.xids.contains(xmin),
            };
            is_late && in_window(version.stamp, seen.since)
        };
        world.visible().into_iter().filter(is_new).collect()
    }

    /// Fails unless all that is visible was read once, now or before, if this sync commits.
    fn check(&mut self, rows: &[usize], world: &World) -> Result<(), TestCaseError> {
        let new: BTreeSet<usize> = rows.iter().copied().collect();
        for at in world.visible() {
            let times = self.read.get(&at).copied().unwrap_or(0) + u32::from(new.contains(&at));
            if times == 0 && self.may_lose(at, world) {
                self.lost.insert(at);
                continue;
            }
            prop_assert_eq!(times, 1, "version {} of {:?}", at, world.versions[at]);
        }
        Ok(())
    }

    /// Whether it was said that such a version may be lost.
    fn may_lose(&self, at: usize, world: &World) -> bool {
        let looks_back = matches!(self.algorithm, Algorithm::Lookback | Algorithm::LookbackFromTheFuture);
        looks_back && world.lasted(at).is_some_and(|lasted| lasted > LOOKBACK)
    }

    fn commit(&mut self, rows: Vec<usize>, state: State) -> Result<(), TestCaseError> {
        for at in rows {
            let times = self.read.entry(at).or_default();
            *times += 1;
            prop_assert_eq!(*times, 1, "version {} is doubled", at);
        }
        self.state = state;
        self.syncs += 1;
        Ok(())
    }
}

/// `cursor >= since OR cursor IS NULL`, or everywhere.
fn in_window(stamp: Option<i64>, since: Option<i64>) -> bool {
    match (stamp, since) {
        (Some(stamp), Some(since)) => stamp >= since,
        _ => true,
    }
}

/// Lets it all happen, then one more sync on a server that is quiet; returns the number of syncs and of
/// versions that were lost as was said.
fn survives(algorithm: Algorithm, may_know: bool, events: &[Event]) -> Result<(u32, usize), TestCaseError> {
    let (mut world, mut sync) = (World::new(), Sync::new(algorithm, may_know));
    for event in events {
        world.happens(event);
        match event {
            Event::Sync => sync.goes_on(&world)?,
            // A restart ends the sync's sessions as well.
            Event::Kill | Event::Restart => sync.step = Step::Idle,
            _ => {}
        }
    }
    sync.step = Step::Idle;
    for _ in 0..5 {
        world.happens(&Event::Sync);
        sync.goes_on(&world)?;
    }
    Ok((sync.syncs, sync.lost.len()))
}

fn config() -> Config {
    Config { cases: WORLDS, failure_persistence: None, ..Config::default() }
}

#[test]
fn every_sync_reads_what_its_snapshot_shows_and_nothing_twice() {
    let syncs = Cell::new(0);
    let result = TestRunner::new(config()).run(&(events(), any::<bool>()), |(events, may_know)| {
        syncs.set(syncs.get() + survives(Algorithm::SeenSet, may_know, &events)?.0);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(syncs.get() > 3 * WORLDS, "{} syncs committed in {WORLDS} worlds", syncs.get());
    eprintln!("{} syncs in {WORLDS} worlds", syncs.get());
}

#[test]
fn without_a_barrier_all_rows_are_enough_and_a_lookback_loses_what_is_open_for_longer() {
    for algorithm in [Algorithm::AllRows, Algorithm::Lookback] {
        let losses = Cell::new(0);
        let result = TestRunner::new(config()).run(&events(), |events| {
            losses.set(losses.get() + survives(algorithm, false, &events)?.1);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
        assert_eq!(losses.get() > 0, algorithm == Algorithm::Lookback, "{} are lost", losses.get());
        eprintln!("{algorithm:?}: {} versions are lost in {WORLDS} worlds", losses.get());
    }
}

#[test]
fn whatever_lacks_a_part_loses_or_doubles_rows() {
    for algorithm in [
        Algorithm::NoBarrier,
        Algorithm::ListedFirst,
        Algorithm::NoSeenSet,
        Algorithm::NoNumbers,
        Algorithm::GreatestValue,
        Algorithm::LookbackFromTheFuture,
    ] {
        // Always the same worlds, and as they were found.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config { max_shrink_iters: 0, ..config() }, rng);
        let worlds = Cell::new(0);
        let result = runner.run(&(events(), any::<bool>()), |(events, may_know)| {
            worlds.set(worlds.get() + 1);
            survives(algorithm, may_know, &events).map(drop)
        });
        assert!(
            matches!(result, Err(TestError::Fail(..))),
            "{algorithm:?} survives {WORLDS} worlds: {result:?}"
        );
        eprintln!("{algorithm:?} fails in world {}", worlds.get());
    }
}
