//! TLS and proxies.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;

use connectors::http::{Client, Options, Request};
use protocol::{ErrorKind, Secret};

use crate::server::{Server, reply};
use crate::{client, options, shown};

/// A server with a certificate for `localhost` of an authority of its own; returns its port and the certificate.
fn secure_server(redirect_to: Option<String>) -> (u16, String) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = key.cert.pem();
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], der)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok() {
                let answer = match &redirect_to {
                    Some(to) => format!("HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"),
                    None => "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.flush();
            }
        }
    });
    (port, pem)
}

fn trusting(pem: &str) -> (tempfile::TempDir, Client) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let mut options = options();
    options.ca_file = Some(file);
    (folder, Client::new(&options).unwrap())
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused_once_and_an_own_authority_trusted() {
    let (port, pem) = secure_server(None);
    let request = Request::get(format!("https://localhost:{port}/").parse().unwrap());
    let error = client().send(&request).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", shown(&error));
    assert!(shown(&error).contains("`ca_file`"), "{}", shown(&error));
    let (_folder, client) = trusting(&pem);
    assert_eq!(client.send(&request).await.unwrap().body, "secret");
    let wrong_name = Request::get(format!("https://127.0.0.1:{port}/").parse().unwrap());
    assert_eq!(client.send(&wrong_name).await.err().unwrap().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused() {
    let plain = Server::saying(|| reply(200, &[], "")).await;
    let (port, pem) = secure_server(Some(plain.url.to_string()));
    let (_folder, client) = trusting(&pem);
    let mut request = Request::get(format!("https://localhost:{port}/").parse().unwrap());
    request.set_header("Authorization", "Bearer canary");
    let error = client.send(&request).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(plain.asked().is_empty(), "{}", shown(&error));
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_no_server() {
    let plain = Server::saying(|| reply(200, &[], "")).await;
    let url = plain.url.as_str().replace("http://", "https://");
    let error = client().send(&Request::get(url.parse().unwrap())).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Transient, "{}", shown(&error));
}

#[tokio::test]
async fn nobody_at_the_port_and_no_such_host_may_change() {
    for url in ["http://127.0.0.1:1/?token=canary", "http://no-such-host.invalid/?token=canary"] {
        let error = client().send(&Request::get(url.parse().unwrap())).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(!shown(&error).contains("canary"), "{}", shown(&error));
    }
}

#[tokio::test]
async fn everything_goes_through_a_proxy_that_is_named() {
    let proxy = Server::saying(|| reply(200, &[], "through")).await;
    let mut options = options();
    options.proxy = Some(Secret::new(proxy.url.as_str().replace("http://", "http://me:canary@")));
    let client = Client::new(&options).unwrap();
    let answer = client.send(&Request::get("http://api.test/items?a=1".parse().unwrap())).await.unwrap();
    assert_eq!((answer.body.as_ref(), answer.url.as_str()), (&b"through"[..], "http://api.test/items?a=1"));
    assert_eq!(proxy.asked()[0].target, "http://api.test/items?a=1");
    assert_eq!(proxy.asked()[0].header("proxy-authorization"), Some("Basic bWU6Y2FuYXJ5"));
    // A tunnel that is refused.
    let error = client.send(&Request::get("https://api.test/".parse().unwrap())).await.err().unwrap();
    assert_eq!(proxy.asked()[1].method, "CONNECT");
    assert!(!shown(&error).contains("canary"), "{}", shown(&error));
}

/// What [`the_environment_names_proxies`] runs with an environment of its own.
#[tokio::test]
#[ignore = "it is run by another test"]
async fn through_what_the_environment_names() {
    let direct = Server::saying(|| reply(200, &[], "direct")).await;
    let client = Client::new(&options()).unwrap();
    let through = client.send(&Request::get("http://api.test/".parse().unwrap())).await.unwrap();
    assert_eq!(through.body, "through");
    let answer = client.send(&Request::get(direct.url.clone())).await.unwrap();
    assert_eq!(answer.body, "direct", "NO_PROXY names it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_proxies() {
    let proxy = Server::saying(|| reply(200, &[], "through")).await;
    let test = std::env::current_exe().unwrap();
    let mut command = Command::new(test);
    command.args(["--exact", "transport::through_what_the_environment_names", "--ignored"]);
    command.env("HTTP_PROXY", proxy.url.as_str()).env("http_proxy", proxy.url.as_str());
    command.env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(proxy.asked().len(), 1);
}

/// What [`the_environment_names_certificates`] runs with an environment of its own.
#[tokio::test]
#[ignore = "it is run by another test"]
async fn with_the_certificates_of_the_environment() {
    let url: url::Url = std::env::var("TEST_URL").unwrap().parse().unwrap();
    let client = Client::new(&Options::of_environment()).unwrap();
    assert_eq!(client.send(&Request::get(url)).await.unwrap().body, "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_certificates() {
    let (port, pem) = secure_server(None);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &pem).unwrap();
    for (name, works) in [("REQUESTS_CA_BUNDLE", true), ("SSL_CERT_FILE", true), ("OTHER_CA", false)] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "transport::with_the_certificates_of_the_environment", "--ignored"]);
        for known in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env_remove(known);
        }
        command.env("TEST_URL", format!("https://localhost:{port}/")).env(name, &file);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert_eq!(output.status.success(), works, "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
