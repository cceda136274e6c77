//! How many calls a server grants to each of several tokens, and which of them is next.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::Result;

use crate::http::budget::Matcher;
use crate::http::{Answer, Request};
use crate::source::declarative::component::Component;
use crate::source::declarative::fault;
use crate::source::declarative::moment::parse_moment;
use crate::source::declarative::number;
use crate::source::declarative::template::{Context, text_of};
use crate::source::declarative::value::Value;

/// Longest wait between two calls while they are spread over the time that is left.
const LONGEST_DELAY: f64 = 10.0;
/// Two words of a server on when a window ends may differ by so much.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// Calls that are counted together (`TokenQuota`).
pub(super) struct Pool {
    pub(super) name: String,
    matchers: Vec<Matcher>,
    pub(super) remaining_path: Vec<String>,
    pub(super) reset_path: Vec<String>,
    pub(super) limit_path: Vec<String>,
    remaining_header: Option<String>,
    reset_header: Option<String>,
    limit_header: Option<String>,
    exhausted: Vec<i64>,
}

impl Pool {
    pub(super) fn build(component: &Component<'_>, context: &Context<'_>) -> Result<Self> {
        let header = |field: &str| component.text(field).map(|name| name.filter(|name| !name.is_empty()));
        let matchers = component.children("matchers")?;
        Ok(Self {
            name: component.required_text("name")?,
            matchers: matchers.iter().map(|one| fault::matcher(one, context)).collect::<Result<_>>()?,
            remaining_path: component.texts("remaining_path")?,
            reset_path: component.texts("reset_path")?,
            limit_path: component.texts("limit_path")?,
            remaining_header: header("remaining_header")?,
            reset_header: header("reset_header")?,
            limit_header: header("limit_header")?,
            exhausted: codes(component, "exhaustion_status_codes"),
        })
    }

    /// Whether it is for all that no other one is for.
    pub(super) fn is_default(&self) -> bool {
        self.matchers.is_empty()
    }

    pub(super) fn fits(&self, request: &Request) -> bool {
        self.matchers.iter().any(|matcher| matcher.fits(request))
    }
}

/// Status codes in a list.
pub(super) fn codes(component: &Component<'_>, field: &str) -> Vec<i64> {
    let codes = component.value(field).and_then(Value::as_list).unwrap_or_default();
    codes.iter().filter_map(Value::as_int).collect()
}

/// What one token has left of a pool.
#[derive(Debug, Clone)]
pub(super) struct Quota {
    pub(super) remaining: i64,
    pub(super) reset: DateTime<Utc>,
    pub(super) limit: i64,
    /// Whether the server counts at all.
    pub(super) tracked: bool,
}

impl Quota {
    pub(super) fn untracked(now: DateTime<Utc>) -> Self {
        Self { remaining: 0, reset: now, limit: 0, tracked: false }
    }

    fn is_spent(&self) -> bool {
        self.tracked && self.remaining <= 0
    }
}

/// From how few calls on they are spread over the time that is left.
pub(super) struct Reserve {
    pub(super) fraction: f64,
    pub(super) least: f64,
}

/// All tokens' quotas, by token and pool.
#[derive(Default)]
pub(super) struct Ledger {
    active: usize,
    quotas: Vec<Vec<Quota>>,
}

/// What is to be done for a call.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Wait so long and send it with that token.
    Go(usize, Duration),
    /// All are spent; so long until the first of them may be used again.
    Spent(Duration),
}

impl Ledger {
    pub(super) fn is_seeded(&self) -> bool {
        !self.quotas.is_empty()
    }

    pub(super) fn seed(&mut self, quotas: Vec<Vec<Quota>>) {
        self.quotas = quotas;
    }

    pub(super) fn is_spent(&self, pool: usize) -> bool {
        self.quotas.iter().all(|quotas| quotas[pool].is_spent())
    }

    /// Takes one call out of a pool.
    pub(super) fn step(&mut self, pool: usize, reserve: &Reserve, now: DateTime<Utc>) -> Step {
        if self.is_spent(pool) {
            let first = self.quotas.iter().map(|quotas| quotas[pool].reset).min().unwrap_or(now);
            return Step::Spent((first - now).to_std().unwrap_or_default());
        }
        loop {
            let token = self.active;
            let quota = &mut self.quotas[token][pool];
            if quota.is_spent() {
                self.rotate();
                continue;
            }
            if !quota.tracked {
                // Nothing tells the tokens apart: they take turns.
                self.rotate();
                return Step::Go(token, Duration::ZERO);
            }
            quota.remaining -= 1;
            return Step::Go(token, self.delay(pool, reserve, now));
        }
    }

    fn rotate(&mut self) {
        self.active = (self.active + 1) % self.quotas.len().max(1);
    }

    /// The wait that spreads the last calls over the time until there are new ones.
    fn delay(&self, pool: usize, reserve: &Reserve, now: DateTime<Utc>) -> Duration {
        let quotas = || self.quotas.iter().map(|quotas| &quotas[pool]);
        #[expect(clippy::cast_precision_loss, reason = "numbers of calls are small")]
        let scarce = |quota: &Quota| {
            quota.tracked
                && quota.remaining as f64 <= reserve.least.max(quota.limit as f64 * reserve.fraction)
        };
        let left: i64 = quotas().map(|quota| quota.remaining.max(0)).sum();
        if left <= 0 || !quotas().all(scarce) {
            return Duration::ZERO;
        }
        let seconds = (self.quotas[self.active][pool].reset - now).to_std().unwrap_or_default().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "numbers of calls are small")]
        let each = (seconds / left as f64).min(LONGEST_DELAY);
        if each < 0.1 { Duration::ZERO } else { Duration::from_secs_f64(each) }
    }

    /// Learns from an answer to a request of that token.
    pub(super) fn learn(&mut self, token: usize, at: usize, pool: &Pool, answer: &Answer) {
        let number =
            |name: &Option<String>| answer.header(name.as_ref()?).and_then(|text| whole(&text.into()));
        let exhausted = pool.exhausted.contains(&i64::from(answer.status));
        let remaining = number(&pool.remaining_header).or(exhausted.then_some(0));
        let limit = number(&pool.limit_header);
        let reset = pool.reset_header.as_ref().and_then(|name| moment(&answer.header(name)?.into()));
        let Some(quota) = self.quotas.get_mut(token).map(|quotas| &mut quotas[at]) else { return };
        if !quota.tracked {
            return;
        }
        if let Some(limit) = limit.filter(|limit| *limit > 0)
            && reset.is_none_or(|reset| reset >= quota.reset)
        {
            quota.limit = limit;
        }
        match (reset, remaining) {
            // A new window: what was counted is of no worth.
            (Some(reset), remaining) if reset > quota.reset => {
                quota.reset = reset;
                quota.remaining = remaining.unwrap_or(quota.limit);
            }
            // Answers overtake each other: a count only ever falls within a window.
            (reset, Some(remaining))
                if (remaining <= 0 && exhausted) || reset.is_none_or(|reset| reset >= quota.reset - SKEW) =>
            {
                quota.remaining = quota.remaining.min(remaining);
            }
            _ => {}
        }
    }

    /// Whether that token is spent and another one is not.
    pub(super) fn has_other(&self, token: usize, pool: usize) -> bool {
        let others = self.quotas.iter().enumerate().filter(|(index, _)| *index != token);
        self.quotas.get(token).is_some_and(|quotas| quotas[pool].is_spent())
            && others.map(|(_, quotas)| &quotas[pool]).any(|quota| quota.remaining > 0)
    }
}

/// A whole number, whether it stands as one or in a text.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Text(text) => i64::try_from(&number::parse_int(text, 10)?).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "so does int()")]
        Value::Float(number) => Some(number.trunc() as i64),
        _ => None,
    }
}

/// A moment: seconds since 1970, or a date.
pub(super) fn moment(value: &Value) -> Option<DateTime<Utc>> {
    match (whole(value), value) {
        (Some(seconds), _) => DateTime::from_timestamp(seconds, 0),
        (None, Value::Text(_)) => parse_moment(&text_of(value)).map(|moment| moment.universal().and_utc()),
        _ => None,
    }
}
