//! Every type of the table in the documentation, with the values at its edges and NULL.

use lab::{Binaries, Cluster, Database, S3};
use serde_json::json;

use super::case::leaf::{
    BINARY, BOOLEAN, DATE, DOUBLE, FLOAT, INT16, INT32, INT64, JSON, LOCAL, STRING, TIME, UINT32, UTC, UUID,
};
use super::case::{Case, DAYS, LIST, MICROS, MICROS_OF_DAY, MICROS_UTC};
use super::compare::{self, Column};
use crate::support::Project;

/// Types that are there before the table.
const SETUP: &str = r#"
CREATE TYPE "mood ""of"" it" AS ENUM ('sad', 'it''s "ok", so, so', 'glücklich');
CREATE DOMAIN small AS numeric(6,2) CHECK (VALUE > -10000);
CREATE DOMAIN smaller AS small;
CREATE DOMAIN ints AS int[];
CREATE DOMAIN times AS interval[];
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE inner_row AS (amount numeric, at timestamptz, pairs pair[]);
CREATE TYPE outer_row AS (id uuid, inside inner_row, moods "mood ""of"" it"[]);
CREATE TYPE with_interval AS (a int, i interval);
CREATE TYPE shrunk AS (a int, gone int, z text);
ALTER TYPE shrunk DROP ATTRIBUTE gone;
"#;

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case::typed("bool", "bool", &[BOOLEAN], "BOOLEAN", &["t", "f"]),
    Case::typed("int2", "int16", &[INT16], "SMALLINT", &["0", "-32768", "32767"]),
    Case::typed("int4", "int32", &[INT32], "INTEGER", &["0", "-2147483648", "2147483647"]),
    Case::typed("int8", "int64", &[INT64], "BIGINT", &["0", "-9223372036854775808", "9223372036854775807"]),
    Case::typed("oid", "uint32", &[UINT32], "UINTEGER", &["0", "4294967295"]),
    Case::typed("float4", "float", &[FLOAT], "FLOAT", &["0", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "0.1"]).float(),
    Case::typed("float8", "double", &[DOUBLE], "DOUBLE", &["0", "-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1", "2.2250738585072009e-308"]).float(),
    Case::typed("numeric(9,2)", "decimal128(9, 2)", &[["INT32", "Decimal(precision=9, scale=2)"]], "DECIMAL(9,2)", &["0", "0.01", "-0.01", "9999999.99", "-9999999.99", "10000"]),
    Case::typed("numeric(18,4)", "decimal128(18, 4)", &[["INT64", "Decimal(precision=18, scale=4)"]], "DECIMAL(18,4)", &["0", "0.0001", "-0.0001", "1", "10000", "99999999999999.9999", "-99999999999999.9999", "12345678.9", "100000000.00"]),
    Case::typed("numeric(38,0)", "decimal128(38, 0)", &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=38, scale=0)"]], "DECIMAL(38,0)", &["99999999999999999999999999999999999999", "-1", "10000000000000000000000000000000000000"]),
    Case::typed("numeric(38,38)", "decimal128(38, 38)", &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=38, scale=38)"]], "DECIMAL(38,38)", &["0.99999999999999999999999999999999999999", "-0.00000000000000000000000000000000000001", "0"]),
    Case::typed("numeric(38,19)", "decimal128(38, 19)", &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=38, scale=19)"]], "DECIMAL(38,19)", &["1234567890123456789.1234567890123456789", "0.0000000000000000001", "-1"]),
    Case::typed("numeric(39,1)", "decimal256(39, 1)", &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=39, scale=1)"]], "DOUBLE", &["99999999999999999999999999999999999999.9", "-0.1", "0"]),
    Case::typed("numeric(76,38)", "decimal256(76, 38)", &[["FIXED_LEN_BYTE_ARRAY", "Decimal(precision=76, scale=38)"]], "DOUBLE", &["99999999999999999999999999999999999999.99999999999999999999999999999999999999", "-12345678901234567890.5", "0.00000000000000000000000000000000000001"]),
    Case::typed("numeric(2,-3)", "decimal128(5, 0)", &[["INT32", "Decimal(precision=5, scale=0)"]], "DECIMAL(5,0)", &["99000", "-1000", "0", "12345"]).since(15),
    Case::typed("numeric(3,5)", "decimal128(5, 5)", &[["INT32", "Decimal(precision=5, scale=5)"]], "DECIMAL(5,5)", &["0.00999", "-0.00001", "0"]).since(15),
    Case::text("numeric(77,0)", &["99999999999999999999999999999999999999999999999999999999999999999999999999999", "0", "NaN"]),
    Case::text("numeric(1000,500)", &["0.5", "-1e400", "1e-500"]),
    Case::text("numeric", &["0", "0.000", "-0.5", "1e20", "1.10", "NaN", "1e-16383", "-1e131071", "=repeat('9', 131072)::numeric", "=('0.' || repeat('1', 16383))::numeric", "10000.0001", "90000e10"]),
    Case::text("numeric", &["Infinity", "-Infinity"]).since(14),
    Case::text("text", &["", " ", "plain", "quote \" and ' and \\ and \t tab \n newline", "€ 𝄞 ẞ \u{feff}\u{202e}", "\\N", "NULL", "\u{1}\u{7f}"]),
    Case::text("varchar(5)", &["", "abc", "ünïcö"]),
    Case::text("bpchar", &["", "x"]),
    Case::text("char(5)", &["", "abc", "€"]).expected("rpad({c}::text, 5)"),
    Case::text("name", &["pg_class", "012345678901234567890123456789012345678901234567890123456789012"]),
    Case::text("\"char\"", &["a", "", "~"]),
    Case::text("\"mood \"\"of\"\" it\"", &["sad", "it's \"ok\", so, so", "glücklich"]),
    Case::typed("uuid", "extension<arrow.uuid>", &[UUID], "UUID", &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-fffffffffffe"]),
    Case::typed("json", "extension<arrow.json>", &[JSON], "JSON", &["{}", " { \"a\" : 1.0e400, \"a\":\t\"\\u0000\" } ", "null", "\"€\""]),
    Case::typed("jsonb", "extension<arrow.json>", &[JSON], "JSON", &["{}", "{\"b\": 1.500, \"a\": [1, null, \"€\"]}", "null", "1e5"]),
    Case::typed("bytea", "binary", &[BINARY], "BLOB", &["", "\\x00", "\\x00ff27225c", "plain"]),
    Case::typed("date", "date32[day]", &[DATE], "DATE", &["1970-01-01", "2000-01-01", "1999-12-31", "4713-11-24 BC", "0001-01-01", "9999-12-31", "5874897-12-31", "0001-12-31 BC"]).expected(DAYS),
    Case::typed("time", "time64[us]", &[TIME], "TIME", &["00:00:00", "23:59:59.999999", "12:34:56.5"]).expected(MICROS_OF_DAY),
    Case::typed("time(0)", "time64[us]", &[TIME], "TIME", &["12:34:56.4"]).expected(MICROS_OF_DAY),
    Case::typed("timestamp", "timestamp[us]", &[LOCAL], "TIMESTAMP", &["1970-01-01", "2000-01-01 00:00:00.000001", "1969-12-31 23:59:59.999999", "4713-11-24 BC", "294246-12-31 23:59:59.999999", "2262-04-12", "2016-12-31 23:59:60"]).expected(MICROS),
    Case::typed("timestamptz", "timestamp[us, tz=UTC]", &[UTC], "TIMESTAMP WITH TIME ZONE", &["1970-01-01 00:00:00+00", "2026-03-29 02:30:00 Europe/Berlin", "4713-11-24 00:00:00+00 BC", "294246-12-31 23:59:59.999999+00", "2000-01-01 00:00:00+15:59:59"]).expected(MICROS_UTC),
    Case::typed("timestamptz(3)", "timestamp[us, tz=UTC]", &[UTC], "TIMESTAMP WITH TIME ZONE", &["2026-11-22 10:00:00.1235+00"]).expected(MICROS_UTC),
    Case::text("interval", &["1 year -2 mons +3 days -04:05:06.789", "178000000 years", "-178000000 years", "00:00:00"]),
    Case::text("timetz", &["24:00:00+00", "12:00:00.5-15:59"]),
    Case::text("int4range", &["[1,5)", "empty", "(,)", "[3,]"]),
    Case::text("tstzrange", &["[2026-01-01 00:00:00+00,infinity)"]),
    Case::text("numrange", &["[1.10,2.0]"]),
    Case::text("int8multirange", &["{}", "{[1,3),[5,8)}"]).since(14),
    Case::text("tsvector", &["'a':1A 'fat':2B,4C 'it''s':5"]),
    Case::text("tsquery", &["fat & (rat | !cat)"]),
    Case::text("bit(5)", &["10101"]),
    Case::text("varbit", &["", "101"]),
    Case::text("money", &["12.34", "-92233720368547758.08"]),
    Case::text("inet", &["127.0.0.1", "10.1.2.3/8", "::ffff:1.2.3.4", "2001:db8::1/64"]),
    Case::text("cidr", &["10.0.0.0/8", "2001:db8::/32"]),
    Case::text("macaddr", &["08:00:2b:01:02:03"]),
    Case::text("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    Case::text("pg_lsn", &["16/B374D848"]),
    Case::text("xid8", &["18446744073709551615"]),
    Case::text("point", &["(1,-0)", "(NaN,Infinity)"]),
    Case::text("line", &["{1,2,3}"]),
    Case::text("lseg", &["[(0,0),(1,1)]"]),
    Case::text("box", &["(1,1),(0,0)"]),
    Case::text("path", &["((0,0),(1,1))", "[(0,0),(1,1)]"]),
    Case::text("polygon", &["((0,0),(1,1),(2,0))"]),
    Case::text("circle", &["<(0,0),1.5>"]),
    Case::text("regclass", &["pg_class", "pg_type"]),
    Case::text("jsonpath", &["$.a[*] ? (@ > 1)"]),
    Case::text("int2vector", &["1 2 3", ""]),
    Case::text("oidvector", &["1 4294967295"]),
    Case::text("tid", &["(4294967295,65535)"]),
    Case::typed("small", "decimal128(6, 2)", &[["INT32", "Decimal(precision=6, scale=2)"]], "DECIMAL(6,2)", &["9999.99", "-0.01"]),
    Case::typed("smaller", "decimal128(6, 2)", &[["INT32", "Decimal(precision=6, scale=2)"]], "DECIMAL(6,2)", &["1.50"]),
    Case::typed("int[]", "list<element: int32>", &[INT32], "INTEGER[]", &["{}", "{1,NULL,-3}", "[0:1]={7,8}", "[-5:-4]={1,2}", "{NULL}"]).nested(LIST),
    Case::typed("ints", "list<element: int32>", &[INT32], "INTEGER[]", &["{1,2}", "{}"]).nested(LIST),
    Case::typed("bool[]", "list<element: bool>", &[BOOLEAN], "BOOLEAN[]", &["{}", "{t,f,NULL}"]).nested(LIST),
    Case::typed("text[]", "list<element: string>", &[STRING], "VARCHAR[]", &["{}", "{a,\"b c\",NULL,\"\",\"NULL\",\"{}\"}"]).nested(LIST),
    Case::typed("bytea[]", "list<element: binary>", &[BINARY], "BLOB[]", &["{\"\\\\x00ff\",NULL,\"\"}"]).nested(LIST),
    Case::typed("numeric(6,2)[]", "list<element: decimal128(6, 2)>", &[["INT32", "Decimal(precision=6, scale=2)"]], "DECIMAL(6,2)[]", &["{1.10,NULL,-9999.99}"]).nested(LIST),
    Case::typed("numeric[]", "list<element: string>", &[STRING], "VARCHAR[]", &["{1.10,NaN,1e-10}"]).nested(LIST),
    Case::typed("small[]", "list<element: decimal128(6, 2)>", &[["INT32", "Decimal(precision=6, scale=2)"]], "DECIMAL(6,2)[]", &["{1.10,NULL}"]).nested(LIST),
    Case::typed("\"mood \"\"of\"\" it\"[]", "list<element: string>", &[STRING], "VARCHAR[]", &["{sad,glücklich,NULL,\"it's \\\"ok\\\", so, so\"}"]).nested(LIST),
    Case::typed("uuid[]", "list<element: extension<arrow.uuid>>", &[UUID], "UUID[]", &["{00000000-0000-0000-0000-00000000000f,NULL}"]).nested(LIST),
    Case::typed("interval[]", "list<element: string>", &[STRING], "VARCHAR[]", &["{1 day,NULL,-00:00:01}"]).nested(LIST),
    Case::typed("times", "list<element: string>", &[STRING], "VARCHAR[]", &["{1 day}"]).nested(LIST),
    Case::typed("int4range[]", "list<element: string>", &[STRING], "VARCHAR[]", &["{\"[1,3)\",empty}"]).nested(LIST),
    Case::typed("jsonb[]", "list<element: extension<arrow.json>>", &[JSON], "JSON[]", &["{\"{\\\"a\\\": 1}\",null}"]).nested(LIST),
    Case::typed("timestamptz[]", "list<element: timestamp[us, tz=UTC]>", &[UTC], "TIMESTAMP WITH TIME ZONE[]", &["{1970-01-01 00:00:01+00,NULL}"]).nested("'[\"1000000\", null]'"),
    Case::typed("date[]", "list<element: date32[day]>", &[DATE], "DATE[]", &["{1970-01-03,NULL}"]).nested("'[\"2\", null]'"),
    Case::typed("ints[]", "list<element: list<element: int32>>", &[INT32], "INTEGER[][]", &["{\"{1,2}\",NULL}"]).nested("'[[\"1\", \"2\"], null]'"),
    Case::typed("pair", "struct<a: int32, b c: string>", &[INT32, STRING], "STRUCT(a INTEGER, \"b c\" VARCHAR)", &["(1,x)", "(,)", "(2,\"a,\"\"b\")"]).nested("json_build_object('a', ({c}).a::text, 'b c', ({c}).\"b c\")::text"),
    Case::typed("pair[]", "list<element: struct<a: int32, b c: string>>", &[INT32, STRING], "STRUCT(a INTEGER, \"b c\" VARCHAR)[]", &["{\"(1,x)\",NULL,\"(,)\"}"]).nested("'[{\"a\": \"1\", \"b c\": \"x\"}, null, {\"a\": null, \"b c\": null}]'"),
    Case::typed("shrunk", "struct<a: int32, z: string>", &[INT32, STRING], "STRUCT(a INTEGER, z VARCHAR)", &["(1,z)"]).nested("json_build_object('a', ({c}).a::text, 'z', ({c}).z)::text"),
    Case::typed("outer_row", "struct<id: extension<arrow.uuid>, inside: struct<amount: string, at: timestamp[us, tz=UTC], pairs: list<element: struct<a: int32, b c: string>>>, moods: list<element: string>>", &[UUID, STRING, UTC, INT32, STRING, STRING], "STRUCT(id UUID, inside STRUCT(amount VARCHAR, \"at\" TIMESTAMP WITH TIME ZONE, pairs STRUCT(a INTEGER, \"b c\" VARCHAR)[]), moods VARCHAR[])", &["(00000000-0000-0000-0000-000000000000,\"(1.50,1970-01-01 00:00:00+00,\"\"{\"\"\"\"(1,x)\"\"\"\",NULL}\"\")\",\"{sad,NULL}\")"]).nested("'{\"id\": \"00000000-0000-0000-0000-000000000000\", \"inside\": {\"amount\": \"1.50\", \"at\": \"0\", \"pairs\": [{\"a\": \"1\", \"b c\": \"x\"}, null]}, \"moods\": [\"sad\", null]}'"),
    Case::typed("int8 NOT NULL DEFAULT 7", "int64", &[INT64], "BIGINT", &["1"]),
    Case::text("with_interval", &["(1,\"1 day\")"]),
];

/// What not every server was built with, and how to find out.
const OPTIONAL: &[(&str, Case)] = &[
    (
        "CREATE EXTENSION IF NOT EXISTS hstore",
        Case::typed(
            "hstore",
            "map<string, string ('{c}')>",
            &[STRING, STRING],
            "MAP(VARCHAR, VARCHAR)",
            &["", "a=>1", "\"é \"=>\"x=>y\",b=>NULL"],
        )
        .nested("hstore_to_json({c})::text"),
    ),
    ("CREATE EXTENSION IF NOT EXISTS citext", Case::text("citext", &["MiXed", ""])),
    (
        "SELECT '<a/>'::xml",
        Case::text("xml", &["<a>é</a>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>"]),
    ),
];

/// A table with a column for each case: in each row a value or, where there are no more, NULL.
pub(crate) async fn table(database: &Database, major: u32) -> Vec<Column> {
    database.execute(SETUP).await;
    let client = database.client().await;
    let mut cases: Vec<Case> = CASES.iter().filter(|case| case.since <= major).copied().collect();
    for (probe, case) in OPTIONAL {
        match client.batch_execute(probe).await {
            Ok(()) => cases.push(*case),
            Err(_) => eprintln!("PostgreSQL {major} here has no {}, which is not tested", case.sql),
        }
    }
    let columns = compare::columns(cases);
    let definitions: Vec<String> =
        columns.iter().map(|(name, case)| format!("{name} {}", case.sql)).collect();
    let create = format!("CREATE TABLE golden (n int PRIMARY KEY, {})", definitions.join(", "));
    client.batch_execute(&create).await.unwrap_or_else(|error| panic!("{create}: {error:?}"));
    let rows = columns.iter().map(|(_, case)| case.values.len()).max().expect("there are cases") + 1;
    for row in 0..rows {
        let values: Vec<String> = columns
            .iter()
            .map(|(_, case)| match case.values.get(row) {
                None if case.sql.contains("DEFAULT") => "DEFAULT".to_owned(),
                None => "NULL".to_owned(),
                Some(value) => match value.strip_prefix('=') {
                    Some(expression) => expression.to_owned(),
                    None => format!("'{}'", value.replace('\'', "''")),
                },
            })
            .collect();
        let insert = format!("INSERT INTO golden VALUES ({row}, {})", values.join(", "));
        client.batch_execute(&insert).await.unwrap_or_else(|error| panic!("{insert}: {error:?}"));
    }
    columns
}

#[tokio::test]
async fn every_type_is_read_back_as_every_server_prints_it() {
    let mut majors: Vec<u32> = Binaries::all().iter().map(Binaries::major).collect();
    majors.sort_unstable();
    majors.dedup();
    eprintln!("every type is read from PostgreSQL {majors:?}");
    for major in majors {
        let database = Cluster::shared_major(major).expect("it was just found").database();
        let columns = table(&database, major).await;
        let project = Project::new(&database).stream(json!({ "name": "public.golden" }));
        project.sync();
        let found = compare::differences(&database, "golden", &columns, &project, "public.golden").await;
        assert!(found.is_empty(), "PostgreSQL {major}:\n{}", found.join("\n"));
    }
}

#[tokio::test]
async fn every_type_is_read_back_from_a_bucket() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let columns = table(&database, cluster.major()).await;
    let project =
        Project::new(&database).in_bucket(&S3::shared().bucket()).stream(json!({ "name": "public.golden" }));
    project.sync();
    let found = compare::differences(&database, "golden", &columns, &project, "public.golden").await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}
