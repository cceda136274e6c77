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
use tokio_postgres::Client;

use super::{batches, decoder};
use crate::source::postgres::types::{Column, NativeType, TypeKind, arrow_field};

/// A type, values of it, and how SQL writes what they must become; `c` is the value.
pub(super) struct Case {
    pub(super) sql_type: &'static str,
    pub(super) expected: &'static str,
    pub(super) values: &'static [&'static str],
}

const fn case(sql_type: &'static str, expected: &'static str, values: &'static [&'static str]) -> Case {
    Case { sql_type, expected, values }
}

const TEXT: &str = "c::text";
const DAYS: &str = "(c - date '1970-01-01')::text";
const MICROS: &str = "(extract(epoch from c) * 1000000)::numeric(30)::text";
const LIST: &str = "'[' || array_to_string(c, ',', 'NULL') || ']'";
/// As COPY prints it: a cast to text takes the blanks off.
const PADDED: &str = "rpad(c::text, 5)";

/// Types that are there before any test.
pub(super) const SETUP: &str = r#"
CREATE TYPE "mood ""of"" it" AS ENUM ('sad', 'it''s "ok", so, so', 'glücklich');
CREATE DOMAIN small AS numeric(6,2) CHECK (VALUE > -1000);
CREATE DOMAIN smaller AS small NOT NULL;
CREATE DOMAIN ints AS int[];
CREATE DOMAIN times AS interval[];
CREATE DOMAIN years AS interval;
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE inner_row AS (amount numeric, at timestamptz, pairs pair[]);
CREATE TYPE outer_row AS (id uuid, inside inner_row, moods "mood ""of"" it"[]);
CREATE TYPE with_interval AS (a int, i interval);
CREATE TYPE hollow AS ();
CREATE TYPE shrunk AS (a int, gone int, z text);
ALTER TYPE shrunk DROP ATTRIBUTE gone;
"#;

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("bool", TEXT, &["t", "f"]),
    case("int2", TEXT, &["0", "-32768", "32767"]),
    case("int4", TEXT, &["0", "-2147483648", "2147483647"]),
    case("int8", TEXT, &["0", "-9223372036854775808", "9223372036854775807"]),
    case("oid", TEXT, &["0", "4294967295"]),
    case("float4", TEXT, &["0", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "0.1"]),
    case("float8", TEXT, &["0", "-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1"]),
    case("numeric(18,4)", TEXT, &["0", "0.0001", "-0.0001", "1", "10000", "99999999999999.9999", "-99999999999999.9999", "12345678.9", "100000000.00"]),
    case("numeric(15,2)", TEXT, &["0.00", "0.01", "-0.10", "17.00", "901.5", "36901.32", "9999999999999.99", "10000", "100010001"]),
    case("numeric(5,0)", TEXT, &["0", "1", "-99999", "10000", "20000"]),
    case("numeric(38,0)", TEXT, &["99999999999999999999999999999999999999", "-1", "10000000000000000000000000000000000000"]),
    case("numeric(38,38)", TEXT, &["0.99999999999999999999999999999999999999", "-0.00000000000000000000000000000000000001", "0"]),
    case("numeric(38,19)", TEXT, &["1234567890123456789.1234567890123456789", "0.0000000000000000001", "-1"]),
    case("numeric(39,1)", TEXT, &["99999999999999999999999999999999999999.9", "-0.1", "0"]),
    case("numeric(76,38)", TEXT, &["99999999999999999999999999999999999999.99999999999999999999999999999999999999", "-12345678901234567890.5", "0.00000000000000000000000000000000000001"]),
    case("numeric(2,-3)", TEXT, &["99000", "-1000", "0", "12345"]),
    case("numeric(3,5)", TEXT, &["0.00999", "-0.00001", "0"]),
    case("numeric(1,-5)", TEXT, &["900000", "-100000"]),
    case("numeric(77,0)", TEXT, &["99999999999999999999999999999999999999999999999999999999999999999999999999999", "0", "NaN"]),
    case("numeric(1000,500)", TEXT, &["0.5", "-1e400", "1e-500"]),
    case("numeric", TEXT, &["0", "0.000", "-0.5", "1e20", "1.10", "NaN", "Infinity", "-Infinity", "1e-16383", "-1e131071", "123456789.000000001", "10000.0001", "0.00010000", "1e-5", "90000e10"]),
    case("text", TEXT, &["", " ", "plain", "quote \" and ' and \\ and \t tab \n newline", "€ 𝄞 ẞ", "\\N", "NULL"]),
    case("varchar(5)", TEXT, &["", "abc", "ünïcö"]),
    case("bpchar", TEXT, &["", "x"]),
    case("char(5)", PADDED, &["", "abc", "€"]),
    case("name", TEXT, &["pg_class", "0123456789012345678901234567890123456789012345678901234567890123456789"]),
    case("\"char\"", "CASE WHEN ascii(c::text) >= 128 THEN '?' ELSE c::text END", &["a", "", "~"]),
    case("\"mood \"\"of\"\" it\"", TEXT, &["sad", "it's \"ok\", so, so", "glücklich"]),
    case("uuid", "replace(c::text, '-', '')", &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-fffffffffffe"]),
    case("json", TEXT, &["{}", " { \"a\" : 1.0e400, \"a\":\t\"\\u0000\" } ", "null", "\"€\""]),
    case("jsonb", TEXT, &["{}", "{\"b\": 1.500, \"a\": [1, null, \"€\"]}", "null", "1e5"]),
    case("bytea", "encode(c, 'hex')", &["", "\\x00", "\\x00ff27225c", "plain"]),
    case("date", DAYS, &["1970-01-01", "2000-01-01", "1999-12-31", "4713-11-24 BC", "0001-01-01", "9999-12-31", "5874897-12-31"]),
    case("time", MICROS, &["00:00:00", "23:59:59.999999", "12:34:56.5"]),
    case("time(0)", MICROS, &["12:34:56.4"]),
    case("timestamp", MICROS, &["1970-01-01", "2000-01-01 00:00:00.000001", "1969-12-31 23:59:59.999999", "4713-11-24 BC", "294246-12-31 23:59:59.999999", "2262-04-12", "2016-12-31 23:59:60"]),
    case("timestamptz", MICROS, &["1970-01-01 00:00:00+00", "2026-03-29 02:30:00 Europe/Berlin", "4713-11-24 00:00:00+00 BC", "294246-12-31 23:59:59.999999+00", "2000-01-01 00:00:00+15:59:59"]),
    case("timestamptz(3)", MICROS, &["2026-11-22 10:00:00.1235+00"]),
    case("interval", TEXT, &["1 year -2 mons +3 days -04:05:06.789", "178000000 years", "-178000000 years", "00:00:00"]),
    case("timetz", TEXT, &["24:00:00+00", "12:00:00.5-15:59"]),
    case("xml", TEXT, &["<a>é</a>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>"]),
    case("int4range", TEXT, &["[1,5)", "empty", "(,)", "[3,]"]),
    case("tstzrange", TEXT, &["[2026-01-01 00:00:00+00,infinity)"]),
    case("numrange", TEXT, &["[1.10,2.0]"]),
    case("int8multirange", TEXT, &["{}", "{[1,3),[5,8)}"]),
    case("tsvector", TEXT, &["'a':1A 'fat':2B,4C 'it''s':5"]),
    case("tsquery", TEXT, &["fat & (rat | !cat)"]),
    case("bit(5)", TEXT, &["10101"]),
    case("varbit", TEXT, &["", "101"]),
    case("money", TEXT, &["12.34", "-92233720368547758.08"]),
    case("inet", TEXT, &["127.0.0.1", "10.1.2.3/8", "::ffff:1.2.3.4", "2001:db8::1/64"]),
    case("cidr", TEXT, &["10.0.0.0/8", "2001:db8::/32"]),
    case("macaddr", TEXT, &["08:00:2b:01:02:03"]),
    case("macaddr8", TEXT, &["08:00:2b:01:02:03:04:05"]),
    case("pg_lsn", TEXT, &["16/B374D848"]),
    case("xid8", TEXT, &["18446744073709551615"]),
    case("point", TEXT, &["(1,-0)", "(NaN,Infinity)"]),
    case("polygon", TEXT, &["((0,0),(1,1),(2,0))"]),
    case("regclass", TEXT, &["pg_class", "pg_type"]),
    case("jsonpath", TEXT, &["$.a[*] ? (@ > 1)"]),
    case("int2vector", TEXT, &["1 2 3", ""]),
    case("oidvector", TEXT, &["1 4294967295"]),
    case("tid", TEXT, &["(4294967295,65535)"]),
    case("small", TEXT, &["9999.99", "-0.01"]),
    case("smaller", TEXT, &["1.50"]),
    case("years", TEXT, &["1 year"]),
    case("int[]", LIST, &["{}", "{1,NULL,-3}", "[0:1]={7,8}", "[-5:-4]={1,2}", "{NULL}"]),
    case("ints", LIST, &["{1,2}"]),
    case("int8[]", LIST, &["{9223372036854775807}"]),
    case("bool[]", "'[' || array_to_string(c::int[], ',', 'NULL') || ']'", &["{}"]),
    case("text[]", LIST, &["{}", "{a,\"b c\",NULL,\"\",\"NULL\",\"{}\"}"]),
    case("numeric(6,2)[]", LIST, &["{1.10,NULL,-9999.99}"]),
    case("numeric[]", LIST, &["{1.10,NaN,Infinity}"]),
    case("small[]", LIST, &["{1.10,NULL}"]),
    case("\"mood \"\"of\"\" it\"[]", LIST, &["{sad,glücklich}"]),
    case("uuid[]", "'[' || replace(array_to_string(c, ','), '-', '') || ']'", &["{00000000-0000-0000-0000-00000000000f}"]),
    case("interval[]", LIST, &["{1 day,NULL,-00:00:01}"]),
    case("times", LIST, &["{1 day}"]),
    case("int4range[]", LIST, &["{\"[1,3)\",empty}"]),
    case("inet[]", "'[' || array_to_string(c::text[], ',') || ']'", &["{10.0.0.1/8,::1}"]),
    case("jsonb[]", LIST, &["{\"{\\\"a\\\": 1}\",null}"]),
    case("ints[]", "'[[1,2],NULL]'", &["{\"{1,2}\",NULL}"]),
    case("times[]", "'[{\"1 day\",NULL},NULL]'", &["{\"{1 day,NULL}\",NULL}"]),
    case("with_interval[]", LIST, &["{\"(1,\\\"1 day\\\")\",NULL}"]),
    case("pair", "'(' || coalesce((c).a::text, 'NULL') || ',' || coalesce((c).\"b c\", 'NULL') || ')'", &["(1,x)", "(,)", "(2,\"a,\"\"b\")"]),
    case("pair[]", "'[(1,x),NULL,(NULL,NULL)]'", &["{\"(1,x)\",NULL,\"(,)\"}"]),
    case("shrunk", "'(' || (c).a || ',' || (c).z || ')'", &["(1,z)"]),
    case("outer_row", "'(' || repeat('0', 32) || ',(1.50,0,[(1,x),NULL]),[sad,NULL])'", &["(00000000-0000-0000-0000-000000000000,\"(1.50,1970-01-01 00:00:00+00,\"\"{\"\"\"\"(1,x)\"\"\"\",NULL}\"\")\",\"{sad,NULL}\")"]),
    case("with_interval", TEXT, &["(1,\"1 day\")"]),
    case("hollow", TEXT, &["()"]),
];

/// What needs an extension.
pub(super) const EXTENSION_CASES: &[(&str, Case)] = &[
    (
        "hstore",
        case(
            "hstore",
            "'{' || array_to_string((hstore_to_array(c)), ',', 'NULL') || '}'",
            &["", "a=>1", "\"é \"=>\"x=>y\",b=>NULL"],
        ),
    ),
    ("citext", case("citext", TEXT, &["MiXed", ""])),
];

#[tokio::test]
async fn decoded_values_are_what_the_server_prints() {
    let database = lab::Cluster::shared().database();
    let client = database.client().await;
    client.batch_execute(SETUP).await.unwrap();
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    for case in CASES {
        check(&client, case).await;
    }
    for (extension, case) in EXTENSION_CASES {
        let sql = format!("CREATE EXTENSION IF NOT EXISTS {extension}");
        if let Err(error) = client.batch_execute(&sql).await {
            eprintln!("not tested, since this server has no {extension}: {error}");
            continue;
        }
        check(&client, case).await;
    }
}

async fn check(client: &Client, case: &Case) {
    let Case { sql_type, expected, values } = case;
    let table = format!("DROP TABLE IF EXISTS golden; CREATE TABLE golden (n serial, c {sql_type})");
    client.batch_execute(&table).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
    for value in *values {
        let sql = format!("INSERT INTO golden (c) VALUES ('{}')", value.replace('\'', "''"));
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    let has_null = client.batch_execute("INSERT INTO golden (c) VALUES (NULL)").await.is_ok();
    let column = column_of_golden(client).await;
    let array = copied(client, &column).await;
    let sql = format!("SELECT CASE WHEN num_nulls(c) = 0 THEN {expected} END FROM golden ORDER BY n");
    let rows = client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!((rows.len(), rows.len()), (array.len(), values.len() + usize::from(has_null)));
    for (at, row) in rows.iter().enumerate() {
        let mut expected: Option<String> = row.get(0);
        if array.data_type().is_floating() {
            // Both are right where they are the same number.
            expected = expected.map(|text| float(&text));
        }
        let value = values.get(at);
        assert_eq!(rendered(&array, at), expected, "{sql_type} {value:?} as {}", array.data_type());
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

fn float(text: &str) -> String {
    format!("{:?}", text.parse::<f64>().unwrap())
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
        DataType::Float32 => float(&array.as_primitive::<Float32Type>().value(at).to_string()),
        DataType::Float64 => float(&array.as_primitive::<Float64Type>().value(at).to_string()),
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
