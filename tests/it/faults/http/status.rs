//! Answers whose status is no success: which are asked for again, how often, and what comes of the others.

use super::server::{page, reply};
use super::{BY_TOKEN, Case};

const GOOD: &str = r#"{"items": [{"id": 1}, {"id": 2}]}"#;

/// What is asked for again until it is answered, with so many requests.
#[track_caller]
fn answered_in_the_end(times: usize, status: u16, headers: &'static [&'static str]) -> String {
    let case = Case::with(
        "",
        move |number, _| {
            if number < times { reply(status, headers, "busy") } else { page(GOOD) }
        },
    );
    let read = case.read().gives([1, 2]);
    assert_eq!(case.asked(), times + 1);
    read.said
}

/// What is not asked for again.
#[track_caller]
fn refused_at_once(status: u16, headers: &'static [&'static str], text: &str) -> Vec<String> {
    let case = Case::with("", move |_, _| reply(status, headers, r#"{"error": "no canary-5b1f here"}"#));
    let read = case.read().fails(text);
    assert_eq!(case.asked(), 1, "{}", read.said);
    assert!(read.records.is_empty());
    read.kinds
}

#[test]
fn a_rate_limit_without_a_time_is_waited_for() {
    answered_in_the_end(3, 429, &[]);
}

#[test]
fn a_rate_limit_that_names_seconds_is_waited_for_so_long() {
    let said = answered_in_the_end(2, 429, &["Retry-After: 77"]);
    assert!(said.contains("77"), "{said}");
}

#[test]
fn a_rate_limit_that_names_a_date_is_waited_for_until_then() {
    answered_in_the_end(1, 429, &["Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"]);
    answered_in_the_end(1, 503, &["Retry-After: Sunday, 06-Nov-94 08:49:37 GMT"]);
    // Far in the future.
    refused_at_once(429, &["Retry-After: Fri, 31 Dec 2399 23:59:59 GMT"], "longer than two hours");
}

#[test]
fn a_wait_that_is_absurd_ends_the_read_instead() {
    refused_at_once(429, &["Retry-After: 99999999"], "longer than two hours");
    refused_at_once(503, &["Retry-After: 1e30"], "longer than two hours");
}

#[test]
fn a_wait_that_is_negative_or_no_number_is_passed_over() {
    for header in ["Retry-After: -5", "Retry-After: soon", "Retry-After:", "Retry-After: nan"] {
        answered_in_the_end(1, 429, Box::leak(Box::new([header])));
    }
}

#[test]
fn servers_that_are_down_for_a_while_are_asked_again() {
    for status in [408, 500, 502, 503, 504, 520, 599] {
        answered_in_the_end(2, status, &[]);
    }
}

#[test]
fn a_server_that_stays_down_ends_the_read_after_six_tries() {
    for status in [429, 500, 503] {
        let case = Case::with(BY_TOKEN, move |_, asked| match asked.number("page") {
            0 => page(r#"{"items": [{"id": 1}], "next": 1}"#),
            _ => reply(status, &[], "down"),
        });
        let read = case.read().fails(&status.to_string());
        assert_eq!(read.ids(), [1], "what came before is kept");
        assert_eq!(case.asked(), 7);
    }
}

#[test]
fn what_is_not_allowed_or_not_there_is_refused_at_once() {
    assert!(refused_at_once(401, &[], "401").contains(&"config_error".to_owned()));
    assert!(refused_at_once(403, &[], "403").contains(&"config_error".to_owned()));
    refused_at_once(404, &[], "404");
    refused_at_once(400, &[], "400");
}

#[test]
fn an_answer_without_content_has_no_records() {
    let case = Case::with(BY_TOKEN, |_, _| reply(204, &[], ""));
    case.read().gives([]);
    assert_eq!(case.asked(), 1);
}

#[test]
fn a_ring_of_redirects_ends() {
    let case = Case::with("", |_, _| reply(302, &["Location: /items"], ""));
    case.read().fails("redirected more than 20 times");
    assert_eq!(case.asked(), 21);
}

#[test]
fn a_redirect_to_another_host_carries_no_credential() {
    let other = super::Server::start(|_, _| page(GOOD));
    let to: &'static str = Box::leak(format!("Location: http://127.0.0.1:{}/moved", other.port).into());
    let cookie = "Set-Cookie: session=canary-cookie; Path=/";
    let case = Case::with("", move |_, _| reply(307, &[to, cookie], "")).change(
        "        authenticator:",
        "        request_headers: {X-Key: \"{{ config['token'] }}\", Accept: text/csv}\n        authenticator:",
    );
    case.read().gives([1, 2]);
    let [here] = &case.server.asked()[..] else { panic!("asked once") };
    assert_eq!(here.text.matches(super::TOKEN).count(), 2);
    let [there] = &other.asked()[..] else { panic!("asked once") };
    assert!(!there.text.contains("canary"), "{}", there.text);
    assert!(there.text.contains("text/csv"), "{}", there.text);
}

#[test]
fn a_token_that_is_rejected_is_replaced_once_and_no_more() {
    let oauth = "authenticator:
          type: OAuthAuthenticator
          token_refresh_endpoint: http://127.0.0.1:PORT/token
          client_id: me
          client_secret: \"{{ config['token'] }}\"
          refresh_token: r
        error_handler:
          type: DefaultErrorHandler
          response_filters: [{http_codes: [401], action: REFRESH_TOKEN_THEN_RETRY}]";
    let bearer = "authenticator: {type: BearerAuthenticator, api_token: \"{{ config['token'] }}\"}";
    for accepts in [true, false] {
        let case = Case::with("", move |number, asked| {
            if asked.target == "/token" {
                return page(format!(r#"{{"access_token": "t{number}", "expires_in": 3600}}"#));
            }
            let is_first = asked.text.contains("Bearer t0");
            if is_first || !accepts { reply(401, &[], "{}") } else { page(GOOD) }
        });
        let port = case.server.port.to_string();
        let case = case.change(bearer, &oauth.replace("PORT", &port));
        let read = case.read();
        if accepts {
            read.gives([1, 2]);
        } else {
            read.fails("401");
        }
        let asked: Vec<String> = case.server.asked().into_iter().map(|asked| asked.target).collect();
        assert_eq!(asked, ["/token", "/items", "/token", "/items"]);
    }
}
