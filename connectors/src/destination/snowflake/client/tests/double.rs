//! The session against the lab's stand-in for Snowflake, which checks logins, runs SQL and repeats the
//! answer of a request that it has seen.

use lab::Snowflake;
use lab::snowflake::{Account as Lab, Fault};
use protocol::{ErrorKind, Secret};

use super::super::account::{Account, Protocol};
use super::super::{Direction, Outcome, QueryTag, Session, Statement, Store};
use super::server::pace;

fn account(lab: &Lab) -> Account {
    let text = |value: &str| Some(value.to_owned());
    Account {
        account: text(&lab.account),
        host: text(lab.host()),
        port: Some(lab.port()),
        protocol: Some(Protocol::Http),
        user: text(&lab.user),
        role: text(&lab.role),
        warehouse: text(&lab.warehouse),
        database: text(&lab.database),
        schema: text(&lab.schema),
        ..Account::default()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "settings may be left out")]
fn secret(value: &str) -> Option<Secret> {
    Some(Secret::new(value))
}

fn session(lab: &Lab) -> Session {
    let account = Account { private_key: secret(&lab.private_key), ..account(lab) };
    Session::paced(&account, &QueryTag::new("shop"), pace()).unwrap()
}

async fn run(session: &Session, sql: &str) -> Vec<Vec<Option<String>>> {
    session.run(&Statement::new(sql)).await.unwrap().rows
}

async fn count(lab: &Lab) -> Option<String> {
    run(&session(lab), "SELECT COUNT(*) FROM T").await.remove(0).remove(0)
}

#[tokio::test]
async fn every_kind_of_login_is_taken_and_a_wrong_one_refused() {
    let lab = Snowflake::shared().account();
    let base = account(&lab);
    let other = Snowflake::shared().account();
    let right = [
        Account { password: secret(&lab.password), ..base.clone() },
        Account { access_token: secret(&lab.access_token), ..base.clone() },
        Account { oauth_token: secret(&lab.oauth_token), ..base.clone() },
        Account { private_key: secret(&lab.private_key), ..base.clone() },
        Account { private_key: secret(&lab.private_key_pkcs1), ..base.clone() },
        Account {
            private_key: secret(&lab.private_key_encrypted),
            private_key_passphrase: secret(&lab.private_key_passphrase),
            ..base.clone()
        },
    ];
    for account in right {
        let session = Session::paced(&account, &QueryTag::new("shop"), pace()).unwrap();
        assert_eq!(run(&session, "SELECT 1").await, [[Some("1".to_owned())]]);
        session.close().await;
    }
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_pem();
    let wrong = [
        Account { password: secret("no"), ..base.clone() },
        Account { access_token: secret(&lab.oauth_token), ..base.clone() },
        Account { oauth_token: secret("no"), ..base.clone() },
        Account { private_key: secret(&key), ..base.clone() },
        Account { password: secret(&lab.password), account: Some(other.account), ..base },
    ];
    for account in wrong {
        let session = Session::paced(&account, &QueryTag::new("shop"), pace()).unwrap();
        let error = session.run(&Statement::new("SELECT 1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    }
}

#[tokio::test]
async fn rows_come_as_text_and_changes_are_counted() {
    let lab = Snowflake::shared().account();
    let session = session(&lab);
    run(&session, "CREATE TABLE T (A NUMBER(38,0), B VARCHAR, C BOOLEAN, D DATE)").await;
    let insert = Statement::new("INSERT INTO T SELECT 7, ?, TRUE, '2026-11-23'::DATE").bind_text("it's");
    let answer = session.run(&insert.tagged(QueryTag::new("shop").with("stream", "t"))).await.unwrap();
    assert_eq!(answer.affected, Some(1));
    let answer = session.run(&Statement::new("SELECT A, B, C, D, NULL FROM T")).await.unwrap();
    let row: Vec<Option<&str>> = answer.rows[0].iter().map(Option::as_deref).collect();
    // A date is its days since 1970, a truth 1 or 0 or spelt out: what the service itself writes.
    assert_eq!((row[0], row[1], row[4]), (Some("7"), Some("it's"), None));
    assert_eq!(row[3], Some("20780"));
    let tags: Vec<String> =
        lab.asked().into_iter().filter(|asked| asked.kind == "query").map(|a| a.tag).collect();
    assert!(tags[0].contains(r#""connection":"shop""#) && !tags[0].contains("stream"), "{tags:?}");
    assert!(tags[1].contains(r#""stream":"t""#), "{tags:?}");
    assert!(session.spent().statements == 3 && !answer.query_id.is_empty());
}

#[tokio::test]
async fn large_answers_are_read_in_parts() {
    let lab = Snowflake::shared().account();
    lab.inline_rows(3);
    let session = session(&lab);
    run(&session, "CREATE TABLE T (A NUMBER, B VARCHAR)").await;
    let values: Vec<String> = (0..50).map(|n| format!("({n}, 'ü{n}')")).collect();
    run(&session, &format!("INSERT INTO T VALUES {}", values.join(", "))).await;
    let rows = run(&session, "SELECT A, B FROM T ORDER BY A").await;
    let expected: Vec<Vec<Option<String>>> =
        (0..50).map(|n| vec![Some(n.to_string()), Some(format!("ü{n}"))]).collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_statement_whose_answer_is_lost_is_done_once() {
    let lab = Snowflake::shared().account();
    let session = session(&lab);
    run(&session, "CREATE TABLE T (A NUMBER)").await;
    for fault in [
        Fault::lost_after().times(2),
        Fault::lost_before(),
        Fault::truncated(),
        Fault::status(503),
        Fault::expired(),
        Fault::later(2),
        Fault::forgotten(390_111),
    ] {
        let shown = format!("{fault:?}");
        lab.fault(fault.matching("^INSERT"));
        run(&session, "INSERT INTO T VALUES (1)").await;
        assert_eq!(lab.faults_left(), 0, "{shown}");
    }
    assert_eq!(count(&lab).await.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_commit_is_done_once_or_not_at_all_and_told_as_it_is() {
    for (fault, rows) in [
        (Fault::lost_after(), "1"),
        (Fault::lost_after().times(3), "1"),
        (Fault::lost_before(), "1"),
        (Fault::truncated(), "1"),
        (Fault::status(502), "1"),
        (Fault::expired(), "1"),
        (Fault::lost_after().times(7), "1"),
        (Fault::lost_before().times(7), "0"),
        (Fault::forgotten(390_114), "0"),
        (Fault::refusal(300_002, "internal error"), "0"),
    ] {
        let lab = Snowflake::shared().account();
        let shown = format!("{fault:?}");
        let session = session(&lab);
        run(&session, "CREATE TABLE T (A NUMBER)").await;
        let mut transaction = session.transaction().await.unwrap();
        transaction.run(&Statement::new("INSERT INTO T VALUES (1)")).await.unwrap();
        lab.fault(fault.matching("^COMMIT"));
        let outcome = transaction.commit().await;
        let found = count(&lab).await;
        assert_eq!(lab.faults_left(), 0, "{shown}");
        assert_eq!(found.as_deref(), Some(rows), "{shown}: {outcome:?}");
        match outcome {
            Outcome::Committed => assert_eq!(rows, "1", "{shown}"),
            Outcome::RolledBack(_) => assert_eq!(rows, "0", "{shown}"),
            // Whoever looks it up in the same session sees it as it is.
            Outcome::Unknown(_) => assert_eq!(run(&session, "SELECT COUNT(*) FROM T").await[0][0], found),
        }
    }
}

#[tokio::test]
async fn a_session_that_is_lost_or_left_takes_nothing_half_done_along() {
    let lab = Snowflake::shared().account();
    let session = session(&lab);
    run(&session, "CREATE TABLE T (A NUMBER)").await;

    let mut transaction = session.transaction().await.unwrap();
    transaction.run(&Statement::new("INSERT INTO T VALUES (1)")).await.unwrap();
    lab.fault(Fault::forgotten(390_114).matching("^INSERT"));
    let error = transaction.run(&Statement::new("INSERT INTO T VALUES (2)")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(matches!(transaction.commit().await, Outcome::RolledBack(_)));

    let mut transaction = session.transaction().await.unwrap();
    transaction.run(&Statement::new("INSERT INTO T VALUES (3)")).await.unwrap();
    drop(transaction);
    assert_eq!(run(&session, "SELECT COUNT(*) FROM T").await[0][0].as_deref(), Some("0"));

    let mut transaction = session.transaction().await.unwrap();
    transaction.run(&Statement::new("INSERT INTO T VALUES (4)")).await.unwrap();
    drop((transaction, session));
    assert_eq!(count(&lab).await.as_deref(), Some("0"));
}

#[tokio::test]
async fn a_stage_says_where_its_files_go() {
    let lab = Snowflake::shared().account();
    lab.suspend();
    let session = session(&lab);
    run(&session, "CREATE STAGE S").await;
    let target = session.upload_target("PUT file:///none/1.parquet @S/a/ AUTO_COMPRESS=FALSE").await.unwrap();
    assert_eq!((target.direction, target.place.store), (Direction::Upload, Store::S3));
    assert!(target.encryption.is_some() && !target.place.bucket.is_empty());
    assert!(!lab.is_awake(), "stages need no warehouse");
}

#[tokio::test]
async fn a_right_that_is_missing_is_named() {
    let lab = Snowflake::shared().account();
    lab.deny("CREATE TABLE");
    let error = session(&lab).run(&Statement::new("CREATE TABLE T (A NUMBER)")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert!(error.advice().unwrap().contains("CREATE TABLE"), "{error:?}");
    let error = session(&lab).run(&Statement::new("SELECT * FROM NONE")).await.unwrap_err();
    assert_eq!((error.kind(), error.context_value("code")), (ErrorKind::Config, Some("002003")));
}
