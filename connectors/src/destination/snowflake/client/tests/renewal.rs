//! Tokens that expire, sessions that are gone, and what keeps them alive.

use std::time::Duration;

use protocol::ErrorKind;
use serde_json::json;

use super::super::Statement;
use super::server::{HEARTBEAT, LOGIN, LOGOUT, QUERY, RENEW, Say, Server};

#[tokio::test]
async fn an_expired_token_is_renewed_and_the_statement_sent_again() {
    let server = Server::start(|seen, before| {
        (seen.path == QUERY && before == 0).then(|| Say::code("390112", "Your session has expired."))
    })
    .await;
    let session = server.session();
    session.run(&Statement::new("SELECT 1")).await.unwrap();
    let [renewal] = &server.of(RENEW)[..] else { panic!("{:?}", server.seen()) };
    assert_eq!(renewal.token(), "Snowflake Token=\"master-1\"");
    assert_eq!(renewal.body, json!({ "oldSessionToken": "session-1", "requestType": "RENEW" }));
    let sent = server.of(QUERY);
    assert_eq!(sent[0].query["requestId"], sent[1].query["requestId"]);
    assert_eq!(sent[1].token(), "Snowflake Token=\"session-2\"");
    assert_eq!(server.of(LOGIN).len(), 1);
}

#[tokio::test]
async fn all_that_find_a_token_expired_renew_it_once() {
    let server = Server::start(|_, _| None).await;
    let session = server.session();
    let expired = session.0.login(None).await.unwrap().unwrap();
    let all = (0..8).map(|_| session.0.renew(&expired));
    for renewed in futures::future::join_all(all).await {
        renewed.unwrap();
    }
    assert_eq!(server.of(RENEW).len(), 1);
    assert_ne!(session.0.login(None).await.unwrap().unwrap().session, expired.session);
}

#[tokio::test]
async fn a_token_that_no_renewal_helps_ends_in_an_error() {
    let server = Server::start(|seen, _| (seen.path == QUERY).then(|| Say::code("390112", "expired"))).await;
    let error = server.session().run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert_eq!(server.of(RENEW).len(), 3);
}

#[tokio::test]
async fn a_session_that_is_gone_is_followed_by_another() {
    for code in ["390114", "390111", "390104", "390113"] {
        let server = Server::start(move |seen, before| {
            (seen.path == QUERY && before == 0).then(|| Say::code(code, "gone"))
        })
        .await;
        server.session().run(&Statement::new("SELECT 1")).await.unwrap();
        let sent = server.of(QUERY);
        assert_eq!((sent.len(), server.of(LOGIN).len()), (2, 2), "{code}");
        assert_eq!(sent[0].query["requestId"], sent[1].query["requestId"]);
        assert_eq!(sent[1].token(), "Snowflake Token=\"session-2\"");
    }
}

#[tokio::test]
async fn so_is_one_whose_renewal_is_refused() {
    let server = Server::start(|seen, before| match (seen.path.as_str(), before) {
        (QUERY, 0) => Some(Say::code("390112", "expired")),
        (RENEW, _) => Some(Say::code("390114", "master token expired")),
        _ => None,
    })
    .await;
    server.session().run(&Statement::new("SELECT 1")).await.unwrap();
    assert_eq!((server.of(LOGIN).len(), server.of(QUERY).len()), (2, 2));
}

#[tokio::test]
async fn a_statement_that_may_have_been_done_is_not_done_in_another_session() {
    let server = Server::start(|seen, before| match (seen.path.as_str(), before) {
        (QUERY, 0) => Some(Say::HangUp),
        (QUERY, 1) => Some(Say::code("390111", "gone")),
        _ => None,
    })
    .await;
    let session = server.session();
    let error = session.run(&Statement::new("INSERT INTO t VALUES (1)")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(
        error.message(),
        "Snowflake ended the session during INSERT INTO: whether it was done is not known"
    );
    assert_eq!((server.of(LOGIN).len(), server.of(QUERY).len()), (1, 2));
    session.run(&Statement::new("SELECT 1")).await.unwrap();
    assert_eq!(server.of(LOGIN).len(), 2);
}

#[tokio::test]
async fn a_session_in_use_elsewhere_shows_that_it_lives() {
    let server = Server::start(|seen, before| match (seen.path.as_str(), before) {
        (LOGIN, _) => Some(Say::data(
            json!({ "token": "session-1", "masterToken": "master-1", "masterValidityInSeconds": 0 }),
        )),
        (HEARTBEAT, 1) => Some(Say::code("390112", "expired")),
        _ => None,
    })
    .await;
    let session = server.session();
    session.run(&Statement::new("SELECT 1")).await.unwrap();
    server
        .until(|seen| {
            let renewed = seen.iter().position(|seen| seen.path == RENEW);
            renewed.is_some_and(|at| seen[at..].iter().any(|seen| seen.path == HEARTBEAT))
        })
        .await;
    drop(session);
    server.until(|seen| seen.iter().any(|seen| seen.path == LOGOUT)).await;
    let beats = server.of(HEARTBEAT).len();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(server.of(HEARTBEAT).len(), beats, "no sign of life after its end");
}

#[tokio::test]
async fn closing_logs_out_once_and_the_next_statement_logs_in() {
    let server = Server::start(|_, _| None).await;
    let session = server.session();
    session.close().await;
    assert!(server.seen().is_empty(), "nothing was open");
    session.run(&Statement::new("SELECT 1")).await.unwrap();
    session.close().await;
    session.close().await;
    let [logout] = &server.of(LOGOUT)[..] else { panic!("{:?}", server.seen()) };
    assert_eq!(logout.query["delete"], "true");
    assert_eq!(logout.token(), "Snowflake Token=\"session-1\"");
    session.run(&Statement::new("SELECT 2")).await.unwrap();
    assert_eq!(server.of(LOGIN).len(), 2);
}
