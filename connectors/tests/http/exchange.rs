//! Requests that are made again, and those that are not.

use std::sync::Mutex;
use std::time::Duration;

use connectors::http::{
    Adapt, Answer, Client, Manners, Outcome, Polite, Request, Retries, Verdict, exchange, exchange_open,
    retry_after,
};
use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Result};

use crate::server::{Asked, Reply, Server, reply};
use crate::{client, shown};

/// Retries at once whatever is no 2xx, and says so in the end.
#[derive(Default)]
struct Hasty {
    refreshed: Mutex<u32>,
    looks_inside: bool,
}

impl Manners for Hasty {
    fn sign<'a>(&'a self, _: &'a Client, request: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        request.set_header("X-Token", self.refreshed.lock().unwrap().to_string());
        Box::pin(async { Ok(()) })
    }

    fn judge(&self, outcome: Result<&Answer, &Error>, attempt: u32) -> Verdict {
        let wait = Some(Duration::from_millis(1));
        let error = Error::data(format!("attempt {attempt}"));
        match outcome {
            Ok(answer) if self.looks_inside && answer.body.starts_with(b"again") => {
                Verdict::Retry { wait, error }
            }
            Ok(answer) => match answer.status {
                200 => Verdict::Success,
                401 => Verdict::RefreshToken { wait, error },
                404 => Verdict::Ignore,
                413 => Verdict::Adapt(Adapt::PageSize),
                418 => Verdict::Fail(error),
                429 => Verdict::RateLimited { wait, error },
                430 => Verdict::RateLimited { wait: Some(Duration::from_hours(24 * 365)), error },
                _ => Verdict::Retry { wait, error },
            },
            Err(_) => Verdict::Retry { wait, error },
        }
    }

    fn looks_inside(&self) -> bool {
        self.looks_inside
    }

    fn refresh<'a>(&'a self, _: &'a Client, _: &'a Request) -> BoxFuture<'a, Result<bool>> {
        *self.refreshed.lock().unwrap() += 1;
        Box::pin(async { Ok(true) })
    }
}

/// A server that answers with these codes, the last one for ever.
async fn codes(codes: &'static [u16]) -> Server {
    Server::start(move |number, _| reply(codes[number.min(codes.len() - 1)], &[], "x")).await
}

async fn ask(server: &Server, manners: &dyn Manners) -> Result<Outcome> {
    exchange(&client(), &Request::get(server.url.clone()), manners, Retries::default()).await
}

#[tokio::test]
async fn a_request_is_made_again_until_it_is_answered() {
    for status in [500, 502, 503, 504, 429] {
        let server =
            Server::start(move |number, _| reply(if number < 3 { status } else { 200 }, &[], "x")).await;
        assert!(matches!(ask(&server, &Hasty::default()).await.unwrap(), Outcome::Success(_)));
        assert_eq!(server.asked().len(), 4);
    }
}

#[tokio::test]
async fn lost_connections_are_retried_like_answers() {
    let server = Server::start(|number, _| match number {
        0 => Reply::Raw(Vec::new()),
        1 => Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        _ => reply(200, &[], "whole"),
    })
    .await;
    let Outcome::Success(answer) = ask(&server, &Hasty::default()).await.unwrap() else { panic!() };
    assert_eq!(answer.body, "whole");
}

#[tokio::test]
async fn retries_are_counted() {
    let server = codes(&[500]).await;
    let error = ask(&server, &Hasty::default()).await.err().unwrap();
    assert_eq!(server.asked().len(), 6, "once, and five times again");
    assert_eq!(error.message(), "attempt 6");
    let server = codes(&[500]).await;
    let retries = Retries { max: 0, ..Retries::default() };
    let request = Request::get(server.url.clone());
    assert!(exchange(&client(), &request, &Hasty::default(), retries).await.is_err());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn retries_end_when_their_time_is_over() {
    let server = codes(&[500]).await;
    let retries = Retries { max: u32::MAX, time: Some(Duration::from_millis(50)), ..Retries::default() };
    let request = Request::get(server.url.clone());
    assert!(exchange(&client(), &request, &Hasty::default(), retries).await.is_err());
}

#[tokio::test]
async fn each_verdict_does_what_it_says() {
    let of = async |status: &'static [u16]| ask(&codes(status).await, &Hasty::default()).await;
    assert!(matches!(of(&[404]).await, Ok(Outcome::Ignored(Some(answer))) if answer.status == 404));
    assert!(matches!(of(&[413]).await, Ok(Outcome::Adapt(Adapt::PageSize))));
    assert!(matches!(of(&[500, 418]).await, Err(error) if error.message() == "attempt 2"));
}

#[tokio::test]
async fn a_wait_without_end_is_an_error_instead() {
    let server = codes(&[430]).await;
    let error = ask(&server, &Hasty::default()).await.err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::RateLimited { retry_after: Some(_) }), "{}", shown(&error));
    assert!(error.to_string().contains("365d"), "{}", shown(&error));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_token_is_replaced_once_per_request() {
    let server = codes(&[401, 200]).await;
    ask(&server, &Hasty::default()).await.unwrap();
    let tokens: Vec<_> =
        server.asked().iter().map(|asked| asked.header("x-token").map(str::to_owned)).collect();
    assert_eq!(tokens, [Some("0".to_owned()), Some("1".to_owned())]);
    let server = codes(&[401]).await;
    let error = ask(&server, &Hasty::default()).await.err().unwrap();
    assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Auth, 2));
}

#[tokio::test]
async fn streams_are_judged_by_their_head() {
    let server = Server::start(|number, _| reply(if number == 0 { 500 } else { 200 }, &[], "again")).await;
    let open = async |manners: &Hasty| {
        exchange_open(&client(), &Request::get(server.url.clone()), manners, Retries::default()).await
    };
    let Ok(Outcome::Success(mut body)) = open(&Hasty::default()).await else { panic!() };
    assert_eq!(body.next().await.unwrap().unwrap(), "again");
    assert!(body.next().await.unwrap().is_none());
    let curious = Hasty { looks_inside: true, ..Hasty::default() };
    assert!(open(&curious).await.is_err(), "and by their body where somebody looks inside");
}

async fn polite(script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> (Result<Answer>, usize) {
    let server = Server::start(script).await;
    let answer = Polite::default().fetch(&client(), &Request::get(server.url.clone())).await;
    (answer, server.asked().len())
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    for after in ["0", "Thu, 01 Jan 1970 00:00:00 GMT", "0.01"] {
        let header = format!("Retry-After: {after}");
        let begun = std::time::Instant::now();
        let (answer, asked) = polite(move |number, _| match number {
            0 if header.contains("1970") => reply(200, &[], ""),
            0..3 => reply(429, &[&header], ""),
            _ => reply(200, &[], ""),
        })
        .await;
        assert!(answer.is_ok() && asked > 0 && begun.elapsed() < Duration::from_secs(5), "{after}");
    }
}

#[tokio::test]
async fn absurd_waits_end_a_sync_and_rubbish_is_passed_over() {
    let (answer, asked) = polite(|_, _| reply(429, &["Retry-After: 99999999999"], "")).await;
    assert!(matches!(answer.err().unwrap().kind(), ErrorKind::RateLimited { .. }));
    assert_eq!(asked, 1);
    let wait = |text: &str| {
        let headers = vec![("retry-after".to_owned(), text.to_owned())];
        let url = "http://x/".parse().unwrap();
        retry_after(&Answer { status: 429, url, headers, body: "".into() })
    };
    assert_eq!(wait("120"), Some(Duration::from_mins(2)));
    assert_eq!(wait(" 1.5 "), Some(Duration::from_millis(1500)));
    for rubbish in ["-1", "NaN", "inf", "-inf", "1e400", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        assert_eq!(wait(rubbish), None, "{rubbish}");
    }
    let date = (chrono::Utc::now() + chrono::TimeDelta::seconds(100)).to_rfc2822();
    let left = wait(&date).unwrap();
    assert!(left > Duration::from_secs(90) && left <= Duration::from_secs(100), "{left:?}");
}

#[tokio::test]
async fn what_will_not_get_better_is_not_retried() {
    for (status, kind) in [(400, ErrorKind::Config), (403, ErrorKind::Auth), (404, ErrorKind::Config)] {
        let (answer, asked) = polite(move |_, _| reply(status, &[], "canary")).await;
        let error = answer.err().unwrap();
        assert_eq!((error.kind(), asked), (kind, 1));
        assert!(error.to_string().contains(&status.to_string()) && !shown(&error).contains("canary"));
    }
    let (answer, asked) = polite(|_, _| reply(401, &[], "")).await;
    assert_eq!((answer.err().unwrap().kind(), asked), (ErrorKind::Auth, 1), "there is no token to replace");
}

#[tokio::test]
async fn a_budget_is_asked_before_each_request_and_redirect() {
    use connectors::http::Budget;
    use connectors::http::budget::Policy;
    let server = Server::start(|number, _| match number {
        0 => reply(302, &["Location: /x"], ""),
        _ => reply(200, &["X-Left: 0", "X-Reset: 999999999"], ""),
    })
    .await;
    let budget = Budget::new(vec![Policy::fixed_window(Duration::from_hours(1), 100)]);
    let budget = budget.reacting_to("X-Reset", "X-Left", vec![]);
    let client = client().with_budget(std::sync::Arc::new(budget));
    let request = Request::get(server.url.clone());
    client.send(&request).await.unwrap();
    let error = client.send(&request).await.err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::RateLimited { .. }), "{}", shown(&error));
    assert_eq!(server.asked().len(), 2);
}
