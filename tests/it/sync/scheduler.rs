//! The contract with schedulers: exit codes, and exactly one document on stdout.

use serde_json::{Value, json};

use crate::cli::run::{Place, Ran};
use crate::support::{Ledger, violations};

/// The schema of reports, as the binary prints it.
fn schema() -> Value {
    Place::new().run(&["schema", "--report"]).exits(0).json()
}

/// One document and nothing else, in the form that was promised.
#[track_caller]
fn is_one_report(ran: &Ran) -> Value {
    assert_eq!(ran.stdout.lines().count(), 1, "more than one line: {}", ran.stdout);
    assert!(ran.stdout.ends_with('\n'), "{}", ran.stdout);
    let report = ran.json();
    let found = violations(&report, &schema());
    assert!(found.is_empty(), "{found:#?}\n{report:#}");
    assert_eq!(report["version"], 1);
    assert_eq!(report["exit_code"], ran.code, "{report:#}");
    report
}

#[tokio::test]
async fn a_success_is_one_document_of_the_promised_form() {
    let mut ledger = Ledger::incremental(20).await;
    let report = is_one_report(&ledger.project.run(&["sync", "--output", "json"]).exits(0));
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["totals"]["rows_written"], 20);
    let stream = &report["streams"][0];
    assert_eq!((&stream["sync_mode"], &stream["write_mode"]), (&json!("incremental"), &json!("append")));
    assert_eq!(stream["mode"], "seen_set");
    assert_eq!(stream["cursor"]["before"], Value::Null);
    ledger.add(2).await;
    let again =
        is_one_report(&ledger.project.run(&["sync", "-o", "json", "-vv", "--log-format", "json"]).exits(0));
    assert_eq!(again["totals"]["rows_written"], 2);
    assert_eq!(again["streams"][0]["cursor"]["before"], stream["cursor"]["after"]);
    assert_eq!(again["streams"][0]["sequence"], 2);
    // Nothing new is a success, and a report as any other.
    let nothing = is_one_report(&ledger.project.run(&["sync", "-o", "json", "-q"]).exits(0));
    assert_eq!(nothing["totals"]["rows_written"], 0);
    ledger.is_whole().await;
}

#[tokio::test]
async fn every_line_of_a_json_log_is_a_document() {
    let ledger = Ledger::incremental(20).await;
    let ran = ledger.project.run(&["sync", "-o", "json", "-vv", "--log-format", "json"]).exits(0);
    for line in ran.stderr.lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok_and(|line| line["level"].is_string()), "{line}");
    }
}

/// What is wrong with a configuration.
type Change = Box<dyn Fn(&mut Value)>;

#[tokio::test]
async fn each_kind_of_failure_is_one_document_with_its_kind() {
    let mut ledger = Ledger::incremental(20).await;
    let right = ledger.project.configuration().clone();
    let port = lab::port::free();
    let cases: [(&str, i32, Change); 5] = [
        (
            "auth",
            77,
            Box::new({
                let wrong = ledger.database.url_as("postgres", "wrong");
                move |it: &mut Value| it["sources"]["db"]["url"] = json!(wrong)
            }),
        ),
        (
            "transient",
            75,
            Box::new(move |it: &mut Value| {
                it["sources"]["db"]["url"] = json!(format!("postgres://a:b@127.0.0.1:{port}/c"));
                it["connections"]["db_to_lake"]["retries"] = json!(0);
            }),
        ),
        (
            "config",
            78,
            Box::new(|it: &mut Value| {
                it["connections"]["db_to_lake"]["streams"][0]["columns"] = json!(["nope"]);
            }),
        ),
        (
            "config",
            78,
            Box::new(|it: &mut Value| {
                it["connections"]["db_to_lake"]["streams"][0]["filter"] = json!("nonsense(");
            }),
        ),
        (
            "data",
            65,
            Box::new(|it: &mut Value| {
                it["connections"]["db_to_lake"]["streams"][0]["filter"] = json!("1 / (id - 7) IS NOT NULL");
            }),
        ),
    ];
    for (kind, code, change) in cases {
        change(ledger.project.configuration());
        let ran = ledger.project.run(&["sync", "--output", "json"]).exits(code);
        let report = is_one_report(&ran);
        assert_eq!(report["outcome"], "failed", "{report:#}");
        let errors = [&report["error"], &report["streams"][0]["error"]];
        let error = errors.into_iter().find(|error| error.is_object());
        let error = error.unwrap_or_else(|| panic!("no error in {report:#}"));
        assert_eq!(error["kind"], kind, "{report:#}");
        assert_eq!(error["retryable"], json!(code == 75), "{report:#}");
        *ledger.project.configuration() = right.clone();
    }
    ledger.project.sync();
    ledger.is_whole().await;
}

#[tokio::test]
async fn mistakes_before_a_sync_begins_are_one_document_too() {
    let mut ledger = Ledger::incremental(1).await;
    ledger.project.configuration()["sources"]["db"]["prot"] = json!(1);
    let ran = ledger.project.run(&["sync", "--output", "json"]).exits(78);
    let document = ran.json();
    assert_eq!((&document["version"], &document["exit_code"]), (&json!(1), &json!(78)), "{document:#}");
    assert_eq!(document["error"]["kind"], "config");
    let place = Place::new();
    for (arguments, code) in [
        (&["sync", "--output", "json", "--no-such-flag"][..], 64),
        (&["sync", "--output", "json", "--config", "nowhere.yaml"], 78),
        (&["snyc", "--output=json"], 64),
    ] {
        let ran = place.run(arguments).exits(code);
        let document = ran.json();
        assert_eq!(document["exit_code"], code, "{document:#}");
        assert!(document["error"]["message"].is_string(), "{document:#}");
    }
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let mut ledger = Ledger::incremental(20).await;
    let names = |ledger: &Ledger| {
        let folder = std::fs::read_dir(ledger.project.path("lake")).unwrap();
        folder.flatten().map(|entry| entry.file_name()).collect::<Vec<_>>()
    };
    let ran = ledger.project.run(&["sync", "--dry-run", "--output", "json"]).exits(0);
    let plan = &ran.json()["plans"][0];
    assert_eq!(plan["stream"]["name"], "public.ledger", "{plan:#}");
    assert!(names(&ledger).is_empty(), "{:?}", names(&ledger));
    ledger.project.sync();
    ledger.add(5).await;
    let before = (ledger.lake.files().await, ledger.lake.metadata().await);
    ledger.project.run(&["sync", "--dry-run"]).exits(0).prints("public.ledger");
    assert!(before == (ledger.lake.files().await, ledger.lake.metadata().await));
    // Nor does it move the cursor.
    ledger.project.sync();
    ledger.is_whole().await;
}

#[tokio::test]
async fn only_the_streams_that_are_named_are_synced() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.database.execute("CREATE TABLE other (id bigint); CREATE TABLE another (id bigint)").await;
    let streams = ledger.project.configuration()["connections"]["db_to_lake"]["streams"].as_array_mut();
    streams.unwrap().extend([json!({ "name": "public.other" }), json!({ "name": "public.another" })]);
    let names = |report: &Value| {
        let streams = report["streams"].as_array().unwrap().iter();
        streams.map(|stream| stream["stream"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let sync = |patterns: &[&str]| {
        let mut arguments = vec!["sync", "--output", "json"];
        arguments.extend(patterns.iter().flat_map(|pattern| ["--stream", *pattern]));
        is_one_report(&ledger.project.run(&arguments).exits(0))
    };
    assert_eq!(names(&sync(&["public.ledger"])), ["public.ledger"]);
    assert_eq!(names(&sync(&["*other"])), ["public.other", "public.another"]);
    assert!(ledger.project.path("lake/public.another").exists());
    assert_eq!(names(&sync(&[])).len(), 3);
    let ran = ledger.project.run(&["sync", "--stream", "public.nope", "--output", "json"]).exits(78);
    ran.says("public.nope");
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_stream_that_fails_keeps_no_other_from_being_synced() {
    let mut ledger = Ledger::incremental(20).await;
    ledger.database.execute("CREATE TABLE bad AS SELECT 0 AS zero").await;
    let streams = ledger.project.configuration()["connections"]["db_to_lake"]["streams"].as_array_mut();
    streams.unwrap().insert(0, json!({ "name": "public.bad", "filter": "1 / zero = 1" }));
    let ran = ledger.project.run(&["sync", "--output", "json"]).exits(65);
    let report = is_one_report(&ran);
    assert_eq!(report["streams"][0]["outcome"], "failed", "{report:#}");
    assert_eq!(report["streams"][0]["error"]["context"]["stream"], "public.bad", "{report:#}");
    assert_eq!(report["streams"][1]["outcome"], "succeeded", "{report:#}");
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_closed_or_full_stdout_loses_no_row() {
    let mut ledger = Ledger::incremental(20).await;
    // Somebody like `head` who does not wait.
    let mut command = ledger.project.command(&["sync"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    ledger.is_whole().await;
    ledger.add(1).await;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = ledger.project.command(&["sync", "--output", "json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
    ledger.is_whole().await;
    ledger.recovers().await;
}
