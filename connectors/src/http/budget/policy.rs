//! How many requests at a time: windows that stand and windows that move.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::{Error, Result};

use super::Matcher;
use crate::http::Request;
use crate::http::pause::Moment;

/// So many requests in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub limit: u64,
    /// The time.
    pub interval: Duration,
}

/// For which requests, and how many at a time.
pub struct Policy {
    matchers: Vec<Matcher>,
    window: Mutex<Window>,
}

enum Window {
    Unlimited,
    Fixed {
        period: Duration,
        limit: u64,
        used: u64,
        reset: Moment,
    },
    /// When how many were sent, oldest first.
    Moving {
        rates: Vec<Rate>,
        sent: VecDeque<(Moment, u64)>,
    },
}

impl Policy {
    /// So many requests from one reset to the next; the first window begins now.
    #[must_use]
    pub fn fixed_window(period: Duration, limit: u64) -> Self {
        Self::of(Window::Fixed { period, limit, used: 0, reset: Moment::now().plus(period) })
    }

    /// So many requests in any stretch of time, for each of the rates.
    pub fn moving_window(rates: Vec<Rate>) -> Result<Self> {
        if rates.is_empty() || rates.iter().any(|rate| rate.interval.is_zero()) {
            return Err(Error::config("a moving window needs rates, each with a limit and an interval"));
        }
        Ok(Self::of(Window::Moving { rates, sent: VecDeque::new() }))
    }

    /// As many as one likes.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::of(Window::Unlimited)
    }

    /// Only for requests that one of these fits. Without any it is for all.
    #[must_use]
    pub fn matching(mut self, matchers: Vec<Matcher>) -> Self {
        self.matchers = matchers;
        self
    }

    fn of(window: Window) -> Self {
        Self { matchers: Vec::new(), window: Mutex::new(window) }
    }

    /// How many times a request counts; `None` where the policy is not for it.
    pub(super) fn weight(&self, request: &Request) -> Option<u64> {
        if self.matchers.is_empty() {
            return Some(1);
        }
        self.matchers.iter().find(|matcher| matcher.fits(request)).map(Matcher::times)
    }

    /// Takes so many, or says how long to wait before asking again.
    pub(super) fn take(&self, weight: u64, now: Moment) -> Result<Option<Duration>> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.limit().is_some_and(|limit| weight > limit) {
            return Err(Error::config(format!(
                "a request counts {weight} times, which its budget never has"
            )));
        }
        window.turn(now);
        let wait = window.wait(weight, now);
        if wait.is_none() {
            window.record(weight, now);
        }
        Ok(wait)
    }

    /// What a server said: how many are left, and when there will be more.
    pub(super) fn learn(&self, left: Option<u64>, next: Option<Moment>, now: Moment) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.turn(now);
        match &mut *window {
            Window::Unlimited => {}
            Window::Fixed { limit, used, reset, .. } => {
                if let Some(left) = left.filter(|left| *left < limit.saturating_sub(*used)) {
                    *used = *limit - left;
                }
                if let Some(next) = next {
                    *reset = next;
                }
            }
            // When it was sent is not known of what others sent: only that nothing is left is of use.
            Window::Moving { rates, sent } => {
                if left == Some(0) && next.is_none() {
                    let free =
                        rates.iter().map(|rate| rate.limit.saturating_sub(used(sent, *rate, now))).min();
                    if let Some(free) = free.filter(|free| *free > 0) {
                        sent.push_back((now, free));
                    }
                }
            }
        }
    }
}

impl Window {
    fn limit(&self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Fixed { limit, .. } => Some(*limit),
            Self::Moving { rates, .. } => rates.iter().map(|rate| rate.limit).min(),
        }
    }

    /// Forgets what is over.
    fn turn(&mut self, now: Moment) {
        match self {
            Self::Unlimited => {}
            Self::Fixed { period, used, reset, .. } => {
                if now >= *reset {
                    *used = 0;
                    // Windows that nobody used are passed over.
                    let over = now.since(*reset).as_nanos().checked_div(period.as_nanos()).unwrap_or(0) + 1;
                    *reset = reset.plus(period.saturating_mul(u32::try_from(over).unwrap_or(u32::MAX)));
                }
            }
            Self::Moving { rates, sent } => {
                let longest = rates.iter().map(|rate| rate.interval).max().unwrap_or_default();
                while sent.front().is_some_and(|(at, _)| now.since(*at) >= longest) {
                    sent.pop_front();
                }
            }
        }
    }

    fn wait(&self, weight: u64, now: Moment) -> Option<Duration> {
        match self {
            Self::Unlimited => None,
            Self::Fixed { limit, used, reset, .. } => (used + weight > *limit).then(|| reset.since(now)),
            Self::Moving { rates, sent } => {
                rates.iter().filter_map(|rate| wait_for(sent, *rate, weight, now)).max()
            }
        }
    }

    fn record(&mut self, weight: u64, now: Moment) {
        match self {
            Self::Unlimited => {}
            Self::Fixed { used, .. } => *used += weight,
            Self::Moving { sent, .. } => sent.push_back((now, weight)),
        }
    }
}

/// How many were sent within the interval before `now`.
fn used(sent: &VecDeque<(Moment, u64)>, rate: Rate, now: Moment) -> u64 {
    sent.iter().rev().take_while(|(at, _)| now.since(*at) < rate.interval).map(|(_, weight)| weight).sum()
}

/// How long until there is room for so many; `None` for now.
fn wait_for(sent: &VecDeque<(Moment, u64)>, rate: Rate, weight: u64, now: Moment) -> Option<Duration> {
    let mut room = rate.limit.saturating_sub(weight);
    for (at, weight) in sent.iter().rev().take_while(|(at, _)| now.since(*at) < rate.interval) {
        match room.checked_sub(*weight) {
            Some(left) => room = left,
            // This one must be over first; all before it will be as well.
            None => return Some(at.plus(rate.interval).since(now)),
        }
    }
    None
}
