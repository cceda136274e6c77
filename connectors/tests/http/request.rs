//! What is sent, byte for byte where it matters.

use connectors::http::{Body, Client, Request};
use protocol::ErrorKind;
use reqwest::Method;

use crate::server::{Server, reply};
use crate::{client, options, shown};

#[tokio::test]
async fn what_is_sent_without_being_asked_is_little() {
    let server = Server::saying(|| reply(200, &[], "")).await;
    client().send(&Request::get(server.at("a?b=c"))).await.unwrap();
    let asked = &server.asked()[0];
    let mut names: Vec<&str> = asked.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    assert_eq!(asked.header("accept"), Some("*/*"));
    assert!(asked.header("user-agent").unwrap().starts_with("tidegate/"));
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/a?b=c"));
}

#[tokio::test]
async fn bodies_name_their_type_unless_a_header_does() {
    let server = Server::saying(|| reply(200, &[], "")).await;
    let client = client();
    for body in [Body::Json("{}".into()), Body::Form("a=1".into()), Body::Raw("x".into()), Body::Empty] {
        let mut request = Request::new(Method::POST, server.url.clone());
        request.body = body;
        client.send(&request).await.unwrap();
        request.set_header("Content-Type", "application/vnd.api+json");
        client.send(&request).await.unwrap();
    }
    let types: Vec<Option<String>> =
        server.asked().iter().map(|asked| asked.header("content-type").map(str::to_owned)).collect();
    let own = Some("application/vnd.api+json");
    let json = Some("application/json");
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(
        types.iter().map(Option::as_deref).collect::<Vec<_>>(),
        [json, own, form, own, None, own, None, own]
    );
    assert_eq!(server.asked()[6].header("content-length"), Some("0"), "a POST without a body says so");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::saying(|| reply(200, &[], "[]")).await;
    let client = client();
    let begun = std::time::Instant::now();
    for _ in 0..50 {
        client.send(&Request::get(server.url.clone())).await.unwrap();
    }
    let _ = begun;
    assert_eq!(server.asked().len(), 50);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_user_in_the_address_becomes_a_header_and_is_shown_nowhere() {
    let server = Server::saying(|| reply(200, &[], "")).await;
    let mut url = server.url.clone();
    url.set_username("me").unwrap();
    url.set_password(Some("can ary")).unwrap();
    let answer = client().send(&Request::get(url.clone())).await.unwrap();
    assert_eq!(server.asked()[0].header("authorization"), Some("Basic bWU6Y2FuIGFyeQ=="));
    assert_eq!(answer.url, server.url);
    url.set_port(Some(1)).unwrap();
    let error = client().send(&Request::get(url).query("token", "canary")).await.err().unwrap();
    assert!(!shown(&error).contains("can"), "{}", shown(&error));
}

#[tokio::test]
async fn a_secret_with_a_line_break_is_refused_without_showing_it() {
    let server = Server::saying(|| reply(200, &[], "")).await;
    for (name, value) in
        [("Authorization", "Bearer canary\n"), ("X-Key", "a\r\nInjected: canary"), ("a b", "canary")]
    {
        let mut request = Request::get(server.url.clone());
        request.set_header(name, value);
        let error = client().send(&request).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!shown(&error).contains("canary"), "{}", shown(&error));
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn headers_are_found_in_whatever_case_and_text() {
    let server = Server::saying(|| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nX-Next-Page: 2\r\nX-Name: caf".to_vec();
        bytes.extend_from_slice(b"\xe9\r\nX-Twice: a\r\nX-Twice: b\r\nContent-Length: 0\r\n\r\n");
        crate::server::Reply::Raw(bytes)
    })
    .await;
    let answer = client().send(&Request::get(server.url.clone())).await.unwrap();
    assert_eq!(answer.header("x-next-page"), Some("2"));
    assert_eq!(answer.header("X-NEXT-PAGE"), Some("2"));
    assert_eq!(answer.header("x-name"), Some("café"), "Latin-1, as Python reads it");
    assert_eq!(answer.headers.iter().filter(|(name, _)| name == "x-twice").count(), 2);
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let open = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (opened, highest) = (open.clone(), most.clone());
    let server = Server::start(move |_, _| {
        highest.fetch_max(opened.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n".to_vec();
        crate::server::Reply::Drip(answer, std::time::Duration::from_micros(500))
    })
    .await;
    let mut options = options();
    options.max_concurrent_requests = 3;
    let client = Client::new(&options).unwrap();
    let all = (0..12).map(|_| {
        let (client, url, open) = (client.clone(), server.url.clone(), open.clone());
        async move {
            let answer = client.open(&Request::get(url)).await;
            open.fetch_sub(1, Ordering::SeqCst);
            answer.map(drop)
        }
    });
    assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn options_that_can_not_be_meant_are_refused() {
    let cases: [fn(&mut connectors::http::Options); 4] = [
        |options| options.idle_timeout = "0s".parse().unwrap(),
        |options| options.max_concurrent_requests = 0,
        |options| options.ca_file = Some("no/such/file.pem".into()),
        |options| options.proxy = Some(protocol::Secret::new("canary at nowhere")),
    ];
    for change in cases {
        let mut options = options();
        change(&mut options);
        let error = Client::new(&options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!shown(&error).contains("canary"), "{}", shown(&error));
    }
}
