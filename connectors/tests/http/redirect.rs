//! Redirects: where they lead and what they must not carry.

use connectors::http::{Body, Client, Request};
use protocol::ErrorKind;
use reqwest::Method;

use crate::server::{Server, reply};
use crate::{client, options, shown};

fn signed(mut request: Request) -> Request {
    request.set_header("Authorization", "Bearer canary");
    request.set_header("X-Api-Key", "canary");
    request.set_header("Accept", "text/csv");
    request
}

#[tokio::test]
async fn no_credential_is_sent_to_another_host() {
    let other = Server::saying(|| reply(200, &["Set-Cookie: theirs=1"], "{}")).await;
    let to = format!("Location: {}data", other.url);
    let first = Server::start(move |number, _| match number {
        0 => reply(200, &["Set-Cookie: session=canary; Path=/"], ""),
        _ => reply(302, &[&to], ""),
    })
    .await;
    let client = client();
    client.send(&signed(Request::get(first.url.clone()))).await.unwrap();
    let answer = client.send(&signed(Request::get(first.at("export")))).await.unwrap();
    assert_eq!(answer.url, other.at("data"));
    assert_eq!(first.asked()[1].header("cookie"), Some("session=canary"));
    let there = &other.asked()[0];
    assert!(!format!("{there:?}").contains("canary"), "{there:?}");
    assert_eq!(there.header("accept"), Some("text/csv"), "what is harmless goes along");
}

#[tokio::test]
async fn on_the_same_host_everything_goes_along() {
    let server = Server::start(|number, _| match number {
        0 => reply(308, &["Location: /v2/items?page=1"], ""),
        _ => reply(200, &[], "{}"),
    })
    .await;
    let mut request = signed(Request::new(Method::POST, server.at("v1/items")));
    request.body = Body::Json("{\"a\":1}".into());
    client().send(&request).await.unwrap();
    let second = &server.asked()[1];
    assert_eq!((second.method.as_str(), second.target.as_str()), ("POST", "/v2/items?page=1"));
    assert_eq!(second.header("x-api-key"), Some("canary"));
    assert_eq!(
        (second.text().as_str(), second.header("content-type")),
        ("{\"a\":1}", Some("application/json"))
    );
}

#[tokio::test]
async fn a_form_that_is_redirected_with_302_becomes_a_get() {
    let server = Server::start(|number, _| match number {
        0 => reply(302, &["Location: /done"], ""),
        _ => reply(200, &[], "{}"),
    })
    .await;
    let request = Request::post_form(server.at("login"), [("user", "a b"), ("password", "ü&")]);
    client().send(&request).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].text(), "user=a+b&password=%C3%BC%26");
    assert_eq!((asked[1].method.as_str(), asked[1].text().as_str()), ("GET", ""));
    assert_eq!(asked[1].header("content-type"), None);
}

#[tokio::test]
async fn a_circle_ends() {
    let server = Server::saying(|| reply(302, &["Location: /again"], "")).await;
    let error = client().send(&Request::get(server.url.clone())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("more than 20 times"), "{}", shown(&error));
    assert_eq!(server.asked().len(), 21);
}

#[tokio::test]
async fn a_cookie_that_is_set_on_the_way_is_sent_on() {
    let server = Server::start(|_, asked| match asked.header("cookie") {
        None => reply(302, &["Location: /", "Set-Cookie: seen=1; Path=/"], ""),
        Some(_) => reply(200, &[], "in"),
    })
    .await;
    let client = client();
    assert_eq!(client.send(&Request::get(server.url.clone())).await.unwrap().body, "in");
    client.with_own_cookies().send(&Request::get(server.url.clone())).await.unwrap();
    assert_eq!(server.asked().len(), 4, "the second client has a jar of its own");
}

#[tokio::test]
async fn a_redirect_without_a_place_is_an_answer() {
    let server = Server::saying(|| reply(302, &[], "nowhere")).await;
    assert_eq!(client().send(&Request::get(server.url.clone())).await.unwrap().status, 302);
}

#[tokio::test]
async fn how_many_redirects_are_followed_can_be_said() {
    let server = Server::saying(|| reply(302, &["Location: /again"], "")).await;
    let mut options = options();
    options.max_redirects = 0;
    let client = Client::new(&options).unwrap();
    assert!(client.send(&Request::get(server.url.clone())).await.is_err());
    assert_eq!(server.asked().len(), 1);
}
