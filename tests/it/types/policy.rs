//! What becomes of values that Parquet's types do not have, by each policy.

use lab::{Cluster, Database};
use serde_json::{Value, json};

use super::case::Case;
use super::compare;
use crate::support::Project;

const TABLE: &str = "
CREATE TABLE unfit (n int, d date, ts timestamp, tz timestamptz, t time, p numeric(10,2), q numeric, m int[], l date[],
    required date NOT NULL);
INSERT INTO unfit VALUES
    (1, 'infinity', 'infinity', 'infinity', '24:00', 'NaN', 'Infinity', '{{1,2},{3,NULL}}', '{infinity,2000-01-01}', 'infinity'),
    (2, '-infinity', '-infinity', '-infinity', '12:00', 1.5, '-Infinity', '{1}', NULL, '2000-01-01'),
    (3, '5874897-12-31', '294276-12-31 01:02', '294276-12-31 01:02+00', '00:00', 0, 98765432109876.54, '{}', '{}', '2000-01-01'),
    (4, '4713-11-24 BC', '4713-11-24 BC', '4713-11-24 00:00+00 BC', '23:59:59.999999', -1, 4711.125, '[2:3]={1,2}', '{NULL}', '2000-01-01'),
    (5, NULL, NULL, NULL, NULL, NULL, 'NaN', NULL, NULL, '2000-01-01'),
    (6, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2000-01-01');
";

/// Columns of the rows above that do not fit, by the row, with the reason of the report.
const UNFIT: [(&str, u32, &str); 17] = [
    ("d", 1, "infinity"),
    ("d", 2, "infinity"),
    ("l", 1, "infinity"),
    ("m", 1, "multidimensional"),
    ("p", 1, "nan"),
    ("q", 1, "infinity"),
    ("q", 2, "infinity"),
    ("q", 3, "out_of_range"),
    ("q", 4, "inexact"),
    ("q", 5, "nan"),
    ("required", 1, "infinity"),
    ("t", 1, "out_of_range"),
    ("ts", 1, "infinity"),
    ("ts", 2, "infinity"),
    ("ts", 3, "out_of_range"),
    ("tz", 1, "infinity"),
    ("tz", 3, "out_of_range"),
];
/// The seventeen above and `tz` in the second row.
const COUNTED: usize = UNFIT.len() + 1;

const FIRST: &str = "-62135596800000000";
const LAST: &str = "253402300799999999";
const BEFORE_CHRIST: &str = "-210835180800000000";

async fn database() -> Database {
    let database = Cluster::shared().database();
    database.execute("SET timezone = 'UTC'").await;
    database.execute(TABLE).await;
    database
}

/// Both readers' values of all columns, and what the report counts.
fn synced(database: &Database, policy: &str) -> (Value, Vec<(String, String, u64)>) {
    let stream = json!({ "name": "public.unfit", "on_unfit": policy, "decimals": { "q": "10,2" } });
    let project = Project::new(database).stream(stream);
    let report = project.sync();
    let read = project.python("read_values.py", &[&project.lake("public.unfit"), "n"]);
    for (name, column) in read["columns"].as_object().expect("columns by name") {
        assert_eq!(column["pyarrow"], column["duckdb_values"], "{policy} {name}");
    }
    let mut counts: Vec<(String, String, u64)> = report["streams"][0]["adjusted"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().expect("a text").to_owned();
            (text("column"), text("reason"), entry["values"].as_u64().expect("a count"))
        })
        .collect();
    counts.sort();
    (read, counts)
}

#[track_caller]
fn holds(read: &Value, columns: &Value) {
    for (name, expected) in columns.as_object().expect("columns by name") {
        assert_eq!(read["columns"][name]["pyarrow"], *expected, "{name}");
    }
}

fn counts(unfit: &[(String, String, u64)]) -> Vec<(&str, &str, u64)> {
    unfit.iter().map(|(column, reason, values)| (column.as_str(), reason.as_str(), *values)).collect()
}

const EXPECTED_COUNTS: [(&str, &str, u64); 14] = [
    ("d", "infinity", 2),
    ("l", "infinity", 1),
    ("m", "multidimensional", 1),
    ("p", "nan", 1),
    ("q", "inexact", 1),
    ("q", "infinity", 2),
    ("q", "nan", 1),
    ("q", "out_of_range", 1),
    ("required", "infinity", 1),
    ("t", "out_of_range", 1),
    ("ts", "infinity", 2),
    ("ts", "out_of_range", 1),
    ("tz", "infinity", 2),
    ("tz", "out_of_range", 1),
];

#[tokio::test]
async fn null_takes_the_place_of_what_does_not_fit_and_is_counted() {
    let (read, counted) = synced(&database().await, "null");
    assert_eq!(counts(&counted), EXPECTED_COUNTS);
    assert_eq!(counted.iter().map(|(_, _, values)| *values).sum::<u64>(), COUNTED as u64);
    holds(
        &read,
        &json!({
            "d": [null, null, "2145042905", "-2440222", null, null],
            "ts": [null, null, null, BEFORE_CHRIST, null, null],
            "tz": [null, null, null, BEFORE_CHRIST, null, null],
            "t": [null, "43200000000", "0", "86399999999", null, null],
            "p": [null, "1.50", "0.00", "-1.00", null, null],
            "q": [null, null, null, null, null, null],
            "m": [null, ["1"], [], ["1", "2"], null, null],
            "l": [[null, "10957"], null, [], [null], null, null],
            "required": [null, "10957", "10957", "10957", "10957", "10957"],
        }),
    );
    assert_eq!(read["columns"]["required"]["nullable"], true);
}

#[tokio::test]
async fn clamp_takes_the_nearest_value_and_counts_it() {
    let (read, counted) = synced(&database().await, "clamp");
    assert_eq!(counts(&counted), EXPECTED_COUNTS);
    holds(
        &read,
        &json!({
            "d": ["2932896", "-719162", "2145042905", "-2440222", null, null],
            "ts": [LAST, FIRST, LAST, BEFORE_CHRIST, null, null],
            "tz": [LAST, FIRST, LAST, BEFORE_CHRIST, null, null],
            "t": ["86399999999", "43200000000", "0", "86399999999", null, null],
            "p": [null, "1.50", "0.00", "-1.00", null, null],
            "q": ["99999999.99", "-99999999.99", "99999999.99", "4711.13", null, null],
            "m": [["1", "2", "3", null], ["1"], [], ["1", "2"], null, null],
            "l": [["2932896", "10957"], null, [], [null], null, null],
            "required": ["2932896", "10957", "10957", "10957", "10957", "10957"],
        }),
    );
}

#[tokio::test]
async fn an_error_names_the_column_and_never_the_value() {
    let database = database().await;
    let mut project = Project::new(&database);
    for (column, row, _) in UNFIT {
        let view = format!("CREATE VIEW {column}{row} AS SELECT n, {column} FROM unfit WHERE n = {row}");
        database.execute(&view).await;
        let mut stream = json!({ "name": format!("public.{column}{row}") });
        if column == "q" {
            stream["decimals"] = json!({ "q": "10,2" });
        }
        project = project.stream(stream);
    }
    let ran = project.run(&["sync", "--output", "json", "-vv"]).exits(65);
    for value in ["294276", "98765432109876", "4711.125", "24:00:00", "{1,2}"] {
        assert!(!ran.stdout.contains(value) && !ran.stderr.contains(value), "{value} is in {}", ran.stderr);
    }
    let report = ran.json();
    assert_eq!(report["totals"]["streams_failed"], UNFIT.len());
    assert_eq!(report["totals"]["files"], 0);
    for (stream, (column, row, reason)) in report["streams"].as_array().expect("a list").iter().zip(UNFIT) {
        let error = &stream["error"];
        let place = format!("{column}{row}");
        assert_eq!(stream["stream"], format!("public.{place}"));
        assert_eq!(stream["exit_code"], 65, "{place}");
        assert_eq!((&error["kind"], &error["retryable"]), (&json!("data"), &json!(false)), "{place}");
        assert_eq!(error["context"]["column"], column, "{place}");
        let message = error["message"].as_str().expect("a text");
        let words = match reason {
            "infinity" => "an infinite value",
            "nan" => "not a number",
            "out_of_range" => "out of the range",
            "inexact" => "more digits after the point",
            _ => "more than one dimension",
        };
        assert!(message.contains(&format!("column \"{column}\"")), "{place}: {message}");
        assert!(message.contains(words), "{place}: {message}");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("on_unfit")), "{place}");
        assert!(!std::path::Path::new(&project.lake(&format!("public.{place}"))).exists(), "{place}");
    }
}

#[tokio::test]
async fn configured_decimals_are_exact() {
    const SMALL: &[[&str; 2]] = &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=38, scale=10)"]];
    const LARGE: &[[&str; 2]] = &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=76, scale=20)"]];
    let columns = compare::columns([
        Case::typed("numeric", "decimal128(38, 10)", SMALL, "DECIMAL(38,10)", &[])
            .expected("{c}::numeric(38,10)::text"),
        Case::typed("numeric", "decimal256(76, 20)", LARGE, "DOUBLE", &[])
            .expected("{c}::numeric(76,20)::text"),
    ]);
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE exact (n int, c0 numeric, c1 numeric); INSERT INTO exact VALUES \
             (1, 0, -0.5), (2, 9999999999999999999999999999.9999999999, -99999999999999999999999999999999999999999999999999999999.99999999999999999999), \
             (3, 1.50000000000000, 1e-20), (4, NULL, NULL), (5, 1e27, 1e55)",
        )
        .await;
    let project = Project::new(&database)
        .stream(json!({ "name": "public.exact", "decimals": { "c0": "38,10", "c1": "76,20" } }));
    project.sync();
    let found = compare::differences(&database, "exact", &columns, &project, "public.exact").await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}
