//! Tables of chance: whatever rows are inserted, the files hold what PostgreSQL prints.

use std::fmt::Write as _;

use lab::Cluster;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::case::leaf;
use super::case::{Case, DAYS, LIST, MICROS, MICROS_OF_DAY, MICROS_UTC};
use super::compare::{self, Column};
use crate::support::Project;

const TABLES: usize = 4;
const ROWS: usize = 150;

/// SQL for a value of each type, or NULL.
type Literals = BoxedStrategy<String>;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        proptest::collection::vec(proptest::char::range('\u{1}', char::MAX), 0..30)
            .prop_map(|characters| characters.into_iter().collect::<String>()),
        Just("NULL".to_owned()),
    ]
}

fn integers(bits: u32) -> Literals {
    let shift = 64 - bits;
    prop_oneof![any::<i64>().prop_map(move |value| value >> shift), -3_i64..3]
        // The least of all is the minus sign before what does not fit.
        .prop_map(|value| format!("'{value}'"))
        .boxed()
}

fn decimal(integer: usize, fraction: usize) -> Literals {
    (any::<bool>(), "[0-9]{0,74}", "[0-9]{0,74}")
        .prop_map(move |(negative, before, after)| {
            let before = &before[..before.len().min(integer)];
            let after = &after[..after.len().min(fraction)];
            format!("'{}0{before}.{after}0'", if negative { "-" } else { "" })
        })
        .boxed()
}

fn micros() -> impl Strategy<Value = i64> {
    // From 4713 BC to 294246, and now.
    prop_oneof![-210_000_000_000_000_000_i64..9_223_000_000_000_000_000, 0..2_000_000_000_000_000_i64]
}

/// Parts that SQL adds exactly: intervals of many microseconds are multiplied as floats.
fn since_epoch(epoch: &str, micros: i64) -> String {
    let (days, micros) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    format!("{epoch} + make_interval(days => {days}) + {micros} * interval '1 microsecond'")
}

type Kinds = Vec<(Case, Literals)>;

#[rustfmt::skip]
fn numbers() -> Kinds {
    const SMALL: &[[&str; 2]] = &[["INT64", "Decimal(precision=18, scale=4)"]];
    const LARGE: &[[&str; 2]] = &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=38, scale=10)"]];
    const HUGE: &[[&str; 2]] = &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=76, scale=30)"]];
    let float4 = any::<u32>().prop_map(|bits| format!("'{:?}'", f32::from_bits(bits)).replace("inf", "Infinity"));
    let float8 = any::<u64>().prop_map(|bits| format!("'{:?}'", f64::from_bits(bits)).replace("inf", "Infinity"));
    vec![
        (Case::typed("int2", "int16", &[leaf::INT16], "SMALLINT", &[]), integers(16)),
        (Case::typed("int4", "int32", &[leaf::INT32], "INTEGER", &[]), integers(32)),
        (Case::typed("int8", "int64", &[leaf::INT64], "BIGINT", &[]), integers(64)),
        (Case::typed("float4", "float", &[leaf::FLOAT], "FLOAT", &[]).float(), float4.boxed()),
        (Case::typed("float8", "double", &[leaf::DOUBLE], "DOUBLE", &[]).float(), float8.boxed()),
        (Case::typed("numeric(18,4)", "decimal128(18, 4)", SMALL, "DECIMAL(18,4)", &[]), decimal(13, 4)),
        (Case::typed("numeric(38,10)", "decimal128(38, 10)", LARGE, "DECIMAL(38,10)", &[]), decimal(27, 12)),
        (Case::typed("numeric(76,30)", "decimal256(76, 30)", HUGE, "DOUBLE", &[]), decimal(45, 40)),
        (Case::text("numeric", &[]), decimal(74, 74)),
    ]
}

#[rustfmt::skip]
fn texts() -> Kinds {
    let document = (text(), any::<i32>())
        .prop_map(|(key, number)| quoted(&json!({ "k": key, "n": number, "l": [null, true] }).to_string()))
        .boxed();
    let bytes = "([0-9a-f]{2}){0,40}".prop_map(|hex| format!("'\\x{hex}'"));
    let uuid = "[0-9a-f]{32}".prop_map(|hex| quoted(&hex));
    vec![
        (Case::text("text", &[]), text().prop_map(|text| quoted(&text)).boxed()),
        (Case::typed("bytea", "binary", &[leaf::BINARY], "BLOB", &[]), bytes.boxed()),
        (Case::typed("uuid", "extension<arrow.uuid>", &[leaf::UUID], "UUID", &[]), uuid.boxed()),
        (Case::typed("jsonb", "extension<arrow.json>", &[leaf::JSON], "JSON", &[]), document.clone()),
        (Case::typed("json", "extension<arrow.json>", &[leaf::JSON], "JSON", &[]), document),
    ]
}

#[rustfmt::skip]
fn times() -> Kinds {
    const ZONED: &str = "TIMESTAMP WITH TIME ZONE";
    let date = (-2_400_000_i32..2_000_000_000).prop_map(|days| format!("date '1970-01-01' + {days}"));
    let time = (0..86_400_000_000_i64).prop_map(|micros| format!("time '00:00' + {micros} * interval '1 microsecond'"));
    let local = micros().prop_map(|micros| since_epoch("timestamp 'epoch'", micros));
    let utc = micros().prop_map(|micros| since_epoch("timestamptz 'epoch'", micros));
    let interval = (any::<i16>(), any::<i32>(), any::<i32>()).prop_map(|(months, days, seconds)| {
        format!("make_interval(months => {months}, days => {days}, secs => {seconds} / 1000.0)")
    });
    vec![
        (Case::typed("date", "date32[day]", &[leaf::DATE], "DATE", &[]).expected(DAYS), date.boxed()),
        (Case::typed("time", "time64[us]", &[leaf::TIME], "TIME", &[]).expected(MICROS_OF_DAY), time.boxed()),
        (Case::typed("timestamp", "timestamp[us]", &[leaf::LOCAL], "TIMESTAMP", &[]).expected(MICROS), local.boxed()),
        (Case::typed("timestamptz", "timestamp[us, tz=UTC]", &[leaf::UTC], ZONED, &[]).expected(MICROS_UTC), utc.boxed()),
        (Case::text("interval", &[]), interval.boxed()),
    ]
}

#[rustfmt::skip]
fn nested() -> Kinds {
    const PAIR: &[[&str; 2]] = &[leaf::INT32, leaf::STRING];
    let list = proptest::collection::vec(proptest::option::of(text()), 0..5).prop_map(|items| {
        let item = |item: &Option<String>| item.as_ref().map_or("NULL".to_owned(), |text| quoted(text));
        format!("ARRAY[{}]::text[]", items.iter().map(item).collect::<Vec<_>>().join(", "))
    });
    let numbers = proptest::collection::vec(any::<i32>(), 0..5)
        .prop_map(|items| format!("'{}'", json!(items).to_string().replace('[', "{").replace(']', "}")));
    let pair = (any::<i32>(), text()).prop_map(|(number, text)| format!("ROW({number}, {})::pair", quoted(&text)));
    vec![
        (Case::typed("text[]", "list<element: string>", &[leaf::STRING], "VARCHAR[]", &[]).nested(LIST), list.boxed()),
        (Case::typed("int[]", "list<element: int32>", &[leaf::INT32], "INTEGER[]", &[]).nested(LIST), numbers.boxed()),
        (
            Case::typed("pair", "struct<a: int32, b: string>", PAIR, "STRUCT(a INTEGER, b VARCHAR)", &[])
                .nested("json_build_object('a', ({c}).a::text, 'b', ({c}).b)::text"),
            pair.boxed(),
        ),
    ]
}

/// A table of all types in an order of chance, with a chance of NULL for each value.
fn script(runner: &mut TestRunner) -> (Vec<Column>, String) {
    let mut kinds = Just([numbers(), texts(), times(), nested()].concat())
        .prop_shuffle()
        .new_tree(runner)
        .expect("nothing is rejected")
        .current();
    kinds.truncate(16);
    let rows = (1..ROWS).new_tree(runner).expect("nothing is rejected").current();
    let strategies: Vec<BoxedStrategy<Option<String>>> =
        kinds.iter().map(|(_, literals)| proptest::option::weighted(0.8, literals.clone()).boxed()).collect();
    let columns = compare::columns(kinds.into_iter().map(|(case, _)| case));
    let definitions: Vec<String> =
        columns.iter().map(|(name, case)| format!("{name} {}", case.sql)).collect();
    let mut script = format!(
        "SET timezone = 'UTC'; CREATE TYPE pair AS (a int, b text); CREATE TABLE chance (n int, {}); ",
        definitions.join(", ")
    );
    for row in 0..rows {
        let values = strategies.new_tree(runner).expect("nothing is rejected").current();
        let values: Vec<String> =
            values.into_iter().map(|value| value.unwrap_or("NULL".to_owned())).collect();
        write!(script, "INSERT INTO chance VALUES ({row}, {}); ", values.join(", "))
            .expect("a String takes it");
    }
    (columns, script)
}

#[tokio::test]
async fn rows_of_chance_are_read_back() {
    // The same tables in every run: what fails once fails again.
    let mut runner = TestRunner::deterministic();
    for table in 0..TABLES {
        let (columns, script) = script(&mut runner);
        let database = Cluster::shared().database();
        database.execute(&script).await;
        let project = Project::new(&database).stream(json!({ "name": "public.chance" }));
        project.sync();
        let found = compare::differences(&database, "chance", &columns, &project, "public.chance").await;
        assert!(found.is_empty(), "table {table}:\n{}", found.join("\n"));
    }
}
