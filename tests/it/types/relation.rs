//! Whatever can be selected from, and whatever its past, comes whole and each row once.

use std::fmt::Write as _;

use lab::{Cluster, Database};
use serde_json::{Value, json};

use crate::support::Project;

/// Each has a whole number `n` and a text `x`.
const RELATIONS: &str = "
CREATE TABLE keyless (n int8, x text);
INSERT INTO keyless SELECT i % 50, 'x' || i FROM generate_series(1, 200) i;
INSERT INTO keyless SELECT * FROM keyless;
INSERT INTO keyless VALUES (NULL, NULL);
CREATE UNLOGGED TABLE large (n int8 PRIMARY KEY, pad text, x text);
INSERT INTO large SELECT i, repeat(md5(i::text), 20), md5((-i)::text) FROM generate_series(1, 20000) i;
CREATE VIEW seen AS SELECT k.n, l.x FROM keyless k JOIN large l USING (n) WHERE k.n > 10;
CREATE MATERIALIZED VIEW stored AS SELECT n, x FROM large WHERE n % 7 = 0;
CREATE TABLE parts (gone int, n int8, x text, at timestamptz) PARTITION BY RANGE (n);
ALTER TABLE parts DROP COLUMN gone;
CREATE TABLE part_one PARTITION OF parts FOR VALUES FROM (1) TO (100);
CREATE TABLE part_two (at timestamptz, gone text, x text, n int8);
ALTER TABLE part_two DROP COLUMN gone;
ALTER TABLE parts ATTACH PARTITION part_two FOR VALUES FROM (100) TO (200);
CREATE TABLE part_three PARTITION OF parts FOR VALUES FROM (200) TO (300) PARTITION BY LIST (x);
CREATE TABLE part_four PARTITION OF part_three DEFAULT;
INSERT INTO parts (n, x, at) SELECT i, 'p' || i, now() FROM generate_series(1, 299) i;
CREATE TABLE parent (n int8, x text);
CREATE TABLE heir (more text) INHERITS (parent);
INSERT INTO parent VALUES (1, 'of the parent');
INSERT INTO heir VALUES (2, 'of the heir', 'more');
CREATE TABLE changed (a int, n int8, b text, x text GENERATED ALWAYS AS ('made of ' || n) STORED, c int);
INSERT INTO changed (a, n, b, c) SELECT i, i, 'b', i FROM generate_series(1, 10) i;
ALTER TABLE changed DROP COLUMN a, DROP COLUMN b, DROP COLUMN c;
INSERT INTO changed (n) VALUES (11);
CREATE TABLE \"empty\" (n int8, x text);
";

const NAMES: [&str; 10] =
    ["keyless", "large", "seen", "stored", "parts", "part_two", "parent", "heir", "changed", "empty"];

/// What must be the same at both ends; both understand it.
fn digest(relation: &str, from: &str) -> String {
    format!(
        "SELECT '{relation}', count(*)::text, count(DISTINCT n)::text, sum(n)::text, md5(string_agg(x, ',' ORDER BY x)) FROM {from}"
    )
}

async fn digests(database: &Database, names: &[&str]) -> Vec<Vec<Option<String>>> {
    let parts: Vec<String> = names.iter().map(|name| digest(name, &format!("\"{name}\""))).collect();
    database.query(&(parts.join(" UNION ALL ") + " ORDER BY 1")).await
}

#[tokio::test]
async fn every_kind_of_relation_comes_whole() {
    let database = Cluster::shared().database();
    database.execute(RELATIONS).await;
    let (port, password) = (Cluster::shared().port(), Cluster::shared().password());
    database
        .execute(&format!(
            "CREATE EXTENSION postgres_fdw; \
             CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', dbname '{}'); \
             CREATE USER MAPPING FOR postgres SERVER self OPTIONS (user 'postgres', password '{password}'); \
             CREATE FOREIGN TABLE abroad (n int8, x text) SERVER self OPTIONS (table_name 'large')",
            database.name()
        ))
        .await;
    database.execute("ANALYZE").await;
    let names: Vec<&str> = NAMES.into_iter().chain(["abroad"]).collect();
    let project = names.iter().fold(Project::new(&database), |project, name| {
        project.stream(json!({ "name": format!("public.{name}") }))
    });
    let report = project.sync();
    let parts: Vec<String> = names
        .iter()
        .map(|name| {
            let files = format!("read_parquet('{}/**/*.parquet')", project.lake(&format!("public.{name}")));
            digest(name, &files)
        })
        .collect();
    let read = project.duckdb(&(parts.join(" UNION ALL ") + " ORDER BY 1"));
    assert_eq!(read, digests(&database, &names).await);
    let stream = |name: &str| -> &Value {
        let streams = report["streams"].as_array().expect("a list");
        streams.iter().find(|stream| stream["stream"] == format!("public.{name}")).expect("it was configured")
    };
    assert!(stream("large")["partitions"].as_u64() > Some(1), "a large table is read in parts: {report}");
    assert_eq!(stream("empty")["rows_written"], 0);
    assert_eq!(stream("keyless")["rows_written"], 401);
}

#[tokio::test]
async fn rows_without_columns_are_refused_or_get_one() {
    let database = Cluster::shared().database();
    let insert = "INSERT INTO bare DEFAULT VALUES;";
    database.execute(&format!("CREATE TABLE bare (); {insert} {insert} {insert}")).await;
    let stream = json!({ "name": "public.bare" });
    // A file without columns has no rows: to call it a success would be to lose them.
    let report = Project::new(&database).stream(stream.clone()).sync_exits(65);
    let error = &report["streams"][0]["error"];
    assert_eq!(error["kind"], "schema");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("no columns")), "{error}");
    let project = Project::new(&database).connection("metadata", json!({ "row_id": "id" })).stream(stream);
    project.sync();
    let count = "SELECT count(DISTINCT id)::text FROM";
    let files = format!("read_parquet('{}/**/*.parquet')", project.lake("public.bare"));
    assert_eq!(project.duckdb(&format!("{count} {files}")), [[Some("3".to_owned())]]);
}

#[tokio::test]
async fn columns_that_are_made_when_read_are_read() {
    let Some(cluster) = Cluster::shared_major(18) else {
        eprintln!("no PostgreSQL 18 here: virtual columns are not tested");
        return;
    };
    let database = cluster.database();
    let columns =
        "x text GENERATED ALWAYS AS ('made of ' || n) VIRTUAL, y int8 GENERATED ALWAYS AS (n * 2) STORED";
    database
        .execute(&format!(
            "CREATE TABLE made (n int8, {columns}); INSERT INTO made SELECT generate_series(1, 9)"
        ))
        .await;
    let project = Project::new(&database).stream(json!({ "name": "public.made" }));
    project.sync();
    let sql = |from: &str| format!("SELECT n::text, x, y::text FROM {from} ORDER BY n");
    let files = format!("read_parquet('{}/**/*.parquet')", project.lake("public.made"));
    let read = project.duckdb(&sql(&files));
    assert_eq!(read, database.query(&sql("made")).await);
    assert_eq!(read[8], ["9", "made of 9", "18"].map(|text| Some(text.to_owned())));
}

#[tokio::test]
async fn sixteen_hundred_columns_are_read() {
    let database = Cluster::shared().database();
    let mut create = "CREATE TABLE wide (n int".to_owned();
    let mut insert = "INSERT INTO wide SELECT i".to_owned();
    let mut sum = "SELECT n::text".to_owned();
    for column in 1..1600 {
        write!(create, ", c{column} int2").expect("a String takes it");
        write!(insert, ", nullif((i * {column}) % 97, 13)").expect("a String takes it");
        // Sums of a hundred: nobody parses an expression as deep as all of them.
        let plus = match column {
            1 => ", (",
            _ if column % 100 == 0 => ")::text, (",
            _ => "+",
        };
        write!(sum, "{plus}coalesce(c{column}::int8, {column})*{column}").expect("a String takes it");
    }
    database.execute(&format!("{create}); {insert} FROM generate_series(1, 60) i")).await;
    let project = Project::new(&database).stream(json!({ "name": "public.wide" }));
    project.sync();
    let sum = |from: &str| format!("{sum})::text FROM {from} ORDER BY n::int");
    let files = format!("read_parquet('{}/**/*.parquet')", project.lake("public.wide"));
    assert_eq!(project.duckdb(&sum(&files)), database.query(&sum("wide")).await);
}
