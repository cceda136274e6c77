//! `tidegate bench`: measures the stream as it is, and leaves no trace. No figure is judged here: how fast
//! this machine is, is no matter of tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab::{Cluster, Database, S3};
use serde_json::{Value, json};

use crate::cli::run::{Place, Ran};
use crate::support::{Lake, Project, until_true, violations};

/// Rows of `public.t`: enough for several partitions.
const ROWS: u64 = 60_000;

async fn table() -> Database {
    let database = Cluster::shared().database();
    database
        .execute(&format!(
            "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz NOT NULL, note text); \
             INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '1 second', repeat(md5(i::text), 12) \
             FROM generate_series(1, {ROWS}) i; ANALYZE t; \
             CREATE VIEW v AS SELECT id, note FROM t WHERE id <= 100; CREATE TABLE nothing (a int)"
        ))
        .await;
    database
}

fn project(database: &Database) -> Project {
    // As many as the source endures, however many cores there are.
    Project::new(database).connection("parallelism", 4).stream(json!({ "name": "public.t", "cursor": "at" }))
}

/// Runs a bench of one round, which must end well, and returns the document.
#[track_caller]
fn benched(project: &Project, arguments: &[&str]) -> Value {
    let arguments = [&["bench", "--output", "json", "--rounds", "1"], arguments].concat();
    project.run(&arguments).exits(0).json()
}

/// Name, connections and rows of each part of a stream.
fn parts(stream: &Value) -> Vec<(&str, u64, u64)> {
    let parts = stream["parts"].as_array().expect("parts are a list").iter();
    let number = |part: &Value, key: &str| part[key].as_u64().expect("it is a number");
    parts
        .map(|part| {
            (part["part"].as_str().expect("it has a name"), number(part, "connections"), number(part, "rows"))
        })
        .collect()
}

/// All files below, each with its size. Empty folders are none.
fn tree(folder: &Path) -> BTreeSet<(PathBuf, u64)> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, data) = (entry.path(), entry.metadata().expect("it is there"));
            if data.is_dir() {
                folders.push(path);
            } else {
                found.insert((path, data.len()));
            }
        }
    }
    found
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("it is an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn every_part_reads_the_same_rows_and_targets_are_left_alone() {
    let database = table().await;
    let project = project(&database);
    project.sync();
    let before = (tree(&project.path("lake")), project.run(&["state", "export"]).stdout);
    let report = benched(&project, &["-s", "public.t"]);
    assert!(
        (tree(&project.path("lake")), project.run(&["state", "export"]).stdout) == before,
        "it left something"
    );
    let schema = Place::new().run(&["schema", "--report", "bench"]).exits(0).json();
    assert_eq!(violations(&report, &schema), [""; 0]);
    let stream = &report["streams"][0];
    let expected = [
        ("drain", 1, ROWS),
        ("drain", 2, ROWS),
        ("drain", 4, ROWS),
        ("decode", 4, ROWS),
        ("encode", 4, ROWS),
        ("upload", 4, 0),
        ("whole", 4, ROWS),
    ];
    assert_eq!(parts(stream), expected, "{report:#}");
    let part = |at: usize| &stream["parts"][at];
    assert_eq!(part(5)["bytes"], part(4)["bytes"], "as many bytes are uploaded as were encoded");
    assert_eq!(part(0)["speed"], 1.0, "a drain over one connection is what all is compared with");
    assert_eq!(
        part(0)["bytes"],
        part(2)["bytes"],
        "the server sends the same over any number of connections"
    );
    for at in [0, 3, 4, 5, 6] {
        let figures = part(at);
        assert!(
            figures["cpu_seconds"].as_f64() > Some(0.0) && figures["seconds"].as_f64() > Some(0.0),
            "{figures:#}"
        );
        assert!(figures["peak_rss_bytes"].as_u64() > Some(1 << 20), "{figures:#}");
        assert_eq!(figures["samples"].as_array().map(Vec::len), Some(1));
    }
    assert_eq!(project.sync()["totals"]["rows_written"], 0, "the next sync does not know of it");
}

#[tokio::test]
async fn the_document_has_these_keys() {
    let database = table().await;
    let report = benched(&project(&database), &["-s", "public.t"]);
    let expected = [
        "connection",
        "cores",
        "program",
        "rounds",
        "scale",
        "seconds",
        "source",
        "started_at",
        "streams",
        "version",
    ];
    assert_eq!(keys(&report), expected);
    let stream = &report["streams"][0];
    assert_eq!(keys(stream), ["estimated_rows", "is_portion", "judgement", "parts", "stream"]);
    assert_eq!(keys(&stream["judgement"]), ["advice", "because", "notes", "wall"]);
    let part = &stream["parts"][0];
    let expected = [
        "bytes",
        "bytes_per_second",
        "connections",
        "cpu_seconds",
        "cpu_seconds_per_million_rows",
        "files",
        "lanes",
        "part",
        "peak_rss_bytes",
        "plan_seconds",
        "rows",
        "rows_per_second",
        "samples",
        "seconds",
        "speed",
        "spread",
    ];
    assert_eq!(keys(part), expected);
    let expected = [
        "bytes",
        "cpu_seconds",
        "files",
        "lanes",
        "partitions",
        "peak_rss_bytes",
        "plan_seconds",
        "rows",
        "seconds",
    ];
    assert_eq!(keys(&part["samples"][0]), expected);
}

#[tokio::test]
async fn nothing_is_left_in_a_bucket() {
    let (database, bucket) = (table().await, S3::shared().bucket());
    let project = project(&database).in_bucket(&bucket);
    project.sync();
    let lake = Lake::in_bucket(&bucket, "public.t");
    let before = (lake.files().await, lake.commits().await);
    let report = benched(&project, &["-s", "public.t"]);
    assert_eq!(parts(&report["streams"][0]).last(), Some(&("whole", 4, ROWS)));
    assert!((lake.files().await, lake.commits().await) == before);
    lake.is_tidy().await;
    let own = Lake::in_bucket(&bucket, "tidegate_bench");
    own.is_tidy().await;
    assert!(own.files().await.is_empty() && own.commits().await.is_empty());
}

#[tokio::test]
async fn a_portion_of_a_stream_is_measured() {
    let database = table().await;
    let report = benched(&project(&database), &["-s", "public.t", "--rows", "20000"]);
    let stream = &report["streams"][0];
    assert_eq!(stream["is_portion"], true, "{report:#}");
    let rows: BTreeSet<u64> =
        parts(stream).into_iter().filter(|part| part.0 != "upload").map(|part| part.2).collect();
    assert_eq!(rows.len(), 1, "all parts read the same portion: {report:#}");
    assert!(rows.iter().all(|rows| (10_000..ROWS).contains(rows)), "{report:#}");
}

#[tokio::test]
async fn a_source_alone_and_a_view_are_drained_and_decoded() {
    let database = table().await;
    let project = project(&database);
    let report = benched(&project, &["--source", "db", "-s", "public.v"]);
    assert_eq!(report["connection"], Value::Null);
    assert_eq!(parts(&report["streams"][0]), [("drain", 1, 100), ("decode", 1, 100)]);
    assert!(!project.path("lake").exists(), "there is no destination");
    project.run(&["bench", "--source", "db"]).exits(64).says("no streams configured");
    let table = project.run(&["bench", "--source", "db", "-s", "public.v", "--rounds", "2"]).exits(0);
    table.prints("drain").prints("decode").prints("the wall:").prints("medians of 2 rounds");
}

#[tokio::test]
async fn an_empty_table_has_no_rates() {
    let database = table().await;
    let project = project(&database).stream(json!({ "name": "public.nothing" }));
    let report = benched(&project, &["-s", "public.nothing"]);
    let stream = &report["streams"][0];
    assert_eq!(stream["judgement"]["wall"], "nothing", "{report:#}");
    for part in stream["parts"].as_array().expect("parts") {
        assert_eq!((&part["rows"], &part["rows_per_second"]), (&json!(0), &Value::Null), "{part:#}");
    }
}

#[tokio::test]
async fn what_can_not_be_measured_is_refused_with_a_reason() {
    let database = table().await;
    let project = project(&database).stream(json!({ "name": "public.nothing" }));
    project.run(&["bench", "-s", "public.gone"]).exits(78).says("no configured stream is called");
    let gone = project.run(&["bench", "--source", "db", "-s", "public.gone", "-o", "json"]).exits(78);
    assert!(
        gone.json()["error"]["message"].as_str().is_some_and(|said| said.contains("public.gone")),
        "{}",
        gone.stdout
    );
    project.run(&["bench"]).exits(64).says("name one by `--stream`");
    project.run(&["bench", "--scale", "0.01"]).exits(64).says("must be named");
    project.run(&["bench", "db_to_lake", "--scale", "0"]).exits(78).says("a scale is a number above 0");
    // It ends in a process of its own.
    database.execute("CREATE TABLE odd (at timestamptz); INSERT INTO odd VALUES ('infinity')").await;
    let odd = project.run(&["bench", "--source", "db", "-s", "public.odd", "-o", "json"]).exits(65).json();
    assert_eq!((&odd["error"]["kind"], &odd["exit_code"]), (&json!("data"), &json!(65)), "{odd:#}");
}

/// Whether the schema of made tables is there.
async fn is_there(database: &Database) -> bool {
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = 'tidegate_bench'";
    database.value(sql).await.as_deref() == Some("1")
}

#[tokio::test]
async fn tables_are_made_measured_and_removed() {
    let database = table().await;
    let project = project(&database);
    let report = benched(&project, &["db_to_lake", "--scale", "0.002"]);
    let streams = report["streams"].as_array().expect("streams are a list");
    let names: Vec<&Value> = streams.iter().map(|stream| &stream["stream"]).collect();
    assert_eq!(names, ["tidegate_bench.lineitem", "tidegate_bench.payments"]);
    assert_eq!(parts(&streams[1]).last(), Some(&("whole", 1, 6000)), "{report:#}");
    assert_eq!(report["scale"], 0.002);
    assert!(!is_there(&database).await);
    assert_eq!(tree(&project.path("lake")), BTreeSet::new(), "nothing was committed and nothing is left");
}

#[tokio::test]
async fn a_schema_of_that_name_is_somebody_elses() {
    let database = table().await;
    database
        .execute("CREATE SCHEMA tidegate_bench; CREATE TABLE tidegate_bench.payments AS SELECT 1 AS a")
        .await;
    let project = project(&database);
    let ran = project.run(&["bench", "--source", "db", "--scale", "0.001"]).exits(78);
    ran.says("tidegate_bench").says("another bench is at work there, or was killed");
    assert_eq!(database.value("SELECT count(*) FROM tidegate_bench.payments").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_role_that_only_reads_can_measure_and_make_nothing() {
    let database = table().await;
    let role = database.role("reader", "GRANT SELECT ON t TO {role}");
    let project = Project::of_url(&database.url_of(&role)).stream(json!({ "name": "public.t" }));
    project.run(&["bench", "db_to_lake", "--scale", "0.001"]).exits(77).says("the right to create a schema");
    let report = benched(&project, &["--source", "db", "-s", "public.t"]);
    // How many connections, the cores of this machine say.
    let decoded = parts(&report["streams"][0]).last().map(|(part, _, rows)| (*part, *rows));
    assert_eq!(decoded, Some(("decode", ROWS)));
}

#[tokio::test]
async fn a_signal_removes_what_was_made() {
    let database = table().await;
    let project = project(&database);
    let mut command = project.command(&["bench", "db_to_lake", "--scale", "2", "--output", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    until_true("tables that are being made", async || is_there(&database).await).await;
    let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    let ran = Ran::from(child.wait_with_output().expect("it ends")).exits(130);
    assert_eq!(ran.json()["outcome"], "interrupted");
    assert!(!is_there(&database).await);
}

#[tokio::test]
async fn a_signal_ends_the_part_that_is_measured() {
    let database = table().await;
    database
        .execute("CREATE VIEW slow AS SELECT i, pg_sleep(0.01) IS NULL AS x FROM generate_series(1, 6000) i")
        .await;
    let project = project(&database);
    let mut command = project.command(&["bench", "--source", "db", "-s", "public.slow", "-o", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let reads = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND state = 'active' AND query LIKE 'COPY %slow%'";
    until_true("a part that is measured", async || database.value(reads).await.as_deref() == Some("1")).await;
    let sent = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    Ran::from(child.wait_with_output().expect("it ends")).exits(130);
    until_true("no session that still reads", async || database.value(reads).await.as_deref() == Some("0"))
        .await;
}
