//! The server's own word on every type: what is decoded is what the server prints.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, UInt32Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, pin_mut};
use protocol::UnfitPolicy;
use serde::Deserialize;
use tokio_postgres::Client;

use super::{batches, decoder};
use crate::source::postgres::types::{Column, NativeType, TypeKind, arrow_field};

/// A type, values of it, and how SQL writes what they must become; in `expected`, `c` is the value.
///
/// Numbers and texts are as they are printed; a date is its days and a time or timestamp its
/// microseconds since 1970; bytes are in hexadecimal; `[a,b]` is a list, `(a,b)` a struct and
/// `{key,value}` a map.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(rename = "type")]
    sql_type: String,
    /// What must be created for the type to exist.
    extension: Option<String>,
    expected: String,
    values: Vec<String>,
}

const TYPES: &str = include_str!("../../fixtures/types.sql");
const CASES: &str = include_str!("../../fixtures/values.json");

#[tokio::test]
async fn decoded_values_are_what_the_server_prints() {
    let database = lab::Cluster::shared().database();
    let client = database.client().await;
    client.batch_execute(TYPES).await.unwrap();
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        if let Some(extension) = &case.extension {
            let sql = format!("CREATE EXTENSION IF NOT EXISTS {extension}");
            if let Err(error) = client.batch_execute(&sql).await {
                eprintln!("not tested, since this server has no {extension}: {error}");
                continue;
            }
        }
        check(&client, case).await;
    }
}

async fn check(client: &Client, case: &Case) {
    let Case { sql_type, expected, values, .. } = case;
    let table = format!("DROP TABLE IF EXISTS golden; CREATE TABLE golden (n serial, c {sql_type})");
    client.batch_execute(&table).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
    for value in values {
        let sql = format!("INSERT INTO golden (c) VALUES ('{}')", value.replace('\'', "''"));
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    let has_null = client.batch_execute("INSERT INTO golden (c) VALUES (NULL)").await.is_ok();
    let rows = compare(client, sql_type, expected).await;
    assert_eq!(rows, values.len() + usize::from(has_null));
}

/// Compares all of `golden` with what the server says; returns how many rows it has.
async fn compare(client: &Client, sql_type: &str, expected: &str) -> usize {
    let column = column_of_golden(client).await;
    let array = copied(client, &column).await;
    let sql =
        format!("SELECT CASE WHEN num_nulls(c) = 0 THEN {expected} END, c::text FROM golden ORDER BY n");
    let rows = client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(rows.len(), array.len());
    for (at, row) in rows.iter().enumerate() {
        let (mut expected, printed): (Option<String>, Option<String>) = (row.get(0), row.get(1));
        // There are several texts of one floating number.
        expected = expected.map(|text| match array.data_type() {
            DataType::Float32 => text.parse::<f32>().unwrap().to_string(),
            DataType::Float64 => text.parse::<f64>().unwrap().to_string(),
            _ => text,
        });
        assert_eq!(rendered(&array, at), expected, "{sql_type} {printed:?} as {}", array.data_type());
    }
    rows.len()
}

const DAYS: &str = "(c - date '1970-01-01')::text";
const MICROS: &str = "(extract(epoch from c) * 1000000)::numeric(30)::text";

/// Any number of digits on either side of the point.
const RANDOM_NUMERIC: &str = "round((random() - 0.5)::numeric * 10::numeric ^ (random() * {digits})::int \
     / 10::numeric ^ (random() * {digits})::int, (random() * {scale})::int)";

#[tokio::test]
async fn random_numbers_are_what_the_server_prints() {
    let database = lab::Cluster::shared().database();
    let client = database.client().await;
    for (sql_type, digits, scale) in [
        ("numeric", "60", "80"),
        ("numeric(76,38)", "38", "38"),
        ("numeric(38,18)", "20", "18"),
        ("numeric(18,4)", "14", "4"),
        ("numeric(15,2)", "13", "2"),
        ("float8", "300", "300"),
        ("float4", "37", "37"),
    ] {
        let value = RANDOM_NUMERIC.replace("{digits}", digits).replace("{scale}", scale);
        let sql = format!(
            "DROP TABLE IF EXISTS golden; \
             CREATE TABLE golden AS SELECT n, ({value})::{sql_type} AS c FROM generate_series(1, 3000) AS n"
        );
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(compare(&client, sql_type, "c::text").await, 3000);
    }
}

#[tokio::test]
async fn random_times_are_what_the_server_computes() {
    let database = lab::Cluster::shared().database();
    let client = database.client().await;
    for (sql_type, value, expected) in [
        ("date", "date '4713-11-24 BC' + (random() * 2147483493)::int", DAYS),
        ("date", "date '2000-01-01' + ((random() - 0.5) * 100000)::int", DAYS),
        ("timestamp", "timestamp '2000-01-01' + (random() - 0.5) * interval '13000 years'", MICROS),
        ("timestamptz", "timestamptz '2026-01-01' + (random() - 0.5) * interval '200 years'", MICROS),
        ("time", "time '00:00' + random() * interval '86399 seconds'", MICROS),
    ] {
        let sql = format!(
            "DROP TABLE IF EXISTS golden; \
             CREATE TABLE golden AS SELECT n, ({value})::{sql_type} AS c FROM generate_series(1, 3000) AS n"
        );
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(compare(&client, sql_type, expected).await, 3000);
    }
}

async fn column_of_golden(client: &Client) -> Column {
    let sql = "SELECT atttypid, atttypmod FROM pg_attribute \
               WHERE attrelid = 'golden'::regclass AND attname = 'c'";
    let attribute = client.query_one(sql, &[]).await.unwrap();
    let native = native(client, attribute.get(0), attribute.get(1)).await;
    let column = Column::new(&native, &arrow_field("c", &native, true)).unwrap();
    let sql = format!("SELECT {} FROM golden", column.select_expression());
    let statement = client.prepare(&sql).await.unwrap();
    assert_eq!(statement.columns()[0].type_().oid(), column.wire_type(), "{}", native.display);
    column
}

/// The type as the catalogs describe it.
fn native(client: &Client, oid: u32, modifier: i32) -> BoxFuture<'_, NativeType> {
    let sql = "SELECT n.nspname::text, t.typname::text, format_type(t.oid, $2), t.typtype, t.typbasetype, \
                      t.typtypmod, t.typelem, t.typrelid, t.typlen = -1 AND t.typelem <> 0 \
               FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = $1";
    async move {
        let row = client.query_one(sql, &[&oid, &modifier]).await.unwrap();
        let typtype: i8 = row.get(3);
        let kind = match typtype.cast_unsigned() {
            b'd' => TypeKind::Domain(Box::new(native(client, row.get(4), row.get(5)).await)),
            b'e' => TypeKind::Enum,
            b'r' => TypeKind::Range,
            b'm' => TypeKind::Multirange,
            b'p' => TypeKind::Pseudo,
            b'c' => TypeKind::Composite(attributes(client, row.get(7)).await),
            _ if row.get(8) => TypeKind::Array(Box::new(native(client, row.get(6), modifier).await)),
            _ => TypeKind::Base,
        };
        NativeType { oid, schema: row.get(0), name: row.get(1), display: row.get(2), modifier, kind }
    }
    .boxed()
}

async fn attributes(client: &Client, relation: u32) -> Vec<(String, NativeType)> {
    let sql = "SELECT attname::text, atttypid, atttypmod FROM pg_attribute \
               WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let mut attributes = Vec::new();
    for row in client.query(sql, &[&relation]).await.unwrap() {
        attributes.push((row.get(0), native(client, row.get(1), row.get(2)).await));
    }
    attributes
}

async fn copied(client: &Client, column: &Column) -> ArrayRef {
    let expression = column.select_expression();
    let sql = format!("COPY (SELECT {expression} FROM golden ORDER BY n) TO STDOUT (FORMAT binary)");
    let stream = client.copy_out(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    pin_mut!(stream);
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.next().await {
        chunks.push(chunk.unwrap());
    }
    let columns = [column.clone()];
    let mut decoder = decoder(&columns, UnfitPolicy::Error, usize::MAX).unwrap();
    let batches = batches(&mut decoder, chunks.iter().map(AsRef::as_ref)).unwrap();
    batches[0].column(0).clone()
}

/// A value as the expected expressions write it.
fn rendered(array: &ArrayRef, at: usize) -> Option<String> {
    if array.is_null(at) {
        return None;
    }
    let inside = |array: &ArrayRef, at| rendered(array, at).unwrap_or_else(|| "NULL".to_owned());
    let all = |array: &ArrayRef| (0..array.len()).map(|at| inside(array, at)).collect::<Vec<_>>().join(",");
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(at).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(at).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(at).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(at).to_string(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(at).to_string(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(at).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(at).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(at),
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().value_as_string(at),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(at).to_string(),
        DataType::Time64(_) => array.as_primitive::<Time64MicrosecondType>().value(at).to_string(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(at).to_string(),
        DataType::Utf8 => array.as_string::<i32>().value(at).to_owned(),
        DataType::Binary => hex(array.as_binary::<i32>().value(at)),
        DataType::FixedSizeBinary(_) => hex(array.as_fixed_size_binary().value(at)),
        DataType::List(_) => format!("[{}]", all(&array.as_list::<i32>().value(at))),
        DataType::Struct(_) => {
            let values = array.as_struct().columns().iter().map(|column| inside(column, at));
            format!("({})", values.collect::<Vec<_>>().join(","))
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(at);
            let pairs =
                (0..entries.len()).flat_map(|pair| entries.columns().iter().map(move |of| inside(of, pair)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
        other => panic!("{other} is no type of ours"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
