//! References, and what must not be shown.

use super::*;

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
