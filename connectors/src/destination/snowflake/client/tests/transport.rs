//! The way to the server: encryption, proxies, time-outs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::{ErrorKind, Period, Secret};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::account::{Account, Protocol};
use super::super::{QueryTag, Session, Statement};
use super::server::{LOGIN, QUERY, Say, Server, pace};

fn session(account: &Account) -> Session {
    Session::paced(account, &QueryTag::new("shop"), pace()).unwrap()
}

/// An encrypted server that answers every request by a login, and the certificate of who signed its own.
fn encrypted(folder: &tempfile::TempDir) -> (u16, PathBuf) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, authority_certificate.pem()).unwrap();

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            let mut buffer = vec![0; 64 * 1024];
            // One read is one request: they are short.
            while matches!(stream.read(&mut buffer), Ok(1..)) {
                let body = r#"{"data":{"token":"t"},"success":true}"#;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (port, path)
}

#[tokio::test]
async fn a_certificate_must_be_signed_by_who_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (port, ca_file) = encrypted(&folder);
    let account = Account {
        host: Some("localhost".to_owned()),
        port: Some(port),
        user: Some("loader".to_owned()),
        password: Some(Secret::new("pw")),
        ..Account::default()
    };
    let error = session(&account).run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:#}");
    assert_eq!(error.message(), "can't log in: the server's certificate is not trusted");
    assert!(error.advice().unwrap().contains("`ca_file`"));

    let trusting = Account { ca_file: Some(ca_file), ..account.clone() };
    session(&trusting).run(&Statement::new("SELECT 1")).await.unwrap();

    // The certificate is for another name.
    let other = Account { host: Some("127.0.0.1".to_owned()), ..trusting };
    let error = session(&other).run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:#}");
}

#[tokio::test]
async fn a_proxy_is_asked_for_everything() {
    let proxy = Server::start(|_, _| None).await;
    let account = Account {
        host: Some("myorg-acc.snowflake.example".to_owned()),
        port: Some(8081),
        proxy: Some(Secret::new(format!("http://user:canary@127.0.0.1:{}", proxy.port))),
        ..proxy.account()
    };
    session(&account).run(&Statement::new("SELECT 1")).await.unwrap();
    for seen in proxy.of(LOGIN).iter().chain(&proxy.of(QUERY)) {
        assert!(seen.target.starts_with("http://myorg-acc.snowflake.example:8081/"), "{}", seen.target);
        assert!(seen.headers["proxy-authorization"].starts_with("Basic "));
    }
    assert_eq!(proxy.seen().len(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_not_reached_and_says_what_to_check() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let account = Account {
        host: Some("127.0.0.1".to_owned()),
        port: Some(port),
        protocol: Some(Protocol::Http),
        user: Some("loader".to_owned()),
        password: Some(Secret::new("pw")),
        ..Account::default()
    };
    let error = session(&account).run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(error.message(), "can't log in: the server can't be reached");
    assert!(error.advice().unwrap().contains("check `account` or `host`"));
    assert_eq!(error.context_value("server"), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_server_that_is_silent_is_asked_again() {
    let server =
        Server::start(|seen, before| (seen.path == QUERY && before == 0).then_some(Say::Silence)).await;
    let account =
        Account { request_timeout: Some(Period::from(Duration::from_millis(300))), ..server.account() };
    session(&account).run(&Statement::new("SELECT 1")).await.unwrap();
    let sent = server.of(QUERY);
    assert!(sent.len() > 1);
    assert_eq!(sent[0].query["requestId"], sent[1].query["requestId"]);
}
