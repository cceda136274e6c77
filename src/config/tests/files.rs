//! YAML, files and folders.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

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

/// Lines as people might mistype them.
fn mistyped() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "sources",
        "shop",
        "type: db",
        "host",
        ":",
        " ",
        "  ",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "|",
        ">",
        "&a ",
        "*a",
        "!!str ",
        "#",
        "é",
        "\u{2028}",
        "\u{85}",
        "\r",
        "\t",
        "\u{feff}",
        "${env:PW}",
        "${env:X",
        "${file:y}",
        "$${",
        "---",
        "...",
        "connections",
        "password: x",
        "1.5",
        "~",
        "?",
        ",",
        "%YAML",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![any::<String>(), mistyped()], settings in mistyped()) {
        let folder = tempfile::tempdir().unwrap();
        let whole = GOOD.replace("host: localhost", &settings).replace("cursor: updated_at", &text);
        for text in [text, whole] {
            match load(folder.path(), &text) {
                Err(error) => drop(error.to_string()),
                Ok(config) => {
                    for section in config.sections(Kind::Connection) {
                        let _ = config.connection(section).map_err(|error| error.to_string());
                    }
                }
            }
        }
    }
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
