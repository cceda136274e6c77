use std::fmt::Write as _;

use super::*;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::value::Map;

const EXPRESSIONS: &str = include_str!("../fixtures/expressions.json");

fn clock() -> Clock {
    Clock::fixed("2024-02-29T13:05:09.123456Z".parse().expect("a moment"))
}

/// A result as the reference's fixture writes it.
fn encode(value: &Value) -> Value {
    let tagged = |tag: &str, value: Value| Value::Map([(tag, value)].into_iter().collect());
    let all = |items: &[Value]| items.iter().map(encode).collect::<Vec<_>>();
    match value {
        Value::Int(number) => tagged("i", number.to_string().into()),
        Value::Big(number) => tagged("i", number.to_string().into()),
        Value::Float(number) => tagged("f", crate::source::declarative::number::float_text(*number).into()),
        Value::List(items) => Value::List(all(items)),
        Value::Tuple(items) => tagged("t", all(items).into()),
        Value::Set(items) => tagged("s", all(items).into()),
        Value::Bytes(bytes) => tagged("b", method::hex(bytes).into()),
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, value)| Value::List(vec![key.into(), encode(value)]));
            tagged("d", pairs.collect::<Vec<_>>().into())
        }
        Value::Dict(entries) => {
            let pairs = entries.iter().map(|(key, value)| Value::List(vec![encode(key), encode(value)]));
            tagged("d", pairs.collect::<Vec<_>>().into())
        }
        Value::Ellipsis => tagged("e", Value::Int(1)),
        other => other.clone(),
    }
}

fn outcome(result: protocol::Result<Value>) -> (String, String) {
    match result {
        Ok(value) => (sorted_sets(&encode(&value)).to_json(), String::new()),
        Err(error) => ("!".to_owned(), error.to_string()),
    }
}

/// Sets have no order.
fn sorted_sets(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(sorted_sets).collect()),
        Value::Map(map) => {
            let entry = |(key, value): (&str, &Value)| {
                let mut value = sorted_sets(value);
                if let ("s", Value::List(items)) = (key, &mut value) {
                    items.sort_by_key(Value::to_json);
                }
                (key.to_owned(), value)
            };
            Value::Map(map.iter().map(entry).collect())
        }
        other => other.clone(),
    }
}

fn expected(value: &Value) -> String {
    if value.get("!").is_some() { "!".to_owned() } else { sorted_sets(value).to_json() }
}

fn part(document: &Value, name: &str) -> Map {
    document
        .get("slice")
        .and_then(|slice| slice.get(name))
        .and_then(Value::as_map)
        .cloned()
        .unwrap_or_default()
}

/// What stands in templates in which we differ from the reference. The README beside `template` says why.
const DEVIATIONS: [&str; 9] = [
    "\\N{BULLET}",
    "[1j]",
    "{% include",
    "lipsum",
    "{{ self }}",
    "| attr('items')",
    ".isocalendar() }}",
    // Another one each time.
    "{{ generate_uuid()",
    // Prints an address, but for some values.
    "| pprint",
];

#[test]
fn equals_the_reference() {
    let document = Value::from_json(EXPRESSIONS.as_bytes()).expect("the fixture is JSON");
    let slice = StreamSlice::new(
        part(&document, "partition"),
        part(&document, "cursor_slice"),
        part(&document, "extra_fields"),
    );
    let clock = clock();
    let mut context = Context::new(&clock, document.get("config").expect("a configuration"))
        .with("parameters", document.get("parameters").expect("parameters"))
        .with_slice(Some(&slice));
    for (name, value) in document.get("variables").and_then(Value::as_map).expect("variables").iter() {
        context = context.with(name, value);
    }
    let cases = document.get("cases").and_then(Value::as_list).expect("cases");
    let (mut report, mut differences) = (String::new(), 0);
    for case in cases {
        let [source, text, truth, typed] = case.as_list().expect("a case") else {
            panic!("a case has four parts")
        };
        let source = source.as_text().expect("a template");
        if DEVIATIONS.iter().any(|part| source.contains(part)) {
            continue;
        }
        let run = |name: &str, wanted: &Value, found: (String, String)| -> Option<String> {
            let wanted = expected(wanted);
            (wanted != found.0).then(|| {
                format!("{name} of {source:?}\n  reference {wanted}\n  ours      {} {}\n", found.0, found.1)
            })
        };
        let faults = [
            run(
                "text",
                text,
                outcome(TextTemplate::compile(source).and_then(|template| template.eval(&context))),
            ),
            run(
                "truth",
                truth,
                outcome(Condition::compile(source).and_then(|template| Ok(template.eval(&context)?.into()))),
            ),
            run(
                "typed",
                typed,
                outcome(Template::compile(source).and_then(|template| {
                    Ok(template.eval(&context, Types::TEXT | Types::LIST)?.unwrap_or_default())
                })),
            ),
        ];
        if let Some(fault) = faults.into_iter().flatten().next() {
            differences += 1;
            let _ = write!(report, "{fault}");
        }
    }
    assert!(cases.len() > 5000, "only {} cases", cases.len());
    assert!(differences == 0, "{differences} of {} differ:\n{report}", cases.len());
}

fn eval(source: &str) -> protocol::Result<Value> {
    let clock = clock();
    let context = Context::new(&clock, &Value::None);
    let template = TextTemplate::compile(source)?;
    template.eval(&context)
}

#[test]
fn hostile_templates_end_in_errors() {
    let nested = |open: &str, middle: &str, close: &str, depth: usize| {
        format!("{{{{ {}{middle}{} }}}}", open.repeat(depth), close.repeat(depth))
    };
    let hostile = [
        "{{ 'a' * 10 ** 12 }}".to_owned(),
        "{{ 9 ** (9 ** 9) }}".to_owned(),
        "{{ 10 ** 100000 * 10 ** 100000 }}".to_owned(),
        "{{ '%1000000000d' % 1 }}".to_owned(),
        "{{ '{:1000000000}'.format(1) }}".to_owned(),
        "{{ 'a'.center(10 ** 11) }}".to_owned(),
        "{{ [0] * 10 ** 10 }}".to_owned(),
        "{% set x = 'a' * 1000000 %}{% set x = x * 60 %}{% set y = x * 2 %}{{ y }}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}".to_owned(),
        "{% set a = [] %}{% set b = [a] %}{% set _ = a.append(b) %}{{ a }}".to_owned(),
        "{% set l = 'x' * 1000 %}{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}".to_owned(),
        "{{ ('a' * 30) | regex_search('(a|a)*b') | length + ('a' * 5000 ~ 'c') | regex_search('(a*)*\\\\1b') | int }}".to_owned(),
        nested("[", "", "]", 5000),
        nested("(", "1", ")", 5000),
        nested("not ", "1", "", 5000),
        nested("-", "1", "", 5000),
        nested("1 if 1 else ", "1", "", 5000),
        "{% if 1 %}".repeat(5000),
        format!("{{{{ x{} }}}}", ".y".repeat(20_000)),
        "{{ 1".to_owned() + &" + 1".repeat(20_000) + " }}",
        "{% for i in [1] %}".repeat(200),
        "{{".repeat(100_000),
    ];
    for source in hostile {
        assert!(eval(&source).is_err(), "{}", &source[..source.len().min(80)]);
    }
}

#[test]
fn reads_no_files_and_knows_no_other_templates() {
    for source in [
        "{% include '/etc/passwd' %}",
        "{% extends 'a' %}",
        "{% import 'a' as b %}",
        "{% from 'a' import b %}",
    ] {
        assert!(eval(source).is_err(), "{source}");
    }
}

#[test]
fn changes_of_a_record_end_with_the_evaluation() {
    let clock = clock();
    let record = Value::from_json(br#"{"tags": ["a"]}"#).expect("JSON");
    let context = Context::new(&clock, &Value::None).with("record", &record);
    let template = Template::compile("{% set _ = record.tags.append('b') %}{{ record.tags | length }}")
        .expect("a template");
    for _ in 0..2 {
        assert_eq!(template.eval(&context, Types::ANY).expect("a length"), Some(Value::Int(2)));
    }
    assert_eq!(record.to_json(), r#"{"tags":["a"]}"#);
}

#[test]
fn a_first_result_like_its_template_is_taken_for_all() {
    let clock = clock();
    let (number, text) = (Value::Int(1), Value::Text("b".to_owned()));
    let template = TextTemplate::compile("{{ config + 'a' }}").expect("a template");
    // A `TypeError` gives the text of the template, and then it stays so.
    for config in [&number, &text] {
        let context = Context::new(&clock, config);
        assert_eq!(template.eval(&context).expect("text"), Value::from("{{ config + 'a' }}"));
    }
}

#[test]
fn a_mapping_leaves_out_nothing_and_a_nested_one_what_is_none() {
    let clock = clock();
    let config = Value::from_json(br#"{"a": 5, "b": ""}"#).expect("JSON");
    let context = Context::new(&clock, &config);
    let source = Value::from_json(br#"{"n": "{{ config.a }}", "e": "{{ config.b }}", "m": "{{ config.zz.y }}", "c": 7, "l": ["{{ config.b }}"]}"#).expect("JSON");
    let mapping = MappingTemplate::compile(&source).expect("templates");
    let found = mapping.eval(&context, Types::TEXT | Types::LIST).expect("values");
    assert_eq!(found.to_json(), r#"{"n":"5","e":null,"m":null,"c":7,"l":["{{ config.b }}"]}"#);
    let nested = NestedTemplate::compile(&source).expect("templates");
    assert_eq!(nested.eval(&context).expect("values").to_json(), r#"{"n":5,"c":7,"l":[null]}"#);
}

#[test]
fn an_error_names_the_line_and_no_values() {
    let error = Template::compile("a\n{{ 1 + }}").expect_err("malformed");
    assert!(error.to_string().contains("line 2"), "{error}");
    let clock = clock();
    let config = Value::from_json(br#"{"secret": "hunter2"}"#).expect("JSON");
    let context = Context::new(&clock, &config);
    let template = Template::compile("{{ str_to_datetime(config.secret) }}").expect("a template");
    let error = template.eval(&context, Types::ANY).expect_err("no date");
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
}
