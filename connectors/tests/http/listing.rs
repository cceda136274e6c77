//! Listings: how they go on, and how those end that would not.

use connectors::http::{Answer, Pages, Paging, Polite, Request};
use protocol::{Error, Result};

use crate::server::{Asked, Reply, Server, reply};
use crate::{client, shown};

/// The bodies of all pages; each record is a letter.
async fn read(server: &Server, paging: Paging) -> Result<String> {
    let (client, manners) = (client(), Polite::default());
    let first = Request::get(server.at("items?limit=2&page=1"));
    let mut pages = Pages::new(&client, &manners, first, paging);
    let mut all = String::new();
    let letters = |answer: &Answer| -> Result<String> {
        let body: serde_json::Value =
            serde_json::from_slice(&answer.body).map_err(|_| Error::data("no JSON"))?;
        Ok(body["items"].as_str().unwrap_or_default().to_owned())
    };
    while let Some(page) = pages.next(letters, String::len).await? {
        all.push_str(&page);
    }
    Ok(all)
}

fn page(items: &str, rest: &str) -> String {
    format!(r#"{{"items":"{items}"{rest}}}"#)
}

fn number(asked: &Asked, param: &str) -> usize {
    asked.param(param).and_then(|number| number.parse().ok()).unwrap_or(0)
}

async fn serving(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |_, asked| answer(asked)).await
}

#[tokio::test]
async fn every_way_to_go_on_reads_every_record_once() {
    let link = serving(|asked| match number(asked, "page") {
        2 => reply(200, &["Link: </items?page=1>; rel=\"prev\""], page("c", "")),
        _ => reply(200, &["Link: <?page=2>; rel=next, </x>; rel=\"last\""], page("ab", "")),
    })
    .await;
    assert_eq!(read(&link, Paging::Link).await.unwrap(), "abc");

    let next = serving(|asked| match number(asked, "page") {
        2 => reply(200, &[], page("c", r#","meta":{"next":null}"#)),
        _ => reply(200, &[], page("ab", r#","meta":{"next":"/items?page=2"}"#)),
    })
    .await;
    assert_eq!(read(&next, Paging::NextUrl { path: &["meta", "next"] }).await.unwrap(), "abc");

    let cursor = serving(|asked| match number(asked, "after") {
        17 => reply(200, &[], page("c", r#","after":"""#)),
        _ => reply(200, &[], page("ab", r#","after":17"#)),
    })
    .await;
    assert_eq!(read(&cursor, Paging::Cursor { path: &["after"], param: "after" }).await.unwrap(), "abc");

    let numbered = serving(|asked| {
        let items = ["", "ab", "cd", ""][number(asked, "page")];
        assert_eq!(asked.param("limit").as_deref(), Some("2"));
        reply(200, &[], page(items, ""))
    })
    .await;
    let paging = Paging::Page { param: "page", first: 1, size: 2 };
    assert_eq!(read(&numbered, paging).await.unwrap(), "abcd");

    let offset = serving(|asked| {
        let at = number(asked, "offset").min(5);
        reply(200, &[], page(&"abcde"[at..(at + 2).min(5)], ""))
    })
    .await;
    assert_eq!(read(&offset, Paging::Offset { param: "offset", size: 2 }).await.unwrap(), "abcde");

    let single = serving(|_| reply(200, &["Link: </items?page=2>; rel=next"], page("ab", ""))).await;
    assert_eq!(read(&single, Paging::Single).await.unwrap(), "ab");
}

#[tokio::test]
async fn an_empty_page_in_the_middle_does_not_end_a_listing_that_goes_on() {
    let server = serving(|asked| match number(asked, "page") {
        1 => reply(200, &["Link: <?page=2>; rel=next"], page("", "")),
        2 => reply(200, &["Link: <?page=3>; rel=next"], page("", "")),
        _ => reply(200, &[], page("z", "")),
    })
    .await;
    assert_eq!(read(&server, Paging::Link).await.unwrap(), "z");
}

#[tokio::test]
async fn offsets_beyond_a_total_that_shrinks_end_the_listing() {
    let server = Server::start(|number, asked| {
        // Records vanish while they are read.
        let all = if number == 0 { "abcdef" } else { "abc" };
        let at = self::number(asked, "offset").min(all.len());
        reply(200, &[], page(&all[at..(at + 2).min(all.len())], ""))
    })
    .await;
    assert_eq!(read(&server, Paging::Offset { param: "offset", size: 2 }).await.unwrap(), "abc");
}

#[tokio::test]
async fn the_same_token_twice_is_an_error() {
    let server = serving(|_| reply(200, &[], page("a", r#","after":"x""#))).await;
    let error = read(&server, Paging::Cursor { path: &["after"], param: "after" }).await.err().unwrap();
    assert!(error.to_string().contains("circle"), "{}", shown(&error));
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_ring_of_tokens_is_an_error() {
    let server = serving(|asked| {
        let next = (number(asked, "after") + 1) % 5;
        reply(200, &[], page("a", &format!(r#","after":"{next}""#)))
    })
    .await;
    let error = read(&server, Paging::Cursor { path: &["after"], param: "after" }).await.err().unwrap();
    assert!(error.to_string().contains("circle"), "{}", shown(&error));
    assert!(server.asked().len() < 10);
}

#[tokio::test]
async fn a_server_that_ignores_the_page_is_given_up() {
    let server = serving(|_| reply(200, &[], page("ab", ""))).await;
    let error = read(&server, Paging::Page { param: "page", first: 1, size: 2 }).await.err().unwrap();
    assert!(error.to_string().contains("same page"), "{}", shown(&error));
}

#[tokio::test]
async fn a_next_page_on_another_host_gets_no_credentials() {
    let other = serving(|_| reply(200, &[], page("z", ""))).await;
    let header = format!("Link: <{}items>; rel=next", other.url);
    let server = serving(move |_| reply(200, &[&header], page("ab", ""))).await;
    let error = read(&server, Paging::Link).await.err().unwrap();
    assert!(error.to_string().contains("another host"), "{}", shown(&error));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_page_that_is_html_is_no_last_page() {
    let server = serving(|_| reply(200, &["Content-Type: text/html"], "<html>sign in</html>")).await;
    assert!(read(&server, Paging::NextUrl { path: &["next"] }).await.is_err());
}
