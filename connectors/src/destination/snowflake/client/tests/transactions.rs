//! Transactions: alone in their session, ended by a known outcome or an unknown one, never by a guess.

use std::time::Duration;

use protocol::ErrorKind;

use super::super::{Outcome, Session, Statement, Transaction};
use super::server::{ABORT, LOGIN, LOGOUT, QUERY, Say, Seen, Server};

async fn begun(session: &Session) -> Transaction {
    let mut transaction = session.transaction().await.unwrap();
    transaction.run(&Statement::new("INSERT INTO t VALUES (1)")).await.unwrap();
    transaction
}

fn is(seen: &Seen, sql: &str) -> bool {
    seen.path == QUERY && seen.sql() == sql
}

/// How often that statement came before, is what the script wants to know.
fn on(
    sql: &'static str,
    says: impl Fn(usize) -> Option<Say> + Send + Sync + 'static,
) -> impl Fn(&Seen, usize) -> Option<Say> + Send + Sync + 'static {
    let count = std::sync::atomic::AtomicUsize::new(0);
    move |seen, _| {
        is(seen, sql).then(|| says(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed))).flatten()
    }
}

/// The engine moves work between threads.
#[test]
fn every_future_can_be_sent() {
    fn sent<T: Send>(_: impl Fn(&'static Session, &'static Statement) -> T) {}
    sent(Session::run);
    sent(|session, _| session.upload_target("PUT"));
    sent(|session, _| session.close());
    sent(|session, statement| async move {
        let mut transaction = session.transaction().await?;
        transaction.run(statement).await?;
        if statement.text().is_empty() {
            return transaction.rollback().await;
        }
        transaction.commit().await;
        protocol::Result::Ok(())
    });
}

#[tokio::test]
async fn a_transaction_has_the_session_for_itself() {
    let server = Server::start(|_, _| None).await;
    let session = server.session();
    let transaction = begun(&session).await;
    let other = tokio::spawn({
        let session = session.clone();
        async move { session.run(&Statement::new("OTHER")).await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(matches!(transaction.commit().await, Outcome::Committed));
    other.await.unwrap().unwrap();
    assert_eq!(server.statements(), ["BEGIN", "INSERT INTO t VALUES (1)", "COMMIT", "OTHER"]);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_repeated_under_its_id() {
    let server = Server::start(on("COMMIT", |before| (before < 2).then_some(Say::HangUp))).await;
    let session = server.session();
    assert!(matches!(begun(&session).await.commit().await, Outcome::Committed));
    let commits: Vec<Seen> = server.of(QUERY).into_iter().filter(|seen| is(seen, "COMMIT")).collect();
    assert_eq!(commits.len(), 3);
    assert!(commits.iter().all(|commit| commit.query["requestId"] == commits[0].query["requestId"]));
}

#[tokio::test]
async fn a_commit_that_is_never_answered_is_unknown_and_its_session_over() {
    let server = Server::start(on("COMMIT", |_| Some(Say::HangUp))).await;
    let session = server.session();
    let Outcome::Unknown(error) = begun(&session).await.commit().await else { panic!("it is not known") };
    assert_eq!(error.kind(), ErrorKind::Transient);
    session.run(&Statement::new("SELECT state")).await.unwrap();
    let order: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(&order[order.len() - 3..], [LOGOUT, LOGIN, QUERY]);
    assert!(server.of(ABORT).is_empty(), "a commit is not aborted");
    assert!(!server.statements().contains(&"ROLLBACK".to_owned()));
}

#[tokio::test]
async fn a_commit_that_meets_a_lost_session_is_unknown() {
    let server = Server::start(on("COMMIT", |before| {
        Some(if before == 0 { Say::HangUp } else { Say::code("390111", "gone") })
    }))
    .await;
    let session = server.session();
    assert!(matches!(begun(&session).await.commit().await, Outcome::Unknown(_)));
    assert_eq!(server.of(LOGIN).len(), 1, "it is not sent in another session");
}

#[tokio::test]
async fn an_error_of_the_server_itself_leaves_a_commit_unknown() {
    let server = Server::start(on("COMMIT", |_| Some(Say::code("300002", "internal error")))).await;
    assert!(matches!(begun(&server.session()).await.commit().await, Outcome::Unknown(_)));
}

#[tokio::test]
async fn a_commit_that_is_refused_has_rolled_back() {
    let server = Server::start(on("COMMIT", |_| Some(Say::code("002003", "no")))).await;
    let session = server.session();
    let Outcome::RolledBack(error) = begun(&session).await.commit().await else { panic!("it was refused") };
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(server.of(LOGOUT).len(), 1);
}

#[tokio::test]
async fn a_refused_commit_that_may_have_been_done_before_is_unknown() {
    let server = Server::start(on("COMMIT", |before| {
        Some(if before == 0 { Say::Status(504, &[]) } else { Say::code("002003", "no") })
    }))
    .await;
    assert!(matches!(begun(&server.session()).await.commit().await, Outcome::Unknown(_)));
}

#[tokio::test]
async fn a_session_that_ends_takes_its_transaction_with_it() {
    let server = Server::start(on("MERGE", |_| Some(Say::code("390114", "master token expired")))).await;
    let session = server.session();
    let mut transaction = begun(&session).await;
    for _ in 0..2 {
        let error = transaction.run(&Statement::new("MERGE")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert_eq!(
            error.message(),
            "Snowflake ended the session before MERGE: its transaction is rolled back"
        );
    }
    assert_eq!(server.of(LOGIN).len(), 1, "nothing of it is done in another session");
    let Outcome::RolledBack(error) = transaction.commit().await else { panic!("it is rolled back") };
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert_eq!(server.statements(), ["BEGIN", "INSERT INTO t VALUES (1)", "MERGE"]);
    assert!(matches!(begun(&session).await.commit().await, Outcome::Committed));
    assert_eq!(server.of(LOGIN).len(), 2);
}

#[tokio::test]
async fn one_that_is_dropped_is_rolled_back_before_anything_else() {
    let server = Server::start(|_, _| None).await;
    let session = server.session();
    drop(begun(&session).await);
    session.run(&Statement::new("NEXT")).await.unwrap();
    assert_eq!(server.statements(), ["BEGIN", "INSERT INTO t VALUES (1)", "ROLLBACK", "NEXT"]);
}

#[tokio::test]
async fn one_that_is_dropped_in_a_statement_is_aborted_and_then_rolled_back() {
    let server = Server::start(on("COPY", |_| Some(Say::Silence))).await;
    let session = server.session();
    let (mut transaction, copy) = (begun(&session).await, Statement::new("COPY"));
    tokio::select! {
        _ = transaction.run(&copy) => panic!("nobody answers"),
        () = server.until(|seen| seen.iter().any(|seen| is(seen, "COPY"))) => {}
    }
    drop(transaction);
    session.run(&Statement::new("NEXT")).await.unwrap();
    let order: Vec<String> = server
        .seen()
        .iter()
        .map(|seen| if seen.path == QUERY { seen.sql().to_owned() } else { seen.path.clone() })
        .collect();
    assert_eq!(&order[order.len() - 4..], ["COPY", ABORT, "ROLLBACK", "NEXT"]);
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_ends_the_session_before_anything_else() {
    let server = Server::start(on("COMMIT", |_| Some(Say::Silence))).await;
    let session = server.session();
    let transaction = begun(&session).await;
    tokio::select! {
        _ = transaction.commit() => panic!("nobody answers"),
        () = server.until(|seen| seen.iter().any(|seen| is(seen, "COMMIT"))) => {}
    }
    session.run(&Statement::new("NEXT")).await.unwrap();
    let order: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(&order[order.len() - 3..], [LOGOUT, LOGIN, QUERY]);
    assert!(server.of(ABORT).is_empty());
}

#[tokio::test]
async fn a_rollback_that_fails_ends_the_session() {
    let server = Server::start(on("ROLLBACK", |_| Some(Say::code("300002", "internal error")))).await;
    let session = server.session();
    begun(&session).await.rollback().await.unwrap();
    assert_eq!(server.of(LOGOUT).len(), 1);
    session.run(&Statement::new("NEXT")).await.unwrap();
    assert_eq!(server.of(LOGIN).len(), 2);
}

#[tokio::test]
async fn one_that_could_not_begin_leaves_nothing_to_roll_back() {
    let server =
        Server::start(|seen, _| (seen.path == LOGIN).then(|| Say::code("390100", "Incorrect username")))
            .await;
    let session = server.session();
    assert!(session.transaction().await.is_err());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.of(LOGIN).len(), 1, "a wrong password is not tried twice");
}
