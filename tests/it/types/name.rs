//! Names that need care: as SQL, as YAML, as folders and as columns of a file.

use lab::Cluster;
use serde_json::json;

use super::case::Case;
use super::compare;
use crate::support::Project;

#[tokio::test]
async fn names_are_what_they_are_at_the_source() {
    let columns: Vec<(String, Case)> = [
        "a.b",
        "quo\"te",
        "'single'",
        "ünïcödé 𝄞",
        "select",
        " blanks ",
        "100%",
        "back\\slash",
        "$1",
        "line\nbreak",
        "semi; DROP TABLE t; --",
        "../up",
        "{{ x }}",
        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk",
        "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), Case::text("text", &[])))
    .collect();
    let database = Cluster::shared().database();
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let definitions: Vec<String> = columns.iter().map(|(name, _)| format!("{} text", quoted(name))).collect();
    let definitions = definitions.join(", ");
    let values: Vec<String> = (0..columns.len()).map(|at| format!("'value {at} of ' || n")).collect();
    database.execute("CREATE SCHEMA \"sch.ema\"; CREATE SCHEMA \"Größe \"\"x\"\"\"").await;
    let mut project = Project::new(&database);
    let tables = [
        ("sch.ema", "we.ird \"q\" ü", "\"sch.ema\".\"we.ird \"\"q\"\" ü\""),
        ("Größe \"x\"", "../../etc/passwd", "\"Größe \"\"x\"\"\".\"../../etc/passwd\""),
        ("public", "SELECT", "public.SELECT"),
        ("public", "_x y;", "public._x y;"),
    ];
    for (schema, table, stream) in tables {
        let name = format!("{}.{}", quoted(schema), quoted(table));
        let insert =
            format!("INSERT INTO {name} SELECT n, {} FROM generate_series(1, 2) n", values.join(", "));
        database.execute(&format!("CREATE TABLE {name} (n int, {definitions}); {insert}")).await;
        project = project.stream(json!({ "name": stream }));
    }
    let listed = project.run(&["discover", "-o", "json"]).exits(0).stdout;
    project.sync();
    for (schema, table, stream) in tables {
        assert!(listed.contains(&json!(stream).to_string()), "{stream} is not in {listed}");
        let name = format!("{}.{}", quoted(schema), quoted(table));
        let found = compare::differences(&database, &name, &columns, &project, &segment(stream)).await;
        assert!(found.is_empty(), "{stream}:\n{}", found.join("\n"));
    }
}

/// A target's name as a folder.
fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
