use std::collections::HashMap;

use protocol::ErrorKind;

use super::*;

fn extended(name: &str, data_type: DataType, extension: &str) -> Field {
    Field::new(name, data_type, true)
        .with_metadata(HashMap::from([(EXTENSION.to_owned(), extension.to_owned())]))
}

fn all() -> Schema {
    let item = |data_type| Arc::new(Field::new("element", data_type, true));
    let plain = [
        ("i2", DataType::Int16),
        ("i4", DataType::Int32),
        ("i8", DataType::Int64),
        ("oid", DataType::UInt32),
        ("f4", DataType::Float32),
        ("f8", DataType::Float64),
        ("n", DataType::Decimal128(38, 9)),
        ("m", DataType::Decimal256(20, 2)),
        ("wide", DataType::Decimal256(76, 10)),
        ("neg", DataType::Decimal128(10, -2)),
        ("b", DataType::Boolean),
        ("t", DataType::Utf8),
        ("raw", DataType::Binary),
        ("d", DataType::Date32),
        ("time", DataType::Time64(TimeUnit::Microsecond)),
        ("ts", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("tz", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        ("list", DataType::List(item(DataType::Int32))),
        ("group", DataType::Struct(vec![item(DataType::Int32)].into())),
    ];
    let mut fields: Vec<Field> = plain.into_iter().map(|(name, kind)| Field::new(name, kind, true)).collect();
    fields.push(extended("uuid", DataType::FixedSizeBinary(16), "arrow.uuid"));
    fields.push(extended("json", DataType::Utf8, "arrow.json"));
    Schema::new(fields)
}

#[test]
fn every_type_has_its_place() {
    let shown: Vec<String> = columns(&all(), Spelling::Upper, JsonAs::Variant)
        .unwrap()
        .iter()
        .map(|column| {
            let (copied, table) = (column.kind.copied_type(), column.kind.table_type());
            format!("{} {copied} -> {} {table}", column.source, column.value())
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#""i2" NUMBER(38, 0) -> "i2" NUMBER(38, 0)"#,
            r#""i4" NUMBER(38, 0) -> "i4" NUMBER(38, 0)"#,
            r#""i8" NUMBER(38, 0) -> "i8" NUMBER(38, 0)"#,
            r#""oid" NUMBER(38, 0) -> "oid" NUMBER(38, 0)"#,
            r#""f4" FLOAT -> "f4" FLOAT"#,
            r#""f8" FLOAT -> "f8" FLOAT"#,
            r#""n" NUMBER(38, 9) -> "n" NUMBER(38, 9)"#,
            r#""m" NUMBER(20, 2) -> "m" NUMBER(20, 2)"#,
            r#""wide" VARCHAR -> "wide" VARCHAR"#,
            r#""neg" VARCHAR -> "neg" VARCHAR"#,
            r#""b" BOOLEAN -> "b" BOOLEAN"#,
            r#""t" VARCHAR -> "t" VARCHAR"#,
            r#""raw" BINARY -> "raw" BINARY"#,
            r#""d" DATE -> "d" DATE"#,
            r#""time" VARCHAR -> TO_TIME("time") TIME(6)"#,
            r#""ts" TIMESTAMP_NTZ(6) -> "ts" TIMESTAMP_NTZ(6)"#,
            r#""tz" TIMESTAMP_TZ(6) -> "tz" TIMESTAMP_TZ(6)"#,
            r#""list" VARCHAR -> PARSE_JSON("list")::ARRAY ARRAY"#,
            r#""group" VARCHAR -> PARSE_JSON("group") VARIANT"#,
            r#""uuid" VARCHAR(36) -> "uuid" VARCHAR(36)"#,
            r#""json" VARCHAR -> PARSE_JSON("json") VARIANT"#,
        ]
    );
}

#[test]
fn files_hold_types_that_are_taken_as_they_are_and_tell_what_they_were() {
    let files = file_schema(&all());
    for field in files.fields() {
        assert!(!field.metadata().contains_key(EXTENSION), "{field}");
        let fits = matches!(
            field.data_type(),
            DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Float32
                | DataType::Float64
                | DataType::Decimal128(..)
                | DataType::Boolean
                | DataType::Utf8
                | DataType::Binary
                | DataType::Date32
                | DataType::Timestamp(..)
        );
        assert!(fits, "{field}");
    }
    assert_eq!(logical(&files).unwrap().as_ref(), &all());
    assert_eq!(logical(&all()).unwrap().as_ref(), &all());
}

#[test]
fn json_may_stay_text() {
    let schema = Schema::new(vec![extended("j", DataType::Utf8, "arrow.json")]);
    let columns = columns(&schema, Spelling::Upper, JsonAs::Text).unwrap();
    assert!(!columns[0].needs_cast());
    assert_eq!(columns[0].kind.table_type(), "VARCHAR");
}

#[test]
fn columns_that_would_have_one_name_are_refused() {
    let schema =
        Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("ID", DataType::Int64, true)]);
    let error = columns(&schema, Spelling::Upper, JsonAs::Variant).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("\"id\"") && error.message().contains("\"ID\""), "{error}");
    assert_eq!(columns(&schema, Spelling::Source, JsonAs::Variant).unwrap().len(), 2);
}

#[test]
fn a_type_nobody_thought_of_is_refused_by_name() {
    let schema = Schema::new(vec![Field::new("odd", DataType::Duration(TimeUnit::Second), true)]);
    let error = columns(&schema, Spelling::Upper, JsonAs::Variant).unwrap_err();
    assert_eq!((error.kind(), error.context_value("column")), (ErrorKind::Schema, Some("odd")));
}
