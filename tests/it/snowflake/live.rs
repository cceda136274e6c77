//! A real account, where the variables `TIDEGATE_SNOWFLAKE_*` name one; else these are told as ignored.
//!
//! | variable | |
//! |---|---|
//! | `_ACCOUNT`, `_USER`, `_ROLE`, `_WAREHOUSE`, `_DATABASE` | where; the role needs CREATE SCHEMA in the database |
//! | `_PRIVATE_KEY_FILE`, `_ACCESS_TOKEN` or `_PASSWORD` | the proof |
//! | `_HOST`, `_PORT`, `_PROTOCOL` | where it is reached by another address |
//!
//! Each test makes two schemas of its own, and drops them. All of them together take a few minutes of an XS warehouse.

use lab::{Cluster, Database, Snowflake};
use serde_json::{Value, json};

use super::{Rows, text};
use crate::support::Project;

/// The settings that the variables give, and the secrets among them.
const SETTINGS: [&str; 8] =
    ["account", "user", "role", "warehouse", "database", "private_key_file", "host", "protocol"];
const SECRETS: [&str; 2] = ["access_token", "password"];

/// So that nothing is wrong with the suite itself where somebody has an account.
#[test]
fn the_suite_for_an_account_passes_with_the_stand_in() {
    let account = Snowflake::shared().account();
    let tests = std::env::current_exe().expect("this is running");
    let mut command = std::process::Command::new(tests);
    command.args(["snowflake::live::", "--include-ignored", "--skip", "the_suite_for_an_account"]);
    for (setting, value) in [
        ("ACCOUNT", account.account.as_str()),
        ("USER", &account.user),
        ("ROLE", &account.role),
        ("WAREHOUSE", &account.warehouse),
        ("DATABASE", &account.database),
        ("PASSWORD", &account.password),
        ("HOST", account.host()),
        ("PORT", &account.port().to_string()),
        ("PROTOCOL", "http"),
        ("PRIVATE_KEY_FILE", ""),
        ("ACCESS_TOKEN", ""),
    ] {
        command.env(format!("TIDEGATE_SNOWFLAKE_{setting}"), value);
    }
    let ran = command.output().expect("it was started once");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && said.contains("5 passed"), "{said}");
}

struct Live {
    database: Database,
    project: Project,
    schema: String,
}

fn variable(setting: &str) -> Option<String> {
    let name = format!("TIDEGATE_SNOWFLAKE_{}", setting.to_uppercase());
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The rows of a query.
#[track_caller]
fn query(sql: &str) -> Rows {
    serde_json::from_value(lab::python("snowflake_query.py", &[sql])).expect("it prints rows of texts")
}

impl Live {
    /// With a table of five rows, which a stream with these settings is of.
    async fn new(mut stream: Value) -> Self {
        let database = Cluster::shared().database();
        database
            .execute(
                "CREATE TABLE t (id int PRIMARY KEY, note text, gone bool, doc jsonb, \
                 at timestamptz NOT NULL DEFAULT clock_timestamp()); \
                 INSERT INTO t SELECT i, 'note ' || i, false, '{\"n\": [1, null]}' FROM generate_series(1, 5) i",
            )
            .await;
        let schema = format!("TIDEGATE_TEST_{:016X}", fastrand::u64(..));
        let mut destination = json!({
            "type": "snowflake", "schema": schema, "state_schema": format!("{schema}_STATE"), "lock_timeout": "10s",
        });
        for setting in SETTINGS {
            if let Some(value) = variable(setting) {
                destination[setting] = json!(value);
            }
        }
        if let Some(port) = variable("port") {
            destination["port"] = json!(port.parse::<u16>().expect("a port is a number"));
        }
        let mut secrets = Vec::new();
        for (setting, name) in SECRETS.into_iter().zip(["SNOWFLAKE_TOKEN", "SNOWFLAKE_PASSWORD"]) {
            if let Some(secret) = variable(setting) {
                destination[setting] = json!(format!("${{env:{name}}}"));
                secrets.push((name, secret));
            }
        }
        stream["name"] = json!("public.t");
        let project = Project::new(&database).to(destination, &secrets).stream(stream);
        Self { database, project, schema }
    }

    /// The ids in the table, in order.
    #[track_caller]
    fn ids(&self) -> Vec<u32> {
        let rows = query(&format!("SELECT ID FROM {}.T ORDER BY ID", self.schema));
        rows.iter().map(|row| row[0].as_ref().expect("a number").parse().expect("a number")).collect()
    }

    async fn add(&self, first: u32, last: u32) {
        let sql = format!("INSERT INTO t SELECT i, 'note ' || i FROM generate_series({first}, {last}) i");
        self.database.execute(&sql).await;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let drop = |name: &str| format!("DROP SCHEMA IF EXISTS {name} CASCADE");
        let (own, state) = (drop(&self.schema), drop(&format!("{}_STATE", self.schema)));
        // Where the test fails already, a second panic would hide why.
        if !std::thread::panicking() {
            lab::python("snowflake_query.py", &[&own, &state]);
        }
    }
}

#[tokio::test]
#[cfg_attr(
    not(snowflake_account),
    ignore = "SKIPPED, not passed: TIDEGATE_SNOWFLAKE_ACCOUNT names no account"
)]
async fn a_check_passes_and_leaves_no_trace() {
    let live = Live::new(json!({ "cursor": "at" })).await;
    live.project.run(&["check"]).exits(0);
    let left = query(&format!("SHOW SCHEMAS LIKE '{}%'", live.schema));
    assert_eq!(left, text(&[]));
}

#[tokio::test]
#[cfg_attr(
    not(snowflake_account),
    ignore = "SKIPPED, not passed: TIDEGATE_SNOWFLAKE_ACCOUNT names no account"
)]
async fn increments_arrive_once_whatever_kills_the_sync() {
    let live = Live::new(json!({ "cursor": "at" })).await;
    live.project.sync();
    assert_eq!(live.ids(), [1, 2, 3, 4, 5]);
    for (at, place) in
        ["commit.begun", "commit.copied", "commit.swapped", "commit.stands"].into_iter().enumerate()
    {
        let last = 6 + u32::try_from(at).unwrap();
        live.add(last, last).await;
        let place = format!("snowflake.{place}");
        live.project.command(&["sync"]).env("TIDEGATE_KILL", &place).output().expect("it starts");
        live.project.sync();
        assert_eq!(live.ids(), (1..=last).collect::<Vec<_>>(), "{place}");
    }
    let report = live.project.sync();
    assert_eq!(report["spent"]["warehouse"], false, "{report:#}");
}

#[tokio::test]
#[cfg_attr(
    not(snowflake_account),
    ignore = "SKIPPED, not passed: TIDEGATE_SNOWFLAKE_ACCOUNT names no account"
)]
async fn rows_are_merged_and_deleted() {
    let mut live = Live::new(json!({ "cursor": "at", "write": "merge", "soft_delete": "gone" })).await;
    live.project.configuration()["destinations"]["lake"]["deletes"] = json!("hard");
    live.project.sync();
    live.database
        .execute(
            "UPDATE t SET note = 'new', at = clock_timestamp() WHERE id = 2; \
             UPDATE t SET gone = true, at = clock_timestamp() WHERE id = 3",
        )
        .await;
    live.add(6, 6).await;
    live.project.sync();
    assert_eq!(live.ids(), [1, 2, 4, 5, 6]);
    let notes = query(&format!("SELECT NOTE FROM {}.T WHERE ID = 2", live.schema));
    assert_eq!(notes, text(&[&["new"]]));
}

#[tokio::test]
#[cfg_attr(
    not(snowflake_account),
    ignore = "SKIPPED, not passed: TIDEGATE_SNOWFLAKE_ACCOUNT names no account"
)]
async fn a_full_refresh_replaces_all_and_columns_come_and_grow() {
    let live = Live::new(json!({ "mode": "full_refresh" })).await;
    live.project.sync();
    live.database
        .execute("DELETE FROM t WHERE id > 3; ALTER TABLE t ADD more numeric(10, 2) DEFAULT 1.25")
        .await;
    live.project.sync();
    live.database.execute("ALTER TABLE t ALTER more TYPE numeric(12, 2)").await;
    live.project.sync();
    let rows = query(&format!("SELECT ID, MORE, DOC:n[0] FROM {}.T ORDER BY ID", live.schema));
    assert_eq!(rows, text(&[&["1", "1.25", "1"], &["2", "1.25", "1"], &["3", "1.25", "1"]]));
}

#[tokio::test]
#[cfg_attr(
    not(snowflake_account),
    ignore = "SKIPPED, not passed: TIDEGATE_SNOWFLAKE_ACCOUNT names no account"
)]
async fn types_arrive_as_they_are() {
    let live = Live::new(json!({ "cursor": "at" })).await;
    live.database
        .execute(
            "ALTER TABLE t ADD big int8, ADD dec numeric(38, 9), ADD f float8, ADD b bytea, ADD u uuid, ADD d date, \
             ADD tm time, ADD ts timestamp, ADD tz timestamptz, ADD l int[]; \
             UPDATE t SET big = -9223372036854775808, dec = 12345678901234567890123456789.123456789, f = 0.1, \
             b = '\\x00ff', u = '0192f0c8-d1a5-7d10-a8b6-b7f1e6b0a111', d = '1969-12-31', tm = '23:59:59.999999', \
             ts = '1969-12-31 23:59:59.999999', tz = '2026-03-29 03:30:00.000001+02', l = '{1,NULL}' WHERE id = 1",
        )
        .await;
    live.project.sync();
    // What no format of the session's has a say in.
    let shown = "BIG::VARCHAR, DEC::VARCHAR, F = 0.1::FLOAT, HEX_ENCODE(B), U, \
                 DATEDIFF('day', '1970-01-01'::DATE, D), DATEDIFF('microsecond', '00:00:00'::TIME, TM), \
                 DATEDIFF('microsecond', '1970-01-01'::TIMESTAMP_NTZ, TS), \
                 DATEDIFF('microsecond', '1970-01-01 00:00:00 +00:00'::TIMESTAMP_TZ, TZ), \
                 L[0]::INT, ARRAY_SIZE(L)";
    let rows = query(&format!("SELECT {shown} FROM {}.T WHERE ID = 1", live.schema));
    let expected = [
        "-9223372036854775808",
        "12345678901234567890123456789.123456789",
        "True",
        "00FF",
        "0192f0c8-d1a5-7d10-a8b6-b7f1e6b0a111",
        "-1",
        "86399999999",
        "-1",
        "1774747800000001",
        "1",
        "2",
    ];
    assert_eq!(rows, text(&[&expected]));
    let nulls = query(&format!("SELECT count(*) FROM {}.T WHERE TZ IS NULL AND L IS NULL", live.schema));
    assert_eq!(nulls, text(&[&["4"]]));
}
