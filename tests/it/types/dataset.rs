//! The files of a target as one data set: columns that are added, folders, compression, and what a glob
//! shows after several syncs.

use lab::{Cluster, Options};
use serde_json::json;

use crate::support::Project;

/// What the files of `t` show.
fn shown(project: &Project, select: &str) -> Vec<Vec<Option<String>>> {
    project.duckdb(&format!("SELECT {select} FROM read_parquet('{}/**/*.parquet')", project.lake("public.t")))
}

fn one(rows: &[Vec<Option<String>>]) -> Vec<&str> {
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows[0].iter().map(|value| value.as_deref().unwrap_or("NULL")).collect()
}

#[tokio::test]
async fn added_columns_tell_when_by_what_and_which() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)").await;
    let names = json!({ "extracted_at": "_at", "sync_id": "the sync", "row_id": "_row" });
    let project = Project::new(&database)
        .connection("metadata", names)
        .stream(json!({ "name": "public.t", "mode": "full_refresh", "write": "append" }));
    let syncs = [project.sync(), project.sync()].map(|report| {
        let id = report["streams"][0]["sync"].as_str().expect("an id").to_owned();
        (id, report["started_at"].as_str().expect("a time").to_owned())
    });
    let rows = shown(
        &project,
        "count(*), count(DISTINCT _row), count(DISTINCT \"the sync\"), typeof(any_value(_at)), typeof(any_value(_row)), \
         count(_at), count(\"the sync\")",
    );
    assert_eq!(one(&rows), ["2000", "2000", "2", "TIMESTAMP WITH TIME ZONE", "UUID", "2000", "2000"]);
    for (id, started) in syncs {
        let select = format!(
            "count(*), count(DISTINCT _at), abs(epoch(min(_at)) - epoch('{started}'::timestamptz)) < 60 \
             FROM (SELECT *"
        );
        let rows = project.duckdb(&format!(
            "SELECT {select} FROM read_parquet('{}/**/*.parquet') WHERE \"the sync\"::text = '{id}')",
            project.lake("public.t")
        ));
        assert_eq!(one(&rows), ["1000", "1", "true"]);
    }
}

#[tokio::test]
async fn files_are_compressed_as_configured() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (n int, x text); INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 5000) i").await;
    for (compression, codec) in
        [(None, "ZSTD"), (Some("none"), "UNCOMPRESSED"), (Some("snappy"), "SNAPPY"), (Some("zstd"), "ZSTD")]
    {
        let mut project = Project::new(&database).stream(json!({ "name": "public.t" }));
        if let Some(compression) = compression {
            project = project.destination("compression", compression);
        }
        project.sync();
        let read = project.python("read_parquet.py", &[&project.lake("public.t"), "--no-rows"]);
        // Numbers in a row do not shrink with snappy: what does not shrink is left as it is.
        let codecs = if codec == "SNAPPY" { json!([codec, "UNCOMPRESSED"]) } else { json!([codec]) };
        assert_eq!(read["compression"], codecs);
        let rows = shown(&project, "count(*), count(DISTINCT x), sum(n)");
        assert_eq!(one(&rows), ["5000", "5000", "12502500"]);
    }
}

#[tokio::test]
async fn folders_by_date_are_columns_to_readers() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (n int, day timestamptz); \
             INSERT INTO t SELECT i, '2026-03-01 00:00+00'::timestamptz + i * interval '1 hour' FROM generate_series(0, 99) i; \
             INSERT INTO t VALUES (100, NULL), (101, '4713-11-24 00:00+00 BC'), (102, '294246-12-31 23:59+00'), \
                 (103, '2026-03-01 23:59:59.999999+00')",
        )
        .await;
    let by_day = |folders: serde_json::Value| {
        Project::new(&database).destination("folders", folders).stream(json!({ "name": "public.t" }))
    };
    let project = by_day(json!({ "column": "day" }));
    project.sync();
    let rows = shown(&project, "count(*), count(DISTINCT n), sum(n)");
    assert_eq!(one(&rows), ["104", "104", "5356"]);
    let days = project.duckdb(&format!(
        "SELECT day_day::text, count(*) FROM read_parquet('{}/**/*.parquet', hive_partitioning = true) \
         WHERE day >= '2000-01-01' AND day < '3000-01-01' AND day_day::text <> day::date::text GROUP BY 1",
        project.lake("public.t")
    ));
    assert_eq!(days, Vec::<Vec<Option<String>>>::new(), "rows in the folder of another day");
    let mut folders: Vec<String> = std::fs::read_dir(project.lake("public.t"))
        .expect("it was just written")
        .map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    assert!(folders.contains(&"day_day=2026-03-01".to_owned()), "{folders:?}");
    assert!(folders.contains(&"day_day=__HIVE_DEFAULT_PARTITION__".to_owned()), "{folders:?}");

    let project = by_day(json!({ "column": "day", "grain": "month" }));
    project.sync();
    let months = project.duckdb(&format!(
        "SELECT DISTINCT day_month::text FROM read_parquet('{}/**/*.parquet', hive_partitioning = true) \
         WHERE day BETWEEN '2000-01-01' AND '3000-01-01'",
        project.lake("public.t")
    ));
    assert_eq!(months, [[Some("2026-03".to_owned())]]);

    let project = by_day(json!({}));
    let report = project.sync();
    let day = &report["started_at"].as_str().expect("a time")[..10];
    let sql = format!("count(*), min(load_day::text) >= '{day}'");
    assert_eq!(one(&shown(&project, &sql)), ["104", "true"]);
}

#[tokio::test]
async fn appended_syncs_together_are_the_history_of_the_table() {
    // Of its own: other tests leave transactions open, which hold back what counts as settled.
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database
        .execute(
            "CREATE TABLE t (n int PRIMARY KEY, version int DEFAULT 1, moment timestamptz DEFAULT clock_timestamp()); \
             CREATE INDEX ON t (moment); CREATE TABLE history (LIKE t); \
             CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN INSERT INTO history VALUES (new.*); RETURN new; END'; \
             CREATE TRIGGER remember AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION remember()",
        )
        .await;
    let project =
        Project::new(&database).stream(json!({ "name": "public.t", "cursor": "moment", "lag": "0s" }));
    let mut written = 0;
    for change in [
        "INSERT INTO t SELECT generate_series(1, 500)",
        "INSERT INTO t SELECT generate_series(501, 700)",
        "UPDATE t SET version = version + 1, moment = clock_timestamp() WHERE n % 10 = 0",
        "SELECT 1",
        "INSERT INTO t SELECT generate_series(701, 701); UPDATE t SET version = 9, moment = clock_timestamp() WHERE n = 5",
        "DELETE FROM t WHERE n < 100",
    ] {
        database.execute(change).await;
        written += project.sync()["totals"]["rows_written"].as_u64().expect("a count");
    }
    let sql = |from: &str| {
        format!(
            "SELECT n::text, version::text, (extract(epoch FROM moment) * 1000000)::bigint::text FROM {from} ORDER BY 3, 1, 2"
        )
    };
    let files = format!("read_parquet('{}/**/*.parquet')", project.lake("public.t"));
    let history = database.query(&sql("history")).await;
    assert_eq!(project.duckdb(&sql(&files)), history);
    assert_eq!(written, history.len() as u64);
}

#[tokio::test]
async fn an_overwrite_leaves_the_rows_of_the_last_sync_alone() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (n int, x text); INSERT INTO t SELECT i, 'old' FROM generate_series(1, 100) i",
        )
        .await;
    let project = Project::new(&database).stream(json!({ "name": "public.t" }));
    assert_eq!(project.sync()["streams"][0]["write_mode"], "overwrite");
    database
        .execute("DELETE FROM t WHERE n > 60; UPDATE t SET x = 'new'; ALTER TABLE t ADD more int DEFAULT 7")
        .await;
    project.sync();
    let rows = shown(&project, "count(*), min(x), max(x), sum(more)");
    assert_eq!(one(&rows), ["60", "new", "new", "420"]);
    database.execute("TRUNCATE t").await;
    project.sync();
    assert_eq!(one(&shown(&project, "count(*)")), ["0"]);
}
