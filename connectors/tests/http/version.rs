//! HTTP/2: many requests on one connection, streams that are reset, connections that are let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use connectors::http::{Client, Request};
use futures::future::join_all;
use protocol::ErrorKind;
use tokio::net::{TcpListener, TcpStream};

use crate::{options, shown};

/// What is done with the request of a number, from 0.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Answered,
    /// Half of the answer, then the stream is reset.
    Reset,
    /// The answer, and no more requests on this connection.
    Last,
    /// The connection ends without an answer.
    Gone,
}

/// Speaks HTTP/2 and nothing else.
struct Server {
    port: u16,
    pem: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(fate: impl Fn(usize) -> Fate + Send + Sync + 'static) -> Self {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let der = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], der)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<AtomicUsize>::default();
        let (count, fate, asked) = (connections.clone(), Arc::new(fate), Arc::<AtomicUsize>::default());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(acceptor.clone(), stream, fate.clone(), asked.clone()));
            }
        });
        Self { port, pem: key.cert.pem(), connections }
    }

    fn client(&self, http2: bool) -> (tempfile::TempDir, Client) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, &self.pem).unwrap();
        let mut options = options();
        options.ca_file = Some(file);
        options.http2 = http2;
        (folder, Client::new(&options).unwrap())
    }

    fn request(&self, path: usize) -> Request {
        Request::get(format!("https://localhost:{}/{path}", self.port).parse().unwrap())
    }
}

async fn serve(
    acceptor: tokio_rustls::TlsAcceptor,
    stream: TcpStream,
    fate: Arc<impl Fn(usize) -> Fate + Send + Sync + 'static>,
    asked: Arc<AtomicUsize>,
) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let fate = fate(asked.fetch_add(1, Ordering::SeqCst));
        if fate == Fate::Gone {
            return;
        }
        if fate == Fate::Last {
            connection.graceful_shutdown();
        }
        let path = request.uri().path().to_owned();
        tokio::spawn(async move {
            let mut body = respond.send_response(http::Response::new(()), false).unwrap();
            let half = Bytes::from(path.clone());
            body.send_data(half.clone(), false).unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            match fate {
                Fate::Reset => body.send_reset(h2::Reason::INTERNAL_ERROR),
                _ => body.send_data(half, true).unwrap(),
            }
        });
    }
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let server = Server::start(|_| Fate::Answered).await;
    let (_folder, client) = server.client(true);
    // Whether the server speaks HTTP/2 is known after the first.
    client.send(&server.request(0)).await.unwrap();
    let requests: Vec<Request> = (0..40).map(|number| server.request(number)).collect();
    let answers = join_all(requests.iter().map(|request| client.send(request))).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap().body, format!("/{number}/{number}"));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stream_that_is_reset_hurts_no_other() {
    let server = Server::start(|number| if number == 3 { Fate::Reset } else { Fate::Answered }).await;
    let (_folder, client) = server.client(true);
    client.send(&server.request(0)).await.unwrap();
    let requests: Vec<Request> = (0..8).map(|number| server.request(number)).collect();
    let answers = join_all(requests.iter().map(|request| client.send(request))).await;
    let lost: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    let [error] = &lost[..] else { panic!("{} are lost", lost.len()) };
    assert_eq!(error.kind(), ErrorKind::Transient, "{}", shown(error));
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_is_let_go_is_replaced() {
    let server = Server::start(|number| if number % 2 == 0 { Fate::Last } else { Fate::Answered }).await;
    let (_folder, client) = server.client(true);
    for number in 0..6 {
        let answer = client.send(&server.request(number)).await.unwrap();
        assert_eq!(answer.body, format!("/{number}/{number}"));
    }
    assert!(server.connections.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn a_connection_that_ends_without_an_answer_may_be_tried_again() {
    let server = Server::start(|number| if number == 1 { Fate::Gone } else { Fate::Answered }).await;
    let (_folder, client) = server.client(true);
    client.send(&server.request(0)).await.unwrap();
    let error = client.send(&server.request(1)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Transient, "{}", shown(&error));
    assert_eq!(client.send(&server.request(2)).await.unwrap().body, "/2/2");
}

#[tokio::test]
async fn http2_can_be_switched_off() {
    let server = Server::start(|_| Fate::Answered).await;
    let (_folder, client) = server.client(false);
    assert!(client.send(&server.request(0)).await.is_err(), "the server speaks nothing else");
}
