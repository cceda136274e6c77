//! An Airbyte connector as a source: a command that prints messages.

use serde_json::Value;

use super::api::Api;
use crate::cli::run::Place;

fn place(config: &str) -> Place {
    let command = lab::python_command("airbyte_connector.py");
    let script = command.get_args().next().expect("it has one").to_string_lossy();
    let python = command.get_program().to_string_lossy();
    Place::with(&format!(
        "sources:
  people:
    type: airbyte
    command: [\"{python}\", \"{script}\"]
    environment: {{CONNECTOR_REGION: north}}
    config: {config}
destinations:
  lake: {{type: parquet, url: ./lake}}
connections:
  people_to_lake:
    source: people
    destination: lake
    streams:
      - {{name: people, cursor: id}}
"
    ))
}

fn ids(place: &Place) -> Vec<i64> {
    let pattern = format!("{}/**/*.parquet", place.path("lake/people").display());
    let answer =
        lab::python("duckdb_query.py", &[&format!("SELECT id FROM read_parquet('{pattern}') ORDER BY id")]);
    let rows = answer.as_array().expect("rows").iter();
    rows.map(|row| row[0].as_str().and_then(|id| id.parse().ok()).expect("an id")).collect()
}

#[test]
fn a_connector_is_read_from_where_it_stood() {
    let place = place("{people: 25, token: s3cret-token}");
    place.run(&["check"]).exits(0);
    place.run(&["discover", "--source", "people"]).exits(0).prints("people");
    let ran = place.run(&["sync"]).exits(0);
    assert!(!ran.stderr.contains("s3cret-token"), "{}", ran.stderr);
    assert_eq!(ids(&place), (1..=25).collect::<Vec<_>>());
    place.run(&["state", "show"]).exits(0).prints("25");
    let text = place.read("tidegate.yaml").replace("people: 25", "people: 31");
    place.write("tidegate.yaml", &text);
    place.run(&["sync"]).exits(0);
    assert_eq!(ids(&place), (1..=31).collect::<Vec<_>>());
    let exported: Value = place.run(&["state", "export", "--as", "airbyte"]).exits(0).json();
    assert_eq!(exported[0]["stream"]["stream_state"]["id"], 31);
}

#[test]
fn what_a_connector_says_went_wrong_is_said_without_secrets() {
    let place = place("{people: 25, fail_after: 12, token: s3cret-token}");
    let ran = place.run(&["sync"]).exits(78).says("the connector says: no more for");
    assert!(!ran.stderr.contains("s3cret-token"), "{}", ran.stderr);
    assert!(!place.path("lake/people").exists(), "nothing is committed of a sync that failed");
}

#[test]
fn a_connector_that_is_killed_is_started_again() {
    let place = place("{people: 25, die_after: 12, died: ./died}");
    place.run(&["sync"]).exits(0);
    assert!(place.path("died").exists());
    assert_eq!(ids(&place), (1..=25).collect::<Vec<_>>());
}

#[test]
fn tidegate_itself_is_a_connector() {
    let api = Api::with(3);
    let manifest = api.manifest(0);
    let place = Place::new();
    place.write("manifest.yaml", &manifest);
    // The manifest is in the configuration, as the reference takes it.
    let configuration = format!(
        "sources:
  api:
    type: airbyte
    command: [{:?}, airbyte]
    config:
      token: s3cret-token
      __injected_declarative_manifest:
        {}
destinations:
  lake: {{type: parquet, url: ./lake}}
connections:
  api_to_lake:
    source: api
    destination: lake
    streams:
      - {{name: items, cursor: updated_at}}
",
        env!("CARGO_BIN_EXE_tidegate"),
        manifest.trim_end().replace('\n', "\n        "),
    );
    place.write("tidegate.yaml", &configuration);
    place.run(&["check"]).exits(0);
    place.run(&["sync"]).exits(0);
    let pattern = format!("{}/**/*.parquet", place.path("lake/items").display());
    let count = || {
        let query = format!("SELECT count(DISTINCT id), max(updated_at) FROM read_parquet('{pattern}')");
        lab::python("duckdb_query.py", &[&query])[0][0].clone()
    };
    assert_eq!(count(), "3");
    api.set_items(5);
    place.run(&["sync"]).exits(0);
    assert_eq!(count(), "5");
    assert!(api.asked().contains(&"/items?since=2024-01-03T00%3A00%3A00Z".to_owned()));
}

#[test]
fn a_check_that_fails_says_why() {
    place("{token: s3cret-token}").run(&["check"]).exits(78).prints("there is no `people`");
    let place = place("{people: 1}");
    let text = place.read("tidegate.yaml").replace("airbyte_connector.py", "nothing.py");
    place.write("tidegate.yaml", &text);
    assert_ne!(place.run(&["check"]).code, 0);
}
