//! The service's rules that fakesnow lacks.

use std::thread;
use std::time::Duration;

use lab::Snowflake;
use lab::snowflake::Account;

use crate::client::Client;

fn fresh() -> (Account, Client) {
    let account = Snowflake::shared().account();
    let client = Client::login(&account);
    (account, client)
}

fn refused(code: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    Err(code.to_owned())
}

#[test]
fn accounts_are_apart() {
    let (one, other) = (Snowflake::shared().account(), Snowflake::shared().account());
    one.execute(r#"CREATE TABLE "t" ("id" NUMBER(38,0) NOT NULL, "name" VARCHAR)"#);
    one.execute(r#"INSERT INTO "t" VALUES (1, 'a')"#);
    assert_eq!(one.query(r#"SELECT * FROM "t""#), [[Some("1".to_owned()), Some("a".to_owned())]]);
    other.execute(r#"CREATE TABLE "t" ("id" NUMBER(38,0))"#);
    assert_eq!(other.value(r#"SELECT count(*) FROM "t""#).as_deref(), Some("0"));
}

#[test]
fn an_error_undoes_one_statement_and_not_the_transaction() {
    let (account, client) = fresh();
    client.must("CREATE TABLE t (a INT NOT NULL)");
    client.must("BEGIN");
    client.must("INSERT INTO t VALUES (1)");
    assert_eq!(client.run("INSERT INTO t SELECT column1 FROM VALUES (2), (NULL)"), refused("100072"));
    assert_eq!(client.run("SELECT nothing FROM t"), refused("000904"));
    assert_eq!(client.run("SELECT * FROM nowhere"), refused("002003"));
    client.must("INSERT INTO t VALUES (3)");
    client.must("COMMIT");
    assert_eq!(
        account.query("SELECT a FROM t ORDER BY a").concat(),
        [Some("1".to_owned()), Some("3".to_owned())]
    );
}

#[test]
fn a_definition_commits_the_open_transaction() {
    let (account, client) = fresh();
    client.must("CREATE TABLE t (a INT)");
    client.must("BEGIN");
    client.must("INSERT INTO t VALUES (1)");
    client.must("CREATE TABLE u (a INT)");
    client.must("ROLLBACK");
    assert_eq!(account.value("SELECT count(*) FROM t").as_deref(), Some("1"));
}

#[test]
fn the_second_writer_waits_and_then_finds_the_row_changed() {
    const TAKE: &str = "UPDATE state SET version = 1 WHERE stream = 's' AND version = 0";
    let (account, first) = fresh();
    let second = Client::login(&account);
    first.must("CREATE TABLE state (stream VARCHAR, version INT)");
    first.must("INSERT INTO state VALUES ('s', 0)");
    first.must("BEGIN");
    second.must("BEGIN");
    assert_eq!(second.value("SELECT version FROM state"), "0");
    assert_eq!(first.must(TAKE)[0][0].as_deref(), Some("1"));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| second.must(TAKE));
        thread::sleep(Duration::from_millis(200));
        assert!(!waiting.is_finished(), "it does not wait");
        first.must("COMMIT");
        assert_eq!(waiting.join().unwrap()[0][0].as_deref(), Some("0"));
    });
    second.must("ROLLBACK");
}

#[test]
fn a_transaction_of_another_session_can_be_aborted() {
    let (account, lost) = fresh();
    lost.must("CREATE TABLE t (a INT)");
    lost.must("INSERT INTO t VALUES (1)");
    lost.must("BEGIN");
    let number = lost.value("SELECT CURRENT_TRANSACTION()");
    lost.must("DELETE FROM t");
    let client = Client::login(&account);
    client.must("ALTER SESSION SET LOCK_TIMEOUT = 1");
    assert_eq!(client.run("DELETE FROM t"), refused("000625"));
    let abort = format!("SELECT SYSTEM$ABORT_TRANSACTION({number})");
    client.must(&abort);
    assert_eq!(client.must("DELETE FROM t")[0][0].as_deref(), Some("1"));
    assert!(client.run(&abort).is_err());
}

#[test]
fn merge_refuses_a_source_that_is_not_unique() {
    let (_, client) = fresh();
    client.must("CREATE TABLE t (k INT PRIMARY KEY, v VARCHAR)");
    client.must("INSERT INTO t VALUES (1, 'old'), (2, 'gone')");
    let merge = |source: &str| {
        client.run(&format!(
            "MERGE INTO t USING (SELECT column1 AS k, column2 AS v FROM VALUES {source}) AS s ON t.k = s.k \
             WHEN MATCHED AND s.v IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET t.v = s.v \
             WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)"
        ))
    };
    assert_eq!(merge("(1, 'a'), (1, 'b')"), refused("100090"));
    client.must("BEGIN");
    let counts = merge("(1, 'new'), (2, NULL), (3, 'x')").unwrap().concat();
    assert_eq!(counts, [1, 1, 1].map(|count: u8| Some(count.to_string())));
    client.must("COMMIT");
    let rows = client.must("SELECT v FROM t ORDER BY k").concat();
    assert_eq!(rows, [Some("new".to_owned()), Some("x".to_owned())]);
}

#[test]
fn nobody_enforces_a_primary_key() {
    let (_, client) = fresh();
    client.must("CREATE TABLE t (k INT, PRIMARY KEY (k))");
    client.must("INSERT INTO t VALUES (1), (1)");
    assert_eq!(client.value("SELECT count(*) FROM t"), "2");
    assert_eq!(client.run("INSERT INTO t VALUES (NULL)"), refused("100072"));
}

#[test]
fn names_that_differ_in_case_only_are_different_names() {
    let (_, client) = fresh();
    client.must(r#"CREATE TABLE "T" ("id" INT, "ID" INT, "Id" INT)"#);
    client.must(r#"CREATE TABLE "t" ("id" INT)"#);
    client.must(r#"INSERT INTO "T" ("ID", "id") VALUES (1, 2)"#);
    let row = ["2", "1"].map(|value| Some(value.to_owned())).into_iter().chain([None]).collect::<Vec<_>>();
    assert_eq!(client.must(r#"SELECT * FROM "T""#), [row]);
    assert_eq!(client.run(r#"SELECT "iD" FROM "T""#), refused("000904"));
    assert_eq!(client.value(r#"SELECT count(*) FROM "t""#), "0");
    let columns =
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'T' ORDER BY ordinal_position";
    assert_eq!(client.must(columns).concat(), ["id", "ID", "Id"].map(|name| Some(name.to_owned())));
}

#[test]
fn names_may_be_of_any_characters() {
    let (_, client) = fresh();
    client.must(r#"CREATE SCHEMA "a.""b""#);
    client.must(r#"CREATE TABLE "a.""b"."it's ; ""t""" ("select" INT COMMENT 'it''s', "x'y" VARCHAR)"#);
    client.must(r#"INSERT INTO "a.""b"."it's ; ""t""" ("x'y") VALUES ('a')"#);
    let described = client.must(r#"DESCRIBE TABLE "a.""b"."it's ; ""t""""#);
    let names: Vec<_> = described.iter().map(|row| row[0].as_deref().unwrap_or_default()).collect();
    assert_eq!(names, ["select", "x'y"]);
    let tables = client.must(r#"SHOW TABLES IN SCHEMA "a.""b""#);
    assert_eq!(tables[0][1].as_deref(), Some(r#"it's ; "t""#));
}

#[test]
fn columns_keep_their_declared_type_and_only_grow() {
    let (_, client) = fresh();
    client.must("CREATE TABLE t (a ARRAY, n NUMBER(10, 2), s VARCHAR(20), z TIMESTAMP_LTZ(6))");
    let types = || {
        let rows = client.must("DESCRIBE TABLE t");
        rows.iter().map(|row| row[1].clone().unwrap_or_default()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(types(), "ARRAY NUMBER(10,2) VARCHAR(20) TIMESTAMP_LTZ(6)");
    client.must("ALTER TABLE t ALTER COLUMN n SET DATA TYPE NUMBER(12, 2)");
    client.must("ALTER TABLE t ALTER COLUMN s SET DATA TYPE VARCHAR");
    for wrong in ["n SET DATA TYPE NUMBER(12, 4)", "n SET DATA TYPE VARCHAR", "s SET DATA TYPE VARCHAR(20)"] {
        assert_eq!(client.run(&format!("ALTER TABLE t ALTER COLUMN {wrong}")), refused("002108"), "{wrong}");
    }
    assert_eq!(types(), "ARRAY NUMBER(12,2) VARCHAR(16777216) TIMESTAMP_LTZ(6)");
}

#[test]
fn numbers_keep_all_their_digits() {
    const LARGE: &str = "12345678901234567890123456789012345678";
    let (_, client) = fresh();
    client.must("CREATE TABLE t (n NUMBER(38,0), v VARIANT)");
    client.must(&format!(r#"INSERT INTO t SELECT {LARGE}, PARSE_JSON('{{"n":1.234567890123456789}}')"#));
    let row = vec![Some(LARGE.to_owned()), Some(r#"{"n":1.234567890123456789}"#.to_owned())];
    assert_eq!(client.must("SELECT sum(n), any_value(v) FROM t"), [row]);
}

#[test]
fn tables_are_swapped_and_emptied() {
    let (_, client) = fresh();
    client.must("CREATE TABLE a (x INT)");
    client.must("CREATE TRANSIENT TABLE b (y INT)");
    client.must("INSERT INTO b VALUES (1)");
    client.must("ALTER TABLE a SWAP WITH b");
    assert_eq!(client.value("SELECT y FROM a"), "1");
    client.must("TRUNCATE TABLE IF EXISTS a");
    assert_eq!(client.value("SELECT count(*) FROM a"), "0");
    client.must("TRUNCATE TABLE IF EXISTS c");
    assert_eq!(client.run("TRUNCATE TABLE c"), refused("002003"));
}
