//! How many requests a server endures: policies by which requests wait, shared by all streams of a source.

mod matcher;
mod policy;

use std::time::Duration;

use chrono::DateTime;
use protocol::{Error, ErrorKind, Result};

pub use matcher::Matcher;
pub use policy::{Policy, Rate};

use super::pause::{Moment, pause, wall};
use super::{Request, failure};

/// A wait that is longer is an error: the server was misunderstood, or will not be reached today.
const LONGEST_WAIT: Duration = Duration::from_hours(25);
/// Numbers below are seconds from now, others a date in seconds since 1970.
const FIRST_DATE: i64 = 1_000_000_000;

/// Policies, of which the first that fits a request holds for it.
pub struct Budget {
    policies: Vec<Policy>,
    reset_header: String,
    remaining_header: String,
    hit: Vec<u16>,
}

impl Budget {
    /// Of these policies. Reacts to the headers `ratelimit-reset`, `ratelimit-remaining` and the status 429.
    #[must_use]
    pub fn new(policies: Vec<Policy>) -> Self {
        let (reset, remaining) = ("ratelimit-reset".to_owned(), "ratelimit-remaining".to_owned());
        Self { policies, reset_header: reset, remaining_header: remaining, hit: vec![429] }
    }

    /// Reacts to other headers and codes.
    #[must_use]
    pub fn reacting_to(mut self, reset_header: &str, remaining_header: &str, hit: Vec<u16>) -> Self {
        reset_header.clone_into(&mut self.reset_header);
        remaining_header.clone_into(&mut self.remaining_header);
        self.hit = hit;
        self
    }

    /// Waits until the request may be sent. The client does it for each request and each redirect.
    pub async fn acquire(&self, request: &Request) -> Result<()> {
        let Some((policy, weight)) = self.policy(request) else { return Ok(()) };
        loop {
            let Some(wait) = policy.take(weight, Moment::now())? else { return Ok(()) };
            if wait > LONGEST_WAIT {
                return Err(Error::new(
                    ErrorKind::RateLimited { retry_after: Some(wait) },
                    "the budget of the API is used up for more than a day",
                )
                .context("host", failure::host(&request.url)));
            }
            // A millisecond more, so that nobody wakes up just before.
            pause(wait + Duration::from_millis(1)).await;
        }
    }

    /// Learns from an answer. The client does it.
    pub fn observe<'a>(&self, request: &Request, status: u16, header: impl Fn(&str) -> Option<&'a str>) {
        let Some((policy, _)) = self.policy(request) else { return };
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<i64>().ok());
        let now = Moment::now();
        let reset = number(&self.reset_header).and_then(|number| until(number, now));
        let left = number(&self.remaining_header)
            .map(|left| u64::try_from(left).unwrap_or(0))
            .or_else(|| self.hit.contains(&status).then_some(0));
        policy.learn(left, reset, now);
    }

    /// The policy of a request, and how many times it counts.
    fn policy(&self, request: &Request) -> Option<(&Policy, u64)> {
        self.policies.iter().find_map(|policy| Some((policy, policy.weight(request)?)))
    }
}

fn until(number: i64, now: Moment) -> Option<Moment> {
    let left = if number < FIRST_DATE {
        Duration::from_secs(u64::try_from(number).ok()?)
    } else {
        (DateTime::from_timestamp(number, 0)? - wall()).to_std().unwrap_or(Duration::ZERO)
    };
    Some(now.plus(left))
}

#[cfg(test)]
mod tests;
