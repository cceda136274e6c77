//! A database where an Airbyte source is expected.

use lab::Cluster;
use serde_json::{Value, json};

use crate::cli::run::Ran;
use crate::support::Project;

fn of(ran: &Ran, kind: &str) -> Vec<Value> {
    let lines =
        ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    lines.filter(|message| message["type"] == kind).collect()
}

fn ids(ran: &Ran) -> Vec<i64> {
    let mut ids: Vec<i64> =
        of(ran, "RECORD").iter().filter_map(|record| record["record"]["data"]["id"].as_i64()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_table_is_read_in_increments() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE orders (id int PRIMARY KEY, amount numeric(10,2), tags text[], \
             updated_at timestamptz NOT NULL DEFAULT now()); \
             INSERT INTO orders (id, amount, tags) SELECT i, i * 1.5, ARRAY['a', 'b'] FROM generate_series(1, 5) i",
        )
        .await;
    let project = Project::new(&database).stream(json!({ "name": "public.orders", "cursor": "updated_at" }));
    let run =
        |verb: &str, more: &[&str]| project.run(&[&["airbyte", verb, "--source", "db"][..], more].concat());
    let status = &of(&run("check", &[]).exits(0), "CONNECTION_STATUS")[0];
    assert_eq!(status["connectionStatus"]["status"], "SUCCEEDED");
    let catalog = &of(&run("discover", &[]).exits(0), "CATALOG")[0]["catalog"];
    let streams = catalog["streams"].as_array().expect("streams");
    let stream = streams.iter().find(|stream| stream["name"] == "public.orders").expect("the table");
    assert_eq!(stream["source_defined_primary_key"], json!([["id"]]));
    assert_eq!(stream["supported_sync_modes"], json!(["full_refresh", "incremental"]));
    assert_eq!(stream["json_schema"]["properties"]["tags"]["items"]["type"], "string");
    let configured = json!({ "streams": [{
        "stream": stream,
        "sync_mode": "incremental",
        "destination_sync_mode": "append",
        "cursor_field": ["updated_at"],
    }] });
    std::fs::write(project.path("catalog.json"), configured.to_string()).expect("the folder is there");
    let first = run("read", &["--catalog", "catalog.json"]).exits(0);
    assert_eq!(ids(&first), [1, 2, 3, 4, 5]);
    assert_eq!(of(&first, "RECORD")[0]["record"]["data"]["tags"], json!(["a", "b"]));
    let state = of(&first, "STATE").pop().expect("there is a state")["state"].clone();
    std::fs::write(project.path("state.json"), json!([state]).to_string()).expect("the folder is there");
    database
        .execute("INSERT INTO orders (id) VALUES (6); UPDATE orders SET updated_at = now() WHERE id = 2")
        .await;
    let second = run("read", &["--catalog", "catalog.json", "--state", "state.json"]).exits(0);
    assert_eq!(ids(&second), [2, 6]);
    let state = of(&second, "STATE").pop().expect("there is a state")["state"].clone();
    std::fs::write(project.path("state.json"), json!([state]).to_string()).expect("the folder is there");
    let third = run("read", &["--catalog", "catalog.json", "--state", "state.json"]).exits(0);
    assert!(ids(&third).is_empty());
}
