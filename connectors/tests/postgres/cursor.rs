//! Cursors of every kind, and what a changed one does.

use std::sync::Arc;
use std::time::Duration;

use lab::{Cluster, Database};
use protocol::{ErrorKind, WriteMode};
use serde_json::json;

use crate::harness::{Rows, Sync, numbers};

const NOTHING: [&str; 0] = [];

async fn by(database: &Database, cursor: &str) -> Sync {
    let mut sync = Sync::incremental(database, "public.t", cursor).await;
    sync.stream.schema = Arc::new(sync.stream.schema.project(&[0]).unwrap());
    sync
}

#[tokio::test]
async fn rows_without_a_value_and_infinitely_old_or_young_ones_are_read() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz); \
             INSERT INTO t VALUES (1, NULL), (2, '-infinity'), (3, 'infinity'), (4, now()), \
                                  (5, now() + interval '1 day'), (6, '9999-12-31')",
        )
        .await;
    let mut sync = by(&database, "at").await;
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!((rows, notes), (numbers(1, 6), Vec::new()));
    assert_eq!(sync.rows().await, NOTHING);
    database.execute("INSERT INTO t VALUES (7, NULL), (8, now()), (9, 'infinity'), (10, '-infinity')").await;
    assert_eq!(sync.rows().await, ["10", "7", "8", "9"], "an infinite value has not poisoned the state");
    database.execute("UPDATE t SET id = 11 WHERE id = 7; UPDATE t SET id = 12 WHERE id = 2").await;
    assert_eq!(sync.rows().await, ["11", "12"]);
    assert_eq!(sync.rows().await, NOTHING);
}

#[tokio::test]
async fn a_first_settled_window_takes_rows_without_a_value_and_infinitely_old_ones() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz); \
             INSERT INTO t VALUES (1, NULL), (2, '-infinity'), (3, 'infinity'), (4, now()), \
                                  (5, now() + interval '1 day'), (6, '9999-12-31')",
        )
        .await;
    let mut sync = by(&database, "at").await.settled();
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, ["1", "2", "4"]);
    assert!(notes.iter().any(|note| note.contains("may be NULL")), "{notes:?}");
    database.execute("INSERT INTO t VALUES (7, NULL), (8, now())").await;
    assert_eq!(sync.rows().await, ["8"], "an infinite value has not poisoned the state");
}

#[tokio::test]
async fn whole_numbers_numerics_and_texts_are_read_once() {
    for (kind, value) in [
        ("int8", "{}"),
        ("int4", "{}"),
        ("numeric(20,3)", "{}.5"),
        ("text", "'k''{}\\'"),
        ("char(9)", "'{}'"),
        ("text COLLATE \"POSIX\"", "'{}'"),
    ] {
        let database = Cluster::shared().database();
        let row = |id: usize| {
            format!("INSERT INTO t VALUES ({id}, {});", value.replace("{}", &(id + 100).to_string()))
        };
        database.execute(&format!("CREATE TABLE t (id int, c {kind}); CREATE INDEX ON t (c)")).await;
        database.execute(&format!("{} {}", row(1), row(2))).await;
        let mut sync = by(&database, "c").await;
        assert_eq!(sync.rows().await, ["1", "2"], "{kind}");
        // A smaller value that is seen later than greater ones.
        let late = database.client().await;
        late.batch_execute(&format!("BEGIN; {}", row(3))).await.unwrap();
        for id in [4, 5, 6] {
            database.execute(&row(id)).await;
            assert_eq!(sync.rows().await, [id.to_string()], "{kind}: nothing waits");
        }
        late.batch_execute("COMMIT").await.unwrap();
        assert_eq!(sync.rows().await, ["3"], "{kind}");
        for _ in 0..3 {
            assert_eq!(sync.rows().await, NOTHING, "{kind}");
        }
        database.execute("DELETE FROM t WHERE id > 2").await;
        assert_eq!(sync.rows().await, NOTHING, "{kind}");
        database.execute(&row(7)).await;
        database.execute("INSERT INTO t VALUES (8, NULL)").await;
        assert_eq!(sync.rows().await, ["7", "8"], "{kind}");
        let position = sync.source.position(sync.state.as_ref().unwrap()).unwrap();
        assert!(position.contains("107"), "{position}");
    }
}

#[tokio::test]
async fn whole_numbers_numerics_and_texts_are_read_up_to_the_greatest_settled_value() {
    for (kind, value) in [
        ("int8", "{}"),
        ("int4", "{}"),
        ("numeric(20,3)", "{}.5"),
        ("text", "'k''{}\\'"),
        ("char(9)", "'{}'"),
        ("text COLLATE \"POSIX\"", "'{}'"),
    ] {
        let database = Cluster::shared().database();
        let row = |id: usize| {
            format!("INSERT INTO t VALUES ({id}, {});", value.replace("{}", &(id + 100).to_string()))
        };
        database
            .execute(&format!("CREATE TABLE t (id int, c {kind} PRIMARY KEY); {} {}", row(1), row(2)))
            .await;
        let mut sync = by(&database, "c").await.settled();
        assert_eq!(sync.rows().await, ["1", "2"], "{kind}");
        // A smaller value that is seen later than a greater one.
        let late = database.client().await;
        late.batch_execute(&format!("BEGIN; {}", row(3))).await.unwrap();
        database.execute(&row(4)).await;
        assert_eq!(sync.rows().await, NOTHING, "{kind}");
        late.batch_execute("COMMIT").await.unwrap();
        database.execute(&row(5)).await;
        assert_eq!(sync.rows().await, ["3", "4", "5"], "{kind}");
        database.execute("DELETE FROM t WHERE id > 2").await;
        assert_eq!(sync.rows().await, NOTHING, "{kind}");
        database.execute(&row(6)).await;
        assert_eq!(sync.rows().await, ["6"], "{kind}");
        let position = sync.source.position(sync.state.as_ref().unwrap()).unwrap();
        assert!(position.contains("106"), "{position}");
    }
}

#[tokio::test]
async fn a_table_without_values_is_loaded_once() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int, c int8); INSERT INTO t VALUES (1, NULL)").await;
    let mut sync = by(&database, "c").await;
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, ["1"], "{notes:?}");
    assert_eq!(sync.rows().await, NOTHING);
    database.execute("INSERT INTO t VALUES (2, 1), (3, NULL)").await;
    assert_eq!(sync.rows().await, ["2", "3"]);
    let mut settled = by(&database, "c").await.settled();
    assert_eq!(settled.rows().await, ["1", "2", "3"]);
    database.execute("INSERT INTO t VALUES (4, 2), (5, NULL)").await;
    assert_eq!(settled.rows().await, ["4"]);
    assert_eq!(sync.rows().await, ["4", "5"]);
}

#[tokio::test]
async fn what_is_greater_than_all_numbers_is_no_bound() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, c numeric); INSERT INTO t VALUES (1, 1), (2, 'NaN'), (3, 'Infinity')",
        )
        .await;
    let mut settled = by(&database, "c").await.settled();
    let mut sync = by(&database, "c").await;
    assert_eq!(settled.rows().await, ["1"]);
    assert_eq!(sync.rows().await, ["1", "2", "3"]);
    for id in 4..8 {
        database.execute(&format!("INSERT INTO t VALUES ({id}, {id})")).await;
        assert_eq!(settled.rows().await, [id.to_string()]);
        assert_eq!(sync.rows().await, [id.to_string()]);
    }
}

#[tokio::test]
async fn a_number_is_read_in_a_snapshot_younger_than_its_greatest() {
    let database = Cluster::shared().database();
    database
        .execute("CREATE TABLE t (id int8, at timestamptz DEFAULT now()); CREATE TABLE u (id int8)")
        .await;
    let mut one = by(&database, "at").await;
    let mut two = Sync::full_of(Arc::clone(&one.source), "public.u").await.by("id");
    let mut seen: [Rows; 2] = Default::default();
    for round in 0..5 {
        let insert =
            |table| format!("INSERT INTO {table} SELECT {round} * 10 + i FROM generate_series(1, 10) i");
        database.execute(&insert("t")).await;
        let first = one.plan().await.unwrap();
        // The second is planned after the first has its snapshot, and sees what was written since.
        let late = database.client().await;
        late.batch_execute(&format!("BEGIN; INSERT INTO u VALUES ({round} * 10 - 1000)")).await.unwrap();
        database.execute(&insert("u")).await;
        let second = two.plan().await.unwrap();
        late.batch_execute("ROLLBACK").await.unwrap();
        seen[1].extend(two.read_all(&second).await.unwrap());
        seen[0].extend(one.read_all(&first).await.unwrap());
        one.source.close().await;
        (one.state, two.state) = (Some(first.next), Some(second.next));
    }
    seen[1].extend(two.rows().await);
    for rows in &mut seen {
        rows.sort();
    }
    assert_eq!(seen, [numbers(1, 50), numbers(1, 50)]);
}

#[tokio::test]
async fn a_settled_window_takes_a_clock_on_the_wall_as_the_zone_says() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamp NOT NULL); \
             INSERT INTO t VALUES (1, now() AT TIME ZONE 'UTC' - interval '1 second'), \
                                  (2, now() AT TIME ZONE 'America/New_York' - interval '1 second')",
        )
        .await;
    let mut sync = by(&database, "at").await.settled();
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, ["1", "2"]);
    assert!(notes.iter().any(|note| note.contains("taken as UTC")), "{notes:?}");

    let mut sync = by(&database, "at").await.settled();
    sync.stream.options.insert("cursor_timezone".to_owned(), json!("America/New_York"));
    // Clocks may go back an hour within the next day.
    let rows = sync.rows().await;
    assert!(!rows.contains(&"1".to_owned()), "{rows:?}");
    sync.stream.options.insert("cursor_timezone".to_owned(), json!("Mars/Olympus"));
    assert_eq!(sync.error().await.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn settled_windows_of_dates_are_whole_days() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at date NOT NULL); \
             INSERT INTO t VALUES (1, (now() AT TIME ZONE 'UTC')::date - 2), (2, (now() AT TIME ZONE 'UTC')::date - 1), \
                                  (3, (now() AT TIME ZONE 'UTC')::date)",
        )
        .await;
    let mut sync = by(&database, "at").await.settled();
    sync.stream.lag = Some(Duration::from_millis(1));
    let rows = sync.rows().await;
    // Midnight may pass meanwhile.
    assert!(rows == ["1", "2"] || rows == ["1", "2", "3"], "{rows:?}");
}

#[tokio::test]
async fn what_is_no_cursor_is_refused_by_name() {
    let database = Cluster::shared().database();
    let types = ["jsonb", "boolean", "uuid", "float8", "bytea", "int8[]", "interval", "timetz", "name"];
    for kind in types {
        database
            .execute(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (id int, \"the Cursor\" {kind})"))
            .await;
        let error = by(&database, "the Cursor").await.error().await;
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.message().contains("\"the Cursor\""), "{error:?}");
    }
    let error = by(&database, "missing").await.error().await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains("\"missing\""), "{error:?}");
}

#[tokio::test]
async fn domains_are_cursors_as_what_they_are_made_of() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE DOMAIN moment AS timestamptz(3) NOT NULL; CREATE DOMAIN stamp AS moment; \
             CREATE TABLE t (id int, at stamp); INSERT INTO t VALUES (1, now() - interval '1 second')",
        )
        .await;
    let mut sync = by(&database, "at").await;
    assert_eq!(sync.rows().await, ["1"]);
    assert_eq!(sync.rows().await, NOTHING);
}

#[tokio::test]
async fn another_cursor_needs_a_new_state() {
    let database = Cluster::shared().database();
    database
        .execute("CREATE TABLE t (id int8, at timestamptz DEFAULT now(), b timestamptz DEFAULT now()); INSERT INTO t VALUES (1)")
        .await;
    let mut sync = by(&database, "at").await;
    sync.rows().await;
    for cursor in ["b", "id"] {
        sync.stream.cursor = Some(cursor.to_owned());
        let error = sync.error().await;
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.advice().unwrap().contains("state reset"), "{error:?}");
    }
    sync.stream.cursor = Some("at".to_owned());
    database.execute("ALTER TABLE t ALTER at TYPE timestamp").await;
    assert_eq!(sync.error().await.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_table_created_anew_is_never_taken_for_the_old_one_in_silence() {
    let database = Cluster::shared().database();
    let create = "DROP TABLE IF EXISTS t; CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now() - interval '1 hour'); \
                  INSERT INTO t VALUES (1)";
    database.execute(create).await;
    let mut sync = by(&database, "at").await;
    assert_eq!(sync.rows().await, ["1"]);
    database.execute(create).await;
    let error = sync.error().await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains("the table was created anew"), "{error:?}");

    sync.stream.write_mode = WriteMode::Overwrite;
    let before = sync.state.clone();
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, ["1"]);
    assert!(notes.iter().any(|note| note.contains("all of it is read")), "{notes:?}");

    sync.state = before;
    sync.stream.write_mode = WriteMode::Append;
    sync.stream.options.insert("on_replaced".to_owned(), json!("continue"));
    let (rows, notes) = sync.noted().await.unwrap();
    assert_eq!(rows, NOTHING);
    assert!(notes.iter().any(|note| note.contains("taken for the same")), "{notes:?}");
}

#[tokio::test]
async fn a_filter_selects_rows_and_nothing_else() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now() - interval '1 second', k text); \
             INSERT INTO t SELECT i, DEFAULT, 'k' || i FROM generate_series(1, 5) i"
                .replace("i, DEFAULT,", "i, now() - interval '1 second',")
                .as_str(),
        )
        .await;
    let mut sync = by(&database, "at").await;
    for (filter, expected) in [
        ("id > 3 -- late ones", vec!["4", "5"]),
        ("id = 1 OR id = 2 /* two */", vec!["1", "2"]),
        ("k = 'k3'", vec!["3"]),
        ("k LIKE '%)' OR k IN (SELECT 'k4')", vec!["4"]),
    ] {
        sync.state = None;
        sync.stream.filter = Some(filter.to_owned());
        let (rows, notes) = sync.noted().await.unwrap();
        assert_eq!(rows, expected, "{filter}: {notes:?}");
    }
    for (filter, part) in [
        ("id > 'x'", "character 6"),
        ("no_column = 1", "no_column"),
        ("id = 1) OR (id = 2", "must be type boolean"),
        ("true); DELETE FROM t; SELECT (true", "multiple commands"),
        ("true) TO STDOUT; DELETE FROM t; --", "syntax error"),
        ("id", "must be type boolean"),
        ("/* id = 1", "comment"),
        ("", "syntax error"),
    ] {
        sync.state = None;
        sync.stream.filter = Some(filter.to_owned());
        let error = sync.error().await;
        assert_eq!(error.kind(), ErrorKind::Config, "{filter}: {error:?}");
        assert!(error.message().contains(part), "{filter}: {error:?}");
        assert_eq!(error.context_value("stream"), Some("public.t"));
    }
    sync.stream.filter = None;
    assert_eq!(sync.rows().await.len(), 5, "nothing was deleted");
}

#[tokio::test]
async fn a_changed_filter_is_told() {
    let database = Cluster::shared().database();
    database
        .execute("CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now()); INSERT INTO t VALUES (1)")
        .await;
    let mut sync = by(&database, "at").await;
    sync.rows().await;
    sync.stream.filter = Some("id > 0".to_owned());
    let (_, notes) = sync.noted().await.unwrap();
    assert!(notes.iter().any(|note| note.contains("the filter changed")), "{notes:?}");
    let (_, notes) = sync.noted().await.unwrap();
    assert!(!notes.iter().any(|note| note.contains("the filter changed")), "{notes:?}");
}

#[tokio::test]
async fn an_unknown_option_is_refused() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int, at timestamptz NOT NULL DEFAULT now())").await;
    let mut sync = by(&database, "at").await;
    sync.stream.options.insert("cursor_time_zone".to_owned(), json!("UTC"));
    let error = sync.error().await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("cursor_time_zone"), "{error:?}");
}

#[tokio::test]
async fn the_plan_tells_its_window_and_the_missing_index() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int8, at timestamptz NOT NULL, pad text); \
             INSERT INTO t SELECT i, '2026-01-01', repeat('x', 1000) FROM generate_series(1, 20000) i; ANALYZE t",
        )
        .await;
    let mut sync = by(&database, "at").await;
    let plan = sync.plan().await.unwrap();
    assert_eq!(plan.mode, "seen_set");
    assert_eq!(plan.window, Some(protocol::Window::default()), "from the beginning to the end");
    assert!(
        plan.notes.iter().any(|note| note.contains("CREATE INDEX CONCURRENTLY ON \"public\".\"t\" (\"at\")"))
    );
    assert_eq!(sync.read_all(&plan).await.unwrap().len(), 20000);
    sync.source.close().await;
    sync.state = Some(plan.next);
    database.execute("CREATE INDEX ON t (at)").await;
    let plan = sync.plan().await.unwrap();
    let window = plan.window.unwrap();
    assert!(window.since.unwrap().ends_with('Z') && window.until.is_none());
    assert!(!plan.notes.iter().any(|note| note.contains("CREATE INDEX")), "{:?}", plan.notes);
    assert_eq!(plan.partitions.len(), 1, "an increment is read by its index");
}

#[tokio::test]
async fn a_full_refresh_is_not_read_again_as_a_first_window() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int PRIMARY KEY, at timestamptz DEFAULT now()); INSERT INTO t VALUES (1)",
        )
        .await;
    let mut sync = Sync::full(&database, "public.t").await;
    assert_eq!(sync.rows().await.len(), 1);
    let mut sync = sync.by("at");
    let error = sync.error().await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.advice().is_some_and(|advice| advice.contains("state reset")), "{error:?}");
}
