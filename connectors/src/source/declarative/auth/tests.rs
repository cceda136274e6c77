use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::quota::{Ledger, Pool, Quota, Reserve, Step, moment, whole};
use crate::http::Answer;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::component::Component;
use crate::source::declarative::template::Context;
use crate::source::declarative::value::Value;

const NO_RESERVE: Reserve = Reserve { fraction: 0.0, least: 0.0 };

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_709_294_400, 0).expect("a moment")
}

/// Tokens with so many calls left, until a minute from now.
fn ledger(remaining: &[i64]) -> Ledger {
    let quota = |remaining: &i64| {
        vec![Quota { remaining: *remaining, reset: now() + TimeDelta::minutes(1), limit: 10, tracked: true }]
    };
    let mut ledger = Ledger::default();
    ledger.seed(remaining.iter().map(quota).collect());
    ledger
}

fn pool() -> Pool {
    let pool = Value::from_json(
        br#"{"type": "TokenQuota", "name": "core", "remaining_path": ["left"], "reset_path": ["until"],
            "remaining_header": "X-Left", "reset_header": "X-Until", "exhaustion_status_codes": [429]}"#,
    );
    let (pool, clock, config) = (pool.expect("json"), Clock::fixed(now()), Value::None);
    let component = Component::new(&pool, "pool").expect("a component");
    Pool::build(&component, &Context::new(&clock, &config)).expect("a pool")
}

fn answer(status: u16, headers: &[(&str, i64)]) -> Answer {
    Answer {
        status,
        url: Url::parse("https://api.test/").expect("a url"),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect(),
        body: Vec::new().into(),
    }
}

#[test]
fn a_token_is_used_until_it_is_spent_and_then_the_next() {
    let mut ledger = ledger(&[1, 2]);
    let tokens: Vec<Step> = (0..4).map(|_| ledger.step(0, &NO_RESERVE, now())).collect();
    let go = |token| Step::Go(token, Duration::ZERO);
    assert_eq!(tokens, [go(0), go(1), go(1), Step::Spent(Duration::from_mins(1))]);
}

#[test]
fn the_last_calls_are_spread_over_the_time_that_is_left() {
    let reserve = Reserve { fraction: 0.0, least: 50.0 };
    assert_eq!(ledger(&[13, 8]).step(0, &reserve, now()), Step::Go(0, Duration::from_secs(3)));
    assert_eq!(ledger(&[2]).step(0, &reserve, now()), Step::Go(0, Duration::from_secs(10)));
    assert_eq!(ledger(&[13, 51]).step(0, &reserve, now()), Step::Go(0, Duration::ZERO));
}

#[test]
fn tokens_of_which_nothing_is_known_take_turns() {
    let mut ledger = Ledger::default();
    ledger.seed(vec![vec![Quota::untracked(now())], vec![Quota::untracked(now())]]);
    let tokens: Vec<Step> = (0..3).map(|_| ledger.step(0, &NO_RESERVE, now())).collect();
    assert_eq!(tokens, [0, 1, 0].map(|token| Step::Go(token, Duration::ZERO)));
}

#[test]
fn a_count_falls_within_a_window_and_rises_with_the_next() {
    let (pool, end) = (pool(), now().timestamp() + 60);
    let mut ledger = ledger(&[5, 5]);
    ledger.learn(0, 0, &pool, &answer(200, &[("x-left", 9), ("x-until", end)]));
    assert_eq!(ledger.step(0, &NO_RESERVE, now()), Step::Go(0, Duration::ZERO));
    ledger.learn(0, 0, &pool, &answer(429, &[]));
    assert!(ledger.has_other(0, 0) && !ledger.has_other(1, 0));
    assert_eq!(ledger.step(0, &NO_RESERVE, now()), Step::Go(1, Duration::ZERO));
    ledger.learn(0, 0, &pool, &answer(200, &[("x-until", end + 60)]));
    assert!(!ledger.has_other(0, 0), "a new window has all calls again");
}

#[test]
fn counts_and_moments_are_numbers_or_texts() {
    let text = |text: &str| Value::from(text);
    assert_eq!([whole(&Value::Int(3)), whole(&text(" 3 ")), whole(&text("x"))], [Some(3), Some(3), None]);
    for value in [Value::Int(1_709_294_400), text("1709294400"), text("2024-03-01T13:00:00+01:00")] {
        assert_eq!(moment(&value), Some(now()), "{value:?}");
    }
}
