//! Puts side by side what PostgreSQL prints and what the readers of the files print.

use lab::Database;
use serde_json::{Value, json};

use super::case::{Case, Kind};
use crate::support::Project;

/// A column by its name, and the case that says what it must hold.
pub(crate) type Column = (String, Case);

/// Names for the columns of `cases`: `c0`, `c1`, …
pub(crate) fn columns(cases: impl IntoIterator<Item = Case>) -> Vec<Column> {
    cases.into_iter().enumerate().map(|(number, case)| (format!("c{number}"), case)).collect()
}

/// What differs, one line each: in the types of the columns, and in each value of the rows, which are
/// told apart by the column `n`.
pub(crate) async fn differences(
    database: &Database,
    table: &str,
    columns: &[Column],
    project: &Project,
    target: &str,
) -> Vec<String> {
    let read = project.python("read_values.py", &[&project.lake(target), "n"]);
    let expected = expected(database, table, columns).await;
    let natives = natives(database, table).await;
    let mut found = Vec::new();
    for (at, (name, case)) in columns.iter().enumerate() {
        let column = &read["columns"][name];
        compare_types(name, case, column, &mut found);
        let server = &natives[name];
        if (&column["metadata"]["tidegate.native_type"], &column["nullable"]) != (&server[0], &server[1]) {
            found.push(format!(
                "{name}: {}, nullable {}, not {server}",
                column["metadata"], column["nullable"]
            ));
        }
        for reader in ["pyarrow", "duckdb_values"] {
            let values = column[reader].as_array().map(Vec::as_slice).unwrap_or_default();
            if values.len() != expected.len() {
                found.push(format!("{name} {}: {} of {} rows", case.sql, values.len(), expected.len()));
            }
            for (row, (value, expected)) in values.iter().zip(&expected).enumerate() {
                if !is_same(case, reader, value, &expected[at]) {
                    let expected = &expected[at];
                    found.push(shortened(&format!(
                        "{name} {} row {row}: {reader} has {value}, PostgreSQL {expected}",
                        case.sql
                    )));
                }
            }
        }
    }
    found
}

fn compare_types(name: &str, case: &Case, column: &Value, found: &mut Vec<String>) {
    let sql = case.sql;
    for (key, expected) in [("type", json!(case.arrow.replace("{c}", name))), ("duckdb", json!(case.duckdb))]
    {
        if column[key] != expected {
            found.push(format!("{name} {sql}: {key} is {}, not {expected}", column[key]));
        }
    }
    if column["leaves"] != json!(case.leaves) {
        found.push(format!("{name} {sql}: leaves are {}, not {:?}", column["leaves"], case.leaves));
    }
}

/// Whether a reader has what PostgreSQL prints.
fn is_same(case: &Case, reader: &str, value: &Value, expected: &Value) -> bool {
    if reader == "duckdb_values" && case.duckdb == "DOUBLE" && case.kind == Kind::Text {
        // It has no decimals of more than 38 digits and rounds to the nearest number it has.
        return match (value.as_str(), expected.as_str()) {
            (Some(bits), Some(text)) => {
                let seen = u64::from_str_radix(bits, 16).map_or(f64::NAN, f64::from_bits);
                let expected: f64 = text.parse().expect("a decimal is a number");
                (seen - expected).abs() <= expected.abs() * 1e-12
            }
            _ => value == expected,
        };
    }
    value == expected
}

/// What the server calls the types of the columns, and whether they may be NULL.
async fn natives(database: &Database, table: &str) -> Value {
    let sql = format!(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = '{table}'::regclass"
    );
    let rows = database.query(&sql).await;
    let may_be_null = |row: &[Option<String>]| row[2].as_deref() == Some("f");
    rows.into_iter()
        .map(|row| (row[0].clone().expect("columns have names"), json!([row[1], may_be_null(&row)])))
        .collect()
}

/// The rows as PostgreSQL prints them, in the form of `read_values.py`.
pub(crate) async fn expected(database: &Database, table: &str, columns: &[Column]) -> Vec<Vec<Value>> {
    let expressions: Vec<String> = columns
        .iter()
        .map(|(name, case)| {
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            format!("CASE WHEN num_nulls({quoted}) = 0 THEN {} END", case.expected.replace("{c}", &quoted))
        })
        .collect();
    let client = database.client().await;
    client.batch_execute("SET timezone = 'UTC'").await.expect("there is UTC");
    let mut rows: Vec<Vec<Value>> = Vec::new();
    // A row of a query has at most 1,664 columns.
    for (part, columns) in expressions.chunks(800).zip(columns.chunks(800)) {
        let sql = format!("SELECT {} FROM {table} ORDER BY n", part.join(", "));
        let answer = client.simple_query(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let answer = answer.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        for (at, row) in answer.enumerate() {
            if rows.len() <= at {
                rows.push(Vec::new());
            }
            let values = columns.iter().enumerate().map(|(index, (_, case))| printed(case, row.get(index)));
            rows[at].extend(values);
        }
    }
    rows
}

fn printed(case: &Case, text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    match case.kind {
        Kind::Text => json!(text),
        Kind::Float => match text.parse::<f64>() {
            Ok(number) if number.is_nan() => json!("NaN"),
            Ok(number) => json!(format!("{:016x}", number.to_bits())),
            Err(error) => panic!("{} as a float: {text:?}: {error}", case.sql),
        },
        Kind::Nested => serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("{} as JSON: {text:?}: {error}", case.sql)),
    }
}

fn shortened(text: &str) -> String {
    if text.len() < 600 { text.to_owned() } else { text.chars().take(600).chain("…".chars()).collect() }
}
