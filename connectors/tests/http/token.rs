//! Tokens: asked for, renewed, stored, and never shown.

use std::sync::{Arc, Mutex};

use chrono::{TimeDelta, Utc};
use connectors::http::auth::{Auth, Grant, Keeper, NoStore, OAuth, TokenStore, Tokens};
use connectors::http::{Polite, Request};
use futures::future::BoxFuture;
use protocol::{ErrorKind, Result, Secret};
use url::Url;

use crate::server::{Asked, Reply, Server, reply};
use crate::{client, shown};

/// What was stored: refresh tokens, in order.
#[derive(Default)]
struct Shelf(Mutex<Vec<String>>);

impl TokenStore for Shelf {
    fn save<'a>(&'a self, tokens: &'a Tokens) -> BoxFuture<'a, Result<()>> {
        let refresh = tokens.refresh.as_ref().map_or("none", Secret::reveal);
        self.0.lock().unwrap().push(refresh.to_owned());
        Box::pin(async { Ok(()) })
    }
}

fn oauth(url: Url, grant: Grant) -> OAuth {
    OAuth {
        url,
        grant,
        client_id: "me".to_owned(),
        client_secret: Secret::new("canary-secret"),
        credentials_in_header: false,
        fields: vec![("scope".to_owned(), "read write".to_owned())],
    }
}

fn refreshing() -> Grant {
    Grant::Refresh(Secret::new("canary-1"))
}

fn polite(keeper: Keeper) -> Polite {
    Polite { auth: Auth::token(keeper) }
}

fn param(asked: &Asked, name: &str) -> String {
    let form = asked.text();
    let found = url::form_urlencoded::parse(form.as_bytes()).find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Gives tokens for a refresh token that may be used once; the API behind takes the last one only.
fn strict(asked: &Asked, given: &Mutex<u32>) -> Reply {
    let mut given = given.lock().unwrap();
    if asked.target == "/token" {
        if param(asked, "refresh_token") != format!("canary-{}", *given + 1) {
            return reply(400, &[], r#"{"error":"invalid_grant","error_description":"canary"}"#);
        }
        *given += 1;
        let next = *given + 1;
        return reply(
            200,
            &[],
            format!(
                r#"{{"access_token":"access-{given}","expires_in":"3600","refresh_token":"canary-{next}"}}"#
            ),
        );
    }
    let is_last = asked.header("authorization") == Some(&format!("Bearer access-{given}"));
    reply(if is_last { 200 } else { 401 }, &[], "{}")
}

#[tokio::test]
async fn a_refresh_token_that_is_used_once_is_stored_before_its_token_is_used() {
    let given = Mutex::new(0);
    let server = Server::start(move |_, asked| strict(asked, &given)).await;
    let shelf = Arc::new(Shelf::default());
    let keeper = oauth(server.at("token"), refreshing()).keeper(client(), None, shelf.clone());
    let request = Request::get(server.at("items"));
    let manners = polite(keeper.clone());
    let client = client();
    let all = (0..10).map(|_| manners.fetch(&client, &request));
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(*shelf.0.lock().unwrap(), ["canary-2"]);
    let form = server.asked().into_iter().find(|asked| asked.target == "/token").unwrap();
    for (name, value) in [
        ("grant_type", "refresh_token"),
        ("refresh_token", "canary-1"),
        ("client_id", "me"),
        ("client_secret", "canary-secret"),
        ("scope", "read write"),
    ] {
        assert_eq!(param(&form, name), value);
    }

    // Another process goes on with what was stored, and not with what the configuration says.
    let before = Tokens {
        access: Secret::new("access-1"),
        expires: Some(Utc::now() - TimeDelta::seconds(1)),
        refresh: Some(Secret::new("canary-2")),
    };
    let keeper = oauth(server.at("token"), refreshing()).keeper(client.clone(), Some(before), shelf.clone());
    polite(keeper).fetch(&client, &request).await.unwrap();
    assert_eq!(*shelf.0.lock().unwrap(), ["canary-2", "canary-3"]);
}

#[tokio::test]
async fn a_token_that_is_rejected_is_replaced_and_the_request_made_again() {
    let given = Mutex::new(0);
    let server = Server::start(move |_, asked| strict(asked, &given)).await;
    let before = Tokens { access: Secret::new("revoked"), expires: None, refresh: None };
    let keeper = oauth(server.at("token"), refreshing()).keeper(client(), Some(before), Arc::new(NoStore));
    polite(keeper).fetch(&client(), &Request::get(server.at("items"))).await.unwrap();
    let targets: Vec<String> = server.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["/items", "/token", "/items"]);
}

#[tokio::test]
async fn a_new_token_that_is_rejected_as_well_ends_it() {
    let server = Server::start(|_, asked| match asked.target.as_str() {
        "/token" => reply(200, &[], r#"{"access_token":"canary","expires_in":3600}"#),
        _ => reply(401, &[], ""),
    })
    .await;
    let keeper =
        oauth(server.at("token"), Grant::ClientCredentials).keeper(client(), None, Arc::new(NoStore));
    let error = polite(keeper).fetch(&client(), &Request::get(server.at("items"))).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(server.asked().len(), 4, "token, request, token, request");
    assert_eq!(param(&server.asked()[0], "grant_type"), "client_credentials");
}

#[tokio::test]
async fn a_refusal_is_final_and_shows_no_secret() {
    let cases: [(u16, &'static str, &str); 5] = [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"token canary-1 is revoked"}"#,
            "invalid_grant",
        ),
        (401, r#"{"error":"canary-1 is unknown"}"#, "refuses"),
        (403, "<html>canary-1</html>", "refuses"),
        (200, "<html>canary-1</html>", "not JSON"),
        (200, r#"{"access_token":""}"#, "no `access_token`"),
    ];
    for (status, body, told) in cases {
        let server = Server::start(move |_, _| reply(status, &[], body)).await;
        let keeper = oauth(server.at("token"), refreshing()).keeper(client(), None, Arc::new(NoStore));
        let error = keeper.tokens(Utc::now()).await.err().unwrap();
        assert_eq!((error.kind(), server.asked().len()), (ErrorKind::Auth, 1));
        let text = shown(&error);
        assert!(text.contains(told) && !text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_tokens_server_that_moves_gets_no_credentials_at_its_new_place() {
    let other = Server::saying(|| reply(200, &[], r#"{"access_token":"x"}"#)).await;
    let to = format!("Location: {}", other.url);
    let server = Server::start(move |_, _| reply(308, &[&to], "")).await;
    let keeper = oauth(server.at("token"), refreshing()).keeper(client(), None, Arc::new(NoStore));
    let error = keeper.tokens(Utc::now()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(other.asked().is_empty() && !shown(&error).contains("canary"), "{}", shown(&error));
}

#[tokio::test]
async fn keys_and_passwords_go_where_they_belong() {
    let server = Server::saying(|| reply(200, &[], "")).await;
    for auth in [
        Auth::Header { name: "X-Api-Key".to_owned(), value: Secret::new("k") },
        Auth::Query { name: "key".to_owned(), value: Secret::new("a b&c") },
        Auth::Bearer(Secret::new("t")),
        Auth::Basic { user: "u".to_owned(), password: Secret::new("p") },
        Auth::None,
    ] {
        Polite { auth }.fetch(&client(), &Request::get(server.at("x?a=1"))).await.unwrap();
    }
    let asked = server.asked();
    assert_eq!(asked[0].header("x-api-key"), Some("k"));
    assert_eq!(asked[1].target, "/x?a=1&key=a+b%26c");
    assert_eq!(asked[2].header("authorization"), Some("Bearer t"));
    assert_eq!(asked[3].header("authorization"), Some("Basic dTpw"));
    assert_eq!(asked[4].header("authorization"), None);
}
