use reqwest::Method;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn request(url: &str) -> Request {
    let mut request = Request::new(Method::GET, url.parse().unwrap());
    request.set_header("X-Sandbox", "yes");
    request
}

fn per_minute(limit: u64) -> Rate {
    Rate { limit, interval: 60 * SECOND }
}

/// When each of so many requests is let through, in seconds, if each waits as it is told.
fn times(policy: &Policy, count: usize) -> Vec<u64> {
    let begin = Moment::now();
    let mut now = begin;
    let mut times = Vec::new();
    while times.len() < count {
        match policy.take(1, now).unwrap() {
            None => times.push(now.since(begin).as_secs()),
            Some(wait) => now = now.plus(wait),
        }
    }
    times
}

#[test]
fn a_moving_window_never_holds_more_than_its_limit() {
    let policy = Policy::moving_window(vec![per_minute(3)]).unwrap();
    assert_eq!(times(&policy, 7), [0, 0, 0, 60, 60, 60, 120]);
}

#[test]
fn of_several_rates_the_strictest_holds() {
    let rates = vec![Rate { limit: 2, interval: SECOND }, per_minute(5)];
    let policy = Policy::moving_window(rates).unwrap();
    assert_eq!(times(&policy, 8), [0, 0, 1, 1, 2, 60, 60, 61]);
}

#[test]
fn a_fixed_window_begins_anew_at_its_reset() {
    let policy = Policy::fixed_window(10 * SECOND, 2);
    let begin = Moment::now();
    let take = |after: u32| policy.take(1, begin.plus(after * SECOND)).unwrap().is_none();
    assert!(take(9) && take(9) && !take(9), "two in the first");
    assert!(take(11) && take(11) && !take(12), "two in the second");
    assert!(take(95) && take(95) && !take(95), "windows that nobody used do not add up");
}

#[test]
fn what_a_server_says_only_makes_it_stricter() {
    let now = Moment::now();
    let policy = Policy::fixed_window(60 * SECOND, 10);
    policy.learn(Some(50), None, now);
    policy.learn(Some(1), Some(now.plus(5 * SECOND)), now);
    assert_eq!(policy.take(1, now).unwrap(), None);
    assert_eq!(policy.take(1, now).unwrap(), Some(5 * SECOND));
    let policy = Policy::moving_window(vec![per_minute(10)]).unwrap();
    policy.learn(Some(0), None, now);
    assert_eq!(policy.take(1, now).unwrap(), Some(60 * SECOND));
}

#[test]
fn resets_are_dates_or_seconds() {
    let now = Moment::now();
    assert_eq!(until(30, now).unwrap().since(now), 30 * SECOND);
    let date = wall().timestamp() + 30;
    let left = until(date, now).unwrap().since(now);
    assert!(left > 28 * SECOND && left <= 30 * SECOND, "{left:?}");
    assert_eq!(until(FIRST_DATE, now).unwrap(), now, "a date that is past");
    assert_eq!(until(-1, now), None);
}

#[test]
fn weights_count_and_what_never_fits_is_an_error() {
    let heavy = Matcher::new().path("^/reports").unwrap().weight(5).unwrap();
    let policy = Policy::moving_window(vec![per_minute(6)]).unwrap().matching(vec![heavy, Matcher::new()]);
    assert_eq!(policy.weight(&request("https://api.test/reports/1")), Some(5));
    assert_eq!(policy.weight(&request("https://api.test/items")), Some(1));
    let now = Moment::now();
    assert_eq!(policy.take(5, now).unwrap(), None);
    assert_eq!(policy.take(1, now).unwrap(), None);
    assert!(policy.take(1, now).unwrap().is_some());
    assert!(policy.take(7, now).is_err());
    assert!(Matcher::new().weight(0).is_err());
}

#[tokio::test]
async fn the_first_policy_that_fits_is_the_one() {
    let fits = |matcher: Matcher| matcher.fits(&request("https://api.test:8443/v1/items/?a=1&b=x%20y&a=2"));
    assert!(fits(Matcher::new()));
    assert!(fits(Matcher::new().method("get").base("https://api.test:8443/").path("^/v1/items$").unwrap()));
    assert!(fits(Matcher::new().param("b", "x y").param("a", "2").header("x-sandbox", "yes")));
    assert!(!fits(Matcher::new().method("POST")));
    assert!(!fits(Matcher::new().base("https://api.test")));
    assert!(!fits(Matcher::new().path("items/$").unwrap()));
    assert!(!fits(Matcher::new().param("a", "1")));
    assert!(!fits(Matcher::new().header("x-sandbox", "no")));
    assert!(Matcher::new().path("(").is_err());

    let free = Policy::unlimited().matching(vec![Matcher::new().header("X-Sandbox", "yes")]);
    let budget = Budget::new(vec![free, Policy::fixed_window(SECOND, 0)]);
    assert!(budget.acquire(&request("https://api.test/")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_let_through_in_time() {
    let budget = std::sync::Arc::new(Budget::new(vec![Policy::moving_window(vec![per_minute(10)]).unwrap()]));
    let begun = tokio::time::Instant::now();
    let request = request("https://api.test/");
    let all = (0..30).map(|_| budget.acquire(&request));
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    assert!((2.0..2.1).contains(&minutes), "{minutes}");
}
