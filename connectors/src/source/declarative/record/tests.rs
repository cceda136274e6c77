//! Against what the reference said: `tests/lab/python/manifest_records.py` makes the fixture anew.

use std::fmt::Write as _;

use base64::Engine as _;
use url::Url;

use super::*;
use crate::http::{Client, Options};
use crate::source::declarative::clock::Clock;
use crate::source::declarative::schema::Dynamic;

const RECORDS: &str = include_str!("../fixtures/records.json");

struct Reference {
    scope: Scope,
    slice: StreamSlice,
    all: Value,
}

fn reference() -> Reference {
    let all = Value::from_json(RECORDS.as_bytes()).expect("the fixture is JSON");
    let client = Client::new(&Options::default()).expect("a client");
    let clock = Clock::fixed("2024-02-29T13:05:09Z".parse().expect("a moment"));
    let part = |name: &str| {
        let part = all.get("slice").and_then(|slice| slice.get(name)).and_then(Value::as_map);
        part.cloned().expect("a part of the slice")
    };
    Reference {
        scope: Scope::new(all.get("config").cloned().expect("a configuration"), clock, client, None),
        slice: StreamSlice::new(part("partition"), part("cursor"), part("extra")),
        all,
    }
}

/// JSON with sorted keys: objects have no order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let mut entries: Vec<(&str, Value)> =
                map.iter().map(|(key, value)| (key, canonical(value))).collect();
            entries.sort_by_key(|(key, _)| (*key).to_owned());
            Value::Map(entries.into_iter().collect())
        }
        Value::List(items) | Value::Tuple(items) => Value::List(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

fn list(case: &Value, field: &str) -> Vec<Value> {
    case.get(field).and_then(Value::as_list).unwrap_or_default().to_vec()
}

/// Records, how many were extracted, and `response`: each `!` where it fails.
fn outcome(case: &Value, reference: &Reference, values: bool) -> [String; 3] {
    let decoder = case.get("decoder").filter(|decoder| !decoder.is_none());
    let decoder = decoder.map(|decoder| Component::new(decoder, "decoder").expect("an object"));
    let transformations = list(case, "transformations");
    let transformations: Vec<_> =
        transformations.iter().map(|one| Component::new(one, "transformation").expect("an object")).collect();
    let body = case.get("body").and_then(Value::as_text).expect("a body");
    let headers = case.get("headers").and_then(Value::as_map).expect("headers");
    let answer = Answer {
        status: 200,
        url: Url::parse("http://api.test/").expect("an address"),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_text().unwrap_or_default().to_owned()))
            .collect(),
        body: base64::engine::general_purpose::STANDARD.decode(body).expect("base64").into(),
    };
    let run = || -> Result<[String; 3]> {
        let component = Component::new(case.get("selector").expect("a selector"), "selector")?;
        let extractor = component.required("extractor")?;
        let selector = match extractor.kind() {
            "ResponseToFileExtractor" => Selector::extractor(Some(&extractor), None, &reference.scope)?,
            _ => Selector::build(&component, decoder.as_ref(), &transformations, &reference.scope, false)?,
        };
        let bodies = selector.decode(&answer)?;
        let token = Value::Map(Map::from_iter([("next_page_token", "t")]));
        let mut variables = Variables {
            slice: Some(&reference.slice),
            next_page_token: Some(&token),
            schema: case.get("schema").filter(|schema| !schema.is_none()),
            keep: None,
        };
        let mut shown = ["!".to_owned(), "!".to_owned(), "!".to_owned()];
        if let Ok(response) = bodies.first() {
            shown[2] = canonical(&response).to_json();
        }
        let selected = if values {
            let extracted = selector.extractor.extract(&bodies)?;
            let records = Records::from_values(extracted.records.into_values()?);
            Selected { records: selector.refine(records, &mut variables)?, extracted: extracted.count }
        } else {
            selector.select(&bodies, &mut variables)?
        };
        shown[0] = canonical(&Value::List(selected.records.into_values()?)).to_json();
        shown[1] = selected.extracted.to_string();
        Ok(shown)
    };
    run().unwrap_or_else(|error| [format!("!{error}"), "!".to_owned(), "!".to_owned()])
}

/// Where the README says that we differ: JSON that is malformed is an error, integers keep their digits, `NaN` is read
/// wherever it stands, and a row of a file with more cells than the header has is an error, where the reference drops
/// the first ones.
fn differs(case: &Value, body: &str, ours: &[String; 3]) -> bool {
    let decoder = case.get("decoder").and_then(|decoder| decoder.get("type")).and_then(Value::as_text);
    match decoder {
        None | Some("JsonDecoder") if ours[0].starts_with("!JSON is") => {
            case.get("records").and_then(Value::as_list).is_some_and(<[Value]>::is_empty)
        }
        None if ours[0].ends_with("has more cells than its header") => true,
        Some("JsonItemsDecoder") => body.contains("NaN") || body.contains("Infinity"),
        _ => body.contains("123456789012345678901"),
    }
}

#[test]
fn records_are_the_reference_s() {
    let reference = reference();
    let (mut report, mut wrong) = (String::new(), 0);
    for (place, case) in list(&reference.all, "cases").iter().enumerate() {
        let records = case.get("records").expect("an outcome");
        let failed = records.as_text() == Some("!");
        let expected = if failed { "!".to_owned() } else { canonical(records).to_json() };
        for values in [false, true] {
            let ours = outcome(case, &reference, values);
            let same = if failed {
                ours[0].starts_with('!')
            } else {
                ours[0] == expected && Some(&*ours[1]) == case.get("extracted").map(Value::to_json).as_deref()
            };
            let response = case.get("response").expect("a response");
            let same_response = response.as_text() == Some("!")
                || ours[0].starts_with('!')
                || ours[2] == canonical(response).to_json();
            let body = case.get("body").and_then(Value::as_text).unwrap_or_default();
            let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap_or_default();
            let body = String::from_utf8_lossy(&body);
            let agrees = same && same_response;
            if !agrees && !differs(case, &body, &ours) {
                wrong += 1;
                let _ = writeln!(report, "{place} {}\n  body: {body}\n  ours: {ours:?}", case.to_json());
            }
        }
    }
    assert_eq!(wrong, 0, "\n{report}");
}

#[test]
fn dynamic_schemas_are_the_reference_s() {
    let reference = reference();
    for case in list(&reference.all, "dynamic") {
        let run = || -> Result<Value> {
            let loader = Component::new(case.get("loader").expect("a loader"), "loader")?;
            let record = case.get("record").filter(|record| !record.is_none());
            Dynamic::build(&loader, &reference.scope)?.schema(record)
        };
        let ours = run().map_or_else(|_| "\"!\"".to_owned(), |schema| canonical(&schema).to_json());
        let expected = canonical(case.get("schema").expect("an outcome")).to_json();
        assert_eq!(ours, expected, "{}", case.to_json());
    }
}
