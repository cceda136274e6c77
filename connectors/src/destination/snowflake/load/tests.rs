use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use chrono::DateTime;
use protocol::{CommitId, ErrorKind, StreamState, SyncId, Unfinished, Versioned};
use serde_json::json;

use super::super::record::{Moved, Record};
use super::*;

fn config(more: &serde_json::Value) -> Config {
    let mut all = json!({ "account": "a", "user": "u", "password": "p", "database": "DB", "schema": "RAW" });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn commit(write_mode: WriteMode, sequence: u64, rows: &[u64], ends_sync: bool) -> Commit {
    let versioned = Versioned { source: "s".into(), version: 1, value: json!(0) };
    let unfinished = Unfinished {
        sync: SyncId::new(),
        fingerprint: String::new(),
        mode: "m".into(),
        next: versioned.clone(),
        max_in_flight: None,
        remaining: vec![json!(1)],
    };
    Commit {
        id: CommitId::new(),
        sequence,
        sync: unfinished.sync,
        connection: "c".into(),
        files: rows
            .iter()
            .enumerate()
            .map(|(at, rows)| StagedFile {
                path: format!("00000001-x/{at}.parquet"),
                rows: *rows,
                bytes: 10,
                placement: json!(null),
                receipt: None,
            })
            .collect(),
        state: StreamState { source: Some(versioned), unfinished: (!ends_sync).then_some(unfinished) },
        schema: Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)])),
        write_mode,
        ends_sync,
        at: DateTime::UNIX_EPOCH,
    }
}

struct World {
    config: Config,
    target: Target,
    standing: Standing,
}

impl World {
    fn new(more: &serde_json::Value) -> Self {
        let config = config(more);
        let target = Target::new("t", &config.places().unwrap()).unwrap();
        Self { config, target, standing: Standing::default() }
    }

    fn plan(&self, commit: &Commit) -> Result<Load> {
        let own = self.config.places().unwrap().own("STATE");
        Load::plan(Shape { config: &self.config }, &self.target, &self.standing, commit, "'@S/t/'", &own)
    }

    /// The commit stands.
    fn made(&mut self, commit: &Commit) -> Load {
        let load = self.plan(commit).unwrap();
        let waiting = load.waiting.clone();
        let moved = Moved::default();
        let record = Record::after(&self.standing, &self.target.table, "t", commit, waiting, moved).unwrap();
        self.standing = Standing { sequence: commit.sequence, record: Some(Arc::new(record)) };
        load
    }
}

#[test]
fn plain_columns_are_copied_straight_to_where_they_are_read() {
    let load = World::new(&json!({})).plan(&commit(WriteMode::Append, 1, &[5, 0, 7], true)).unwrap();
    assert!(load.staging.is_none() && load.steps.is_empty());
    let (sql, files) = &load.copies[0];
    assert!(sql.starts_with(r#"COPY INTO "DB"."RAW"."T" FROM '@S/t/'"#), "{sql}");
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [5, 7], "files with rows");
}

#[test]
fn a_copy_takes_a_thousand_files() {
    let load = World::new(&json!({})).plan(&commit(WriteMode::Append, 1, &[1; 2001], true)).unwrap();
    let counts: Vec<usize> = load.copies.iter().map(|(_, files)| files.len()).collect();
    assert_eq!(counts, [1000, 1000, 1]);
}

#[test]
fn an_overwrite_waits_in_one_table_until_it_ends() {
    let mut world = World::new(&json!({}));
    let first = commit(WriteMode::Overwrite, 1, &[5], false);
    let load = world.made(&first);
    let waiting = load.waiting.clone().expect("rows wait");
    assert!(load.steps.is_empty() && load.worn.is_empty());
    assert_eq!(world.standing.head().totals.rows, 0, "nobody sees them");
    let last = Commit { sync: first.sync, ..commit(WriteMode::Overwrite, 2, &[7], true) };
    let load = world.made(&last);
    assert_eq!(load.steps.len(), 1);
    assert_eq!((load.steps[0].what, load.steps[0].rows), ("overwrite", Some(12)));
    assert!(load.steps[0].sql.contains(&format!("FROM {waiting}")));
    assert_eq!(load.worn, [waiting]);
    assert_eq!(world.standing.head().totals.rows, 12);
    assert_eq!(world.standing.record.as_ref().unwrap().generation, 1);
}

#[test]
fn an_overwrite_that_is_given_up_leaves_its_table_to_be_dropped() {
    let mut world = World::new(&json!({}));
    let waiting = world.made(&commit(WriteMode::Overwrite, 1, &[5], false)).waiting.unwrap();
    let load = world.made(&commit(WriteMode::Append, 2, &[1], true));
    assert_eq!(load.worn, [waiting]);
    assert_eq!(world.standing.head().totals.rows, 1);
}

#[test]
fn rows_that_people_see_are_not_taken_back_by_half_a_sync() {
    let mut world = World::new(&json!({}));
    let first = commit(WriteMode::Append, 1, &[5], false);
    world.made(&first);
    let last = Commit { sync: first.sync, ..commit(WriteMode::Overwrite, 2, &[7], true) };
    assert_eq!(world.plan(&last).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn one_variant_holds_all_columns() {
    let world = World::new(&json!({ "layout": "variant" }));
    let load = world.plan(&commit(WriteMode::Append, 1, &[5], true)).unwrap();
    assert!(
        load.steps[0]
            .sql
            .contains(r#"("_DATA") SELECT TO_VARIANT(OBJECT_CONSTRUCT_KEEP_NULL('id', "id")) FROM"#),
        "{}",
        load.steps[0].sql
    );
}

#[test]
fn airbytes_columns_follow_the_streams() {
    let world = World::new(&json!({ "airbyte_columns": true, "names": "source" }));
    let load = world.plan(&commit(WriteMode::Append, 1, &[5], true)).unwrap();
    let sql = &load.steps[0].sql;
    assert!(
        sql.contains(
            r#"("id", "_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id") SELECT "id", UUID_STRING(), TO_TIMESTAMP_TZ('1970-01-01 00:00:00.000000 +00:00'), PARSE_JSON('{"changes":[]"#
        ),
        "{sql}"
    );
    assert!(sql.contains("}'), 0 FROM"), "{sql}");
}

/// Models ask for rows that are later than the last they know.
#[test]
fn each_commit_is_later_than_the_one_before_whatever_the_clock_says() {
    let mut world = World::new(&json!({ "airbyte_columns": true }));
    for expected in ["00:00:00.000000", "00:00:00.000001", "00:00:00.000002"] {
        let sequence = world.standing.sequence + 1;
        let load = world.made(&commit(WriteMode::Append, sequence, &[5], true));
        let sql = &load.steps[0].sql;
        assert!(sql.contains(&format!("TO_TIMESTAMP_TZ('1970-01-01 {expected} +00:00')")), "{sql}");
    }
}

#[test]
fn names_that_differ_by_the_case_of_other_letters_are_not_copied_by_any_case() {
    let field = |name| Field::new(name, DataType::Int64, true);
    let first = commit(WriteMode::Append, 1, &[5], true);
    let alike = Commit { schema: Arc::new(Schema::new(vec![field("é"), field("É")])), ..first };
    let load = World::new(&json!({})).plan(&alike).unwrap();
    assert!(load.copies[0].0.contains("= CASE_SENSITIVE "), "{}", load.copies[0].0);
    assert!(load.steps[0].sql.contains(r#"("é", "É") SELECT "é", "É" FROM"#), "{}", load.steps[0].sql);
}

#[test]
fn every_name_of_a_commit_is_quoted() {
    let mut world =
        World::new(&json!({ "names": "source", "schema": "\"Ra\"\"w\"", "state_schema": "\"it's\"" }));
    let target = Target::new("we\"ird t'a; --", &world.config.places().unwrap()).unwrap();
    let key = target.key.clone();
    world.target = target;
    let json = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.json".to_owned())]);
    let schema = Arc::new(Schema::new(vec![
        Field::new("a\"b", DataType::Int64, false),
        Field::new("it's", DataType::Utf8, true).with_metadata(json),
        Field::new("select", DataType::Time64(arrow_schema::TimeUnit::Microsecond), true),
    ]));
    let made = |write_mode| Commit { schema: Arc::clone(&schema), ..commit(write_mode, 1, &[5], true) };
    let first = made(WriteMode::Append);
    let own = world.config.places().unwrap().own("STATE");
    let plan = |world: &World, commit: &Commit| {
        Load::plan(Shape { config: &world.config }, &world.target, &world.standing, commit, "'@S/t/'", &own)
            .unwrap()
    };
    let load = plan(&world, &first);
    let id = first.id.to_string().replace('-', "");
    let table = format!(r#""DB"."it's"."L_{key}_00000001_{id}""#);
    let copy = format!(
        "COPY INTO {table} FROM '@S/t/' FILES = ('00000001-x/0.parquet') FILE_FORMAT = (TYPE = PARQUET \
         USE_VECTORIZED_SCANNER = TRUE USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE) \
         MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT"
    );
    assert_eq!(load.copies[0].0, copy);
    let moved = format!(
        r#""DB"."Ra""w"."we""ird t'a; --" ("a""b", "it's", "select") SELECT "a""b", PARSE_JSON("it's"), TO_TIME("select") FROM {table}"#
    );
    assert_eq!(load.steps[0].sql, format!("INSERT INTO {moved}"));
    let (staging, columns) = load.staging.expect("a table between");
    assert_eq!(
        super::super::sql::ddl::create_transient(&staging, &columns),
        format!(
            r#"CREATE TRANSIENT TABLE IF NOT EXISTS {table} ("a""b" NUMBER(38, 0), "it's" VARCHAR, "select" VARCHAR) DATA_RETENTION_TIME_IN_DAYS = 0"#
        )
    );
    let all = Commit { id: first.id, ..made(WriteMode::Overwrite) };
    assert_eq!(plan(&world, &all).steps[0].sql, format!("INSERT OVERWRITE INTO {moved}"));
    world.config = config(&json!({ "names": "source", "layout": "variant" }));
    assert_eq!(
        plan(&world, &first).steps[0].sql.split(" SELECT ").nth(1).unwrap().split(" FROM ").next().unwrap(),
        r#"TO_VARIANT(OBJECT_CONSTRUCT_KEEP_NULL('a"b', "a""b", 'it''s', PARSE_JSON("it's"), 'select', TO_TIME("select")))"#
    );
}
