//! How a statement is sent, again and again, waited for and aborted.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::ErrorKind;
use serde_json::json;

use super::super::{Binding, QueryTag, Statement};
use super::server::{ABORT, LOGIN, QUERY, RENEW, Say, Server};

#[tokio::test]
async fn a_statement_goes_out_as_snowflake_wants_it() {
    let server = Server::start(|_, _| None).await;
    let statement = Statement::new("SELECT ?, ?, ?, ?")
        .bind_text("x")
        .bind(Binding::Number(-7))
        .bind(Binding::Boolean(true))
        .bind(Binding::Text(None))
        .tagged(QueryTag::new("shop").with("stream", "orders"))
        .at_most(Duration::from_secs(90));
    let answer = server.session().run(&statement).await.unwrap();
    assert_eq!(answer.query_id, "q-1");
    assert_eq!(answer.get(0, "v"), Some("SELECT ?, ?, ?, ?"));
    let [seen] = &server.of(QUERY)[..] else { panic!("{:?}", server.seen()) };
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.token(), "Snowflake Token=\"session-1\"");
    assert_eq!(seen.headers["accept"], "application/snowflake");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert!(seen.headers["user-agent"].starts_with("tidegate/"));
    assert_eq!(seen.query["requestId"], statement.request_id.to_string());
    let names: Vec<&str> = seen.query.keys().map(String::as_str).collect();
    assert_eq!(names, ["clientStartTime", "requestId", "request_guid"]);
    assert_eq!(
        seen.body,
        json!({
            "sqlText": "SELECT ?, ?, ?, ?",
            "asyncExec": false,
            "sequenceId": 1,
            "isInternal": false,
            "parameters": {
                "MULTI_STATEMENT_COUNT": 1,
                "QUERY_TAG": r#"{"app":"tidegate","connection":"shop","stream":"orders"}"#,
                "STATEMENT_TIMEOUT_IN_SECONDS": 90,
            },
            "bindings": {
                "1": { "type": "TEXT", "value": "x" },
                "2": { "type": "FIXED", "value": "-7" },
                "3": { "type": "BOOLEAN", "value": "true" },
                "4": { "type": "TEXT", "value": null },
            },
            "queryContextDTO": { "entries": [] },
        })
    );
}

#[tokio::test]
async fn what_fails_on_its_way_is_sent_again_under_the_same_id() {
    let server = Server::start(|seen, before| {
        (seen.path == QUERY).then_some(())?;
        [
            Some(Say::Status(503, &[])),
            Some(Say::HangUp),
            Some(Say::Status(429, &[("retry-after", "0")])),
            Some(Say::Cut),
        ]
        .into_iter()
        .nth(before)
        .flatten()
    })
    .await;
    server.session().run(&Statement::new("SELECT 1")).await.unwrap();
    let seen = server.of(QUERY);
    assert_eq!(seen.len(), 5);
    let one = |name: &str| seen.iter().map(|seen| seen.query.get(name).cloned()).collect::<BTreeSet<_>>();
    assert_eq!(one("requestId").len(), 1);
    assert_eq!(one("clientStartTime").len(), 1);
    assert_eq!(one("request_guid").len(), 5);
    let told: Vec<_> =
        seen.iter().map(|seen| (seen.query.get("retryCount"), seen.query.get("retryReason"))).collect();
    let told: Vec<_> = told.iter().map(|(n, why)| (n.map(String::as_str), why.map(String::as_str))).collect();
    let again = |count, reason| (Some(count), Some(reason));
    assert_eq!(told, [(None, None), again("1", "503"), again("2", "0"), again("3", "429"), again("4", "0")]);
    assert!(seen.iter().all(|one| one.body == seen[0].body));
}

#[tokio::test]
async fn seven_tries_are_enough() {
    let server = Server::start(|seen, _| (seen.path == QUERY).then_some(Say::Status(502, &[]))).await;
    let error = server.session().run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(error.message(), "can't run SELECT: the server answers HTTP 502");
    assert_eq!(server.of(QUERY).len(), 7);
}

#[tokio::test]
async fn a_server_that_wants_a_long_rest_gets_it_from_the_next_attempt() {
    let server =
        Server::start(|seen, _| (seen.path == QUERY).then_some(Say::Status(503, &[("retry-after", "600")])))
            .await;
    let error = server.session().run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited { retry_after: Some(Duration::from_mins(10)) });
    assert_eq!(server.of(QUERY).len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_none_is_asked_for_once_more_only() {
    let server =
        Server::start(|seen, _| (seen.path == QUERY).then(|| Say::Bytes(b"<html>canary".to_vec()))).await;
    let error = server.session().run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(!format!("{error:#}").contains("canary"), "{error:#}");
    assert_eq!(server.of(QUERY).len(), 2);
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_names_the_statement() {
    let server = Server::start(|seen, _| {
        (seen.path == QUERY).then(|| Say::code("002003", "Table 'T' does not exist."))
    })
    .await;
    let error = server.session().run(&Statement::new("copy into t from @s")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "Snowflake can't run COPY INTO: Table 'T' does not exist (code \"002003\", query \"q-refused\")"
    );
    assert_eq!(server.of(QUERY).len(), 1);
    assert!(server.of(ABORT).is_empty());
}

#[tokio::test]
async fn a_statement_that_takes_long_is_asked_for_until_it_is_done() {
    for code in ["333333", "333334"] {
        let server = Server::start(move |seen, before| match (seen.path.as_str(), before) {
            (QUERY, _) => Some(Say::in_progress(code, "/queries/q-long/result?one=1")),
            ("/queries/q-long/result", 0) => Some(Say::in_progress(code, "/queries/q-long/result?two=2")),
            ("/queries/q-long/result", 1) => Some(Say::code("390112", "expired")),
            ("/queries/q-long/result", 2) => Some(Say::HangUp),
            ("/queries/q-long/result", _) => Some(Say::value("done")),
            _ => None,
        })
        .await;
        let session = server.session();
        let answer = session.run(&Statement::new("COPY INTO t")).await.unwrap();
        assert_eq!(answer.get(0, "V"), Some("done"));
        let asked = server.of("/queries/q-long/result");
        assert_eq!(asked.len(), 4);
        assert!(asked.iter().all(|seen| seen.method == "GET"));
        assert!(asked[0].query.contains_key("one") && asked[3].query.contains_key("two"));
        assert_eq!(asked[3].token(), "Snowflake Token=\"session-2\"");
        assert_eq!((server.of(QUERY).len(), server.of(RENEW).len()), (1, 1));
        assert_eq!(session.spent().statements, 1);
    }
}

#[tokio::test]
async fn an_answer_is_looked_for_on_no_other_server() {
    let other = Server::start(|_, _| None).await;
    let elsewhere = format!("http://127.0.0.1:{}/queries/q/result", other.port);
    let server =
        Server::start(move |seen, _| (seen.path == QUERY).then(|| Say::in_progress("333333", &elsewhere)))
            .await;
    let error = server.session().run(&Statement::new("SELECT 1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_is_aborted_before_the_next() {
    let server = Server::start(|seen, before| match (seen.path.as_str(), before) {
        (QUERY, 0) => Some(Say::Silence),
        // It has not begun yet.
        (ABORT, 0) => Some(Say::code("000605", "not executing")),
        _ => None,
    })
    .await;
    let session = server.session();
    let statement = Statement::new("COPY INTO t");
    tokio::select! {
        _ = session.run(&statement) => panic!("nobody answers"),
        () = server.until(|seen| seen.iter().any(|seen| seen.path == QUERY)) => {}
    }
    session.run(&Statement::new("SELECT 2")).await.unwrap();
    let aborts = server.of(ABORT);
    assert_eq!(aborts.len(), 2);
    for abort in &aborts {
        assert_eq!(abort.body, json!({ "requestId": statement.request_id.to_string() }));
        assert_ne!(abort.query["requestId"], statement.request_id.to_string());
        assert_eq!(abort.token(), "Snowflake Token=\"session-1\"");
    }
    let order: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(order, [LOGIN, QUERY, ABORT, ABORT, QUERY]);
}

#[tokio::test]
async fn statements_of_one_session_follow_one_another_and_siblings_do_not_wait() {
    let server = Server::start(|seen, _| {
        (seen.sql() == "SLOW").then(|| {
            std::thread::sleep(Duration::from_millis(100));
            Say::value("slow")
        })
    })
    .await;
    let session = server.session();
    let (slow, fast) = (Statement::new("SLOW"), Statement::new("FAST"));
    let (one, two) = tokio::join!(session.run(&slow), session.run(&fast));
    one.unwrap();
    two.unwrap();
    assert_eq!(server.statements(), ["SLOW", "FAST"]);
    assert_eq!(server.of(LOGIN).len(), 1);

    let held = session.transaction().await.unwrap();
    session.sibling().run(&Statement::new("ASIDE")).await.unwrap();
    drop(held);
    assert_eq!(server.of(LOGIN).len(), 2);
    assert_eq!(session.spent().statements, 4, "a sibling's statements count");
}
