//! What people see when their configuration is wrong, and what is read when it is right.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use futures::FutureExt;
use protocol::{ByteSize, Error, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;

mod files;
mod secrets;

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
            grants: None,
            schema: || schemars::schema_for!(Db),
            configure: |value| {
                SEEN.lock().unwrap().push(value.clone());
                typed::parse::<Db>(value)?;
                Ok(Box::new(|| async { Err(Error::internal("never opened")) }.boxed()))
            },
        }],
        destinations: vec![Connector {
            name: "lake",
            grants: None,
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
fn the_type_of_a_connections_source_is_known_whatever_else_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let Ok(config) = load(folder.path(), &source("hots: nowhere")) else { panic!("its file can be read") };
    assert_eq!(config.type_of_source(None), Some("db"));
    assert_eq!(config.type_of_source(Some("shop_to_lake")), Some("db"));
    assert_eq!(config.type_of_source(Some("nobody")), None);
}

#[test]
fn an_unknown_key_is_shown_in_its_line_with_the_likeliest_name() {
    assert_eq!(
        wrong(&GOOD.replace("cursor:", "curser:")),
        "\
tidegate.yaml:13:9: connections.shop_to_lake.streams[0]: unknown field \"curser\", expected one of \
\"name\", \"target\", \"mode\", \"write\", \"cursor\", \"soft_delete\", \"lag\", \"columns\", \"exclude\", \"decimals\", \
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
