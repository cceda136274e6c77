//! Names that mean something to SQL, to patterns or to paths: from PostgreSQL to the table, in each write mode.

use serde_json::{Value, json};

use super::{World, text};

/// Columns beside the key, each of which holds its own name.
const COLUMNS: [&str; 12] = [
    "select",
    "a\"b",
    "a.b",
    "it's",
    "x; DROP TABLE y;--",
    "é🦀",
    "$1",
    "{{x}}",
    "%s_",
    "back\\slash",
    " ",
    "id:1?",
];
const TABLE: &str = "we\"ird t'able.1; %\\é";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    text.replace('\'', "''")
}

/// With a table of hostile names, in schemas of such.
async fn world(mut stream: Value, names: &str) -> World {
    let mut world = World::incremental(1).await;
    let columns: Vec<String> =
        COLUMNS.iter().map(|name| format!("{} text DEFAULT '{}'", quoted(name), literal(name))).collect();
    world
        .database
        .execute(&format!(
            "CREATE TABLE {table} (\"the \"\"key\" int PRIMARY KEY, \"chang.ed\" timestamptz NOT NULL DEFAULT \
             clock_timestamp(), \"d'oc\" jsonb DEFAULT '[1]', {}); INSERT INTO {table} (\"the \"\"key\") VALUES (1), (2)",
            columns.join(", "),
            table = quoted(TABLE),
        ))
        .await;
    stream["name"] = json!(format!("public.{}", quoted(TABLE)));
    // Without the schema, and its last dot is another one.
    stream["target"] = json!(TABLE.replace('.', "_"));
    world.project = world
        .project
        .destination("names", names)
        .destination("schema", "\"La\"\"ke.'s\"")
        .destination("state_schema", "\"St.a\"\"te's\"")
        .stream(stream);
    world
}

#[tokio::test]
async fn any_name_is_a_name_in_each_write_mode() {
    for (names, stream) in [
        ("source", json!({ "mode": "full_refresh", "write": "append" })),
        ("upper", json!({ "cursor": "chang.ed", "write": "merge" })),
        ("source", json!({ "mode": "full_refresh", "write": "overwrite" })),
    ] {
        let shown = stream.to_string();
        let spelled =
            |name: &str| quoted(&if names == "upper" { name.to_ascii_uppercase() } else { name.to_owned() });
        let world = world(stream, names).await;
        world.project.sync();
        let table = quoted(TABLE);
        world
            .database
            .execute(&format!(
                "DELETE FROM {table} WHERE \"the \"\"key\" = 2; INSERT INTO {table} (\"the \"\"key\") VALUES (3); \
                 ALTER TABLE {table} ADD \"ne\"\"w\" int DEFAULT 7"
            ))
            .await;
        world.project.sync();
        let columns: Vec<String> = COLUMNS.iter().map(|name| spelled(name)).collect();
        let target = format!("\"La\"\"ke.'s\".{}", spelled(&TABLE.replace('.', "_")));
        let rows = world.query(&format!(
            "SELECT {}, {}[0], {} FROM {target} WHERE {} = 3",
            columns.join(", "),
            spelled("d'oc"),
            spelled("ne\"w"),
            spelled("the \"key"),
        ));
        let mut expected = COLUMNS.to_vec();
        expected.extend(["1", "7"]);
        assert_eq!(rows, text(&[&expected]), "{shown}");
        let keys =
            world.query(&format!("SELECT {key} FROM {target} ORDER BY {key}", key = spelled("the \"key")));
        let expected: &[&[&str]] = if shown.contains("append") {
            &[&["1"], &["1"], &["2"], &["3"]]
        } else if shown.contains("merge") {
            &[&["1"], &["2"], &["3"]]
        } else {
            &[&["1"], &["3"]]
        };
        assert_eq!(keys, text(expected), "{shown}");
    }
}

#[tokio::test]
async fn a_name_of_255_characters_is_the_longest() {
    let mut world = World::incremental(1).await;
    world.database.execute("CREATE TABLE t (i int); INSERT INTO t VALUES (1)").await;
    let longest = "é".repeat(255);
    world.project = world.project.stream(json!({ "name": "public.t", "target": longest }));
    world.project.sync();
    assert_eq!(world.query(&format!("SELECT I FROM LAKE.\"{longest}\"")), text(&[&["1"]]));
    let mut world = World::incremental(1).await;
    world.database.execute("CREATE TABLE t (i int)").await;
    world.project = world.project.stream(json!({ "name": "public.t", "target": "é".repeat(256) }));
    let report = world.project.sync_exits(78).to_string();
    assert!(report.contains("256 characters, 255 are the most"), "{report}");
}
