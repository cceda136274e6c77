//! Manifests that mean harm, or are broken in ways that would never end: a clear error, soon, in little memory.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::manifest::Api;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a command may take at most.
const PATIENCE: Duration = Duration::from_mins(1);
const MEMORY: u64 = 1 << 30;

/// A manifest of the streams `plain` and `hostile` that reads from the API of the case `traps`.
fn manifest(hostile: &Value) -> Value {
    json!({
        "version": "6.1.0", "type": "DeclarativeSource", "check": {"type": "CheckStream", "stream_names": ["plain"]},
        "streams": [stream("plain", &json!({})), hostile],
    })
}

/// A stream whose retriever has `more`.
fn stream(name: &str, more: &Value) -> Value {
    let mut retriever = json!({
        "type": "SimpleRetriever",
        "requester": {"type": "HttpRequester", "url_base": "http://server.test/asked", "path": "x"},
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        retriever[key] = value.clone();
    }
    let schema = json!({"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}});
    json!({"type": "DeclarativeStream", "name": name, "schema_loader": schema, "retriever": retriever})
}

struct Ran {
    exit: i32,
    out: String,
}

impl Ran {
    fn says(&self, what: &str) -> &Self {
        assert!(
            self.out.contains(what),
            "no {what:?} in\n{}",
            self.out.chars().take(4000).collect::<String>()
        );
        self
    }

    fn fails(&self) -> &Self {
        assert_eq!(self.exit, 1, "{}", self.out.chars().take(4000).collect::<String>());
        self
    }
}

/// Runs a command on the text of a manifest, within limits of time and memory.
fn run(verb: &str, text: &str, api: Option<&Api>) -> Ran {
    let folder = TempDir::new().expect("the temporary directory is writable");
    let at = |name: &str| folder.path().join(name);
    let port = api.map_or(1, Api::port);
    fs::write(at("manifest.yaml"), text.replace("http://server.test", &format!("http://127.0.0.1:{port}")))
        .expect("it is ours");
    fs::write(at("config.json"), "{}").expect("it is ours");
    let chosen = |name: &str| {
        json!({"stream": {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh", "destination_sync_mode": "append"})
    };
    let catalog = json!({"streams": [chosen("plain"), chosen("hostile")]});
    fs::write(at("catalog.json"), catalog.to_string()).expect("it is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["airbyte", verb, "--manifest-path", "manifest.yaml", "--config", "config.json"]);
    if verb == "read" {
        command.args(["--catalog", "catalog.json"]);
    }
    let file = |name: &str| fs::File::create(at(name)).expect("it is ours");
    command.current_dir(folder.path()).env("TIDEGATE_WAITS", "0").stdin(Stdio::null());
    let mut child = command.stdout(file("out")).stderr(file("err")).spawn().expect("the binary is built");
    let begun = std::time::Instant::now();
    let mut most = 0;
    let status = loop {
        most = most.max(peak(child.id()));
        match child.try_wait().expect("it is our child") {
            Some(status) => break status,
            None if begun.elapsed() > PATIENCE => {
                let _ = child.kill();
                panic!("{verb} goes on and on");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    assert!(most < MEMORY, "{verb} took {most} bytes of memory");
    let read = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
    Ran { exit: status.code().unwrap_or(-1), out: read("out") + &read("err") }
}

/// The most memory that a process had so far, in bytes; 0 once it is gone.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

/// The stream `hostile` fails with `error`, and `plain` is read all the same.
fn only_it_fails(hostile: &Value, error: &str) {
    let api = Api::open("traps");
    let ran = run("read", &manifest(hostile).to_string(), Some(&api));
    ran.fails().says(error).says(r#""status":"COMPLETE","stream_descriptor":{"name":"plain"}"#);
    ran.says(r#""status":"INCOMPLETE","stream_descriptor":{"name":"hostile"}"#);
}

fn asking(parameter: &str) -> Value {
    let mut hostile = stream("hostile", &json!({}));
    hostile["retriever"]["requester"]["request_parameters"] = json!({"q": parameter});
    hostile
}

#[test]
fn a_template_that_multiplies_text_is_stopped() {
    only_it_fails(&asking("{{ ('a' * 100000000) * 100 }}"), "template");
    only_it_fails(
        &asking(
            "{% set x = 'aaaaaaaaaa' %}{% for a in x %}{% for b in x %}{% for c in x %}{% for d in x %}{% for e in x %}{% for f in x %}{% for g in x %}{% for h in x %}{{ x }}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
        ),
        "template",
    );
}

#[test]
fn a_template_that_counts_for_ever_is_stopped() {
    only_it_fails(&asking("{{ 9 ** 999999999 }}"), "template");
    only_it_fails(&asking("{{ ('a' * 40) | regex_search('(a+)+b') }}{{ nobody }}"), "template");
}

#[test]
fn a_template_does_not_reach_into_the_engine() {
    for attempt in [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}!{{ nobody }}",
        "{{ config.__init__.__globals__ }}{{ nobody }}",
        "{% include '/etc/passwd' %}",
    ] {
        only_it_fails(&asking(attempt), "template");
    }
}

#[test]
fn references_in_a_circle_are_named() {
    let mut circle = manifest(&stream("hostile", &json!({"$ref": "#/definitions/a"})));
    circle["definitions"] = json!({"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}});
    for verb in ["spec", "check", "discover", "read"] {
        run(verb, &circle.to_string(), None).fails().says("#/definitions/");
    }
}

#[test]
fn references_that_multiply_are_stopped() {
    let mut bomb = manifest(&stream("hostile", &json!({})));
    let mut definitions = json!({"l0": ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x"]});
    for level in 1..12 {
        let below = json!({"$ref": format!("#/definitions/l{}", level - 1)});
        definitions[format!("l{level}")] = json!({"a": below, "b": below, "c": below, "d": below, "e": below, "f": below, "g": below, "h": below});
    }
    bomb["definitions"] = definitions;
    run("discover", &bomb.to_string(), None).fails().says("values");
}

#[test]
fn aliases_that_multiply_are_stopped() {
    let mut text = String::from("l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let items = vec![format!("*l{}", level - 1); 10].join(", ");
        text = format!("{text}l{level}: &l{level} [{items}]\n");
    }
    run("discover", &(text + "version: 6.1.0\n"), None).fails().says("values");
}

#[test]
fn a_manifest_of_ten_thousand_levels_is_refused() {
    let text = format!("version: 6.1.0\nstreams: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    run("discover", &text, None).fails().says("limit");
}

#[test]
fn a_schema_file_lies_in_the_folder_of_the_manifest() {
    for path in ["../../../etc/passwd", "/../etc/passwd", "./schemas/../../secret.json"] {
        let mut hostile = stream("hostile", &json!({}));
        hostile["schema_loader"] = json!({"type": "JsonFileSchemaLoader", "file_path": path});
        let ran = run("discover", &manifest(&hostile).to_string(), None);
        ran.says(r#""name":"plain""#);
        assert!(
            !ran.out.contains("root:") && !ran.out.contains(r#""name":"hostile","json_schema":{"root"#),
            "{}",
            ran.out
        );
    }
}

#[test]
fn a_token_that_never_changes_ends_the_stream() {
    only_it_fails(
        &stream(
            "hostile",
            &json!({"paginator": {
                "type": "DefaultPaginator", "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "after"},
                "pagination_strategy": {"type": "CursorPagination", "cursor_value": "{{ 'again' }}"},
            }}),
        ),
        "circle",
    );
}

#[test]
fn python_classes_fail_alone_and_are_named() {
    let class = "source_declarative_manifest.components.OddExtractor";
    let mut hostile = stream("hostile", &json!({}));
    hostile["retriever"]["record_selector"]["extractor"] =
        json!({"type": "CustomRecordExtractor", "class_name": class});
    only_it_fails(&hostile, class);
}

#[test]
fn a_step_of_no_length_is_one_window() {
    let mut hostile = stream("hostile", &json!({}));
    hostile["incremental_sync"] = json!({
        "type": "DatetimeBasedCursor", "cursor_field": "at", "datetime_format": "%Y-%m-%d",
        "start_datetime": "2024-01-01", "step": "P0D", "cursor_granularity": "P1D",
    });
    let api = Api::open("traps");
    let ran = run("read", &manifest(&hostile).to_string(), Some(&api));
    ran.says(r#""status":"COMPLETE","stream_descriptor":{"name":"hostile"}"#);
}

#[test]
fn what_is_no_manifest_is_said_to_be_none() {
    for text in [
        "",
        "just text",
        "[1, 2]",
        "a: [",
        "\u{0}",
        "streams: {}",
        "version: 6.1.0\ntype: DeclarativeSource\n",
    ] {
        let ran = run("check", text, None);
        assert!(ran.exit == 1 || ran.out.contains("FAILED"), "{text:?}: {}", ran.out);
        ran.says("manifest");
    }
}

#[test]
fn a_list_that_the_configuration_leaves_out_fails_its_stream_when_it_is_read() {
    let router =
        json!({"type": "ListPartitionRouter", "values": "{{ config.get('ids') }}", "cursor_field": "id"});
    let hostile = stream("hostile", &json!({"partition_router": router}));
    let ran = run("discover", &manifest(&hostile).to_string(), None);
    assert_eq!(ran.exit, 0, "{}", ran.out);
    ran.says(r#""name":"hostile""#);
    only_it_fails(&hostile, r#"the list of the partitions by \"id\" evaluates to null"#);
}
