//! Syncs of the real binary, one after the other, let alone, killed, started twice and told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Handle;

use super::follow::Follow;
use super::restart::Restarts;
use crate::cli::run::Ran;
use crate::support::{Project, Running};

/// What happens to a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing: it must succeed.
    Alone,
    /// `kill -9` at some moment.
    Killed,
    /// `kill -9` as soon as one of its commits stands, before it has done what the commit promises.
    Sniped,
    /// Another one is started at about the same time.
    Twin,
    /// The same, and one of the two is killed.
    KilledTwin,
    /// `SIGTERM` at some moment.
    Stopped,
}

/// Every fate as often as it comes up in one round of all.
const DECK: [(Fate, usize); 6] = [
    (Fate::Alone, 4),
    (Fate::Killed, 3),
    (Fate::Sniped, 3),
    (Fate::Twin, 3),
    (Fate::KilledTwin, 1),
    (Fate::Stopped, 2),
];
/// A test that is ten times slower than it should be has hung.
const PATIENCE: u32 = 10;

/// What syncs met with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Ended with 0.
    pub(super) succeeded: u64,
    pub(super) killed: u64,
    /// Commits that stood when their process was killed, without all of their files.
    pub(super) undone: u64,
    /// Rounds of two at once.
    pub(super) twins: u64,
    /// Streams of such rounds that left the commit to the other.
    pub(super) conflicts: u64,
    /// Ended with 130 after a signal.
    pub(super) stopped: u64,
    /// Succeeded although the server went away under them.
    pub(super) outlasted: u64,
    /// Ended with 75 as it did.
    pub(super) given_up: u64,
}

impl Tally {
    fn reaches(self, floor: Self) -> bool {
        self.succeeded >= floor.succeeded
            && self.killed >= floor.killed
            && self.undone >= floor.undone
            && self.twins >= floor.twins
            && self.stopped >= floor.stopped
            && self.outlasted + self.given_up >= floor.outlasted + floor.given_up
    }
}

/// A process that has ended, and when it ran.
struct Ended {
    ran: Ran,
    begin: Instant,
    end: Instant,
}

/// Syncs of one project.
pub(super) struct Chaos {
    pub(super) follows: Vec<Follow>,
    pub(super) tally: Tally,
    project: Project,
    restarts: Restarts,
    random: fastrand::Rng,
    deck: Vec<Fate>,
    /// How long a sync takes that nobody disturbs.
    usual: Duration,
}

impl Chaos {
    pub(super) fn new(
        project: Project,
        follows: Vec<Follow>,
        restarts: Restarts,
        random: fastrand::Rng,
    ) -> Self {
        let usual = Duration::from_secs(1);
        Self { follows, tally: Tally::default(), project, restarts, random, deck: Vec::new(), usual }
    }

    /// Syncs for so long, and until each thing has happened as often as `floor` says. Runs on a thread of
    /// its own; `runtime` is what the destination is read by.
    pub(super) fn reign(&mut self, length: Duration, floor: Tally, over: &Arc<AtomicBool>, runtime: &Handle) {
        let begin = Instant::now();
        while !over.load(Ordering::Relaxed) {
            let passed = begin.elapsed();
            if passed > length && self.tally.reaches(floor) {
                return;
            }
            assert!(passed < length * PATIENCE + Duration::from_mins(2), "too slow: {:?}", self.tally);
            let fate = self.draw();
            self.round(fate, runtime);
            for follow in &self.follows {
                runtime.block_on(follow.shows_committed_only());
            }
        }
    }

    /// Lets one sync run alone, which must succeed unless the server goes away.
    pub(super) fn sync(&mut self, runtime: &Handle) {
        let ended = wait(Instant::now(), self.start());
        if !self.is_disturbed(&ended) {
            self.usual = (self.usual * 3 + (ended.end - ended.begin)) / 4;
        }
        self.judge(&[ended], Fate::Alone, runtime);
    }

    /// Whether the server was away while it ran.
    fn is_disturbed(&self, ended: &Ended) -> bool {
        self.restarts.any_within(ended.begin, ended.end)
    }

    /// What was committed is there as its receipts say.
    pub(super) fn verify(&self) {
        self.project.run(&["verify"]).exits(0);
    }

    /// Of each fate in turn, in an order that differs each time.
    fn draw(&mut self) -> Fate {
        if self.deck.is_empty() {
            self.deck = DECK.iter().flat_map(|(fate, times)| vec![*fate; *times]).collect();
            self.random.shuffle(&mut self.deck);
        }
        self.deck.pop().expect("it was filled")
    }

    fn round(&mut self, fate: Fate, runtime: &Handle) {
        // Most of what matters happens at the end.
        let share = if self.random.bool() { self.random.f64() } else { 0.6 + 0.5 * self.random.f64() };
        let moment = self.usual.mul_f64(share);
        match fate {
            Fate::Alone => self.sync(runtime),
            Fate::Killed => {
                let (begin, running) = (Instant::now(), self.start());
                std::thread::sleep(moment);
                if let Some(ended) = self.kill(begin, running) {
                    self.judge(&[ended], Fate::Alone, runtime);
                }
            }
            Fate::Sniped => self.snipe(runtime),
            Fate::Twin | Fate::KilledTwin => {
                let (begin, first) = (Instant::now(), self.start());
                std::thread::sleep(self.usual.mul_f64(self.random.f64() * self.random.f64() / 2.0));
                let (later, second) = (Instant::now(), self.start());
                let mut ended = Vec::new();
                if fate == Fate::KilledTwin {
                    std::thread::sleep(moment);
                    ended.extend(self.kill(begin, first));
                } else {
                    ended.push(wait(begin, first));
                }
                ended.push(wait(later, second));
                self.tally.twins += 1;
                self.judge(&ended, fate, runtime);
            }
            Fate::Stopped => {
                let (begin, mut running) = (Instant::now(), self.start());
                std::thread::sleep(moment);
                if !running.has_ended() {
                    running.signal("TERM");
                }
                let ended = wait(begin, running);
                self.judge(&[ended], fate, runtime);
            }
        }
    }

    /// Kills a sync as soon as it has made a commit.
    fn snipe(&mut self, runtime: &Handle) {
        let chosen = self.random.usize(..self.follows.len());
        let next = runtime.block_on(self.follows[chosen].head()) + 1;
        let (begin, mut running) = (Instant::now(), self.start());
        while !running.has_ended() && !runtime.block_on(self.follows[chosen].has(next)) {}
        if let Some(ended) = self.kill(begin, running) {
            self.judge(&[ended], Fate::Alone, runtime);
        }
        for follow in &self.follows {
            self.tally.undone += u64::from(runtime.block_on(follow.is_undone()));
        }
    }

    fn start(&self) -> Running {
        Running::start(self.project.command(&["sync", "--output", "json"]))
    }

    /// Kills it; what it did where it was faster.
    fn kill(&mut self, begin: Instant, mut running: Running) -> Option<Ended> {
        if running.has_ended() {
            return Some(wait(begin, running));
        }
        self.tally.killed += u64::from(running.kill());
        None
    }

    /// Compares what processes say about themselves, and what they have put out, with what they met.
    fn judge(&mut self, ended: &[Ended], fate: Fate, runtime: &Handle) {
        let now = Instant::now();
        runtime.block_on(async {
            for follow in &mut self.follows {
                follow.read().await;
            }
        });
        for one in ended {
            let (Ended { ran, begin, end }, is_disturbed) = (one, self.is_disturbed(one));
            let is_expected = match ran.code {
                0 => true,
                75 => matches!(fate, Fate::Twin | Fate::KilledTwin) || is_disturbed,
                // A process that is told to stop before it listens is ended by the system.
                130 | -1 => fate == Fate::Stopped,
                _ => false,
            };
            assert!(is_expected, "{fate:?}: {}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
            self.tally.succeeded += u64::from(ran.code == 0);
            self.tally.stopped += u64::from(ran.code == 130);
            self.tally.outlasted += u64::from(ran.code == 0 && is_disturbed);
            self.tally.given_up += u64::from(ran.code == 75 && is_disturbed);
            if ran.code != -1 {
                self.hear(&ran.json(), *begin, *end, is_disturbed);
            }
        }
        if fate == Fate::Twin && !ended.iter().any(|ended| self.is_disturbed(ended)) {
            self.expect_winners(ended);
        }
        // Nobody was killed who could have left something to the next.
        if matches!(fate, Fate::Alone | Fate::Twin) {
            runtime.block_on(async {
                for follow in &mut self.follows {
                    follow.agree(now).await;
                }
            });
        }
        for follow in &self.follows {
            let name = follow.stream.name;
            follow.account.is_right(|| {
                let told = ended.iter().map(|ended| ended.ran.json());
                let told: Vec<_> = told.map(|report| stream(&report, name).cloned()).collect();
                format!("in {name} after {fate:?}: {told:#?}")
            });
        }
    }

    /// What a process says about each stream.
    fn hear(&mut self, report: &Value, begin: Instant, end: Instant, is_disturbed: bool) {
        for follow in &mut self.follows {
            let Some(told) = stream(report, follow.stream.name) else { continue };
            match told["outcome"].as_str() {
                Some("succeeded") => follow.succeed(told, begin, end),
                Some("interrupted") => {}
                _ if is_disturbed
                    && ["transient", "stale"].iter().any(|kind| told["error"]["kind"] == *kind) => {}
                _ => {
                    assert_eq!(told["error"]["kind"], "conflict", "{told:#}");
                    assert_eq!(told["rows_written"], 0, "{told:#}");
                    self.tally.conflicts += 1;
                }
            }
        }
    }

    /// Of two that nobody disturbs, each stream is committed by one at least.
    fn expect_winners(&self, ended: &[Ended]) {
        let reports: Vec<Value> = ended.iter().map(|ended| ended.ran.json()).collect();
        for follow in &self.follows {
            let has_won = |report| {
                stream(report, follow.stream.name).is_some_and(|told| told["outcome"] == "succeeded")
            };
            assert!(reports.iter().any(has_won), "{}: nobody has won: {reports:#?}", follow.stream.name);
        }
    }
}

fn wait(begin: Instant, running: Running) -> Ended {
    let ran = running.wait();
    Ended { ran, begin, end: Instant::now() }
}

fn stream<'a>(report: &'a Value, name: &str) -> Option<&'a Value> {
    report["streams"].as_array()?.iter().find(|told| told["stream"] == name)
}
