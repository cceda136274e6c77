//! Every type of PostgreSQL, with its edges, as Snowflake shows it.

use serde_json::json;

use super::{World, text};

/// Type, values, what the account shows of the column `"v"`, and the column's type.
struct Case {
    sql: &'static str,
    values: &'static [&'static str],
    shown: &'static str,
    expected: &'static [&'static str],
    kind: &'static str,
}

const fn case(
    sql: &'static str,
    values: &'static [&'static str],
    shown: &'static str,
    expected: &'static [&'static str],
    kind: &'static str,
) -> Case {
    Case { sql, values, shown, expected, kind }
}

const CASES: &[Case] = &[
    case("int2", &["-32768", "32767"], "V", &["-32768", "32767"], "NUMBER(38,0)"),
    case("int4", &["-2147483648", "2147483647"], "V", &["-2147483648", "2147483647"], "NUMBER(38,0)"),
    case(
        "int8",
        &["-9223372036854775808", "9223372036854775807"],
        "V",
        &["-9223372036854775808", "9223372036854775807"],
        "NUMBER(38,0)",
    ),
    case("oid", &["0", "4294967295"], "V", &["0", "4294967295"], "NUMBER(38,0)"),
    case("float4", &["0.5", "-1e30"], "V::FLOAT = 0.5", &["true", "false"], "FLOAT"),
    case(
        "float8",
        &["1.7976931348623157e308", "'NaN'"],
        "V = 1.7976931348623157e308",
        &["true", "false"],
        "FLOAT",
    ),
    case(
        "numeric(38,9)",
        &["99999999999999999999999999999.999999999", "-0.000000001"],
        "V",
        &["99999999999999999999999999999.999999999", "-0.000000001"],
        "NUMBER(38,9)",
    ),
    case(
        "numeric(60,10)",
        &["12345678901234567890123456789012345678901234567890.0123456789"],
        "V",
        &["12345678901234567890123456789012345678901234567890.0123456789"],
        "VARCHAR",
    ),
    case(
        "numeric",
        &["1e40", "0.10"],
        "V",
        &["10000000000000000000000000000000000000000", "0.10"],
        "VARCHAR",
    ),
    case("bool", &["true", "false"], "V", &["true", "false"], "BOOLEAN"),
    case("text", &["''", "'it''s \"x\" \\ é🦀' || chr(10)"], "V", &["", "it's \"x\" \\ é🦀\n"], "VARCHAR"),
    case("bytea", &["'\\x'", "'\\x00ff80'"], "TO_VARCHAR(V, 'HEX')", &["", r"\x00\xFF\x80"], "BINARY"),
    case(
        "uuid",
        &["'0192f0c8-d1a5-7d10-a8b6-b7f1e6b0a111'"],
        "V",
        &["0192f0c8-d1a5-7d10-a8b6-b7f1e6b0a111"],
        "VARCHAR",
    ),
    case(
        "jsonb",
        &[r#"'{"a": [1, "x", null], "é": {"b": 1.5}}'"#, "'null'", "'\"text\"'"],
        "V",
        &[r#"{"a":[1,"x",null],"é":{"b":1.5}}"#, "null", "\"text\""],
        "VARIANT",
    ),
    case("date", &["'0001-01-01'", "'9999-12-31'"], "V", &["0001-01-01", "9999-12-31"], "DATE"),
    case("time", &["'00:00'", "'23:59:59.999999'"], "V", &["00:00:00", "23:59:59.999999"], "TIME(6)"),
    case(
        "timestamp",
        &["'0001-01-01'", "'9999-12-31 23:59:59.999999'"],
        "V",
        &["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"],
        "TIMESTAMP_NTZ(6)",
    ),
    case(
        "timestamptz",
        &["'2026-03-29 01:30:00.000001+00'"],
        "V",
        &["2026-03-29 01:30:00.000001+00"],
        "TIMESTAMP_TZ(6)",
    ),
    case("interval", &["'1 year 2 days 03:04:05.6'"], "V", &["1 year 2 days 03:04:05.6"], "VARCHAR"),
    case("inet", &["'10.0.0.1/8'"], "V", &["10.0.0.1/8"], "VARCHAR"),
    case("int4[]", &["'{1,NULL,-2147483648}'", "'{}'"], "V", &["[1,null,-2147483648]", "[]"], "ARRAY"),
    case("text[]", &["ARRAY['a\"b', NULL, 'é']"], "V", &[r#"["a\"b",null,"é"]"#], "ARRAY"),
    case("pair", &["ROW(1, 'x')::pair"], "V", &[r#"{"n":1,"t":"x"}"#], "VARIANT"),
    case("mood", &["'fine'"], "V", &["fine"], "VARCHAR"),
];

/// Without spaces that JSON may have or not, where it is JSON.
fn plain(kind: &str, value: Option<String>) -> Option<String> {
    let is_json = ["VARIANT", "ARRAY"].contains(&kind);
    let value = value?;
    match serde_json::from_str::<serde_json::Value>(&value) {
        Ok(json) if is_json => Some(json.to_string()),
        _ => Some(value),
    }
}

#[tokio::test]
async fn every_type_arrives_exactly() {
    let mut world = World::incremental(1).await;
    world.database.execute("CREATE TYPE mood AS ENUM ('fine'); CREATE TYPE pair AS (n int, t text)").await;
    let mut project = world.project;
    for (at, case) in CASES.iter().enumerate() {
        let sql = case.sql;
        world.database.execute(&format!("CREATE TABLE c{at} (i int, v {sql})")).await;
        for (row, value) in case.values.iter().enumerate() {
            world.database.execute(&format!("INSERT INTO c{at} VALUES ({row}, {value})")).await;
        }
        world.database.execute(&format!("INSERT INTO c{at} VALUES (99, NULL)")).await;
        project = project.stream(json!({ "name": format!("public.c{at}") }));
    }
    world.project = project;
    world.project.sync();
    let mut wrong = Vec::new();
    for (at, case) in CASES.iter().enumerate() {
        let rows = world.query(&format!("SELECT {} FROM LAKE.C{at} ORDER BY I", case.shown));
        let mut expected: Vec<Option<String>> =
            case.expected.iter().map(|value| plain(case.kind, Some((*value).to_owned()))).collect();
        expected.push(None);
        let found: Vec<Option<String>> =
            rows.into_iter().map(|mut row| plain(case.kind, row.remove(0))).collect();
        if found != expected {
            wrong.push(format!("{}: {found:?}, expected {expected:?}", case.sql));
        }
        let described = world.query(&format!("DESCRIBE TABLE LAKE.C{at}"));
        let kind = described[1][1].clone().unwrap_or_default();
        if !kind.starts_with(case.kind) {
            wrong.push(format!("{}: the column is {kind}, expected {}", case.sql, case.kind));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn json_may_stay_text_to_the_last_digit() {
    let mut world = World::incremental(1).await;
    world
        .database
        .execute("CREATE TABLE j (v json); INSERT INTO j VALUES ('{\"n\": 1.23456789012345678901234567890123456789012345}')")
        .await;
    world.project = world.project.destination("json", "text").stream(json!({ "name": "public.j" }));
    world.project.sync();
    let rows = world.query("SELECT V FROM LAKE.J");
    assert_eq!(rows, text(&[&["{\"n\": 1.23456789012345678901234567890123456789012345}"]]));
}

#[tokio::test]
async fn comments_of_columns_go_along() {
    let world = World::incremental(1).await;
    world.database.execute("COMMENT ON COLUMN payments.amount IS 'it''s in \\ EUR'").await;
    world.project.sync();
    let creates = world.account.statements();
    let made = creates.iter().find(|sql| sql.starts_with("CREATE TABLE") && sql.contains("\"PAYMENTS\" ("));
    assert!(made.is_some_and(|sql| sql.contains(r"COMMENT 'it''s in \\ EUR'")), "{creates:#?}");
}
