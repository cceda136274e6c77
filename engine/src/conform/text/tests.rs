use std::collections::HashMap;

use arrow_array::builder::{
    Int64Builder, ListBuilder, MapBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{Date32Array, Decimal128Array, Int64Array};

use super::*;

fn extended(name: &str, data_type: DataType, extension: &str) -> Field {
    Field::new(name, data_type, true)
        .with_metadata(HashMap::from([(EXTENSION.to_owned(), extension.to_owned())]))
}

fn texts(column: impl Array + 'static, field: &Field) -> Vec<Option<String>> {
    assert!(is_spelled(field, &DataType::Utf8), "{field:?}");
    let spelled = spell(&(Arc::new(column) as ArrayRef), field).unwrap();
    spelled.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn a_uuid_has_hyphens_and_no_quotes() {
    let field = extended("id", DataType::FixedSizeBinary(16), "arrow.uuid");
    let ids = vec![Some([0x0A_u8; 16]), None];
    let column = FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids.into_iter(), 16).unwrap();
    let expected = [Some("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a".to_owned()), None];
    assert_eq!(texts(column, &field), expected);
}

#[test]
fn lists_tell_nothing_from_null_and_empty() {
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.append_value([Some(1), None, Some(i64::MIN)]);
    lists.append_value([]);
    lists.append_null();
    let column = lists.finish();
    let field = Field::new("l", column.data_type().clone(), true);
    let expected = [Some("[1,null,-9223372036854775808]".to_owned()), Some("[]".to_owned()), None];
    assert_eq!(texts(column, &field), expected);
}

#[test]
fn instants_in_lists_are_in_utc() {
    let mut lists = ListBuilder::new(TimestampMicrosecondBuilder::new().with_timezone("UTC"));
    lists.append_value([Some(0), None, Some(-1), Some(1_774_747_800_000_001)]);
    let column = lists.finish();
    let field = Field::new("l", column.data_type().clone(), true);
    let expected =
        r#"["1970-01-01T00:00:00Z",null,"1969-12-31T23:59:59.999999Z","2026-03-29T01:30:00.000001Z"]"#;
    assert_eq!(texts(column, &field), [Some(expected.to_owned())]);
}

#[test]
fn a_slice_is_written_as_its_own_rows() {
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.append_value([Some(1)]);
    lists.append_value([Some(2), Some(3)]);
    let column: ArrayRef = Arc::new(lists.finish().slice(1, 1));
    let field = Field::new("l", column.data_type().clone(), true);
    assert_eq!(texts(column, &field), [Some("[2,3]".to_owned())]);
}

#[test]
fn groups_keep_every_kind_of_value_exactly() {
    let fields = vec![
        Field::new("tricky \" name", DataType::Utf8, true),
        extended("json", DataType::Utf8, "arrow.json"),
        Field::new("amount", DataType::Decimal128(38, 2), true),
        Field::new("day", DataType::Date32, true),
        Field::new("ratio", DataType::Float64, true),
        Field::new("big", DataType::Int64, true),
        Field::new("raw", DataType::Binary, true),
        Field::new("none", DataType::Utf8, true),
    ];
    let amount = Decimal128Array::from(vec![-12_345_i128]).with_precision_and_scale(38, 2).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["a\"\u{1}é\n"])),
        Arc::new(StringArray::from(vec![r#"{"a": 1.0000000000000000001}"#])),
        Arc::new(amount),
        Arc::new(Date32Array::from(vec![0])),
        Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])),
        Arc::new(Int64Array::from(vec![i64::MAX])),
        Arc::new(BinaryArray::from(vec![b"\x00\xff".as_slice()])),
        Arc::new(StringArray::from(vec![None::<&str>])),
    ];
    let group = StructArray::new(fields.clone().into(), columns, None);
    let field = Field::new("g", group.data_type().clone(), true);
    let expected = concat!(
        r#"{"tricky \" name":"a\"\u0001é\n","json":{"a": 1.0000000000000000001},"amount":-123.45,"#,
        r#""day":"1970-01-01","ratio":"-Infinity","big":9223372036854775807,"raw":"00FF","none":null}"#
    );
    assert_eq!(texts(group, &field), [Some(expected.to_owned())]);
}

#[test]
fn maps_are_objects() {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    maps.keys().append_value("k");
    maps.values().append_null();
    maps.append(true).unwrap();
    let column = maps.finish();
    let field = Field::new("m", column.data_type().clone(), true);
    assert_eq!(texts(column, &field), [Some(r#"{"k":null}"#.to_owned())]);
}

#[test]
fn numbers_of_many_digits_are_texts() {
    let field = Field::new("n", DataType::Decimal256(40, 0), true);
    let item = Arc::new(field);
    let value = arrow_array::Decimal256Array::from(vec![arrow_buffer::i256::from_i128(i128::MAX)])
        .with_precision_and_scale(40, 0)
        .unwrap();
    let list = ListArray::new(
        Arc::clone(&item),
        arrow_buffer::OffsetBuffer::from_lengths([1]),
        Arc::new(value),
        None,
    );
    let field = Field::new("l", DataType::List(item), true);
    assert_eq!(texts(list, &field), [Some(format!("[\"{}\"]", i128::MAX))]);
}
