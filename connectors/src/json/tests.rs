use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use protocol::UnfitPolicy;

use super::*;

const SCHEMA: &str = r#"{"type":"object","properties":{
    "id":{"type":"integer"},"name":{"type":["null","string"]},"ratio":{"type":["number","null"]},
    "on":{"type":"boolean"},"at":{"type":"string","format":"date-time"},"day":{"type":"string","format":"date"},
    "tags":{"type":"array","items":{"type":"string"}},"place":{"type":"object","properties":{"lat":{"type":"number"}}},
    "mixed":{"type":["string","integer"]},"any":{}}}"#;

fn columns(options: Options, policy: UnfitPolicy) -> Columns {
    let schema =
        arrow_schema(&Value::from_json(SCHEMA.as_bytes()).expect("JSON"), options).expect("a schema");
    Columns::new(Arc::new(schema), policy).expect("columns")
}

fn page(text: &str) -> Records {
    let page = Page::new(&Bytes::copy_from_slice(text.as_bytes())).expect("UTF-8");
    page.records(&["data"]).expect("JSON").expect("plain keys")
}

/// Rows as texts, `column=value` without nulls.
fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    // Names of zones take a database to be shown.
    let shown = |array: &ArrayRef| match array.as_any().downcast_ref::<TimestampMicrosecondArray>() {
        Some(times) => Arc::new(times.clone().with_timezone("+00:00")) as ArrayRef,
        None => array.clone(),
    };
    let arrays: Vec<ArrayRef> = batch.columns().iter().map(shown).collect();
    let formatters: Vec<_> = arrays
        .iter()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), &options).expect("a format"))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let cells = batch.schema();
            let cells = cells.fields().iter().zip(batch.columns()).zip(&formatters);
            cells
                .filter(|((_, array), _)| array.is_valid(row))
                .map(|((field, _), format)| format!("{}={}", field.name(), format.value(row)))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// The same records from spans of text and from values.
fn both(text: &str, options: Options, policy: UnfitPolicy) -> (Vec<String>, Vec<protocol::Adjustment>) {
    let mut raw = columns(options, policy);
    raw.append(&page(text)).expect("it fits");
    let mut values = columns(options, policy);
    values.append(&Records::from_values(page(text).into_values().expect("JSON"))).expect("it fits");
    let outcome = (rows(&raw.finish().expect("a batch")), raw.adjusted());
    assert_eq!(outcome.0, rows(&values.finish().expect("a batch")));
    assert_eq!(outcome.1, values.adjusted());
    outcome
}

const EVERYTHING: &str = r#"{"data":[
    {"id":1,"name":"a\u00e9\n","ratio":2,"on":true,"at":"2024-05-06T07:08:09.5+02:00","day":"2024-05-06",
     "tags":["x", "y"],"place":{"lat":1.5},"mixed":"7","any":7},
    {"id":2,"id":3,"new":{"k": [1, 2]},"mixed":7,"other":"é"}, {}]}"#;

#[test]
fn every_type_has_its_column_and_nothing_is_lost() {
    let (rows, adjusted) = both(EVERYTHING, Options::default(), UnfitPolicy::Error);
    assert_eq!(adjusted, []);
    assert_eq!(
        rows,
        [
            "id=1 name=aé\n ratio=2.0 on=true at=2024-05-06T05:08:09.500Z day=2024-05-06 tags=[\"x\",\"y\"] \
             place={\"lat\":1.5} mixed=\"7\" any=7",
            "id=3 mixed=7 _extra={\"new\":{\"k\":[1,2]},\"other\":\"é\"}",
            "",
        ]
    );
}

#[test]
fn objects_and_lists_nest_where_that_is_chosen() {
    let options = Options { nested: true, ..Options::default() };
    let text = r#"{"data":[{"tags":["x",null],"place":{"lat":1}},{"tags":[],"place":{"lat":2,"lon":3}},{}]}"#;
    let (rows, adjusted) = both(text, options, UnfitPolicy::Error);
    assert_eq!(rows, ["tags=[x, ] place={lat: 1.0}", "tags=[] place={lat: 2.0}", ""]);
    assert_eq!((adjusted.len(), adjusted[0].reason.as_str(), adjusted[0].values), (1, "undeclared", 1));
}

#[test]
fn what_does_not_fit_follows_the_policy_and_is_counted() {
    let text = r#"{"data":[{"id":"x","ratio":{},"on":"yes","at":"never","day":"2024-05-06T07:00:00Z"},
        {"id":5.5,"ratio":"x"},{"id":99999999999999999999,"ratio":[]}]}"#;
    let mut strict = columns(Options::default(), UnfitPolicy::Error);
    let error = strict.append(&page(text)).expect_err("text is no integer");
    assert_eq!(error.kind(), protocol::ErrorKind::Data);
    let (rows, adjusted) = both(text, Options::default(), UnfitPolicy::Null);
    assert_eq!(rows, ["", "", ""]);
    assert_eq!(adjusted.iter().map(|one| one.values).sum::<u64>(), 9);
    let (rows, _) = both(text, Options::default(), UnfitPolicy::Clamp);
    assert_eq!(rows, ["day=2024-05-06", "id=6", "id=9223372036854775807"]);
}

#[test]
fn what_holds_the_same_in_another_form_is_kept_and_counted() {
    let text = r#"{"data":[{"id":"17","name":5,"ratio":9007199254740993,"on":"True","at":"2024-05-06T00:00:00.1234567Z"},
        {"id":4.0,"name":{"a":1},"ratio":"2.5","on":1}]}"#;
    let (rows, adjusted) = both(text, Options::default(), UnfitPolicy::Error);
    assert_eq!(
        rows,
        [
            "id=17 name=5 ratio=9007199254740992.0 on=true at=2024-05-06T00:00:00.123456Z",
            "id=4 name={\"a\":1} ratio=2.5 on=true",
        ]
    );
    assert_eq!(adjusted.iter().map(|one| one.values).sum::<u64>(), 8);
}

#[test]
fn undeclared_fields_are_counted_where_they_are_dropped() {
    let options = Options { drop_undeclared: true, ..Options::default() };
    let (_, adjusted) = both(r#"{"data":[{"id":1,"new":2}]}"#, options, UnfitPolicy::Error);
    assert_eq!((adjusted[0].column.as_str(), adjusted[0].reason.as_str()), (EXTRA, "undeclared"));
    let mut some = columns(options, UnfitPolicy::Error);
    some.leave(["new"]);
    some.append(&page(r#"{"data":[{"id":1,"new":2}]}"#)).expect("it fits");
    assert_eq!(some.adjusted(), []);
}

#[test]
fn numbers_beyond_json_are_null_where_they_are_written() {
    let records = page(r#"{"data":[{"id":1,"any":[NaN],"x":-Infinity}]}"#);
    let mut out = String::new();
    records.write_json_lines(&mut out);
    assert_eq!(out, "{\"id\":1,\"any\":[null],\"x\":null}\n");
    let mut kept = columns(Options::default(), UnfitPolicy::Error);
    kept.append(&records).expect("it fits");
    assert_eq!(rows(&kept.finish().expect("a batch")), ["id=1 any=[null] _extra={\"x\":null}"]);
    let reasons: Vec<_> = kept.adjusted().into_iter().map(|one| (one.column, one.reason)).collect();
    assert_eq!(reasons, [("any".to_owned(), "nan".to_owned()), (EXTRA.to_owned(), "infinity".to_owned())]);
}

#[test]
fn numbers_beyond_64_bits_keep_their_digits_or_are_counted() {
    let schema = r#"{"properties":{"i":{"type":"integer"},"d":{"type":"string","airbyte_type":"big_integer"},
        "n":{"type":"number"},"s":{"type":"string"},"j":{}}}"#;
    let schema = arrow_schema(&Value::from_json(schema.as_bytes()).expect("JSON"), Options::default());
    let mut kept = Columns::new(Arc::new(schema.expect("a schema")), UnfitPolicy::Null).expect("columns");
    let big = "123456789012345678901234567890";
    let records = page(&format!(
        r#"{{"data":[{{"i":{big},"d":{big},"n":{big},"s":{big},"j":[{big}]}},
        {{"i":-9223372036854775808,"d":-{big}000000000,"n":1e400,"s":1e400,"j":1e400}},
        {{"i":9007199254740993,"d":"{big}","n":9007199254740993,"s":NaN,"j":-Infinity}}]}}"#
    ));
    kept.append(&records).expect("it fits");
    assert_eq!(
        rows(&kept.finish().expect("a batch")),
        [
            format!("d={big} n=1.2345678901234568e29 s={big} j=[{big}]"),
            "i=-9223372036854775808 n=inf s=Infinity".to_owned(),
            format!("i=9007199254740993 d={big} n=9007199254740992.0 s=NaN"),
        ]
    );
    let counted: Vec<_> = kept
        .adjusted()
        .into_iter()
        .map(|one| format!("{} {} {}", one.column, one.reason, one.values))
        .collect();
    assert_eq!(
        counted,
        [
            "i out_of_range 1",
            "n rounded 2",
            "s number 1",
            "d out_of_range 1",
            "n infinity 1",
            "s infinity 1",
            "j infinity 2",
            "d text 1",
            "s nan 1",
        ]
    );
}

#[test]
fn half_of_a_surrogate_pair_is_mended_and_counted() {
    let text = r#"{"data":[{"name":"x\ud83d!","any":{"k":"\ud83d \ud83d\ude00"},"id":1},
        {"name":"\ud83d\ude00","any":["\ud83d\ude00", "\\ud83d"],"id":2}]}"#;
    let mut mended = columns(Options::default(), UnfitPolicy::Error);
    mended.append(&page(text)).expect("it fits");
    assert_eq!(
        rows(&mended.finish().expect("a batch")),
        [
            "id=1 name=x\u{fffd}! any={\"k\":\"\u{fffd} \u{1f600}\"}",
            "id=2 name=\u{1f600} any=[\"\\ud83d\\ude00\",\"\\\\ud83d\"]",
        ]
    );
    let counted: Vec<_> =
        mended.adjusted().into_iter().map(|one| (one.column, one.reason, one.values)).collect();
    let surrogate = |column: &str| (column.to_owned(), "surrogate".to_owned(), 1);
    assert_eq!(counted, [surrogate("name"), surrogate("any")]);
}

#[test]
fn of_equal_keys_the_last_one_counts_wherever_it_goes() {
    let text = r#"{"data":[{"id":1,"x":1,"name":"a","x":2,"id":2,"y":{},"x":3},{"x":1,"\u0078":2}]}"#;
    let (rows, adjusted) = both(text, Options::default(), UnfitPolicy::Error);
    assert_eq!(rows, [r#"id=2 name=a _extra={"x":3,"y":{}}"#, r#"_extra={"x":2}"#]);
    assert_eq!(adjusted, []);
    let many: Vec<String> = (0..40).map(|number| format!("\"k{}\":{number}", number % 30)).collect();
    let (rows, _) =
        both(&format!("{{\"data\":{{{}}}}}", many.join(",")), Options::default(), UnfitPolicy::Error);
    assert_eq!(rows[0].matches("\"k5\":").count(), 1, "{rows:?}");
    assert!(rows[0].contains("\"k5\":35"), "{rows:?}");
}

#[test]
fn nesting_without_end_is_refused_wherever_it_is_read() {
    let deep = format!("{{\"data\":[{{\"any\":{}{}}}]}}", "[".repeat(10_000), "]".repeat(10_000));
    let bytes = Bytes::from(deep);
    let page = Page::new(&bytes).expect("UTF-8");
    let refusals = [
        page.records(&["data"]).err(),
        page.lines().err(),
        page.items(&["data"]).err(),
        page.rest(&["x"]).err(),
        page.value().err(),
    ];
    for error in refusals {
        let error = error.expect("it is too deep");
        assert_eq!(error.kind(), protocol::ErrorKind::Data);
        assert!(error.to_string().contains("nested deeper than 512 levels"), "{error}");
    }
}

#[test]
fn lines_end_as_they_like() {
    let lines = |text: &str| {
        let page = Page::new(&Bytes::copy_from_slice(text.as_bytes())).expect("UTF-8");
        let mut out = String::new();
        page.lines().map(|records| {
            records.write_json_lines(&mut out);
            out
        })
    };
    for text in
        ["{\"a\":1}\n{\"a\":2}", "\u{feff}{\"a\":1}\r\n\r\n {\"a\":2}\r\n", "\n{\"a\":1}\n\n{\"a\":2}\n \n"]
    {
        assert_eq!(lines(text).expect("JSON"), "{\"a\":1}\n{\"a\":2}\n", "{text:?}");
    }
    assert!(lines("{\"a\":1}\n{\"a\":").is_err(), "a line that was cut is no record");
    assert!(lines("{\"a\":1} {\"a\":2}").is_err());
    assert_eq!(lines("").expect("nothing"), "");
}

#[test]
fn records_are_one_line_each() {
    let mut out = String::new();
    page("{\"data\": [ {\n \"a b\" : [ 1,\r\n 2 ], \"c\\n\": \" d \" } ]}").write_json_lines(&mut out);
    assert_eq!(out, "{\"a b\":[1,2],\"c\\n\":\" d \"}\n");
}

#[test]
fn records_are_found_as_values_would_be() {
    let of = |text: &str, path: &[&str]| {
        let page = Page::new(&Bytes::copy_from_slice(text.as_bytes())).expect("UTF-8");
        page.records(path).expect("JSON").map(|records| records.len())
    };
    assert_eq!(of(r#"{"a":{"b":[{},{}]},"a":{"b":[{}]}}"#, &["a", "b"]), Some(1));
    assert_eq!(of(r#"{"a":{"b":{}}}"#, &["a", "b"]), Some(0));
    assert_eq!(of(r#"{"a":{"b":{"x":1}}}"#, &["a", "b"]), Some(1));
    assert_eq!(of(r#"[{"a":[{}]},{"b":1},{"a":[{},{}]}]"#, &["a"]), Some(3));
    assert_eq!(of(r#"[{"x":1},{},[{},{}],null]"#, &[]), Some(3));
    assert_eq!(of(r#"{"a":[{"b":1}]}"#, &["a", "b"]), None);
    assert_eq!(of("  ", &["a"]), Some(0));
    assert_eq!(of(r#"{"\u0061":[{}]}"#, &["a"]), Some(1));
}

#[test]
fn the_rest_of_a_body_has_no_records() {
    let page =
        Page::new(&Bytes::from_static(br#"{"next":"n","data":{"items":[{"id":1}],"more":true},"x":[1]}"#));
    let rest = page.expect("UTF-8").rest(&["data", "items"]).expect("JSON").expect("a body");
    assert_eq!(rest.to_json(), r#"{"next":"n","data":{"items":[],"more":true},"x":[1]}"#);
}
