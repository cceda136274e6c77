//! The text of every statement, for names that are hostile by design.

use super::super::column::Kind;
use super::super::name::{Identifier, Name};
use super::ddl::{self, ColumnDefinition};
use super::load::{self, Match, Merging, Written};
use super::state;

fn name(object: &str) -> Name {
    Name {
        database: Identifier::new("DB"),
        schema: Identifier::new("Raw.\"1\""),
        object: Identifier::new(object),
    }
}

fn table() -> Name {
    name("select")
}

fn batch() -> Name {
    name("L_1")
}

fn written() -> Vec<Written> {
    [("ID", "\"id\""), ("DOC\"", "PARSE_JSON(\"doc\"\"\")"), ("AT", "\"at\"")]
        .map(|(name, value)| Written { name: Identifier::new(name), value: value.to_owned() })
        .into()
}

#[test]
fn tables_are_made_and_widened() {
    let column = |name: &str, kind, comment: Option<&str>| ColumnDefinition {
        comment: comment.map(str::to_owned),
        ..ColumnDefinition::new(Identifier::new(name), kind)
    };
    let columns = [column("ID", Kind::Whole, None), column("a\"b", Kind::Json, Some("it's \\ odd"))];
    let long = "x".repeat(255);
    for (made, expected) in [
        (
            ddl::create_table(&table(), &columns),
            r#"CREATE TABLE IF NOT EXISTS "DB"."Raw.""1"""."select" ("ID" NUMBER(38, 0), "a""b" VARIANT COMMENT 'it''s \\ odd')"#,
        ),
        (
            ddl::create_transient(&batch(), &columns[..1]),
            r#"CREATE TRANSIENT TABLE IF NOT EXISTS "DB"."Raw.""1"""."L_1" ("ID" NUMBER(38, 0)) DATA_RETENTION_TIME_IN_DAYS = 0"#,
        ),
        (ddl::drop_table(&batch()), r#"DROP TABLE IF EXISTS "DB"."Raw.""1"""."L_1""#),
        (ddl::create_schema(&table().place()), r#"CREATE SCHEMA IF NOT EXISTS "DB"."Raw.""1""""#),
        (ddl::create_stage(&name("LOAD")), r#"CREATE STAGE IF NOT EXISTS "DB"."Raw.""1"""."LOAD""#),
        (ddl::describe(&table()), r#"DESCRIBE TABLE "DB"."Raw.""1"""."select""#),
        (
            ddl::add_column(&table(), &columns[1]),
            r#"ALTER TABLE "DB"."Raw.""1"""."select" ADD COLUMN IF NOT EXISTS "a""b" VARIANT COMMENT 'it''s \\ odd'"#,
        ),
        (
            ddl::widen_column(&table(), &column("N", Kind::Decimal(20, 4), None)),
            r#"ALTER TABLE "DB"."Raw.""1"""."select" ALTER COLUMN "N" SET DATA TYPE NUMBER(20, 4)"#,
        ),
        (ddl::show_tables(&table(), "L_0A_"), r#"SHOW TABLES LIKE 'L_0A_%' IN SCHEMA "DB"."Raw.""1""""#),
        (
            ddl::show_table(&name("it's \\ é%_x")),
            r#"SHOW TABLES LIKE 'it_s______x' IN SCHEMA "DB"."Raw.""1""""#,
        ),
        (ddl::describe(&name(&long)), &format!(r#"DESCRIBE TABLE "DB"."Raw.""1"""."{long}""#)),
    ] {
        assert_eq!(made, expected);
    }
}

#[test]
fn the_row_of_state_is_swapped_and_never_merely_set() {
    assert_eq!(
        state::create(&name("STATE_1"), &name("it's")),
        concat!(
            r#"CREATE TABLE IF NOT EXISTS "DB"."Raw.""1"""."STATE_1" "#,
            r#"COMMENT = 'where "DB"."Raw.""1"""."it''s" stands; written by tidegate with each commit' "#,
            r#"AS SELECT 0::NUMBER(38, 0) AS "SEQUENCE", NULL::VARCHAR AS "ID", NULL::VARCHAR AS "RECORD""#
        )
    );
    assert_eq!(
        state::read(&name("STATE_1")),
        r#"SELECT "SEQUENCE", "ID", "RECORD" FROM "DB"."Raw.""1"""."STATE_1""#
    );
    assert_eq!(
        state::swap(&name("STATE_1")),
        r#"UPDATE "DB"."Raw.""1"""."STATE_1" SET "SEQUENCE" = ?, "ID" = ?, "RECORD" = ? WHERE "SEQUENCE" = ?"#
    );
    assert_eq!(state::CURRENT_TRANSACTION, "SELECT CURRENT_TRANSACTION()");
    assert_eq!(state::abort(17), "SELECT SYSTEM$ABORT_TRANSACTION(17)");
}

#[test]
fn files_are_loaded_by_their_exact_names() {
    assert_eq!(
        load::copy(&table(), "'@\"DB\".\"S\".\"LOAD\"/k/'", &["1-a/1.parquet", "it's"], Match::Exact),
        concat!(
            r#"COPY INTO "DB"."Raw.""1"""."select" FROM '@"DB"."S"."LOAD"/k/' FILES = ('1-a/1.parquet', 'it''s') "#,
            "FILE_FORMAT = (TYPE = PARQUET USE_VECTORIZED_SCANNER = TRUE USE_LOGICAL_TYPE = TRUE ",
            "BINARY_AS_TEXT = FALSE) MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT"
        )
    );
    assert!(load::copy(&table(), "'@x'", &["f"], Match::AnyCase).contains("= CASE_INSENSITIVE "));
}

#[test]
fn rows_are_added_or_take_the_place_of_all() {
    let columns =
        r#"("ID", "DOC""", "AT") SELECT "id", PARSE_JSON("doc"""), "at" FROM "DB"."Raw.""1"""."L_1""#;
    assert_eq!(
        load::insert(&table(), &batch(), &written()),
        format!(r#"INSERT INTO "DB"."Raw.""1"""."select" {columns}"#)
    );
    assert_eq!(
        load::overwrite(&table(), &batch(), &written()),
        format!(r#"INSERT OVERWRITE INTO "DB"."Raw.""1"""."select" {columns}"#)
    );
    assert_eq!(load::empty(&table()), r#"DELETE FROM "DB"."Raw.""1"""."select""#);
}

#[test]
fn a_merge_meets_one_row_for_each_key() {
    let plain = Merging { key: vec![(Identifier::new("ID"), false)], ..Merging::default() };
    assert_eq!(
        load::merge(&table(), &batch(), &written(), &plain),
        concat!(
            r#"MERGE INTO "DB"."Raw.""1"""."select" AS t USING (SELECT * FROM (SELECT "id" AS "ID", "#,
            r#"PARSE_JSON("doc""") AS "DOC""", "at" AS "AT" FROM "DB"."Raw.""1"""."L_1") "#,
            r#"QUALIFY ROW_NUMBER() OVER (PARTITION BY "ID" ORDER BY "ID") = 1) AS s "#,
            r#"ON t."ID" = s."ID" WHEN MATCHED THEN UPDATE SET "ID" = s."ID", "DOC""" = s."DOC""", "AT" = s."AT" "#,
            r#"WHEN NOT MATCHED THEN INSERT ("ID", "DOC""", "AT") VALUES (s."ID", s."DOC""", s."AT")"#
        )
    );
    let all = Merging {
        key: vec![(Identifier::new("ID"), false), (Identifier::new("DOC\""), true)],
        cursor: Some(Identifier::new("AT")),
        guarded: true,
        deleted: Some(r#"s."GONE" IS NOT NULL"#.to_owned()),
    };
    let text = load::merge(&table(), &batch(), &written(), &all);
    for part in [
        r#"PARTITION BY "ID", "DOC""" ORDER BY "AT" DESC NULLS LAST"#,
        r#"ON t."ID" = s."ID" AND EQUAL_NULL(t."DOC""", s."DOC""")"#,
        r#"WHEN MATCHED AND s."GONE" IS NOT NULL AND (s."AT" >= t."AT" OR s."AT" IS NULL OR t."AT" IS NULL) THEN DELETE"#,
        r#"WHEN MATCHED AND (s."AT" >= t."AT" OR s."AT" IS NULL OR t."AT" IS NULL) THEN UPDATE"#,
        r#"WHEN NOT MATCHED AND NOT (s."GONE" IS NOT NULL) THEN INSERT"#,
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
