//! The stand-in for Snowflake keeps what it is told, and fails where it is told to.

use lab::Snowflake;

#[test]
fn accounts_are_apart() {
    let (one, other) = (Snowflake::shared().account(), Snowflake::shared().account());
    one.execute(r#"CREATE TABLE "t" ("id" NUMBER(38,0) NOT NULL, "name" VARCHAR)"#);
    one.execute(r#"INSERT INTO "t" VALUES (1, 'a')"#);
    assert_eq!(one.query(r#"SELECT * FROM "t""#), [[Some("1".to_owned()), Some("a".to_owned())]]);
    other.execute(r#"CREATE TABLE "t" ("id" NUMBER(38,0))"#);
    assert_eq!(other.value(r#"SELECT count(*) FROM "t""#).as_deref(), Some("0"));
}
