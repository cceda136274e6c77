//! Arguments, help, version and completions.

use std::process::Stdio;
use std::time::Instant;

use super::run::Place;

const VERBS: [&str; 12] = [
    "init",
    "check",
    "discover",
    "plan",
    "sync",
    "read",
    "commit",
    "reconcile",
    "state",
    "spec",
    "schema",
    "completions",
];

#[test]
fn help_lists_every_verb_with_examples_and_exit_codes() {
    let help = Place::new().run(&["--help"]).exits(0);
    for verb in VERBS {
        assert!(help.stdout.contains(&format!("\n  {verb} ")), "{verb} in {}", help.stdout);
    }
    help.prints("Examples:").prints("Exit codes:");
    for verb in VERBS {
        Place::new().run(&[verb, "-h"]).exits(0).prints("Usage: tidegate");
    }
}

#[test]
fn no_verb_is_a_mistake_that_shows_the_help() {
    let ran = Place::new().run(&[]).exits(64).says("Usage: tidegate");
    assert_eq!(ran.stdout, "");
}

#[test]
fn mistakes_on_the_command_line_exit_with_64_and_suggest() {
    Place::new().run(&["synk"]).exits(64).says("a similar subcommand exists: 'sync'");
    Place::new().run(&["sync", "--output", "xml"]).exits(64).says("invalid value 'xml'");
    Place::new().run(&["sync", "--memory", "much"]).exits(64).says("write it as `128MiB`");
    Place::new().run(&["sync", "-v", "-q"]).exits(64).says("cannot be used with");
    Place::new().run(&["read", "--partition", "0"]).exits(64).says("--plan <FILE>");
    Place::new().run(&["spec", "postgers"]).exits(64).says("there is no connector \"postgers\"");
    let document = Place::new().run(&["synk", "--output", "json"]).exits(64).json();
    assert_eq!(document["error"]["kind"], "usage");
    assert_eq!(document["exit_code"], 64);
}

#[test]
fn values_of_the_environment_are_not_in_the_help() {
    let place = Place::new().set("TIDEGATE_CONFIG", "hunter2.yaml").set("TIDEGATE_LOG", "hunter2");
    for arguments in [["sync", "--help"], ["sync", "-h"]] {
        assert!(!place.run(&arguments).exits(0).stdout.contains("hunter2"));
    }
}

#[test]
fn version_tells_facts_about_the_build() {
    let place = Place::new();
    let first = format!("tidegate {}\n", env!("CARGO_PKG_VERSION"));
    assert!(place.run(&["--version"]).exits(0).stdout.starts_with(&first));
    let document = place.run(&["-V", "-o", "json"]).exits(0).json();
    for fact in ["tidegate", "commit", "target", "rustc", "profile"] {
        assert!(document[fact].as_str().is_some_and(|text| !text.is_empty()), "{fact}");
    }
}

#[test]
fn starts_in_milliseconds() {
    let place = Place::new();
    place.run(&["--version"]);
    let best = (0..10)
        .map(|_| {
            let start = Instant::now();
            place.run(&["--version"]).exits(0);
            start.elapsed()
        })
        .min()
        .expect("ten runs");
    // Generous: an unoptimised build on a busy machine.
    assert!(best.as_millis() < 50, "{best:?}");
}

#[test]
fn completions_are_scripts() {
    let place = Place::new();
    for (shell, sign) in
        [("bash", "complete -F _tidegate"), ("zsh", "#compdef tidegate"), ("fish", "complete -c tidegate")]
    {
        place.run(&["completions", shell]).exits(0).prints(sign);
    }
    let document = place.run(&["completions", "zsh", "-o", "json"]).exits(0).json();
    assert!(document["script"].as_str().is_some_and(|script| script.contains("#compdef")));
}

#[test]
fn schemas_are_json_in_either_form() {
    let place = Place::new();
    for arguments in [&["schema"][..], &["schema", "--output", "json"]] {
        assert_eq!(place.run(arguments).exits(0).json()["title"], "tidegate");
    }
    let report = place.run(&["schema", "--report"]).exits(0).json();
    assert!(report["properties"]["exit_code"].is_object(), "{report}");
}

#[test]
fn a_reader_that_is_gone_is_no_failure() {
    let place = Place::new();
    let mut child = place.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_full_disk_is_a_failure() {
    let place = Place::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = place.command(&["schema"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pipes_get_no_colours() {
    let place = Place::new();
    for arguments in [&["--help"][..], &["spec"], &["nothing"]] {
        let ran = place.run(arguments);
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
    }
}
