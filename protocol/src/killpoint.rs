//! Places where a test can end or halt the process, as a crash or a paused machine would.
//!
//! [`point!`](crate::point) names a place. Without the feature `killpoints` it is nothing at all, and
//! only the tests of the binary switch that on. With it, two variables of the environment choose a
//! place, by its name and optionally which time it is reached: `commit.manifest.sent`,
//! `read.first_row:2`.
//!
//! - `TIDEGATE_KILL`: the process is killed there by SIGKILL. Nothing is flushed, nothing dropped.
//! - `TIDEGATE_PAUSE`: the process is stopped there by SIGSTOP, until somebody sends SIGCONT.
//!
//! A third, `TIDEGATE_WAITS`, holds the most milliseconds that a wait for another system takes: tests of retries need
//! not wait them out.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// What the environment asks for.
struct Trap {
    place: String,
    /// Times that the place is passed before it acts.
    left: AtomicU64,
    signal: Signal,
}

impl Trap {
    fn set(variable: &str, signal: Signal) -> Option<Self> {
        let wish = std::env::var(variable).ok()?;
        let (place, nth) = match wish.split_once(':') {
            Some((place, nth)) => (place, nth.parse().expect("a number follows the colon")),
            None => (wish.as_str(), 1_u64),
        };
        Some(Self { place: place.to_owned(), left: AtomicU64::new(nth), signal })
    }

    fn pass(&self, place: &str) {
        if self.place != place || self.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        kill_process(getpid(), self.signal).expect("a process may signal itself");
        // Another thread may be the one that the signal is given to: this one gets no further before.
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Longest that a wait takes, where the environment says so. Called by [`longest_wait`](crate::longest_wait) alone.
pub(crate) fn longest_wait() -> Option<Duration> {
    static LONGEST: OnceLock<Option<Duration>> = OnceLock::new();
    *LONGEST.get_or_init(|| {
        let wish = std::env::var("TIDEGATE_WAITS").ok()?;
        Some(Duration::from_millis(wish.parse().expect("it is a number of milliseconds")))
    })
}

/// Called by [`point!`](crate::point) alone.
#[doc(hidden)]
pub fn reach(place: &str) {
    static TRAPS: OnceLock<[Option<Trap>; 2]> = OnceLock::new();
    let traps = TRAPS.get_or_init(|| {
        [Trap::set("TIDEGATE_KILL", Signal::KILL), Trap::set("TIDEGATE_PAUSE", Signal::STOP)]
    });
    traps.iter().flatten().for_each(|trap| trap.pass(place));
}
