//! The table of every type with its edges, which files are checked by, in Snowflake: value by value.

use lab::{Cluster, Snowflake};
use serde_json::{Value, json};

use super::World;
use crate::types::{Case, Column, Kind, expected, golden_table};

/// What lies in arrays and composites in another form than PostgreSQL's, as JSON, by the column's type.
const NESTED: &[(&str, &str)] = &[
    ("bytea[]", r#"["00FF", null, ""]"#),
    ("jsonb[]", r#"[{"a": 1}, null]"#),
    ("timestamptz[]", r#"["1970-01-01T00:00:01Z", null]"#),
    ("date[]", r#"["1970-01-03", null]"#),
    (
        "outer_row",
        r#"{"id": "00000000-0000-0000-0000-000000000000",
            "inside": {"amount": "1.50", "at": "1970-01-01T00:00:00Z", "pairs": [{"a": 1, "b c": "x"}, null]},
            "moods": ["sad", null]}"#,
    ),
];

/// SQL that shows a column in the words of the table of types.
fn shown(case: &Case, column: &str) -> String {
    match case.arrow {
        "date32[day]" => format!("DATEDIFF('day', '1970-01-01'::DATE, {column})"),
        "time64[us]" => format!("DATEDIFF('microsecond', '00:00:00'::TIME, {column})"),
        "timestamp[us]" => format!("DATEDIFF('microsecond', '1970-01-01'::TIMESTAMP_NTZ, {column})"),
        "timestamp[us, tz=UTC]" => {
            format!("DATEDIFF('microsecond', '1970-01-01 00:00:00 +00:00'::TIMESTAMP_TZ, {column})")
        }
        "binary" => format!("HEX_ENCODE({column})"),
        _ => column.to_owned(),
    }
}

/// Whether Snowflake shows what PostgreSQL prints.
fn is_same(case: &Case, found: Option<&str>, expected: &Value) -> bool {
    let Some(found) = found else { return expected.is_null() };
    match case.kind {
        Kind::Float => {
            let found: f64 = found.parse().expect("a number");
            let bits = if found.is_nan() { "NaN".to_owned() } else { format!("{:016x}", found.to_bits()) };
            *expected == json!(bits)
        }
        Kind::Nested => {
            let by_type = NESTED.iter().find(|(sql, _)| *sql == case.sql);
            let expected = by_type.map_or_else(
                || expected.clone(),
                |(_, text)| serde_json::from_str(text).expect("it is JSON"),
            );
            serde_json::from_str(found).is_ok_and(|found| is_alike(&found, &expected))
        }
        Kind::Text if case.arrow == "binary" => {
            expected.as_str().is_some_and(|text| text.trim_start_matches("\\x").eq_ignore_ascii_case(found))
        }
        // DuckDB leaves out a zero before the point where a number has no other digits there.
        Kind::Text
            if case.arrow.starts_with("decimal128") && found.trim_start_matches('-').starts_with('.') =>
        {
            *expected == found.replacen('.', "0.", 1)
        }
        Kind::Text => expected == found,
    }
}

/// JSON whose leaves are texts where PostgreSQL printed them, and numbers or booleans where Snowflake has such.
fn is_alike(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| is_alike(found, expected))
        }
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected
                    .iter()
                    .all(|(key, expected)| found.get(key).is_some_and(|found| is_alike(found, expected)))
        }
        (Value::Number(found), Value::String(expected)) => {
            let bits = |text: &str| text.parse().map(f64::to_bits);
            bits(&found.to_string()).is_ok_and(|found| bits(expected) == Ok(found))
        }
        (Value::Bool(found), Value::String(expected)) => *expected == found.to_string(),
        (found, expected) => found == expected,
    }
}

async fn differences(world: &World, columns: &[Column]) -> Vec<String> {
    let expected = expected(&world.database, "golden", columns).await;
    let mut wrong = Vec::new();
    for (at, (name, case)) in columns.iter().enumerate() {
        let sql = format!("SELECT {} FROM LAKE.GOLDEN ORDER BY N", shown(case, name));
        let rows = world.query(&sql);
        assert_eq!(rows.len(), expected.len(), "rows");
        for (row, (found, expected)) in rows.iter().zip(&expected).enumerate() {
            let (found, expected) = (found[0].as_deref(), &expected[at]);
            if !is_same(case, found, expected) {
                let text: String = format!("{} row {row}: {found:?}, not {expected}", case.sql);
                wrong.push(text.chars().take(400).collect());
            }
        }
    }
    wrong
}

#[tokio::test]
async fn every_type_arrives_as_postgres_prints_it() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let columns = golden_table(&database, cluster.major()).await;
    let account = Snowflake::shared().account();
    let project = crate::support::Project::new(&database)
        .in_snowflake(&account)
        // What a VARIANT can't hold is among the documents.
        .destination("json", "text")
        .stream(json!({ "name": "public.golden" }));
    let world = World { database, account, project };
    world.project.sync();
    let wrong = differences(&world, &columns).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
