//! A manifest's sync is killed: what the next one leaves has each record once, and it goes on where the first stood.

use std::os::unix::process::ExitStatusExt;

use lab::Snowflake;
use serde_json::json;

use super::api::{Api, PER_DAY};
use crate::support::Project;

/// Days of records: enough for a commit in the middle, which takes 20,000 records.
const DAYS: usize = 30;
const FIRST: usize = DAYS * PER_DAY;

fn project(api: &Api, now: &str) -> Project {
    let project = Project::of_source(json!({
        "type": "manifest",
        "path": "./manifest.yaml",
        "config": { "token": "t" },
        "now": now,
    }));
    std::fs::write(project.path("manifest.yaml"), api.manifest(0)).expect("the folder is there");
    project.connection("commit_interval", "0s").stream(json!({ "name": "sliced", "cursor": "updated_at" }))
}

fn kill(project: &Project, place: &str) {
    let killed = project.command(&["sync"]).env("TIDEGATE_KILL", place).output().expect("it starts");
    assert_eq!(killed.status.signal(), Some(9), "{place}: {}", String::from_utf8_lossy(&killed.stderr));
}

/// As small files as there are, so that there is a commit before the end.
fn small(project: Project) -> Project {
    [("file_size", "1MiB"), ("row_group_size", "1MiB")]
        .into_iter()
        .fold(project, |project, (key, value)| project.destination(key, value))
}

/// Least and greatest id, how many, how many different ones.
fn counted(rows: &[Vec<Option<String>>]) -> Vec<usize> {
    rows[0].iter().map(|value| value.as_deref().unwrap_or("0").parse().expect("a number")).collect()
}

const COUNTS: &str = "SELECT min(id), max(id), count(id), count(DISTINCT id)";

#[test]
fn records_arrive_once_in_files_wherever_a_sync_is_killed() {
    let api = Api::with(FIRST);
    let places = ["lane.cut", "manifest.created", "commit.begun:2"];
    for place in places {
        api.set_items(FIRST);
        let mut project = small(project(&api, "2024-01-31T00:00:00Z")).destination("compression", "none");
        api.asked();
        kill(&project, place);
        let began = || api.asked().iter().any(|path| path.contains("since=2024-01-01T00"));
        assert!(began());
        project.sync();
        let went_on = !began();
        let is_committed = place != "lane.cut";
        assert_eq!(went_on, is_committed, "{place}");
        let lake = project.lake("sliced");
        let query = format!("{COUNTS} FROM read_parquet('{lake}/**/*.parquet')");
        assert_eq!(counted(&project.duckdb(&query)), [1, FIRST, FIRST, FIRST], "{place}");
        // Two days later.
        api.set_items(FIRST + 2 * PER_DAY);
        project.configuration()["sources"]["db"]["now"] = json!("2024-02-02T00:00:00Z");
        kill(&project, "commit.begun");
        project.sync();
        let last = FIRST + 2 * PER_DAY;
        assert_eq!(counted(&project.duckdb(&query)), [1, last, last, last], "{place}");
    }
}

#[test]
fn records_arrive_once_in_snowflake_wherever_a_sync_is_killed() {
    let api = Api::with(FIRST);
    let account = Snowflake::shared().account();
    let mut project = small(project(&api, "2024-01-31T00:00:00Z").in_snowflake(&account));
    let mut last = FIRST;
    for (day, place) in ["snowflake.commit.copied", "snowflake.commit.stands", "snowflake.upload.ended"]
        .into_iter()
        .enumerate()
    {
        kill(&project, place);
        project.sync();
        let counts = account.query(&format!("{COUNTS} FROM LAKE.SLICED"));
        assert_eq!(counted(&counts), [1, last, last, last], "{place}");
        last += PER_DAY;
        api.set_items(last);
        project.configuration()["sources"]["db"]["now"] = json!(format!("2024-02-0{}T00:00:00Z", day + 1));
    }
}
