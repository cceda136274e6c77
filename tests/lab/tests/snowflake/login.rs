//! Who may log in, and for how long.

use lab::Snowflake;
use lab::snowflake::Fault;
use serde_json::json;

use crate::client::{Client, login};

#[test]
fn every_credential_is_checked() {
    let account = Snowflake::shared().account();
    let good = [
        json!({"PASSWORD": account.password}),
        json!({"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": account.access_token}),
        json!({"AUTHENTICATOR": "OAUTH", "TOKEN": account.oauth_token}),
    ];
    for credentials in good {
        assert_eq!(login(&account, &credentials)["success"], true, "{credentials}");
    }
    let bad = [
        (json!({"PASSWORD": "guessed"}), "390100"),
        (json!({"PASSWORD": account.password, "LOGIN_NAME": "SOMEBODY"}), "390100"),
        (json!({"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": account.oauth_token}), "394400"),
        (json!({"AUTHENTICATOR": "OAUTH", "TOKEN": account.access_token}), "390303"),
        (json!({"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": "a.b.c"}), "390144"),
    ];
    for (credentials, code) in bad {
        assert_eq!(login(&account, &credentials)["code"], code, "{credentials}");
    }
    let other = Snowflake::shared().account();
    assert_eq!(login(&other, &json!({"PASSWORD": account.password}))["code"], "390100");
}

#[test]
fn an_expired_token_is_renewed_and_the_transaction_goes_on() {
    let account = Snowflake::shared().account();
    let mut client = Client::login(&account);
    client.must("CREATE TABLE t (a INT)");
    client.must("BEGIN");
    client.must("INSERT INTO t VALUES (1)");
    account.fault(Fault::expired());
    assert_eq!(client.run("INSERT INTO t VALUES (2)"), Err("390112".to_owned()));
    assert_eq!(client.run("SELECT 1"), Err("390112".to_owned()));
    client.renew().unwrap();
    client.must("COMMIT");
    assert_eq!(client.value("SELECT count(*) FROM t"), "1");
}

#[test]
fn a_forgotten_session_takes_its_transaction_along() {
    let account = Snowflake::shared().account();
    let mut client = Client::login(&account);
    client.must("CREATE TABLE t (a INT)");
    client.must("BEGIN");
    client.must("INSERT INTO t VALUES (1)");
    account.fault(Fault::forgotten(390_111));
    assert_eq!(client.run("COMMIT"), Err("390111".to_owned()));
    assert_eq!(client.run("COMMIT"), Err("390104".to_owned()));
    assert_eq!(client.renew(), Err("390114".to_owned()));
    assert_eq!(account.value("SELECT count(*) FROM t").as_deref(), Some("0"));
}

#[test]
fn what_is_taken_away_is_refused_by_its_own_code() {
    let account = Snowflake::shared().account();
    Client::login(&account).must("CREATE TABLE t (a INT)");
    let cases = [
        ("CREATE TABLE", "CREATE TABLE u (a INT)", "003001"),
        ("CREATE STAGE", "CREATE STAGE s", "003001"),
        ("CREATE SCHEMA", "CREATE SCHEMA s", "003001"),
        ("INSERT", "INSERT INTO t VALUES (1)", "003001"),
        ("SELECT", "SELECT * FROM t", "002003"),
        ("USAGE ON SCHEMA", "SELECT * FROM t", "002003"),
        ("USAGE ON WAREHOUSE", "SELECT * FROM t", "000606"),
        ("USAGE ON WAREHOUSE", "USE WAREHOUSE LOADING", "002043"),
    ];
    for (privilege, sql, code) in cases {
        account.deny(privilege);
        assert_eq!(Client::login(&account).run(sql), Err(code.to_owned()), "{privilege}");
        account.clear();
    }
}

#[test]
fn only_what_reads_or_writes_rows_wakes_the_warehouse() {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    client.must("CREATE TABLE t (a INT)");
    client.must("CREATE STAGE s");
    account.suspend();
    for sql in [
        "SELECT CURRENT_SESSION()",
        "LIST @s",
        "SHOW TABLES",
        "BEGIN",
        "COMMIT",
        "ALTER TABLE t ADD COLUMN b INT",
    ] {
        client.must(sql);
        assert!(!account.is_awake(), "{sql}");
    }
    client.must("INSERT INTO t (a) VALUES (1)");
    assert!(account.is_awake());
}
