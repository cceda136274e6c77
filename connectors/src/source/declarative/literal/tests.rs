use super::parse;

fn json(text: &str) -> Option<String> {
    parse(text).map(|value| value.to_json())
}

#[test]
fn what_is_no_literal_stays_text() {
    for text in [
        "007",
        "2024-10-10",
        "12:30",
        "true",
        "1+2j",
        "f'x'",
        "{'a': true}",
        "1 2",
        "'a",
        "[1",
        "5\n6",
        "--5",
        "Ellipsis",
    ] {
        assert_eq!(json(text), None, "{text}");
    }
}

#[test]
fn literals_have_their_values() {
    let cases = [
        ("1_000", "1000"),
        ("0x10", "16"),
        ("1.10", "1.1"),
        ("1,2", "[1,2]"),
        ("{'a': 1}", r#"{"a":1}"#),
        (" 5", "5"),
        ("None", "null"),
        ("'a' \"b\"", r#""ab""#),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ];
    for (text, value) in cases {
        assert_eq!(json(text).as_deref(), Some(value), "{text}");
    }
}
