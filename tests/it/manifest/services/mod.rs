//! Servers that others wrote, read by manifests into Parquet while their data changes.

use lab::service::{Datasette, Kinto, PocketBase};
use serde_json::{Value, json};

use crate::support::Project;

/// A project that reads `everything` in full and `incremental` from where it stood, by `manifest`.
fn project(manifest: &str, config: &Value, incremental: &str, cursor: &str) -> Project {
    let folder = lab::root().join("tests/it/manifest/services");
    let source =
        json!({"type": "manifest", "path": folder.join(manifest).display().to_string(), "config": config});
    Project::of_source(source)
        .stream(json!({"name": "everything"}))
        .stream(json!({"name": incremental, "cursor": cursor}))
}

/// The rows of a target, each as one text.
fn rows(project: &Project, target: &str, columns: &str) -> Vec<String> {
    let files = format!("read_parquet('{}/**/*.parquet', union_by_name = true)", project.lake(target));
    let rows = project.duckdb(&format!("SELECT {columns} FROM {files} ORDER BY ALL"));
    let shown = |row: &Vec<Option<String>>| {
        row.iter().map(|value| value.as_deref().unwrap_or("-").to_owned()).collect::<Vec<_>>().join(" ")
    };
    rows.iter().map(shown).collect()
}

fn read(report: &Value, stream: &str) -> u64 {
    let streams = report["streams"].as_array().expect("the report lists streams");
    let found = streams.iter().find(|found| found["stream"] == stream || found["name"] == stream);
    let found = found.unwrap_or_else(|| panic!("no {stream} in {report}"));
    found["rows_read"].as_u64().unwrap_or_else(|| panic!("no rows in {found}"))
}

#[test]
fn kinto_by_pages_in_a_header_with_what_was_deleted() {
    let kinto = Kinto::start();
    for number in 1..=7 {
        kinto.put(&format!("r{number}"), &json!({"item": format!("item {number}"), "count": number}));
    }
    let project =
        project("kinto.yaml", &json!({"url": kinto.url(), "password": "pw"}), "orders", "last_modified");
    project.sync();
    let all = (1..=7).map(|number| format!("r{number} {number} -")).collect::<Vec<_>>();
    assert_eq!(rows(&project, "everything", "id, count, deleted"), all);
    assert_eq!(rows(&project, "orders", "id, count, deleted"), all);

    kinto.put("r2", &json!({"item": "item 2", "count": 20}));
    kinto.delete("r5");
    kinto.put("r8", &json!({"item": null, "count": 8}));
    let report = project.sync();
    let mut feed = all.clone();
    feed.extend(["r2 20 -", "r5 - true", "r8 8 -"].map(str::to_owned));
    feed.sort();
    let mut found = rows(&project, "orders", "id, count, deleted");
    found.sort();
    assert_eq!(found, feed, "what changed came once, {report}");
    let now = ["r1 1", "r2 20", "r3 3", "r4 4", "r6 6", "r7 7", "r8 8"];
    assert_eq!(rows(&project, "everything", "id, count"), now);

    let report = project.sync();
    assert_eq!(read(&report, "orders"), 0, "nothing is new: {report}");
}

#[test]
fn pocketbase_behind_a_sign_in_with_stamps_that_records_share() {
    let base = PocketBase::start();
    let id = |number: i64| format!("thing0000000{number:03}");
    // Five share a stamp across the end of a page, and two more come with the same one later.
    for number in 1..=6 {
        base.add(
            &id(number),
            number,
            if number < 2 { "2024-02-01 00:00:00.000Z" } else { "2024-02-02 10:20:30.123Z" },
        );
    }
    let config = json!({"url": base.url(), "user": PocketBase::USER, "password": PocketBase::PASSWORD});
    let project = project("pocketbase.yaml", &config, "things", "changed");
    project.sync();
    let first: Vec<String> = (1..=6).map(|number| format!("{} {number}", id(number))).collect();
    assert_eq!(rows(&project, "things", "id, n"), first);
    assert_eq!(rows(&project, "everything", "id, n"), first);

    base.add(&id(7), 7, "2024-02-02 10:20:30.123Z");
    base.add(&id(8), 8, "2024-02-03 00:00:00.001Z");
    base.change(&id(1), &json!({"n": 100, "changed": "2024-02-04 00:00:00.000Z"}));
    let report = project.sync();
    let mut feed = first.clone();
    feed.extend([format!("{} 7", id(7)), format!("{} 8", id(8)), format!("{} 100", id(1))]);
    let mut found = rows(&project, "things", "id, n");
    feed.sort();
    found.sort();
    assert_eq!(found, feed, "every record is there once: {report}");
    assert_eq!(read(&report, "things"), 3, "records of the stamp that was seen do not come twice: {report}");
    assert_eq!(rows(&project, "everything", "id, n").len(), 8);
}

#[test]
fn datasette_by_the_url_of_the_next_page() {
    let make = "CREATE TABLE visits (id INTEGER PRIMARY KEY, page TEXT, at TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 35)
        INSERT INTO visits SELECT i, '/p' || (i % 3), printf('2024-02-%02dT00:00:00', 1 + i / 4) FROM n;";
    let served = Datasette::start(make);
    let project = project("datasette.yaml", &json!({"url": served.url()}), "visits", "at");
    project.sync();
    assert_eq!(rows(&project, "visits", "id"), numbers(1..=35));
    assert_eq!(rows(&project, "everything", "id"), numbers(1..=35));

    served.run("INSERT INTO visits VALUES (36, NULL, '2024-02-09T12:00:00'), (37, '/late', '2024-03-01T00:00:00');
        DELETE FROM visits WHERE id = 1; UPDATE visits SET page = '/new', at = '2024-03-01T00:00:00' WHERE id = 2;");
    let report = project.sync();
    let mut feed = numbers(1..=37);
    feed.insert(1, "2".to_owned());
    assert_eq!(rows(&project, "visits", "id"), feed, "each once, what has changed twice: {report}");
    assert_eq!(read(&report, "visits"), 3, "what is new and what has changed: {report}");
    assert_eq!(rows(&project, "everything", "id"), numbers(2..=37));
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    // As texts are sorted by the number: DuckDB sorts the column's values.
    range.map(|number| number.to_string()).collect()
}
