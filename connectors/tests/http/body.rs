//! Bodies: too short, too long, too large, too slow, wrongly compressed.

use std::io::Write;
use std::time::Duration;

use connectors::http::{Client, Request};
use protocol::{ByteSize, ErrorKind, Period};

use crate::server::{Reply, Server, reply};
use crate::{client, options, shown};

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// What sending comes to: the body, or what kind of failure.
async fn sent(bytes: &'static [u8]) -> Result<Vec<u8>, ErrorKind> {
    let server = Server::saying(|| Reply::Raw(bytes.to_vec())).await;
    let answer = client().send(&Request::get(server.url.clone())).await;
    answer.map(|answer| answer.body.to_vec()).map_err(|error| error.kind())
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
    ] {
        assert_eq!(sent(bytes).await, Err(ErrorKind::Transient), "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn what_follows_the_announced_length_is_not_read() {
    assert_eq!(sent(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n1234567890").await.unwrap(), b"12345");
}

#[tokio::test]
async fn bodies_without_a_length_end_with_their_connection() {
    assert_eq!(sent(b"HTTP/1.0 200 OK\r\n\r\n12345").await.unwrap(), b"12345");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n3\r\n345\r\n0\r\n\r\n";
    assert_eq!(sent(chunked).await.unwrap(), b"12345");
}

#[tokio::test]
async fn answers_without_a_body_are_empty() {
    assert_eq!(sent(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap(), b"");
    assert_eq!(sent(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n").await.unwrap(), b"");
    assert_eq!(
        sent(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n").await.unwrap(),
        b""
    );
}

#[tokio::test]
async fn compressed_bodies_are_read_whatever_their_encoding() {
    let page = br#"{"items":[1,2,3]}"#.repeat(1000);
    for (encoding, body) in [("gzip", gzip(&page)), ("zstd", zstd::encode_all(&page[..], 1).unwrap())] {
        let server =
            Server::saying(move || reply(200, &[&format!("Content-Encoding: {encoding}")], &body)).await;
        let answer = client().send(&Request::get(server.url.clone())).await.unwrap();
        assert!(answer.body == page, "{encoding}");
        assert_eq!(server.asked()[0].header("accept-encoding"), Some("gzip, deflate, br, zstd"));
    }
}

#[tokio::test]
async fn gzip_that_is_cut_off_or_no_gzip_is_no_answer() {
    let whole = gzip(&b"0123456789".repeat(1000));
    for body in [whole[..whole.len() - 9].to_vec(), whole[..whole.len() / 2].to_vec(), b"{}".to_vec()] {
        let server = Server::saying(move || reply(200, &["Content-Encoding: gzip"], &body)).await;
        let error = client().send(&Request::get(server.url.clone())).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Transient, "{}", shown(&error));
    }
}

#[tokio::test]
async fn a_bomb_is_given_up_at_the_limit() {
    let bomb = gzip(&vec![0; 64 << 20]);
    let server = Server::saying(move || reply(200, &["Content-Encoding: gzip"], &bomb)).await;
    let error = client().send(&Request::get(server.url.clone())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("larger than 8MiB"), "{}", shown(&error));

    let bomb = zstd::encode_all(std::io::repeat(0).take(320 << 20), 1).unwrap();
    let server = Server::saying(move || reply(200, &["Content-Encoding: zstd"], &bomb)).await;
    let mut incoming = client().open(&Request::get(server.url.clone())).await.unwrap();
    let error = loop {
        match incoming.next().await {
            Ok(Some(piece)) => assert!(piece.len() <= 64 << 10),
            Ok(None) => panic!("the bomb went off"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("times larger"), "{}", shown(&error));
}

#[tokio::test]
async fn a_page_that_is_too_large_is_refused_before_it_is_read() {
    let server =
        Server::saying(|| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n".to_vec()))
            .await;
    let error = client().send(&Request::get(server.url.clone())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(shown(&error).contains("`max_body`"), "{}", shown(&error));
    // The same without announcing it.
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let server = Server::saying(move || Reply::Endless(head.clone(), vec![b' '; 1 << 20], 1000)).await;
    let error = client().send(&Request::get(server.url.clone())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data);
}

#[tokio::test]
async fn a_download_is_read_piece_by_piece_beyond_the_limit_of_pages() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20).into_bytes();
    let server = Server::saying(move || Reply::Endless(head.clone(), vec![b' '; 1 << 20], 64)).await;
    let mut incoming = client().open(&Request::get(server.url.clone())).await.unwrap();
    let (mut bytes, mut largest) = (0, 0);
    while let Some(piece) = incoming.next().await.unwrap() {
        (bytes, largest) = (bytes + piece.len(), largest.max(piece.len()));
    }
    assert_eq!(bytes, 64 << 20);
    assert!(largest <= 1 << 20, "{largest}");
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345".to_vec();
    let mut options = options();
    options.idle_timeout = Period::from(Duration::from_millis(200));
    options.connect_timeout = Period::from(Duration::from_millis(300));
    let client = Client::new(&options).unwrap();
    for silent in
        [Server::saying(|| Reply::Hang).await, Server::saying(move || Reply::Kept(half.clone())).await]
    {
        let error = client.send(&Request::get(silent.url.clone())).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(error.to_string().contains("silent for 200ms"), "{}", shown(&error));
    }
}

#[tokio::test]
async fn a_server_that_drips_is_given_up_though_it_is_never_silent() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec();
    answer.extend_from_slice(&[b' '; 100_000]);
    let slow = Duration::from_millis(15);
    let mut options = options();
    options.idle_timeout = Period::from(Duration::from_millis(1200));
    let client = Client::new(&options).unwrap();
    let server = Server::saying(move || Reply::Drip(answer.clone(), slow)).await;
    let error = client.send(&Request::get(server.url.clone())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Transient);
    let text = shown(&error);
    assert!(text.contains("less than 16KiB in 1200ms"), "{text}");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_as_a_whole_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let server = Server::saying(move || Reply::Endless(head.clone(), vec![b' '; 1 << 10], usize::MAX)).await;
    let mut options = options();
    options.total_timeout = Period::from(Duration::from_millis(300));
    options.max_body = ByteSize::mib(1 << 20);
    let error = Client::new(&options).unwrap().send(&Request::get(server.url.clone())).await.err().unwrap();
    assert!(error.to_string().contains("not complete after 300ms"), "{}", shown(&error));
}

#[tokio::test]
async fn headers_of_three_megabytes_are_refused_once() {
    let server = Server::saying(|| {
        let head = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(3 << 20));
        Reply::Raw(head.into_bytes())
    })
    .await;
    let error = client().send(&Request::get(server.url.clone())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data, "{}", shown(&error));
    assert!(error.to_string().contains("headers of the answer are too large"), "{}", shown(&error));
}

use std::io::Read as _;
