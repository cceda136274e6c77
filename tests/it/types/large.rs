//! Values that are larger than the budget of bytes.

use lab::Cluster;
use serde_json::json;

use crate::support::{Project, Running};

/// The most memory that the process has had so far, in MiB.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib >> 10)
}

#[tokio::test]
async fn a_text_of_a_hundred_megabytes_passes_a_budget_of_64_mib() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE big (n int, t text, b bytea); ALTER TABLE big ALTER t SET STORAGE external, ALTER b SET STORAGE external; \
             INSERT INTO big SELECT n, CASE n WHEN 2 THEN (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3125000) i) \
             WHEN 4 THEN NULL ELSE 'small' || n END, '\\x00ff' FROM generate_series(1, 5) n",
        )
        .await;
    let project =
        Project::new(&database).connection("memory", "64MiB").stream(json!({ "name": "public.big" }));
    let mut running = Running::start(project.command(&["sync", "-o", "json"]));
    let mut most = 0;
    while !running.has_ended() {
        most = most.max(peak(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.wait().exits(0);
    let sql = |from: &str, bytes: &str| {
        format!("SELECT n::text, length(t)::text, md5(t), {bytes} FROM {from} ORDER BY n")
    };
    let files = format!("read_parquet('{}/**/*.parquet')", project.lake("public.big"));
    let read = project.duckdb(&sql(&files, "lower(hex(b))"));
    assert_eq!(read, database.query(&sql("big", "encode(b, 'hex')")).await);
    assert_eq!(read[1][1].as_deref(), Some("100000000"));
    eprintln!("peak memory with a value of 95 MiB: {most} MiB");
    assert!(most < 64 + 4 * 96, "{most} MiB for a value of 95 MiB");
}

#[tokio::test]
async fn bytes_json_and_arrays_of_many_megabytes_pass_a_budget_of_64_mib() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE huge (n int, b bytea, j jsonb, a int[]); \
             ALTER TABLE huge ALTER b SET STORAGE external, ALTER j SET STORAGE external, ALTER a SET STORAGE external; \
             INSERT INTO huge VALUES \
             (1, (SELECT string_agg(sha256(i::text::bytea), '') FROM generate_series(1, 3125000) i), NULL, NULL), \
             (2, NULL, (SELECT jsonb_agg(md5(i::text)) FROM generate_series(1, 1400000) i), NULL), \
             (3, NULL, NULL, ARRAY(SELECT generate_series(1, 10000000))), (4, '', '{}', '{}')",
        )
        .await;
    let sizes = "SELECT max(length(b)), max(length(j::text)), max(cardinality(a)) FROM huge";
    let sizes = database.query(sizes).await;
    let at_least = [100_000_000, 50_000_000, 10_000_000];
    for (size, least) in sizes[0].iter().zip(at_least) {
        let size: u64 = size.as_ref().and_then(|size| size.parse().ok()).expect("a size");
        assert!(size >= least, "{sizes:?}");
    }
    let project =
        Project::new(&database).connection("memory", "64MiB").stream(json!({ "name": "public.huge" }));
    project.sync();
    // Read back, and compared with what the server sends.
    project.run(&["verify", "--source"]).exits(0);
}

#[tokio::test]
async fn a_row_of_more_than_a_gigabyte_is_refused_by_its_size() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE VIEW vast AS SELECT 1 AS n, repeat('x', 550000000) AS a, repeat('y', 550000000) AS b",
        )
        .await;
    let project = Project::new(&database).connection("retries", 0).stream(json!({ "name": "public.vast" }));
    let document = project.sync_exits(65);
    let error = &document["streams"][0]["error"];
    assert_eq!(error["kind"], "data", "{document:#}");
    assert!(error["hint"].as_str().is_some_and(|hint| hint.contains("over 1 GB")), "{document:#}");
    assert_eq!(document["totals"]["rows_written"], 0, "{document:#}");
}
