//! A manifest as a source of tidegate's: into Parquet, full and incremental, and its states.

use serde_json::{Value, json};

use super::api::Api;
use crate::cli::run::Place;

fn place(api: &Api, more: usize, streams: &str) -> Place {
    let place = Place::with(&format!(
        "sources:
  api:
    type: manifest
    path: ./manifest.yaml
    config: {{token: \"${{env:API_TOKEN}}\"}}
    now: 2024-06-01T00:00:00Z
destinations:
  lake: {{type: parquet, url: ./lake}}
connections:
  api_to_lake:
    source: api
    destination: lake
    streams:
{streams}"
    ));
    place.write("manifest.yaml", &api.manifest(more));
    place.set("API_TOKEN", "s3cret-token")
}

const ITEMS: &str = "      - {name: items, cursor: updated_at}\n      - {name: plain}\n";

fn ids(place: &Place, stream: &str) -> Vec<i64> {
    let files = place.path(&format!("lake/{stream}"));
    let pattern = format!("{}/**/*.parquet", files.display());
    let answer =
        lab::python("duckdb_query.py", &[&format!("SELECT id FROM read_parquet('{pattern}') ORDER BY id")]);
    let rows = answer.as_array().expect("rows").iter();
    rows.map(|row| row[0].as_str().and_then(|id| id.parse().ok()).expect("an id")).collect()
}

#[test]
fn an_increment_follows_a_first_sync() {
    let api = Api::with(3);
    let place = place(&api, 0, ITEMS);
    place.run(&["check"]).exits(0);
    place.run(&["discover", "--source", "api"]).exits(0).prints("updated_at");
    place.run(&["plan"]).exits(0).prints("items");
    let report = place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(ids(&place, "items"), [1, 2, 3]);
    place.run(&["state", "show"]).exits(0).prints("2024-01-03T00:00:00Z");
    api.set_items(5);
    place.run(&["sync"]).exits(0);
    // The API's cursor includes the last value: its record comes again, and is not written again.
    assert!(api.asked().contains(&"/items?since=2024-01-03T00%3A00%3A00Z".to_owned()));
    assert_eq!(ids(&place, "items"), [1, 2, 3, 4, 5]);
    place.run(&["sync"]).exits(0);
    assert_eq!(ids(&place, "items"), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&place, "plain"), [1, 2, 3, 4, 5]);
}

#[test]
fn a_record_that_changed_without_a_new_stamp_is_written() {
    let api = Api::with(3);
    let place = place(&api, 0, ITEMS);
    place.run(&["sync"]).exits(0);
    api.change(3);
    api.set_items(4);
    place.run(&["sync"]).exits(0);
    assert_eq!(ids(&place, "items"), [1, 2, 3, 3, 4]);
}

#[test]
fn repeated_records_are_kept_where_that_is_asked_for() {
    let api = Api::with(3);
    let place = place(&api, 0, ITEMS);
    let text = place.read("tidegate.yaml").replace("    now:", "    repeated: keep\n    now:");
    place.write("tidegate.yaml", &text);
    place.run(&["sync"]).exits(0);
    place.run(&["sync"]).exits(0);
    assert_eq!(ids(&place, "items"), [1, 2, 3, 3]);
}

#[test]
fn states_move_between_airbyte_and_tidegate() {
    let api = Api::with(6);
    let place = place(&api, 0, ITEMS);
    let state = json!([{ "type": "STREAM", "stream": {
        "stream_descriptor": { "name": "items" },
        "stream_state": { "updated_at": "2024-01-05T00:00:00Z" },
    } }]);
    place.write("airbyte.json", &state.to_string());
    place.run(&["state", "import", "--from", "airbyte.json", "--yes"]).exits(0).prints("2024-01-05");
    place.run(&["sync"]).exits(0);
    assert_eq!(ids(&place, "items"), [5, 6]);
    let exported: Value = place.run(&["state", "export", "--as", "airbyte"]).exits(0).json();
    let of_items = exported.as_array().and_then(|messages| {
        messages.iter().find(|message| message["stream"]["stream_descriptor"]["name"] == "items")
    });
    assert_eq!(
        of_items.map(|message| &message["stream"]["stream_state"]),
        Some(&json!({ "updated_at": "2024-01-06T00:00:00Z" }))
    );
}

#[test]
fn two_hundred_streams_are_one_sync() {
    let api = Api::with(2);
    let place = place(&api, 200, "      - {name: more_*}\n");
    let report = place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(report["streams"].as_array().map(Vec::len), Some(200));
    assert_eq!(ids(&place, "more_199"), [1, 2]);
}

#[test]
fn a_configuration_that_the_manifest_refuses_is_named() {
    let api = Api::with(1);
    let place = place(&api, 0, ITEMS);
    let text = place.read("tidegate.yaml").replace("token:", "tokken:");
    place.write("tidegate.yaml", &text);
    place.run(&["check"]).exits(78).prints("'token' is a required property");
}

#[test]
fn a_stream_that_is_refused_fails_alone() {
    let api = Api::with(2);
    let place = place(&api, 0, "      - {name: broken}\n      - {name: plain}\n");
    let ran = place.run(&["sync"]);
    assert_ne!(ran.code, 0);
    assert!(!ran.stderr.contains("s3cret-token") && !ran.stdout.contains("s3cret-token"), "{}", ran.stderr);
    assert_eq!(ids(&place, "plain"), [1, 2]);
}
