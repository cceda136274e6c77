//! Restarts of the server, in good order and as a crash does it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lab::Cluster;

/// When the server was stopped, and when it was there again.
#[derive(Clone, Default)]
pub(super) struct Restarts(Arc<Mutex<Vec<Away>>>);

/// From when on, and until when.
type Away = (Instant, Option<Instant>);

impl Restarts {
    /// Whether the server was away at some time between these two moments.
    pub(super) fn any_within(&self, begin: Instant, end: Instant) -> bool {
        let restarts = self.0.lock().expect("nobody panics with the lock held");
        restarts.iter().any(|(stopped, back)| *stopped <= end && back.is_none_or(|back| back >= begin))
    }

    fn begin(&self) {
        self.0.lock().expect("nobody panics with the lock held").push((Instant::now(), None));
    }

    fn end(&self) {
        let mut restarts = self.0.lock().expect("nobody panics with the lock held");
        let (_, back) = restarts.last_mut().expect("one has begun");
        *back = Some(Instant::now());
    }
}

/// Restarts the server now and then, by turns well and badly, until it is over; returns how often it did
/// each. Runs on a thread of its own.
pub(super) fn restart(
    cluster: &Cluster,
    restarts: &Restarts,
    mut random: fastrand::Rng,
    over: &AtomicBool,
) -> [u64; 2] {
    let mut times = [0, 0];
    for turn in 0.. {
        let (begin, pause) = (Instant::now(), Duration::from_millis(random.u64(5_000..14_000)));
        while begin.elapsed() < pause {
            if over.load(Ordering::Relaxed) {
                return times;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        restarts.begin();
        if turn % 2 == 0 {
            cluster.crash();
        } else {
            cluster.restart();
        }
        restarts.end();
        times[turn % 2] += 1;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_disturbs_what_runs_meanwhile() {
        let (restarts, moment) = (Restarts::default(), Instant::now);
        let before = moment();
        restarts.begin();
        let within = moment();
        assert!(restarts.any_within(before, within) && restarts.any_within(within, moment()));
        restarts.end();
        let after = moment();
        assert!(restarts.any_within(before, after) && !restarts.any_within(after, moment()));
        assert!(!Restarts::default().any_within(before, after));
    }
}
