//! Configurations that are wrong, as a person and as a scheduler meet them.

use super::run::Place;

const GOOD: &str = "\
sources:
  shop:
    type: postgres
    url: ${env:SHOP_URL}
destinations:
  lake:
    type: parquet
    url: ./lake
connections:
  shop_to_lake:
    source: shop
    destination: lake
    streams:
      - name: public.orders
        cursor: updated_at
";

#[test]
fn a_missing_file_says_how_to_make_one() {
    Place::new()
        .run(&["sync"])
        .exits(78)
        .says("tidegate.yaml: the configuration can't be read")
        .says("tidegate init");
    Place::new()
        .run(&["--config", "x.yaml", "sync"])
        .exits(78)
        .says("x.yaml: the configuration can't be read");
    Place::new().set("TIDEGATE_CONFIG", "y.yaml").run(&["sync"]).exits(78).says("y.yaml: ");
}

#[test]
fn a_typo_is_shown_with_its_line_and_the_likeliest_name() {
    let ran = Place::with(&GOOD.replace("cursor:", "curser:")).run(&["sync"]).exits(78);
    assert!(ran.stderr.starts_with(
        "error: tidegate.yaml:15:9: connections.shop_to_lake.streams[0]: unknown field \"curser\""
    ));
    let ran =
        ran.says("did you mean \"cursor\"?").says("15 |         curser: updated_at\n   |         ^^^^^^");
    assert_eq!(ran.stdout, "");
}

#[test]
fn all_mistakes_are_shown_at_once() {
    let text = GOOD.replace("cursor:", "curser:").replace("url: ./lake", "ulr: ./lake");
    Place::with(&text)
        .run(&["sync"])
        .exits(78)
        .says("\"curser\"")
        .says("tidegate.yaml:8:5: destinations.lake: unknown field \"ulr\"")
        .says("environment variable \"SHOP_URL\" is not set");
}

#[test]
fn a_missing_variable_is_named_and_its_place_marked() {
    Place::with(GOOD)
        .run(&["sync"])
        .exits(78)
        .says("tidegate.yaml:4:10: sources.shop.url: environment variable \"SHOP_URL\" is not set")
        .says("4 |     url: ${env:SHOP_URL}\n  |          ^^^^^^^^^^^^^^^");
}

#[test]
fn a_scheduler_gets_one_document_with_all_places() {
    let text = GOOD.replace("cursor:", "curser:");
    let document = Place::with(&text).run(&["sync", "--output", "json"]).exits(78).json();
    assert_eq!(document["version"], 1);
    assert_eq!(document["exit_code"], 78);
    assert_eq!(document["error"]["kind"], "config");
    assert_eq!(document["error"]["retryable"], false);
    let places: Vec<_> = document["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["line"].as_u64().unwrap(), problem["column"].as_u64().unwrap()))
        .collect();
    assert_eq!(places, [(15, 9), (4, 10)]);
}

#[test]
fn logs_as_json_lines_stay_json_lines_when_it_fails() {
    let ran =
        Place::with(&GOOD.replace("cursor:", "curser:")).run(&["sync", "--log-format", "json"]).exits(78);
    let lines: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty());
    assert_eq!(lines[0]["level"], "error");
    assert!(lines[0]["msg"].as_str().unwrap().contains("curser"));
}

#[test]
fn which_connection_is_meant_must_be_clear() {
    let place = Place::with(GOOD);
    place.run(&["sync", "shop"]).exits(64).says("unknown connection \"shop\", expected \"shop_to_lake\"");
    place.run(&["sync", "shop_to_lak"]).exits(64).says("did you mean \"shop_to_lake\"?");
    let two =
        GOOD.replace("connections:\n", "connections:\n  b: {source: shop, destination: lake, streams: []}\n");
    Place::with(&two)
        .run(&["sync"])
        .exits(64)
        .says("configures 2 connections: name one")
        .says("b, shop_to_lake");
    Place::with("sources: {}").run(&["sync"]).exits(64).says("configures no connection");
}

#[test]
fn passwords_are_in_no_output_whatever_happens() {
    for (url, variable) in [
        ("postgres://u:hunter2@localhost:notaport/d", None),
        ("postgres://u:hunter2@127.0.0.1:1/d?connect_timeout=1", None),
        ("postgres://u:hunter2@127.0.0.1:1/d?nonsense=1", None),
        ("hunter2", None),
        ("${env:SECRET}", Some("postgres://u:hunter2@127.0.0.1:1/d?connect_timeout=1")),
        ("${env:SECRET}", Some("hunter2")),
        ("[hunter2]", None),
    ] {
        let mut place = Place::with(
            &GOOD.replace("${env:SHOP_URL}", url).replace("streams:", "retries: 0\n    streams:"),
        );
        if let Some(value) = variable {
            place = place.set("SECRET", value);
        }
        for arguments in
            [&["check"][..], &["check", "-o", "json", "--log-format", "json", "-vv"], &["sync", "-vv"]]
        {
            let ran = place.run(arguments);
            assert_ne!(ran.code, 0);
            for text in [&ran.stdout, &ran.stderr] {
                assert!(!text.contains("hunter2"), "{url} {arguments:?}: {text}");
            }
        }
    }
}

#[test]
fn what_is_not_used_need_not_be_right() {
    let text = GOOD
        .replace("sources:\n", "sources:\n  other: {type: postgres, url: \"${env:MISSING}\", nonsense: 1}\n");
    let ran = Place::with(&text).run(&["sync"]).exits(78).says("SHOP_URL");
    assert!(!ran.stderr.contains("MISSING") && !ran.stderr.contains("nonsense"), "{}", ran.stderr);
}

#[test]
fn a_folder_of_files_works_like_one_file() {
    let place = Place::new();
    place.write("conf/sources/shop.yaml", "type: postgres\nurl: ${env:SHOP_URL}\n");
    place.write("conf/destinations/lake.yaml", "type: parquet\nurl: ../lake\n");
    place.write(
        "conf/connections/shop_to_lake.yaml",
        "source: shop\ndestination: lake\nstreams: [{name: a, curser: b}]\n",
    );
    place
        .run(&["--config", "conf", "sync"])
        .exits(78)
        .says("conf/connections/shop_to_lake.yaml:3:21: connections.shop_to_lake.streams[0]: unknown field \"curser\"")
        .says("conf/sources/shop.yaml:2:6: sources.shop.url: environment variable");
}

#[test]
fn a_filter_of_the_log_that_is_none_is_refused() {
    Place::with(GOOD).run(&["sync", "--log", "a=b=c"]).exits(64).says("is no filter of the log");
}
