//! A table that changes between two syncs.

use lab::Cluster;
use serde_json::{Value, json};

use crate::support::Project;

fn project(database: &lab::Database, drift: &str) -> Project {
    let stream = json!({ "name": "public.t", "mode": "full_refresh", "write": "append", "on_drift": drift });
    Project::new(database).stream(stream)
}

fn rows(project: &Project, select: &str) -> Vec<Vec<Option<String>>> {
    project.duckdb(&format!(
        "SELECT {select} FROM read_parquet('{}/**/*.parquet', union_by_name = true) ORDER BY ALL",
        project.lake("public.t")
    ))
}

fn texts<const N: usize>(rows: &[[&str; N]]) -> Vec<Vec<Option<String>>> {
    let value = |text: &&str| (*text != "NULL").then(|| (*text).to_owned());
    rows.iter().map(|row| row.iter().map(value).collect()).collect()
}

#[track_caller]
fn changes(report: &Value, expected: &Value) {
    assert_eq!(report["streams"][0]["schema_changes"], *expected);
}

#[tokio::test]
async fn evolving_adds_widens_and_keeps_what_is_gone() {
    let database = Cluster::shared().database();
    database
        .execute("CREATE TABLE t (n int NOT NULL, a int2, gone text, p numeric(6,2), f float4); INSERT INTO t VALUES (1, 1, 'x', 1.5, 0.5)")
        .await;
    let project = project(&database, "evolve");
    changes(&project.sync(), &json!([]));
    database
        .execute(
            "ALTER TABLE t ALTER n DROP NOT NULL, ALTER a TYPE int8, DROP gone, ALTER p TYPE numeric(10,4), \
             ALTER f TYPE float8, ADD b text, ADD l int[]; \
             INSERT INTO t VALUES (NULL, 5000000000, 123456.7891, 0.1, 'new', '{1}')",
        )
        .await;
    changes(
        &project.sync(),
        &json!([
            { "change": "nullable", "column": "n" },
            { "change": "widened", "column": "a", "from": "Int16", "to": "Int64" },
            { "change": "removed", "column": "gone" },
            { "change": "widened", "column": "p", "from": "Decimal128(6, 2)", "to": "Decimal128(10, 4)" },
            { "change": "widened", "column": "f", "from": "Float32", "to": "Float64" },
            { "change": "added", "column": "b", "to": "Utf8" },
            { "change": "added", "column": "l", "to": "List(Int32, field: 'element')" },
        ]),
    );
    let expected = [
        ["1", "1", "x", "1.5000", "0.5", "NULL", "NULL"],
        ["1", "1", "NULL", "1.5000", "0.5", "NULL", "NULL"],
        ["NULL", "5000000000", "NULL", "123456.7891", "0.1", "new", "[1]"],
    ];
    assert_eq!(rows(&project, "n, a, gone, p, f, b, l"), texts(&expected));
    // Narrower again, back again: the target stays as wide as it was, and nothing is lost.
    database.execute("DELETE FROM t WHERE n IS NULL; ALTER TABLE t ALTER a TYPE int4, ADD gone text; UPDATE t SET gone = 'y'").await;
    changes(&project.sync(), &json!([]));
    assert_eq!(rows(&project, "count(*), count(gone), typeof(max(a))"), texts(&[["4", "2", "BIGINT"]]));
}

#[tokio::test]
async fn a_new_meaning_is_refused_by_its_column_and_nothing_is_lost() {
    for (before, after, using) in [
        ("text", "int", "using a::int"),
        ("date", "text", ""),
        ("text", "jsonb", "using to_jsonb(a)"),
        ("timestamp", "timestamptz", ""),
        ("int", "numeric(20,0)", ""),
    ] {
        let database = Cluster::shared().database();
        database
            .execute(&format!("CREATE TABLE t (n int, \"a b\" {before}); INSERT INTO t VALUES (1)"))
            .await;
        let project = project(&database, "evolve");
        project.sync();
        let using = using.replace("a::", "\"a b\"::").replace("(a)", "(\"a b\")");
        database.execute(&format!("ALTER TABLE t ALTER \"a b\" TYPE {after} {using}")).await;
        let report = project.sync_exits(65);
        let error = &report["streams"][0]["error"];
        assert_eq!(error["kind"], "schema", "{before} to {after}: {report}");
        assert_eq!(error["context"]["column"], "a b", "{before} to {after}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains("column \"a b\"")), "{error}");
        assert_eq!(rows(&project, "n"), texts(&[["1"]]));
        database.execute(&format!("ALTER TABLE t DROP \"a b\"; ALTER TABLE t ADD \"a b\" {before}")).await;
        project.sync();
        assert_eq!(rows(&project, "n"), texts(&[["1"], ["1"]]));
    }
}

#[tokio::test]
async fn frozen_stops_at_any_difference_and_names_it() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (n int, a int2); INSERT INTO t VALUES (1, 1)").await;
    let project = project(&database, "freeze");
    project.sync();
    project.sync();
    for (change, named, back) in [
        ("ADD late text", "column \"late\" is new", "DROP late"),
        ("ALTER a TYPE int8", "column \"a\" changes from Int16 to Int64", "ALTER a TYPE int2"),
        ("DROP a", "column \"a\" is gone", "ADD a int2"),
    ] {
        database.execute(&format!("ALTER TABLE t {change}")).await;
        let report = project.sync_exits(65);
        let error = &report["streams"][0]["error"];
        assert_eq!(error["kind"], "schema");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(named)), "{error}");
        assert_eq!(rows(&project, "count(*)"), texts(&[["2"]]), "{change}");
        database.execute(&format!("ALTER TABLE t {back}")).await;
    }
    project.sync();
    assert_eq!(rows(&project, "count(*)"), texts(&[["3"]]));
}

#[tokio::test]
async fn a_renamed_column_is_a_new_one_and_labels_are_no_change() {
    let database = Cluster::shared().database();
    database
        .execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (n int, a text, m mood); INSERT INTO t VALUES (1, 'x', 'sad')")
        .await;
    let project = project(&database, "evolve");
    project.sync();
    database
        .execute(
            "ALTER TYPE mood ADD VALUE 'new, \"one\"'; ALTER TABLE t RENAME a TO b; ALTER TABLE t ALTER b SET DEFAULT 'd', ADD PRIMARY KEY (n)",
        )
        .await;
    database.execute("UPDATE t SET n = 2, m = 'new, \"one\"'").await;
    changes(
        &project.sync(),
        &json!([{ "change": "removed", "column": "a" }, { "change": "added", "column": "b", "to": "Utf8" }]),
    );
    let expected = [["1", "x", "NULL", "sad"], ["2", "NULL", "x", "new, \"one\""]];
    assert_eq!(rows(&project, "n, a, b, m"), texts(&expected));
}

#[tokio::test]
async fn a_view_that_is_defined_anew_is_read_as_it_is_now() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE DOMAIN price AS numeric(6,2); CREATE TABLE base (n int, a text, p price); \
             INSERT INTO base VALUES (1, 'x', 1.5); CREATE VIEW t AS SELECT n, a FROM base",
        )
        .await;
    let project = project(&database, "evolve");
    project.sync();
    // A column more, and one whose name differs in nothing but its case.
    database.execute("DROP VIEW t; CREATE VIEW t AS SELECT n, a AS \"A\", p FROM base").await;
    changes(
        &project.sync(),
        &json!([
            { "change": "removed", "column": "a" },
            { "change": "added", "column": "A", "to": "Utf8" },
            { "change": "added", "column": "p", "to": "Decimal128(6, 2)" },
        ]),
    );
    // A domain can't be retyped, only replaced.
    database
        .execute(
            "DROP VIEW t; CREATE DOMAIN dear AS numeric(10,2); ALTER TABLE base ALTER p TYPE dear; \
             CREATE VIEW t AS SELECT n, a AS \"A\", p FROM base",
        )
        .await;
    changes(
        &project.sync(),
        &json!([
            { "change": "removed", "column": "a" },
            { "change": "widened", "column": "p", "from": "Decimal128(6, 2)", "to": "Decimal128(10, 2)" },
        ]),
    );
    assert_eq!(rows(&project, "n, p"), texts(&[["1", "1.50"], ["1", "1.50"], ["1", "NULL"]]));
    database.execute("DROP VIEW t; CREATE VIEW t AS SELECT n, a AS \"A\", now() AS p FROM base").await;
    let ran = project.run(&["sync"]).exits(65);
    ran.says("\"p\"");
}
