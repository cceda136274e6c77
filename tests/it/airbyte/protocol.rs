//! `tidegate airbyte` where `source-declarative-manifest` stood: what it prints, and how it exits.

use serde_json::{Value, json};

use super::api::Api;
use crate::cli::run::{Place, Ran};

/// A place with a manifest and its configuration.
fn place(api: &Api) -> Place {
    let place = Place::new();
    place.write("manifest.yaml", &api.manifest(0));
    place.write("config.json", r#"{"token":"s3cret-token"}"#);
    place
}

fn catalog(names: &[&str]) -> String {
    let stream = |name: &&str| {
        json!({
            "stream": { "name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"] },
            "sync_mode": "incremental",
            "destination_sync_mode": "append",
        })
    };
    json!({ "streams": names.iter().map(stream).collect::<Vec<_>>() }).to_string()
}

fn messages(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Those of one type, by what they hold.
fn of(ran: &Ran, kind: &str, member: &str) -> Vec<Value> {
    let messages = messages(ran).into_iter().filter(|message| message["type"] == kind);
    messages.map(|message| message[member].clone()).collect()
}

fn statuses(ran: &Ran, stream: &str) -> Vec<String> {
    let of_stream = |trace: &&Value| trace["stream_status"]["stream_descriptor"]["name"] == stream;
    let traces = of(ran, "TRACE", "trace");
    let statuses = traces.iter().filter(of_stream);
    statuses.map(|trace| trace["stream_status"]["status"].as_str().unwrap_or_default().to_owned()).collect()
}

const MANIFEST: [&str; 4] = ["--manifest-path", "manifest.yaml", "--config", "config.json"];

fn run(place: &Place, verb: &str, more: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["airbyte", verb].iter().chain(&MANIFEST).chain(more).copied().collect();
    place.run(&arguments)
}

#[test]
fn a_first_and_a_second_read_give_records_and_states() {
    let api = Api::with(3);
    let place = place(&api);
    place.write("catalog.json", &catalog(&["items", "plain", "nowhere"]));
    let now = ["--catalog", "catalog.json", "--now", "2024-02-01T00:00:00Z"];
    let ran = run(&place, "read", &now).exits(0);
    let records = of(&ran, "RECORD", "record");
    let of_items = |record: &&Value| record["stream"] == "items";
    let items: Vec<&Value> = records.iter().filter(of_items).map(|record| &record["data"]).collect();
    assert_eq!(records.len(), 6);
    // Fields at the top that are null are left out, as the reference does.
    assert_eq!(items[0], &json!({ "id": 1, "updated_at": "2024-01-01T00:00:00Z" }));
    assert_eq!(records[0]["emitted_at"], 1_706_745_600_000_i64);
    assert_eq!(statuses(&ran, "items"), ["STARTED", "RUNNING", "COMPLETE"]);
    assert_eq!(statuses(&ran, "nowhere"), ["INCOMPLETE"]);
    let states = of(&ran, "STATE", "state");
    let of_items: Vec<&Value> =
        states.iter().filter(|state| state["stream"]["stream_descriptor"]["name"] == "items").collect();
    let last = of_items.last().expect("there is a state");
    assert_eq!(last["stream"]["stream_state"], json!({ "updated_at": "2024-01-03T00:00:00Z" }));
    let counted: f64 = of_items.iter().filter_map(|state| state["sourceStats"]["recordCount"].as_f64()).sum();
    assert!((counted - 3.0).abs() < f64::EPSILON);

    api.set_items(5);
    api.asked();
    place.write("state.json", &json!([last]).to_string());
    place.write("catalog.json", &catalog(&["items"]));
    let ran = run(&place, "read", &[&now[..], &["--state", "state.json"]].concat()).exits(0);
    let ids: Vec<i64> =
        of(&ran, "RECORD", "record").iter().filter_map(|record| record["data"]["id"].as_i64()).collect();
    assert_eq!(ids, [3, 4, 5]);
    assert_eq!(api.asked(), ["/items?since=2024-01-03T00%3A00%3A00Z"]);
}

#[test]
fn a_stream_that_fails_is_incomplete_and_the_others_go_on() {
    let api = Api::with(2);
    let place = place(&api);
    place.write("catalog.json", &catalog(&["broken", "plain"]));
    let ran = run(&place, "read", &["--catalog", "catalog.json"]).exits(1);
    assert_eq!(statuses(&ran, "broken"), ["STARTED", "INCOMPLETE"]);
    assert_eq!(statuses(&ran, "plain"), ["STARTED", "RUNNING", "COMPLETE"]);
    assert_eq!(of(&ran, "RECORD", "record").len(), 2);
    let traces = of(&ran, "TRACE", "trace");
    let errors: Vec<&Value> = traces.iter().filter(|trace| trace["type"] == "ERROR").collect();
    assert_eq!(errors[0]["error"]["stream_descriptor"]["name"], "broken");
    assert_eq!(errors[1]["error"]["failure_type"], "config_error");
    assert!(!ran.stdout.contains("s3cret-token") && !ran.stderr.contains("s3cret-token"), "{}", ran.stdout);
}

#[test]
fn spec_check_and_discover_answer_with_one_message() {
    let api = Api::with(1);
    let place = place(&api);
    let ran = place.run(&["airbyte", "spec", "--manifest-path", "manifest.yaml"]).exits(0);
    let spec = &of(&ran, "SPEC", "spec")[0];
    assert_eq!(spec["connectionSpecification"]["required"], json!(["token"]));
    let ran = place.run(&["airbyte", "spec"]).exits(0);
    let spec = &of(&ran, "SPEC", "spec")[0];
    assert_eq!(spec["connectionSpecification"]["required"], json!(["__injected_declarative_manifest"]));
    let status = |ran: &Ran| of(ran, "CONNECTION_STATUS", "connectionStatus")[0].clone();
    assert_eq!(status(&run(&place, "check", &[]).exits(0)), json!({ "status": "SUCCEEDED" }));
    place.write("config.json", "{}");
    let ran = run(&place, "check", &[]).exits(0);
    assert_eq!(
        status(&ran),
        json!({ "status": "FAILED", "message": "Config validation error: 'token' is a required property" })
    );
    run(&place, "discover", &[]).exits(1).prints("'token' is a required property");
    place.write("config.json", r#"{"token":"t"}"#);
    let ran = run(&place, "discover", &[]).exits(0);
    let streams = of(&ran, "CATALOG", "catalog")[0]["streams"].clone();
    assert_eq!(streams[0]["supported_sync_modes"], json!(["full_refresh", "incremental"]));
    assert_eq!(streams[0]["default_cursor_field"], json!(["updated_at"]));
    assert_eq!(streams[0]["source_defined_primary_key"], json!([["id"]]));
    let plain = streams.as_array().and_then(|streams| streams.iter().find(|it| it["name"] == "plain"));
    assert_eq!(plain.expect("it is there")["is_resumable"], json!(false));
}

#[test]
fn a_manifest_may_be_in_the_configuration() {
    let api = Api::with(1);
    let place = Place::new();
    let manifest = json!({
        "type": "DeclarativeSource",
        "version": "6.0.0",
        "check": { "type": "CheckStream", "stream_names": ["plain"] },
        "streams": [{
            "type": "DeclarativeStream",
            "name": "plain",
            "schema_loader": { "type": "InlineSchemaLoader", "schema": {} },
            "retriever": {
                "type": "SimpleRetriever",
                "requester": {
                    "type": "HttpRequester",
                    "url_base": format!("http://127.0.0.1:{}", api.port),
                    "path": "/items",
                },
                "record_selector": {
                    "type": "RecordSelector",
                    "extractor": { "type": "DpathExtractor", "field_path": ["items"] },
                },
            },
        }],
    });
    let inline = json!({ "__injected_declarative_manifest": manifest });
    place.write("config.json", &inline.to_string());
    place.write("catalog.json", &catalog(&["plain"]));
    let read = ["airbyte", "read", "--config", "config.json", "--catalog", "catalog.json"];
    let ran = place.run(&read).exits(0);
    assert_eq!(of(&ran, "RECORD", "record").len(), 1);
    for (config, said) in [
        (r#"{"a":1}"#, "__injected_declarative_manifest"),
        (r#"{"__injected_declarative_manifest":"x"}"#, "must be an object"),
        ("[]", "a configuration is an object"),
        ("{nope", "is not JSON"),
    ] {
        place.write("config.json", config);
        let ran = place.run(&read).exits(1).prints(said);
        assert_eq!(of(&ran, "TRACE", "trace")[0]["type"], "ERROR");
    }
    place.run(&["airbyte", "check"]).exits(1).prints("`--config` is missing");
}

#[test]
fn a_source_of_tidegates_speaks_it_too() {
    let api = Api::with(4);
    let place = place(&api);
    place.write("catalog.json", &catalog(&["items"]));
    let settings = json!({ "path": place.path("manifest.yaml"), "config": { "token": "s3cret-token" } });
    place.write("settings.json", &settings.to_string());
    let native = |verb: &str, more: &[&str]| {
        let arguments = ["airbyte", verb, "--connector", "manifest", "--config", "settings.json"];
        place.run(&[&arguments[..], more].concat())
    };
    let spec = &of(&native("spec", &[]).exits(0), "SPEC", "spec")[0];
    assert_eq!(spec["connectionSpecification"]["properties"]["path"]["type"], "string");
    native("check", &[]).exits(0).prints("SUCCEEDED");
    let now = ["--catalog", "catalog.json", "--now", "2024-02-01T00:00:00Z"];
    let ran = native("read", &now).exits(0);
    assert_eq!(of(&ran, "RECORD", "record").len(), 4);
    let states = of(&ran, "STATE", "state");
    place.write("state.json", &json!([states.last()]).to_string());
    api.set_items(6);
    let ran = native("read", &[&now[..], &["--state", "state.json"]].concat()).exits(0);
    let ids: Vec<i64> =
        of(&ran, "RECORD", "record").iter().filter_map(|record| record["data"]["id"].as_i64()).collect();
    // Unlike the reference it knows which records it has given before.
    assert_eq!(ids, [5, 6]);
}
