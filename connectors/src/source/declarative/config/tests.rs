use chrono::DateTime;

use super::*;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::value::{Map, Value};

const CONFIGS: &str = include_str!("../fixtures/configs.json");

fn clock() -> Clock {
    Clock::fixed(DateTime::from_timestamp(1_709_211_909, 0).expect("a moment"))
}

fn fixture() -> Value {
    Value::from_json(CONFIGS.as_bytes()).expect("a fixture")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_list).expect("a list")
}

fn at<'v>(values: &'v [Value], index: &Value) -> &'v Value {
    &values[usize::try_from(index.as_int().expect("a number")).expect("a number")]
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(Map::from_iter(fields))
}

/// A manifest with rules.
fn manifest<const N: usize>(rules: [(&str, Value); N]) -> Value {
    object([("spec", object([("config_normalization_rules", object(rules))]))])
}

#[test]
fn makes_of_configurations_what_the_reference_makes() {
    let fixture = fixture();
    let (rules, configs) = (list(&fixture, "rules"), list(&fixture, "configs"));
    let mut wrong = Vec::new();
    for case in list(&fixture, "changes") {
        let case = case.as_list().expect("a case");
        let (rules, config) = (at(rules, &case[0]), at(configs, &case[1]));
        let migration = object([("type", "ConfigMigration".into()), ("transformations", rules.clone())]);
        let found = prepare(&manifest([("transformations", rules.clone())]), config.clone(), &clock());
        let migrated = prepare(
            &manifest([("config_migrations", Value::List(vec![migration]))]),
            config.clone(),
            &clock(),
        );
        let wanted = case[2].get("ok");
        let same = match (&found, &migrated, wanted) {
            (Ok(found), Ok(migrated), Some(wanted)) => {
                found.config.to_json() == wanted.to_json()
                    && found.migrated.is_none()
                    && migrated.config.to_json() == wanted.to_json()
                    && migrated.migrated.is_some() == (wanted != config)
            }
            (Err(_), Err(_), None) => true,
            _ => false,
        };
        if !same {
            let (rules, config, wanted) = (rules.to_json(), config.to_json(), case[2].to_json());
            let found = found.map(|found| found.config.to_json());
            wrong.push(format!("{rules}\n  of     {config}\n  wanted {wanted}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn refuses_configurations_as_the_reference_does() {
    let fixture = fixture();
    let lists = ["paths", "schemas", "configs"].map(|name| list(&fixture, name));
    let mut wrong = Vec::new();
    for case in list(&fixture, "checks") {
        let case = case.as_list().expect("a case");
        let [path, schema, config] = [0, 1, 2].map(|place| at(lists[place], &case[place]));
        let strategy = object([("type", "ValidateAdheresToSchema".into()), ("base_schema", schema.clone())]);
        let rule = object([
            ("type", "DpathValidator".into()),
            ("field_path", path.clone()),
            ("validation_strategy", strategy),
        ]);
        let found = prepare(&manifest([("validations", Value::List(vec![rule]))]), config.clone(), &clock());
        let wanted = case[3].get("fails").and_then(Value::as_text);
        let same = match (&found, wanted) {
            (Ok(_), None) => true,
            (Err(found), Some(wanted)) => {
                match wanted.strip_prefix("ValueError: JSON schema validation error: ") {
                    Some(why) => found.message().ends_with(why),
                    None => true,
                }
            }
            _ => false,
        };
        if !same {
            let (path, schema, config) = (path.to_json(), schema.to_json(), config.to_json());
            let found = found.map(|_| ());
            wrong
                .push(format!("{path} {schema}\n  of     {config}\n  wanted {wanted:?}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn says_of_what_users_give_what_the_reference_says() {
    let fixture = fixture();
    for case in list(&fixture, "specifications") {
        let case = case.as_list().expect("a case");
        let found = validate(&case[0], &case[1]).err();
        let wanted = case[2].as_text().map(str::to_owned);
        assert_eq!(found, wanted, "{} of {}", case[0].to_json(), case[1].to_json());
    }
}

#[test]
fn a_change_that_fails_leaves_nothing_half_done() {
    let rules = Value::from_json(
        br#"[{"type": "ConfigAddFields", "fields": [{"path": ["a"], "value": "1"}]},
             {"type": "ConfigAddFields", "fields": [{"path": ["b"], "value": "{{ config['x']['y'] }}"}]}]"#,
    );
    let error = prepare(&manifest([("transformations", rules.expect("json"))]), Map::new().into(), &clock());
    assert_eq!(error.expect_err("x is not there").kind(), protocol::ErrorKind::Config);
}

#[test]
fn secrets_are_learned_from_the_specification_and_from_names() {
    let specification = Value::from_json(
        br#"{"properties": {
            "key": {"type": "string", "airbyte_secret": true},
            "credentials": {"oneOf": [{"properties": {"pin": {"airbyte_secret": true}}}]},
            "list": {"items": {"airbyte_secret": true}}}}"#,
    );
    let config = Value::from_json(
        br#"{"key": "k-123", "credentials": {"pin": 987654, "client_secret": "C1ient!"}, "list": ["one-1", "two-2"],
            "token_url": "https://api.test/token", "start": "2024-01-01", "short": "ab"}"#,
    );
    let mask = Mask::new(&specification.expect("json"), &config.expect("json"));
    let said = "k-123 987654 C1ient! one-1 two-2 https://api.test/token 2024-01-01 ab";
    assert_eq!(mask.apply(said), "**** **** **** **** **** https://api.test/token 2024-01-01 ab");
    let error = protocol::Error::data("k-123 is wrong").context("url", "https://x/?k=k-123");
    let error = mask.error(&error.with_source(protocol::Error::data("because of C1ient!")));
    let whole = format!("{error:?} {error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert!(!whole.contains("k-123") && !whole.contains("C1ient!"), "{whole}");
}
