//! Passwords and keys: in no output, no file, no argument, whatever happens.

use std::fs;
use std::path::Path;

use lab::{Cluster, S3};
use serde_json::json;

use crate::cli::run::{Place, Ran};
use crate::support::{Ledger, Running};

/// No word of any message, and nothing that a URL takes as it is.
const CANARY: &str = "c4nary/p@ss:w%rd?x7q";
const ENCODED: &str = "c4nary%2Fp%40ss%3Aw%25rd%3Fx7q";
const TRACES: [&str; 3] = [CANARY, ENCODED, "c4nary"];

fn spotless(ran: &Ran, others: &[&str]) {
    for secret in TRACES.iter().chain(others) {
        for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            assert!(!text.contains(secret), "{secret} is told on {stream}:\n{text}");
        }
    }
}

/// All files below `folder`, but for the configuration itself.
fn spotless_files(folder: &Path, others: &[&str]) {
    for entry in fs::read_dir(folder).expect("it is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            spotless_files(&path, others);
        } else if !path.ends_with("tidegate.yaml") {
            let bytes = fs::read(&path).expect("it is there");
            let text = String::from_utf8_lossy(&bytes);
            for secret in TRACES.iter().chain(others) {
                assert!(!text.contains(secret), "{secret} is in {}", path.display());
            }
        }
    }
}

/// A role with the canary as its password, and the URL with it.
async fn canary_role(ledger: &Ledger) -> String {
    let role = ledger.database.role("reader", "GRANT SELECT ON ledger TO {role}");
    let literal = CANARY.replace('\'', "''");
    ledger.database.execute(&format!("ALTER ROLE \"{}\" PASSWORD '{literal}'", role.name)).await;
    ledger.database.url_as(&role.name, CANARY)
}

const LOUD: [&[&str]; 2] = [&["-vv"], &["-vv", "--log-format", "json", "--output", "json"]];

#[tokio::test]
async fn a_password_is_told_nowhere_when_all_goes_well() {
    let mut ledger = Ledger::incremental(20).await;
    let url = canary_role(&ledger).await;
    assert!(url.contains(ENCODED), "{url}");
    // As it may stand in the file itself.
    ledger.project.configuration()["sources"]["db"]["url"] = json!(url);
    for loud in LOUD {
        ledger.add(1).await;
        for verb in ["sync", "check", "discover", "plan", "state"] {
            let mut arguments = vec![verb];
            arguments.extend(if verb == "state" { Some("export") } else { None });
            arguments.extend(if verb == "plan" { vec!["--out", "plan.json"] } else { vec![] });
            arguments.extend(loud);
            let ran = ledger.project.run(&arguments).exits(0);
            spotless(&ran, &[]);
            assert!(!ran.stderr.is_empty() || verb != "sync", "it was to be loud");
        }
    }
    let lake = ledger.project.path("lake");
    spotless_files(lake.parent().unwrap(), &[]);
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_password_is_no_argument_of_the_process() {
    let mut ledger = Ledger::incremental(20).await;
    let url = canary_role(&ledger).await;
    ledger.project.configuration()["sources"]["db"]["url"] = json!(url);
    ledger.slow(1, 0.05);
    let running = ledger.start();
    ledger.until_session("query LIKE 'COPY%'").await;
    let process = format!("/proc/{}", running.pid());
    for name in ["cmdline", "comm"] {
        let text = String::from_utf8_lossy(&fs::read(format!("{process}/{name}")).unwrap()).into_owned();
        assert!(TRACES.iter().all(|secret| !text.contains(secret)), "{name}: {text}");
    }
    for task in fs::read_dir(format!("{process}/task")).unwrap().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        assert!(TRACES.iter().all(|secret| !name.contains(secret)), "{name}");
    }
    spotless(&running.wait().exits(0), &[]);
}

#[tokio::test]
async fn a_password_is_told_nowhere_when_things_fail() {
    let mut ledger = Ledger::incremental(20).await;
    let port = lab::port::free();
    for url in [
        // Refused by the server; refused by nobody; not even understood.
        ledger.database.url_as("postgres", CANARY),
        format!("postgres://someone:{ENCODED}@127.0.0.1:{port}/shop"),
        format!("postgres://someone:{ENCODED}@127.0.0.1:none/shop"),
        format!("postgres://someone:{CANARY}@127.0.0.1:5432/shop"),
        format!("postgres//someone:{ENCODED}@127.0.0.1/shop"),
        format!("host=127.0.0.1 port={port} password='{CANARY}"),
        format!("host=127.0.0.1 port={port} pasword='{CANARY}'"),
        format!("mysql://someone:{ENCODED}@127.0.0.1/shop"),
    ] {
        let source = &mut ledger.project.configuration()["sources"]["db"];
        source["url"] = json!(url);
        ledger.project.configuration()["connections"]["db_to_lake"]["retries"] = json!(0);
        for loud in LOUD {
            for verb in ["sync", "check"] {
                let ran = ledger.project.run(&[&[verb], loud].concat());
                assert_ne!(ran.code, 0, "{url}");
                assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
                spotless(&ran, &[]);
            }
        }
    }
    spotless_files(ledger.project.path("lake").parent().unwrap(), &[]);
}

#[tokio::test]
async fn keys_of_a_bucket_are_told_nowhere() {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 20, Ledger::incremental_stream(), Some(&bucket)).await;
    let secrets = [bucket.secret_key.as_str()];
    for loud in LOUD {
        spotless(&ledger.project.run(&[&["sync"], loud].concat()).exits(0), &secrets);
    }
    for key in ledger.lake.metadata().await.into_keys() {
        assert!(!key.contains(&bucket.secret_key));
    }
    for commit in ledger.lake.commits().await {
        assert!(
            !commit.to_string().contains(&bucket.secret_key) && !commit.to_string().contains("postgres://")
        );
    }
    let lake = &mut ledger.project.configuration()["destinations"]["lake"];
    lake["secret_access_key"] = json!(CANARY);
    lake["session_token"] = json!(CANARY);
    for loud in LOUD {
        let ran = ledger.project.run(&[&["sync"], loud].concat());
        assert_ne!(ran.code, 0);
        spotless(&ran, &secrets);
    }
}

#[test]
fn a_mistake_beside_a_password_does_not_quote_it() {
    for yaml in [
        format!("sources:\n  db:\n    type: postgres\n    password: \"{CANARY}\"\n    hosst: x\n"),
        format!("sources:\n  db:\n    type: postgres\n    password: [\"{CANARY}\"]\n"),
        format!("sources:\n  db:\n    type: postgres\n    pasword: \"{CANARY}\"\n"),
        format!("sources:\n  db:\n    type: postgres\n    url: \"{CANARY}\"\n   host: x\n"),
        format!("sources:\n  db:\n    type: postgres\n    url: {{a: \"{CANARY}\"}}\n"),
    ] {
        let ran = Place::with(&yaml).run(&["check", "--output", "json", "-vv"]);
        assert_ne!(ran.code, 0, "{yaml}");
        spotless(&ran, &[]);
    }
    let place = Place::new().set("DATABASE_URL", CANARY);
    place.write(
        "tidegate.yaml",
        "sources:\n  db:\n    type: postgres\n    connections: ${env:DATABASE_URL}\n",
    );
    let running = Running::start(place.command(&["check", "--source", "db", "--output", "json"]));
    spotless(&running.wait().exits(78), &[]);
}
