//! What can be read as what, and the SQL of it.

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use protocol::{ErrorKind, Stream};

use super::Column;
use crate::source::postgres::types::{NativeType, TypeKind, arrow_field};

fn native(oid: u32, name: &str, kind: TypeKind) -> NativeType {
    let (name, display) = (name.to_owned(), name.to_owned());
    NativeType { oid, schema: "pg_catalog".to_owned(), name, display, modifier: -1, kind }
}

fn base(oid: u32, name: &str) -> NativeType {
    native(oid, name, TypeKind::Base)
}

fn array_of(element: NativeType) -> NativeType {
    native(99_999, "an array", TypeKind::Array(Box::new(element)))
}

fn composite(attributes: &[(&str, NativeType)]) -> NativeType {
    let attributes = attributes.iter().map(|(name, native)| ((*name).to_owned(), native.clone())).collect();
    native(99_998, "a row", TypeKind::Composite(attributes))
}

fn list(data_type: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", data_type, true)))
}

/// The default type, the expression and what the server calls its type.
fn read(native: &NativeType) -> (DataType, String, u32) {
    let field = arrow_field("c", native, true);
    let column = Column::new(native, &field).unwrap();
    (field.data_type().clone(), column.select_expression().to_owned(), column.wire_type())
}

const TEXT: &str = r#""c"::pg_catalog.text"#;
const TEXTS: &str = r#""c"::pg_catalog.text[]"#;

#[test]
fn all_that_has_no_codec_is_text_by_the_server() {
    let interval = base(1186, "interval");
    let user_type = base(20_000, "geometry");
    for native in [
        interval.clone(),
        user_type.clone(),
        base(22, "int2vector"),
        native(3904, "int4range", TypeKind::Range),
        native(4451, "int4multirange", TypeKind::Multirange),
        native(2277, "anyarray", TypeKind::Pseudo),
        native(99_997, "a domain", TypeKind::Domain(Box::new(interval.clone()))),
        composite(&[("a", base(23, "int4")), ("i", interval.clone())]),
        composite(&[]),
    ] {
        assert_eq!(read(&native), (DataType::Utf8, TEXT.to_owned(), 25), "{}", native.name);
        let array = read(&array_of(native.clone()));
        assert_eq!(array, (list(DataType::Utf8), TEXTS.to_owned(), 1009), "{}[]", native.name);
    }
}

#[test]
fn a_type_is_known_by_its_number_and_not_by_its_name() {
    assert_eq!(read(&base(20_000, "int4")).0, DataType::Utf8);
    assert_eq!(read(&base(1000, "hstore")).0, DataType::Utf8, "no extension has such a number");
    assert!(matches!(read(&base(20_000, "hstore")).0, DataType::Map(..)));
}

#[test]
fn domains_are_what_they_are_domains_of() {
    let amount = NativeType { modifier: 655_366, ..base(1700, "numeric") };
    let domain = native(
        99_996,
        "outer",
        TypeKind::Domain(Box::new(native(99_995, "inner", TypeKind::Domain(Box::new(amount))))),
    );
    assert_eq!(read(&domain), (DataType::Decimal128(10, 2), r#""c""#.to_owned(), 1700));
    let field = arrow_field("c", &domain, false);
    assert_eq!(field.metadata().get(Stream::NATIVE_TYPE).map(String::as_str), Some("outer"));
    assert!(!field.is_nullable());
}

#[test]
fn arrays_of_domains_over_arrays_cast_only_the_outer_ones() {
    let inner = native(99_994, "times", TypeKind::Domain(Box::new(array_of(base(1186, "interval")))));
    assert_eq!(read(&array_of(inner)), (list(DataType::Utf8), TEXTS.to_owned(), 1009));
    let inner = native(99_994, "ints", TypeKind::Domain(Box::new(array_of(base(23, "int4")))));
    assert_eq!(read(&array_of(inner)), (list(list(DataType::Int32)), r#""c""#.to_owned(), 99_999));
}

#[test]
fn extensions_are_marked_also_inside() {
    let extension = |field: &Field| field.metadata().get("ARROW:extension:name").map(ToOwned::to_owned);
    assert_eq!(extension(&arrow_field("c", &base(2950, "uuid"), true)).as_deref(), Some("arrow.uuid"));
    let row = composite(&[("j", array_of(base(3802, "jsonb")))]);
    let DataType::Struct(fields) = arrow_field("c", &row, true).data_type().clone() else { panic!() };
    let DataType::List(element) = fields[0].data_type() else { panic!() };
    assert_eq!(extension(element).as_deref(), Some("arrow.json"));
}

#[test]
fn names_are_quoted() {
    let field = arrow_field(r#"we"ird; drop table x;--"#, &base(1186, "interval"), true);
    let column = Column::new(&base(1186, "interval"), &field).unwrap();
    assert_eq!(column.select_expression(), r#""we""ird; drop table x;--"::pg_catalog.text"#);
}

#[test]
fn numbers_can_be_read_wider_and_everything_as_text() {
    let numeric = base(1700, "numeric");
    for (native, requested, expression, wire_type) in [
        (base(21, "int2"), DataType::Int32, r#""c"::pg_catalog.int4"#, 23),
        (base(26, "oid"), DataType::Int64, r#""c"::pg_catalog.int8"#, 20),
        (base(700, "float4"), DataType::Float64, r#""c"::pg_catalog.float8"#, 701),
        (array_of(base(23, "int4")), list(DataType::Int64), r#""c"::pg_catalog.int8[]"#, 1016),
        (numeric.clone(), DataType::Decimal256(60, 10), r#""c""#, 1700),
        (array_of(numeric), list(DataType::Decimal128(10, 2)), r#""c""#, 99_999),
        (base(23, "int4"), DataType::Utf8, TEXT, 25),
        (base(17, "bytea"), DataType::Utf8, TEXT, 25),
        (array_of(base(23, "int4")), DataType::Utf8, TEXT, 25),
        (array_of(base(23, "int4")), list(DataType::Utf8), TEXTS, 1009),
    ] {
        let column = Column::new(&native, &Field::new("c", requested, true)).unwrap();
        assert_eq!((column.select_expression(), column.wire_type()), (expression, wire_type));
    }
}

#[test]
fn what_would_change_values_is_refused_naming_the_column() {
    for (native, requested) in [
        (base(20, "int8"), DataType::Int32),
        (base(25, "text"), DataType::Int32),
        (base(1184, "timestamptz"), DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, None)),
        (base(1700, "numeric"), DataType::Float64),
        (base(1700, "numeric"), DataType::Decimal128(10, -2)),
        (base(1186, "interval"), DataType::Int64),
        (
            composite(&[("a", base(23, "int4"))]),
            DataType::Struct(vec![Field::new("b", DataType::Int32, true)].into()),
        ),
    ] {
        let error = Column::new(&native, &Field::new("c", requested, true)).unwrap_err();
        assert_eq!((error.kind(), error.context_value("column")), (ErrorKind::Config, Some("c")));
    }
}
