use super::*;

#[test]
fn json_comes_back_as_it_was() {
    let text = r#"{"z":1,"a":[1.5,-0.0,1e+300,"é\n\"",null,true,123456789012345678901234567890],"m":{}}"#;
    assert_eq!(Value::from_json(text.as_bytes()).expect("JSON").to_json(), text);
}

#[test]
fn the_last_of_equal_keys_counts_in_the_place_of_the_first() {
    let value = Value::from_json(br#"{"a":1,"b":2,"a":3}"#).expect("JSON");
    assert_eq!(value.to_json(), r#"{"a":3,"b":2}"#);
}

#[test]
fn malformed_json_is_refused_and_not_shown() {
    for text in
        ["", "{", "[1,]", "{\"a\" 1}", "01", "1.", "\"\\x\"", "nul", "1 2", "\"\n\"", "{a: 1}", "\"\\u12\""]
    {
        assert!(Value::from_json(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Value::from_json("[".repeat(100_000).as_bytes()).is_err());
    let error = Value::from_json(br#"{"secret": hunter2}"#).expect_err("malformed");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_value_is_small() {
    assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
}
