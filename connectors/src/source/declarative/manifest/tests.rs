use std::fmt::Write as _;

use super::*;
use crate::source::declarative::number;

const LOADING: &str = include_str!("../fixtures/loading.json");

/// A value with its doubles written out, as the fixture has them.
fn plain(value: &Value) -> Value {
    match value {
        Value::Float(number) => Value::Text(format!("float {}", number::float_text(*number))),
        Value::List(items) => Value::List(items.iter().map(plain).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(key, value)| (key, plain(value))).collect()),
        other => other.clone(),
    }
}

#[test]
fn loads_as_the_reference() {
    let document = Value::from_json(LOADING.as_bytes()).expect("the fixture is JSON");
    let mut report = String::new();
    for case in document.get("manifests").and_then(Value::as_list).expect("manifests") {
        let [text, wanted] = case.as_list().expect("a case") else { panic!("a case has two parts") };
        let text = text.as_text().expect("a text");
        match load("manifest.yaml", text) {
            Ok(_) if wanted.get("!").is_some() => {
                let _ = writeln!(report, "{text}\nis refused by the reference: {}\n", wanted.to_json());
            }
            // The order of keys counts: it is the order of columns and parameters.
            Ok(found) if plain(&found).to_json() != wanted.to_json() => {
                let _ = writeln!(
                    report,
                    "{text}\nreference {}\nours      {}\n",
                    wanted.to_json(),
                    plain(&found).to_json()
                );
            }
            Err(error) if wanted.get("!").is_none() => {
                let _ = writeln!(report, "{text}\nis refused by us: {error:?}\n");
            }
            _ => {}
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn errors_say_where() {
    let place = |text: &str| format!("{:?}", load("m.yaml", text).expect_err("malformed"));
    assert!(place("streams: [{a: {b: '#/nope'}}]").contains("streams[0].a.b"));
    assert!(place("a: [\nb: ]]").contains("line"));
    assert!(place("a: '#/a'").contains("leads to itself"));
    assert!(place("- a").contains("must be an object"));
    assert!(place("a: 1\n---\nb: 2").contains("second document"));
}

#[test]
fn hostile_manifests_end_in_errors() {
    let laughs = |first: &str, next: &dyn Fn(usize) -> String| {
        (1..9).fold(first.to_owned(), |text, level| text + &next(level))
    };
    let hostile = [
        "a: ".to_owned() + &"[".repeat(10_000),
        "a: ".to_owned() + &"{a: ".repeat(10_000),
        laughs("l0: &l0 [1,1,1,1,1,1,1,1,1,1]\n", &|level| {
            format!("l{level}: &l{level} [{}]\n", format!("*l{},", level - 1).repeat(10))
        }),
        laughs("l0: [1,1,1,1,1,1,1,1,1,1]\n", &|level| {
            format!("l{level}: [{}]\n", format!("'#/l{}',", level - 1).repeat(10))
        }),
        "a: &a [*a]".to_owned(),
        "a: !!python/object:os.system x".to_owned(),
    ];
    for text in hostile {
        assert!(load("m.yaml", &text).is_err(), "{}", &text[..text.len().min(60)]);
    }
}

#[test]
fn a_large_manifest_keeps_its_streams() {
    let mut text = String::from(
        "definitions:\n  base: {type: HttpRequester, url_base: 'https://x.test', request_headers: {a: b, c: d}}\nstreams:\n",
    );
    for number in 0..500 {
        let _ = write!(
            text,
            "  - type: DeclarativeStream\n    $parameters: {{name: s{number}, path: /p{number}}}\n    retriever: {{type: SimpleRetriever, requester: {{$ref: '#/definitions/base'}}}}\n"
        );
    }
    let manifest = load("m.yaml", &text).expect("a manifest");
    let streams = manifest.get("streams").and_then(Value::as_list).expect("streams");
    assert_eq!(streams.len(), 500);
    let requester =
        streams[499].get("retriever").and_then(|retriever| retriever.get("requester")).expect("a requester");
    assert_eq!(requester.get("path").and_then(Value::as_text), Some("/p499"));
}

#[test]
fn a_specification_beside_the_manifest_counts_where_it_has_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (manifest, beside) = (folder.path().join("manifest.yaml"), folder.path().join("spec.yaml"));
    let required = |manifest: &Value| {
        let specification = manifest.get("spec")?.get("connection_specification")?;
        Some(specification.get("required")?.as_list()?.first()?.as_text()?.to_owned())
    };
    std::fs::write(&manifest, "streams: []").expect("written");
    assert_eq!(required(&open(&manifest).expect("a manifest")), None);
    std::fs::write(&beside, "connectionSpecification: {type: object, required: [key]}").expect("written");
    assert_eq!(required(&open(&manifest).expect("a manifest")), Some("key".into()));
    let own = "streams: []\nspec: {type: Spec, connection_specification: {required: [own]}}";
    std::fs::write(&manifest, own).expect("written");
    assert_eq!(required(&open(&manifest).expect("a manifest")), Some("own".into()));

    std::fs::write(&manifest, "streams: []").expect("written");
    std::fs::write(&beside, "a: [").expect("written");
    let error = format!("{:?}", open(&manifest).expect_err("malformed"));
    assert!(error.contains("spec.yaml"), "{error}");
}
