//! `tidegate verify`: what is committed is what was written, and whatever became of it is named.

mod damage;
mod source;

use lab::{Cluster, Database};
use serde_json::{Value, json};

use crate::support::Project;

/// Rows of `public.events` before anything is added.
const ROWS: i64 = 3000;

/// A table of many types, and a small one that is read in full.
async fn tables() -> Database {
    let database = Cluster::shared().database();
    database
        .execute(&format!(
            "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, key uuid, amount numeric(18, 4), \
             loose numeric, small smallint, ratio real, wide double precision, is_new boolean, day date, \
             clock time, local timestamp, raw bytea, detail jsonb, tags text[], note text); \
             INSERT INTO events SELECT i, timestamptz '2026-01-01' + i * interval '1 minute', md5(i::text)::uuid, \
             i * 1.5, CASE WHEN i % 3 = 0 THEN i / 7.0 END, (i % 100)::smallint, i / 3.0, 'NaN', i % 2 = 0, \
             date '2026-01-01' + (i % 30)::int, time '10:00' + i * interval '1 second', \
             timestamp '2026-01-01' + i * interval '1 hour', decode(md5(i::text), 'hex'), \
             jsonb_build_object('i', i, 'x', ARRAY[i]), CASE WHEN i % 5 > 0 THEN ARRAY['a', NULL, i::text] END, \
             CASE i % 3 WHEN 0 THEN '' WHEN 1 THEN 'n' || i END FROM generate_series(1, {ROWS}) i; \
             CREATE TABLE countries (code text PRIMARY KEY, name text); \
             INSERT INTO countries VALUES ('DE', 'Germany'), ('FR', NULL); CREATE TABLE nothing (a int)"
        ))
        .await;
    database
}

/// Reads both tables, the events incrementally and with columns of tidegate's own.
fn project(database: &Database) -> Project {
    Project::new(database)
        .connection("metadata", json!({ "extracted_at": "_at", "sync_id": "_sync", "row_id": "_row" }))
        .stream(json!({ "name": "public.events", "cursor": "at", "lag": "0s" }))
        .stream(json!({ "name": "public.countries" }))
        .stream(json!({ "name": "public.nothing" }))
}

/// Verifies, which must end with that exit code, and returns the document.
#[track_caller]
fn verified(project: &Project, code: i32, arguments: &[&str]) -> Value {
    let arguments = [&["verify", "--output", "json"], arguments].concat();
    let document = project.run(&arguments).exits(code).json();
    assert_eq!(document["exit_code"], code, "{document:#}");
    document
}

fn stream<'a>(document: &'a Value, name: &str) -> &'a Value {
    let streams = document["streams"].as_array().expect("a document lists streams");
    streams.iter().find(|stream| stream["stream"] == name).expect("the stream is there")
}

#[tokio::test]
async fn a_clean_target_passes() {
    let database = tables().await;
    let project = project(&database);
    let report = project.sync();
    let document = verified(&project, 0, &[]);
    assert_eq!(document["outcome"], "ok", "{document:#}");
    for name in ["public.events", "public.countries", "public.nothing"] {
        let (found, written) = (stream(&document, name), stream(&report, name));
        assert_eq!(found["content"], written["content"], "{name}: the report's receipt is that of the files");
        assert!(found["content"].is_string(), "{found:#}");
        assert_eq!(found["rows"], written["rows_written"]);
        assert_eq!(found["files"], found["files_verified"]);
    }
    // Another increment, another generation, a column more.
    database
        .execute(
            "ALTER TABLE events ADD extra int; INSERT INTO events (id, at, extra) \
             SELECT i, clock_timestamp(), i FROM generate_series(4001, 4100) i; \
             INSERT INTO countries VALUES ('IT', 'Italy')",
        )
        .await;
    project.sync();
    let document = verified(&project, 0, &[]);
    let events = stream(&document, "public.events");
    assert_eq!((&events["outcome"], &events["rows"]), (&json!("ok"), &json!(ROWS + 100)), "{events:#}");
    assert_eq!(events["commits"], 2);
    assert_eq!(stream(&document, "public.countries")["rows"], 3);
    project.run(&["verify"]).exits(0).prints("public.events").prints("ok in");
    let one = verified(&project, 0, &["--stream", "public.countries"]);
    assert_eq!(one["streams"].as_array().expect("streams").len(), 1);
    project.run(&["verify", "-s", "nope"]).exits(78).says("no configured stream is called \"nope\"");
}

#[tokio::test]
async fn the_source_is_not_needed() {
    let database = tables().await;
    let project = project(&database);
    project.sync();
    let mut command = project.command(&["verify", "--output", "json"]);
    let nobody = format!("postgres://u@127.0.0.1:{}/d", lab::port::free());
    let output = command.env("DATABASE_URL", nobody).output().expect("the binary is built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn before_the_first_sync_there_is_nothing_wrong() {
    let database = tables().await;
    let document = verified(&project(&database), 0, &[]);
    assert_eq!(stream(&document, "public.events")["sequence"], 0, "{document:#}");
}
