//! `tidegate reconcile`: what was deleted, what is missing and what differs, found exactly and put
//! right as far as that can be.

mod busy;
mod delete;
mod key;
mod race;
mod replica;
mod soft;
mod wrong;

use serde_json::Value;

use crate::cli::run::Ran;
use crate::support::Project;

/// Compares, and returns the one stream's part of the report. Keys are shown.
#[track_caller]
fn reconciled(project: &Project, options: &[&str], code: i32) -> Value {
    let report = ran(project, options).exits(code).json();
    assert_eq!(report["exit_code"], code, "{report:#}");
    let streams = report["streams"].as_array().expect("a report lists streams");
    assert_eq!(streams.len(), 1, "{report:#}");
    streams[0].clone()
}

fn ran(project: &Project, options: &[&str]) -> Ran {
    let mut arguments = vec!["reconcile", "--output", "json", "--show-keys", "50"];
    arguments.extend(options);
    project.run(&arguments)
}

/// The counts of what is equal, pending, missing, differing and extra.
fn counts(stream: &Value) -> [u64; 5] {
    ["equal", "pending", "missing", "differing", "extra"]
        .map(|name| stream[name].as_u64().unwrap_or_else(|| panic!("no {name} in {stream:#}")))
}

/// The keys of one kind, of a key of one column.
fn keys<'a>(stream: &'a Value, kind: &str) -> Vec<&'a str> {
    let keys = stream["keys"][kind].as_array().expect("a list");
    keys.iter().map(|key| key["id"].as_str().expect("the key's column")).collect()
}

/// What the README's query for the current rows answers for the stream's target, sorted by `id`.
#[track_caller]
fn current(project: &Project, columns: &str, conditions: &str) -> Vec<Vec<Option<String>>> {
    let readme = std::fs::read_to_string(lab::root().join("README.md")).expect("there is a README");
    let begin = readme.find("SELECT * EXCLUDE (filename").expect("the README has the query");
    let query = readme[begin..].split("```").next().expect("split yields something");
    let query = query.trim().trim_end_matches(';').replace("raw/public.payments", &project.lake("public.t"));
    assert!(query.contains(&project.lake("public.t")), "{query}");
    project.duckdb(&format!("SELECT {columns} FROM ({query}) WHERE {conditions} ORDER BY id"))
}
