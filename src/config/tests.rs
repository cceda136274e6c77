//! What people see when their configuration is wrong, and what is read when it is right.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use protocol::{ByteSize, Error, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by the parser")]
struct Db {
    host: String,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    password: Option<Secret>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    ca: Option<String>,
    #[serde(default)]
    size: Option<ByteSize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Require,
    Disable,
}

static SEEN: Mutex<Vec<Value>> = Mutex::new(Vec::new());

fn fake_registry() -> Registry {
    Registry {
        sources: vec![Connector {
            name: "db",
            schema: || schemars::schema_for!(Db),
            configure: |value| {
                SEEN.lock().unwrap().push(value.clone());
                typed::parse::<Db>(value)?;
                Ok(Box::new(|| async { Err(Error::internal("never opened")) }.boxed()))
            },
        }],
        destinations: vec![Connector {
            name: "lake",
            schema: || schemars::schema_for!(Db),
            configure: |value| {
                typed::parse::<Db>(value)?;
                Ok(Box::new(|| async { Err(Error::internal("never opened")) }.boxed()))
            },
        }],
    }
}

const GOOD: &str = "\
sources:
  shop:
    type: db
    host: localhost
destinations:
  lake: {type: lake, host: h}
connections:
  shop_to_lake:
    source: shop
    destination: lake
    streams:
      - name: public.orders
        cursor: updated_at
";

fn environment(name: &str) -> Option<String> {
    let known = HashMap::from([
        ("PW", "hunter2"),
        ("PORT", "5433"),
        ("EMPTY", ""),
        ("ON", "true"),
        ("HOME", "/home/a"),
    ]);
    known.get(name).map(|value| (*value).to_owned())
}

fn load(folder: &Path, text: &str) -> Result<Config, ConfigError> {
    let path = folder.join("tidegate.yaml");
    fs::write(&path, text).unwrap();
    Config::read(Some(&path), fake_registry(), Box::new(environment))
}

/// All that is wrong with `text` when its connection is read, the folder's name taken out.
fn wrong(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = match load(folder.path(), text) {
        Err(error) => error,
        Ok(config) => {
            let section = config.sections(Kind::Connection).next().expect("a connection");
            config.connection(section).err().expect("something is wrong")
        }
    };
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

fn right(text: &str) -> ConnectionSetup {
    let folder = tempfile::tempdir().unwrap();
    let config = load(folder.path(), text).map_err(|error| error.to_string()).unwrap();
    let section = config.sections(Kind::Connection).next().expect("a connection");
    config.connection(section).map_err(|error| error.to_string()).unwrap()
}

/// The configuration with one part of the source replaced.
fn source(settings: &str) -> String {
    GOOD.replace("host: localhost", settings)
}

#[test]
fn a_good_file_is_read() {
    let connection = right(GOOD);
    assert_eq!(connection.name, "shop_to_lake");
    assert_eq!(connection.source.connector, "db");
    assert_eq!(connection.config.streams[0].cursor.as_deref(), Some("updated_at"));
}

#[test]
fn an_unknown_key_is_shown_in_its_line_with_the_likeliest_name() {
    assert_eq!(
        wrong(&GOOD.replace("cursor:", "curser:")),
        "\
tidegate.yaml:13:9: connections.shop_to_lake.streams[0]: unknown field \"curser\", expected one of \
\"name\", \"target\", \"mode\", \"write\", \"cursor\", \"lag\", \"columns\", \"exclude\", \"decimals\", \
\"filter\", \"primary_key\", \"on_unfit\", \"on_drift\", \"options\"; did you mean \"cursor\"?
   |
13 |         curser: updated_at
   |         ^^^^^^"
    );
}

#[test]
fn all_unknown_keys_of_all_sections_are_reported_at_once() {
    let text = source("host: a\n    prot: 1\n    modus: x").replace("cursor:", "curser:");
    let shown = wrong(&text);
    for part in
        ["tidegate.yaml:15:9: ", "tidegate.yaml:5:5: sources.shop: unknown field \"prot\"", "\"modus\""]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn a_misspelt_key_is_not_missed_as_well() {
    let shown = wrong(&source("hots: a\n    port: x"));
    assert!(shown.contains("unknown field \"hots\"") && !shown.contains("missing field"), "{shown}");
    assert!(shown.contains("sources.shop.port: invalid type"), "{shown}");
}

#[test]
fn a_missing_key_is_reported_at_what_lacks_it() {
    assert_eq!(
        wrong(&source("port: 1")),
        "\
tidegate.yaml:2:3: sources.shop: missing field \"host\"
  |
2 |   shop:
  |   ^^^^"
    );
}

#[test]
fn a_value_of_a_wrong_type_is_marked() {
    assert_eq!(
        wrong(
            &source("{host: h, port: lots}")
                .replace("    {host: h, port: lots}", "    host: h\n    port: lots")
        ),
        "\
tidegate.yaml:5:11: sources.shop.port: invalid type: string \"lots\", expected u16
  |
5 |     port: lots
  |           ^^^^"
    );
}

#[test]
fn a_number_where_text_is_meant_gets_the_advice_to_quote_it() {
    assert!(wrong(&source("host: 12")).ends_with("hint: put it in quotes: it is meant as text"));
    assert!(
        wrong(&source("host: h\n    tls: yes")).ends_with("hint: YAML 1.2 knows `true` and `false` only")
    );
    assert!(wrong(&source("host:")).contains("tidegate.yaml:4:5: sources.shop.host: invalid type: null"));
}

#[test]
fn an_unknown_variant_is_answered_with_all_of_them() {
    assert_eq!(
        wrong(&source("host: h\n    mode: requre")),
        "\
tidegate.yaml:5:11: sources.shop.mode: unknown variant \"requre\", expected one of \"require\", \"disable\"; \
did you mean \"require\"?
  |
5 |     mode: requre
  |           ^^^^^^"
    );
}

#[test]
fn an_unknown_name_of_a_source_is_answered_with_the_known_ones() {
    assert_eq!(
        wrong(&GOOD.replace("source: shop", "source: shp")).split('\n').next().unwrap(),
        "tidegate.yaml:9:13: connections.shop_to_lake.source: unknown source \"shp\", expected \"shop\"; did you \
         mean \"shop\"?"
    );
}

#[test]
fn an_unknown_type_is_answered_with_the_known_ones() {
    assert_eq!(
        wrong(&GOOD.replace("type: db", "type: bd")).split('\n').next().unwrap(),
        "tidegate.yaml:3:11: sources.shop.type: unknown source type \"bd\", expected \"db\"; did you mean \"db\"?"
    );
    assert!(
        wrong(&GOOD.replace("    type: db\n", ""))
            .starts_with("tidegate.yaml:2:3: sources.shop: missing field \"type\", expected one of \"db\"")
    );
}

#[test]
fn an_unknown_top_level_key_is_refused_but_for_extensions() {
    assert!(wrong(&GOOD.replace("sources:", "source:")).starts_with(
        "tidegate.yaml:1:1: unknown field \"source\", expected one of \"sources\", \"destinations\", \
         \"connections\"; did you mean \"sources\"?"
    ));
    right(&format!("x-anything: {{a: 1}}\n{GOOD}"));
}

#[test]
fn a_missing_variable_is_named_with_its_place() {
    assert_eq!(
        wrong(&source("host: \"db-${env:REGION}.example\"")),
        "\
tidegate.yaml:4:15: sources.shop.host: environment variable \"REGION\" is not set
  |
4 |     host: \"db-${env:REGION}.example\"
  |               ^^^^^^^^^^^^^
  hint: set it, or write ${env:REGION:-default}"
    );
}

#[test]
fn a_missing_file_of_a_secret_is_named_with_its_place() {
    let shown = wrong(&source("host: h\n    password: ${file:./pw}"));
    assert!(shown.starts_with("tidegate.yaml:5:15: sources.shop.password: file \""), "{shown}");
    assert!(shown.contains("/pw\" can't be read: No such file or directory"), "{shown}");
}

#[test]
fn all_missing_variables_are_reported_at_once() {
    let shown = wrong(&source("host: ${env:A}\n    password: ${env:B}\n    port: ${env:C}"));
    for name in ["A", "B", "C"] {
        assert!(shown.contains(&format!("{name:?} is not set")), "{shown}");
    }
    assert!(!shown.contains("invalid"), "{shown}");
}

#[test]
fn a_missing_variable_of_another_source_does_not_matter() {
    let text = GOOD.replace("sources:\n", "sources:\n  other: {type: db, host: \"${env:MISSING}\"}\n");
    right(&text);
}

#[test]
fn references_become_values() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pw"), "s3cret\n").unwrap();
    let text = source(
        "host: ${env:EMPTY:-fallback}$${env:PW}
    password: ${file:pw}
    port: ${env:PORT}
    tls: ${env:ON}
    url: a-${env:PW}-${env:NONE:-b}
    ca: ca.pem",
    );
    let config = load(folder.path(), &text).map_err(|e| e.to_string()).unwrap();
    config.source(config.section(Kind::Source, "shop").unwrap()).map_err(|e| e.to_string()).unwrap();
    let ca = folder.path().join("ca.pem").display().to_string();
    let expected = serde_json::json!({
        "host": "fallback${env:PW}", "password": "s3cret", "port": 5433, "tls": true, "url": "a-hunter2-b", "ca": ca,
    });
    assert!(SEEN.lock().unwrap().contains(&expected), "{:?}", SEEN.lock().unwrap());
}

#[test]
fn paths_start_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for (given, expected) in [
        ("./lake", folder.path().join("lake").display().to_string()),
        ("/abs/lake", "/abs/lake".to_owned()),
        ("s3://bucket/lake", "s3://bucket/lake".to_owned()),
        ("~/lake", "/home/a/lake".to_owned()),
    ] {
        let config = load(folder.path(), &source(&format!("host: h\n    ca: {given}"))).ok().unwrap();
        config.source(config.section(Kind::Source, "shop").unwrap()).ok().unwrap();
        let expected = serde_json::json!({ "host": "h", "ca": expected });
        assert!(SEEN.lock().unwrap().contains(&expected), "{given}");
    }
}

#[test]
fn malformed_references_say_how_to_write_them() {
    for (text, message) in [
        ("${env:A", "a reference that begins with `${` has no `}`"),
        ("${PW}", "unknown kind of reference: write ${env:NAME} or ${file:PATH}"),
        ("${env:a-b}", "\"a-b\" is no name of an environment variable"),
        ("${file:}", "the reference names no file"),
    ] {
        let shown = wrong(&source(&format!("host: '{text}'")));
        assert!(shown.contains(message), "{shown}");
        assert!(shown.starts_with("tidegate.yaml:4:12: sources.shop.host: "), "{shown}");
    }
}

#[test]
fn no_secret_is_shown_whatever_is_wrong() {
    for settings in [
        // Wrong types, in a literal and from the environment.
        "host: h\n    password: [hunter2]",
        "host: h\n    port: {a: 1}\n    password: {a: hunter2}",
        "host: h\n    port: ${env:PW}",
        "host: h\n    mode: ${env:PW}",
        "host: h\n    size: ${env:PW}",
        "host: h\n    tls: ${env:PW}",
        // A misspelt key, the value on its own line and beside others.
        "host: h\n    pasword: hunter2",
        "{host: h, pasword: hunter2}",
        // Another mistake on the line of a secret.
        "host: {a: 1, password: hunter2}",
        "host: h\n    tls: {password: hunter2}",
        "host: h\n    port: postgres://u:hunter2@h/d",
        "host: h\n    password: \"hunter2${env:MISSING}\"",
        "host: h\n    password: |\n      x\n      hunter2\n    prot: 1",
        // No YAML at all.
        "host: h\n    password: hunter2: x",
        "host: h\n    password: \"hunter2",
        "host: h\n    password: @hunter2",
        "host: h\n    password: hunter2\n   bad indent: hunter2",
        "host: h\n    password: !tag hunter2",
        "host: h\n    password: a\n    password: hunter2",
    ] {
        let settings = if settings.starts_with('{') {
            GOOD.replace(
                "shop:\n    type: db\n    host: localhost",
                &settings.replace('{', "shop: {type: db, "),
            )
        } else {
            source(settings)
        };
        let shown = wrong(&settings);
        assert!(!shown.contains("hunter2"), "{settings}\n{shown}");
    }
}

#[test]
fn a_secret_of_a_wrong_type_still_says_what_was_expected() {
    assert_eq!(
        wrong(&source("host: h\n    password: 1234567")),
        "\
tidegate.yaml:5:15: sources.shop.password: invalid type: integer (not shown), expected a string
  |
5 |     password: •••
  |               ^^^
  hint: put it in quotes: it is meant as text"
    );
    assert_eq!(
        wrong(&source("host: h\n    port: ${env:PW}")),
        "\
tidegate.yaml:5:11: sources.shop.port: invalid type: string (not shown), expected u16
  |
5 |     port: ${env:PW}
  |           ^^^^^^^^^"
    );
}

#[test]
fn what_is_no_yaml_is_marked() {
    for (text, message) in [
        ("a: [1", "tidegate.yaml:2:1: this is not YAML: "),
        ("sources:\n\tshop: 1", "this is not YAML: "),
        (
            "- 1",
            "tidegate.yaml:1:1: expected the keys `sources`, `destinations` and `connections`, found a list",
        ),
        ("", "tidegate.yaml:1:1: expected the keys"),
        ("a: 1\n---\nb: 2", "tidegate.yaml:2:1: a second document begins here"),
        ("sources: {a: 1, a: 2}", "tidegate.yaml:1:17: key \"a\" is given twice: first in line 1"),
        ("x-a: &a [*a]", "this alias stands for a value that it is a part of"),
        ("x-a: &a {b: 1}\nx-c: {<<: *a}", "merge keys (`<<`) are not YAML 1.2"),
        ("sources: {? [a] : b}", "a key must be plain text"),
        ("sources: !!binary aGk=", "the tag"),
    ] {
        let shown = wrong(text);
        assert!(shown.contains(message), "{text:?}: {shown}");
    }
}

#[test]
fn aliases_repeat_values_within_bounds() {
    right(
        &GOOD.replace("sources:\n", "x-h: &h localhost\nsources:\n").replace("host: localhost", "host: *h"),
    );
    let bomb: String = (1..9).fold("x-0: &a0 [1,1,1,1,1,1,1,1,1]\n".to_owned(), |text, i| {
        let inner = vec![format!("*a{}", i - 1); 9].join(",");
        format!("{text}x-{i}: &a{i} [{inner}]\n")
    });
    assert!(wrong(&bomb).contains("more than 100000 values, aliases counted in full"));
    let deep = format!("x-a: {}1{}", "[".repeat(100), "]".repeat(100));
    assert!(wrong(&deep).contains("nested deeper than 64 levels"));
}

#[test]
fn words_are_text_unless_yaml_1_2_says_otherwise() {
    let (root, faults) = document::parse(
        "[yes, no, on, null, ~, true, 0x1F, 0o17, -5, 1.5, 1e3, 1_000, .5, +7, '1', 2024-01-01, 18446744073709551615, 99999999999999999999]",
    );
    assert_eq!(faults, []);
    let document::Tree::List(items) = root.tree else { panic!("a list") };
    let shown: Vec<String> = items
        .iter()
        .map(|item| match &item.tree {
            document::Tree::Null => "null".to_owned(),
            document::Tree::Bool(value) => value.to_string(),
            document::Tree::Number(number) => number.to_string(),
            document::Tree::Text(text) => format!("{text:?}"),
            _ => "?".to_owned(),
        })
        .collect();
    assert_eq!(
        shown.join(" "),
        "\"yes\" \"no\" \"on\" null null true 31 15 -5 1.5 1000.0 \"1_000\" 0.5 7 \"1\" \"2024-01-01\" \
         18446744073709551615 \"99999999999999999999\""
    );
}

#[test]
fn a_folder_of_files_is_read_like_one_file() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("sources/shop.yaml", "type: db\nhost: h\n"),
        ("sources/README.md", "not a source"),
        ("destinations/lake.yml", "type: lake\nhost: h\n"),
        ("connections/a.yaml", "source: shop\ndestination: lake\nstreams:\n  - nam: x\n"),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let config = Config::read(Some(folder.path()), fake_registry(), Box::new(environment)).ok().unwrap();
    let error = config.connection(config.section(Kind::Connection, "a").ok().unwrap()).err().unwrap();
    let shown = error.to_string();
    assert!(
        shown.contains("connections/a.yaml:4:5: connections.a.streams[0]: unknown field \"nam\""),
        "{shown}"
    );
    fs::write(folder.path().join("sources/shop.yml"), "type: db").unwrap();
    let error = Config::read(Some(folder.path()), fake_registry(), Box::new(environment)).err().unwrap();
    assert!(error.to_string().contains("source \"shop\" has two files"), "{error}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let read = |path: &Path| {
        let result = Config::read(Some(path), fake_registry(), Box::new(environment));
        result.err().expect("an error").to_string()
    };
    assert!(read(&folder.path().join("no.yaml")).contains("No such file or directory"));
    assert!(read(&folder.path().join("no.yaml")).contains("hint: write one by `tidegate init`"));
    assert!(read(folder.path()).contains("holds neither \"tidegate.yaml\" nor folders"));
    let binary = folder.path().join("binary.yaml");
    fs::write(&binary, b"a: 1\nb: \xff\n").unwrap();
    assert!(read(&binary).contains("line 2 is not UTF-8"));
}

#[test]
fn the_schema_of_the_file_tells_connectors_apart() {
    let schema = schema(&fake_registry());
    assert_eq!(schema["$defs"]["source.db"]["properties"]["type"]["const"], "db");
    assert_eq!(
        schema["properties"]["sources"]["additionalProperties"]["oneOf"][0]["$ref"],
        "#/$defs/source.db"
    );
    // Whatever is referred to exists.
    let text = schema.to_string();
    for target in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schema.pointer(target).is_some(), "{target}");
    }
    let port = &schema["$defs"]["source.db"]["properties"]["port"];
    assert_eq!(port["anyOf"][1]["$ref"], "#/$defs/reference", "{port}");
}

#[test]
fn excerpts_stay_on_one_line_of_the_terminal() {
    let file = Arc::new(SourceFile {
        shown: "f".to_owned(),
        folder: "/".into(),
        text: "a:\t\u{1b}[31mred \u{7}: ünï\n".to_owned(),
    });
    let place = |column| document::Place { line: 1, column };
    let problem = Problem::at(&file, Span { start: place(4), end: place(9) }, "m", &[]);
    assert!(!problem.to_string().contains(['\t', '\u{1b}', '\u{7}']));
}
