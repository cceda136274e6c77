//! A case: its API, its manifest and configuration, and the commands that are run on them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use lab::manifest::Api;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::difference::differences;

const SERVER: &str = "http://server.test";
const OTHER: &str = "http://other.test";
const NOW: [&str; 2] = ["2024-03-01T12:00:00Z", "2024-03-05T12:00:00Z"];

/// Checks, discovers and reads twice, and compares with the reference.
pub(super) fn compare(name: &str) {
    let mut case = Case::open(name);
    let mut wanted = case.file("golden.json").expect("the reference has been run");
    for deviation in deviations(name) {
        deviate(&mut wanted, &deviation);
    }
    let found = case.run();
    let all = differences(&wanted, &found);
    if let Ok(folder) = std::env::var("TIDEGATE_FOUND") {
        let text = serde_json::to_string_pretty(&found).expect("it is JSON");
        fs::write(Path::new(&folder).join(format!("{name}.json")), text).expect("the folder is there");
    }
    assert!(all.is_empty(), "{name}: {} differences\n{}\n{}", all.len(), all.join("\n"), case.said);
}

/// Where the case differs on purpose, with the servers' names as the golden has them.
fn deviations(name: &str) -> Vec<Value> {
    let text =
        fs::read_to_string(lab::manifest::cases().join(name).join("case.json")).unwrap_or("{}".to_owned());
    let options: Value = serde_json::from_str(&text).expect("case.json is JSON");
    options["differs"].as_array().cloned().unwrap_or_default()
}

/// Puts what we do on purpose in the place of what the reference does. `why` is the row of the documentation's
/// "Where we differ".
fn deviate(wanted: &mut Value, deviation: &Value) {
    let (place, why) = (text(&deviation["place"]), text(&deviation["why"]));
    assert!(documented(&why), "no \"Where we differ\" has a row of {why:?}");
    let (parent, last) = place.rsplit_once('/').unwrap_or(("", &place));
    let parent = wanted.pointer_mut(parent).unwrap_or_else(|| panic!("the golden has no {place}"));
    if deviation["add"].is_null() && deviation["drop"].is_null() {
        match deviation.get("be") {
            Some(value) => {
                assert_ne!(parent[last], *value, "{place} is what the reference gives ({why})");
                parent[last] = value.clone();
            }
            None => drop(parent.as_object_mut().and_then(|fields| fields.remove(last))),
        }
        return;
    }
    if parent[last].is_null() {
        parent[last] = json!([]);
    }
    let items = parent[last].as_array_mut().unwrap_or_else(|| panic!("{place} is no list"));
    for item in deviation["drop"].as_array().into_iter().flatten() {
        let at = items.iter().position(|known| known == item);
        items.remove(at.unwrap_or_else(|| panic!("{place} of the golden has no {item}")));
    }
    items.extend(deviation["add"].as_array().into_iter().flatten().cloned());
}

fn documented(why: &str) -> bool {
    let rooms = lab::root().join("connectors/src");
    ["source/declarative/README.md", "http/README.md", "source/manifest/README.md"]
        .iter()
        .filter_map(|readme| fs::read_to_string(rooms.join(readme)).ok())
        .any(|readme| readme.lines().any(|line| line.starts_with(&format!("| {why} |"))))
}

struct Case {
    api: Api,
    folder: TempDir,
    options: Value,
    config: Value,
    /// Errors that the last command spoke of.
    said: String,
}

impl Case {
    fn open(name: &str) -> Self {
        let folder = TempDir::new().expect("the temporary directory is writable");
        let mut case =
            Self { api: Api::open(name), folder, options: json!({}), config: json!({}), said: String::new() };
        case.copy(&lab::manifest::cases().join(name), "");
        case.options = case.file("case.json").unwrap_or_else(|| json!({}));
        case.config = case.file("config.json").unwrap_or_else(|| json!({}));
        case
    }

    /// Copies what the case consists of, with the address of its API in it.
    fn copy(&self, from: &Path, below: &str) {
        fs::create_dir_all(self.folder.path().join(below)).expect("the directory is ours");
        for entry in fs::read_dir(from).expect("the case is there").flatten() {
            let (path, name) = (entry.path(), format!("{below}/{}", entry.file_name().to_string_lossy()));
            let name = name.trim_start_matches('/');
            if path.is_dir() {
                self.copy(&path, name);
            } else {
                let text = fs::read_to_string(&path).expect("cases are text");
                let text = if name == "golden.json" { text } else { self.here(&text) };
                fs::write(self.folder.path().join(name), text).expect("the directory is ours");
            }
        }
    }

    fn here(&self, text: &str) -> String {
        let port = self.api.port();
        text.replace(SERVER, &format!("http://127.0.0.1:{port}"))
            .replace(OTHER, &format!("http://localhost:{port}"))
    }

    /// With the names of servers, not their addresses.
    fn there(&self, value: &Value) -> Value {
        let port = self.api.port();
        let text = value
            .to_string()
            .replace(&format!("http://127.0.0.1:{port}"), SERVER)
            .replace(&format!("http://localhost:{port}"), OTHER)
            .replace(&format!("127.0.0.1:{port}"), "server.test");
        serde_json::from_str(&text).expect("it was JSON before")
    }

    fn file(&self, name: &str) -> Option<Value> {
        let text = fs::read_to_string(self.folder.path().join(name)).ok()?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    fn run(&mut self) -> Value {
        let (_, messages) = self.command("check", 0, &[]);
        let status = of(&messages, "CONNECTION_STATUS").last().map(|status| status["status"].clone());
        let check = json!({"status": status.unwrap_or_else(|| "ERROR".into()), "requests": self.requests()});
        let (exit, messages) = self.command("discover", 0, &[]);
        let Some(catalog) = of(&messages, "CATALOG").pop() else {
            return json!({"check": check, "discover": {"exit": exit, "requests": self.requests()}});
        };
        let listed = catalog["streams"].as_array().cloned().unwrap_or_default();
        let streams: Map<String, Value> =
            listed.iter().map(|stream| (text(&stream["name"]), self.there(stream))).collect();
        let discover = json!({"exit": exit, "requests": self.requests(), "streams": streams});
        let before = self.options["state"].as_array().cloned().unwrap_or_default();
        let (first, state) = self.sync(&listed, 0, before);
        self.api.proceed();
        let (second, _) = self.sync(&listed, 1, state);
        json!({"check": check, "discover": discover, "first": first, "second": second})
    }

    fn sync(&mut self, listed: &[Value], number: usize, before: Vec<Value>) -> (Value, Vec<Value>) {
        let unread = self.options["unread"].as_array().cloned().unwrap_or_default();
        let streams: Vec<Value> =
            listed.iter().filter(|stream| !unread.contains(&stream["name"])).map(configured).collect();
        let mut files = vec![("catalog", json!({"streams": streams}))];
        let mut states: BTreeMap<String, Value> =
            before.iter().map(|state| (named(state), state.clone())).collect();
        if !before.is_empty() {
            files.push(("state", Value::Array(before)));
        }
        let (exit, messages) = self.command("read", number, &files);
        let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for record in of(&messages, "RECORD") {
            records.entry(text(&record["stream"])).or_default().push(self.there(&record["data"]));
        }
        for state in of(&messages, "STATE") {
            let kept = settled(json!({"type": "STREAM", "stream": state["stream"]}));
            states.insert(named(&kept), kept);
        }
        let (mut statuses, mut failures) = (BTreeMap::new(), Vec::new());
        for trace in of(&messages, "TRACE") {
            let told = &trace["stream_status"];
            if told.is_object() {
                statuses.insert(text(&told["stream_descriptor"]["name"]), told["status"].clone());
            } else if let (Some(kind), Some(_)) =
                (trace["error"]["failure_type"].as_str(), trace["error"]["stream_descriptor"].as_object())
            {
                failures.push(json!(kind));
            }
        }
        let mut result = json!({
            "records": records, "statuses": statuses, "exit": exit, "requests": self.requests(),
            "state": states.iter()
                .map(|(name, state)| (name.clone(), self.there(&state["stream"]["stream_state"])))
                .collect::<Map<_, _>>(),
        });
        if exit != 0 {
            failures.sort_by_key(ToString::to_string);
            failures.dedup();
            result["failures"] = Value::Array(failures);
        }
        if let Some(control) = of(&messages, "CONTROL").pop() {
            result["config"] = self.there(&control["connectorConfig"]["config"]);
        }
        (result, states.into_values().collect())
    }

    fn requests(&self) -> Value {
        self.there(&self.api.requests())
    }

    fn command(&mut self, verb: &str, sync: usize, files: &[(&str, Value)]) -> (i32, Vec<Value>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        let now = self.options["now"][sync].as_str().unwrap_or(NOW[sync]);
        command.env("TIDEGATE_NOW", now).env("TIDEGATE_WAITS", "0").current_dir(self.folder.path());
        command.args(["airbyte", verb, "--manifest-path", "manifest.yaml"]);
        command.args(["--config", &self.write("config", &self.config)]);
        for (name, value) in files {
            command.args([&format!("--{name}"), &self.write(name, value)]);
        }
        let Output { status, stdout, stderr } = command.output().expect("the binary is built");
        let lines = String::from_utf8_lossy(&stdout).into_owned();
        keeps_secrets(&self.config, &lines, &String::from_utf8_lossy(&stderr));
        let mut messages = Vec::new();
        for line in lines.lines() {
            let message = serde_json::from_str(line);
            messages.push(message.unwrap_or_else(|error| panic!("{verb}: {error} in {line}")));
        }
        if let Some(control) = of(&messages, "CONTROL").pop() {
            self.config = control["connectorConfig"]["config"].clone();
        }
        let said = of(&messages, "TRACE").into_iter().map(|trace| {
            let error = &trace["error"];
            if error.is_null() { Value::Null } else { json!([error["message"], error["failure_type"]]) }
        });
        let said = said
            .chain(of(&messages, "CONNECTION_STATUS").into_iter().map(|status| status["message"].clone()));
        let said: Vec<String> =
            said.filter(|said| !said.is_null()).map(|said| format!("{verb}: {said}\n")).collect();
        self.said += &said.concat();
        self.said += &String::from_utf8_lossy(&stderr);
        (status.code().unwrap_or(-1), messages)
    }

    fn write(&self, name: &str, value: &Value) -> String {
        let path = self.folder.path().join(format!("given-{name}.json"));
        fs::write(&path, value.to_string()).expect("the directory is ours");
        path.display().to_string()
    }
}

/// Fails where the secrets of a configuration are said aloud: in logs, traces or on the standard error.
fn keeps_secrets(config: &Value, lines: &str, stderr: &str) {
    let mut secrets = Vec::new();
    secrets_of(config, &mut secrets);
    let spoken = lines.lines().filter(|line| {
        ["LOG", "TRACE", "CONNECTION_STATUS"]
            .iter()
            .any(|kind| line.contains(&format!("\"type\":\"{kind}\"")))
    });
    for line in spoken.chain(stderr.lines()) {
        for secret in &secrets {
            assert!(!line.contains(secret.as_str()), "{secret:?} is said aloud: {line}");
        }
    }
}

/// What stands under names that tell of secrets, as it is and as requests and JSON have it.
fn secrets_of(value: &Value, found: &mut Vec<String>) {
    const NAMES: [&str; 4] = ["secret", "password", "token", "key"];
    for (name, value) in value.as_object().into_iter().flatten() {
        match value.as_str() {
            Some(text) if NAMES.iter().any(|word| name.contains(word)) && text.len() > 5 => {
                let quoted = Value::from(text).to_string();
                let encoded = text.bytes().map(encoded).collect();
                found.extend([text.to_owned(), quoted.trim_matches('"').to_owned(), encoded]);
            }
            _ => secrets_of(value, found),
        }
    }
}

/// An octet as it stands in forms.
fn encoded(octet: u8) -> String {
    match octet {
        b' ' => "+".to_owned(),
        octet if octet.is_ascii_alphanumeric() || b"-._*".contains(&octet) => char::from(octet).to_string(),
        octet => format!("%{octet:02X}"),
    }
}

/// The contents of the messages of a kind.
fn of(messages: &[Value], kind: &str) -> Vec<Value> {
    let field = match kind {
        "CONNECTION_STATUS" => "connectionStatus".to_owned(),
        other => other.to_lowercase(),
    };
    messages.iter().filter(|message| message["type"] == kind).map(|message| message[&field].clone()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn named(state: &Value) -> String {
    text(&state["stream"]["stream_descriptor"]["name"])
}

fn configured(stream: &Value) -> Value {
    let is_incremental =
        stream["supported_sync_modes"].as_array().is_some_and(|modes| modes.contains(&json!("incremental")));
    let mode = if is_incremental { "incremental" } else { "full_refresh" };
    json!({"stream": stream, "sync_mode": mode, "destination_sync_mode": "append"})
}

/// Without what depends on how long the sync took. New partitions start that much earlier in the next one.
fn settled(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        for (name, field) in fields.iter_mut() {
            *field = if name == "lookback_window" && field.is_i64() && *field != 0 {
                json!(1)
            } else {
                settled(field.take())
            };
        }
    }
    value
}
