use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, FixedSizeBinaryBuilder, Int64Builder, ListBuilder, MapBuilder, StringBuilder, StructBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_buffer::i256;
use arrow_cast::cast;
use arrow_schema::{DataType, Field};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn one(name: &str, column: impl Array + 'static) -> RecordBatch {
    let column: ArrayRef = Arc::new(column);
    RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap()
}

fn digest(batch: &RecordBatch) -> Digest {
    content_of(batch).unwrap_or_else(|| panic!("no hash for {:?}", batch.schema()))
}

fn of(column: impl Array + 'static) -> Digest {
    digest(&one("c", column))
}

/// Two lists: `[3, NULL]` and `[]`; then a NULL.
fn lists() -> ArrayRef {
    let mut lists = ListBuilder::new(Int64Builder::new());
    lists.append_value([Some(3), None]);
    lists.append_value([]);
    lists.append_null();
    Arc::new(lists.finish())
}

fn structs(names: [&str; 2]) -> ArrayRef {
    let fields = names.map(|name| Field::new(name, DataType::Int64, true));
    let builders: Vec<Box<dyn ArrayBuilder>> =
        vec![Box::new(Int64Builder::new()), Box::new(Int64Builder::new())];
    let mut structs = StructBuilder::new(fields.to_vec(), builders);
    for (a, b, is_there) in
        [(Some(1), None, true), (None, Some(1), true), (None, None, true), (None, None, false)]
    {
        structs.field_builder::<Int64Builder>(0).unwrap().append_option(a);
        structs.field_builder::<Int64Builder>(1).unwrap().append_option(b);
        structs.append(is_there);
    }
    Arc::new(structs.finish())
}

fn maps() -> ArrayRef {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for entries in [vec![("a", Some("1")), ("b", None)], vec![], vec![("b", None), ("a", Some("1"))]] {
        for (key, value) in entries {
            maps.keys().append_value(key);
            maps.values().append_option(value);
        }
        maps.append(true).unwrap();
    }
    Arc::new(maps.finish())
}

fn uuids() -> ArrayRef {
    let mut uuids = FixedSizeBinaryBuilder::new(16);
    uuids.append_value([7; 16]).unwrap();
    uuids.append_null();
    uuids.append_value([0; 16]).unwrap();
    Arc::new(uuids.finish())
}

/// Every type that sources send.
fn every_type() -> Vec<(&'static str, ArrayRef)> {
    let decimal = |values: Vec<Option<i128>>| {
        Decimal128Array::from(values).with_precision_and_scale(18, 4).expect("it fits")
    };
    let wide =
        Decimal256Array::from(vec![Some(i256::from_i128(5)), None, Some(i256::MAX / i256::from(1000))]);
    vec![
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])) as ArrayRef),
        ("int16", Arc::new(Int16Array::from(vec![Some(-1), None, Some(7)]))),
        ("int32", Arc::new(Int32Array::from(vec![Some(-1), None, Some(7)]))),
        ("int64", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(7)]))),
        ("uint32", Arc::new(UInt32Array::from(vec![Some(u32::MAX), None, Some(0)]))),
        ("float32", Arc::new(Float32Array::from(vec![Some(f32::NAN), None, Some(-0.0)]))),
        ("float64", Arc::new(Float64Array::from(vec![Some(f64::INFINITY), None, Some(0.1)]))),
        ("decimal128", Arc::new(decimal(vec![Some(10_000), None, Some(-1)]))),
        ("decimal256", Arc::new(wide.with_precision_and_scale(76, 2).unwrap())),
        ("text", Arc::new(StringArray::from(vec![Some(""), None, Some("é\u{1F600}")]))),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&[][..]), None, Some(&[0, 255][..])]))),
        ("uuid", uuids()),
        ("date", Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_000)]))),
        ("time", Arc::new(Time64MicrosecondArray::from(vec![Some(1), None, Some(86_399_999_999)]))),
        ("stamp", Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None, Some(7)]))),
        (
            "zoned",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None, Some(7)]).with_timezone("UTC")),
        ),
        ("list", lists()),
        ("struct", structs(["a", "b"]).slice(1, 3)),
        ("map", maps()),
    ]
}

fn all_types() -> RecordBatch {
    let columns = every_type().into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn through_parquet(batch: &RecordBatch) -> RecordBatch {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    concat_batches(batches[0].schema_ref(), &batches).unwrap()
}

#[test]
fn the_hash_stays_what_it_is() {
    // Of version 1, for ever: files in the world carry these sums.
    let golden = HashMap::from(GOLDEN);
    for (name, column) in every_type() {
        let found = digest(&one("c", column)).to_string();
        assert_eq!(golden.get(name).copied(), Some(found.as_str()), "{name}");
    }
    assert_eq!(digest(&all_types()).to_string(), golden["all"]);
}

#[test]
fn every_type_is_the_same_after_parquet() {
    let batch = all_types();
    assert_eq!(digest(&through_parquet(&batch)), digest(&batch));
}

#[test]
fn order_and_division_do_not_matter_and_doubled_rows_do() {
    let batch = all_types();
    let parts = [batch.slice(2, 1), batch.slice(0, 1), batch.slice(1, 1)];
    let sum = parts.iter().map(digest).fold(Digest::default(), |sum, part| sum + part);
    assert_eq!(sum, digest(&batch));
    assert_eq!(digest(&concat_batches(batch.schema_ref(), &parts).unwrap()), digest(&batch));
    assert_ne!(sum + digest(&parts[0]), sum);
}

#[test]
fn null_is_not_an_empty_value_and_is_the_same_as_no_column() {
    let text = |value: Option<&str>| of(StringArray::from(vec![value]));
    assert_ne!(text(None), text(Some("")));
    assert_ne!(of(Int64Array::from(vec![None::<i64>])), of(Int64Array::from(vec![0])));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let gone: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>, None]));
    let both = RecordBatch::try_from_iter_with_nullable([("id", ids.clone(), true), ("gone", gone, true)]);
    assert_eq!(digest(&both.unwrap()), digest(&one("id", ids)));
}

#[test]
fn every_value_bound_to_its_column_and_its_row() {
    let pair = |names: [&str; 2], a: [i64; 2], b: [i64; 2]| {
        let columns: [ArrayRef; 2] =
            [Arc::new(Int64Array::from(a.to_vec())), Arc::new(Int64Array::from(b.to_vec()))];
        digest(&RecordBatch::try_from_iter(names.into_iter().zip(columns)).unwrap())
    };
    let whole = pair(["a", "b"], [1, 2], [3, 4]);
    assert_eq!(pair(["b", "a"], [3, 4], [1, 2]), whole, "the order of columns does not matter");
    assert_ne!(pair(["b", "a"], [1, 2], [3, 4]), whole, "a column's name does");
    assert_ne!(pair(["a", "b"], [1, 2], [4, 3]), whole, "values belong to their row");
    assert_ne!(of(StringArray::from(vec!["1"])), of(BinaryArray::from(vec![&b"1"[..]])));
    let stamps = TimestampMicrosecondArray::from(vec![1]);
    assert_ne!(of(stamps.clone()), of(stamps.with_timezone("UTC")));
}

#[test]
fn a_widened_column_keeps_its_hash() {
    let narrow = Int16Array::from(vec![Some(-3), None, Some(300)]);
    let wide = cast(&narrow, &DataType::Int64).unwrap();
    assert_eq!(of(narrow), digest(&one("c", wide)));
    assert_eq!(of(Int8Array::from(vec![-1])), of(Int64Array::from(vec![-1])));
    assert_eq!(of(UInt32Array::from(vec![u32::MAX])), of(Int64Array::from(vec![i64::from(u32::MAX)])));
    assert_ne!(of(UInt64Array::from(vec![u64::MAX])), of(Int64Array::from(vec![-1])));
    assert_eq!(of(Float32Array::from(vec![0.1, f32::NAN, -0.0])), {
        let wide = cast(&Float32Array::from(vec![0.1, f32::NAN, -0.0]), &DataType::Float64).unwrap();
        digest(&one("c", wide))
    });
    assert_ne!(of(Float64Array::from(vec![0.0])), of(Float64Array::from(vec![-0.0])));
    let decimal = Decimal128Array::from(vec![i128::MAX / 10, -1]).with_precision_and_scale(38, 2).unwrap();
    let wide = cast(&decimal, &DataType::Decimal256(76, 2)).unwrap();
    assert_eq!(of(decimal), digest(&one("c", wide)));
    assert_eq!(of(StringArray::from(vec!["é"])), of(LargeStringArray::from(vec!["é"])));
}

#[test]
fn nested_values_differ_where_their_shape_does() {
    let rows = |column: ArrayRef| {
        let batch = one("c", column);
        let mut rows = RowHasher::new(batch.schema_ref(), &[]).unwrap().rows(&batch);
        rows.sort_unstable();
        rows.dedup();
        rows.len()
    };
    assert_eq!(rows(lists()), 3);
    assert_eq!(rows(structs(["a", "b"])), 4, "a struct of NULLs is not NULL");
    assert_eq!(rows(maps()), 3);
    assert_ne!(digest(&one("c", structs(["a", "b"]))), digest(&one("c", structs(["a", "x"]))));
    let list = lists();
    let (front, back) = (list.slice(0, 1), list.slice(1, 2));
    assert_eq!(digest(&one("c", front)) + digest(&one("c", back)), digest(&one("c", list)));
    assert_eq!(structs(["a", "b"]).as_struct().len(), 4);
}

#[test]
fn a_type_without_a_hash_means_no_receipt() {
    let nothing = arrow_array::NullArray::new(1);
    assert_eq!(content_of(&one("c", nothing)), None);
}

#[test]
fn sums_of_columns_read_back() {
    let groups = [ColumnSums(vec![1, u64::MAX]), ColumnSums(vec![0, 7])];
    assert_eq!(ColumnSums::read(&ColumnSums::write(&groups)).unwrap(), groups);
    assert_eq!(ColumnSums::read(""), Some(vec![]));
    for wrong in ["00", "000000000000000g", "00000000000000010"] {
        assert_eq!(ColumnSums::read(wrong), None, "{wrong}");
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<i64>, Option<String>, Option<f64>, Vec<Option<i64>>);

    fn batch(rows: &[Row]) -> RecordBatch {
        let mut lists = ListBuilder::new(Int64Builder::new());
        for row in rows {
            lists.append_value(row.3.iter().copied());
        }
        let columns: [(&str, ArrayRef); 4] = [
            ("a", Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>())),
            ("b", Arc::new(rows.iter().map(|row| row.1.as_deref()).collect::<StringArray>())),
            ("c", Arc::new(rows.iter().map(|row| row.2).collect::<Float64Array>())),
            ("d", Arc::new(lists.finish())),
        ];
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_rows_are_the_same_after_parquet_and_in_any_order(
            rows: Vec<Row>,
            turn: prop::sample::Index,
        ) {
            prop_assume!(!rows.is_empty());
            let whole = digest(&batch(&rows));
            prop_assert_eq!(digest(&through_parquet(&batch(&rows))), whole);
            let mut turned = rows.clone();
            turned.rotate_left(turn.index(rows.len()));
            prop_assert_eq!(digest(&batch(&turned)), whole);
            let dropped = turned.pop().expect("there is one");
            prop_assert_ne!(digest(&batch(&turned)), whole);
            prop_assert_eq!(digest(&batch(&turned)) + digest(&batch(&[dropped])), whole);
        }
    }
}

/// What each type of [`every_type`] sums to as column `c`.
const GOLDEN: [(&str, &str); 20] = [
    ("boolean", "00000000000000022df12e19d55ccbae"),
    ("int16", "0000000000000001b5d84e1d4384c67c"),
    ("int32", "0000000000000001b5d84e1d4384c67c"),
    ("int64", "000000000000000227d2a5ead0968358"),
    ("uint32", "0000000000000001ccc4561c96b32697"),
    ("float32", "00000000000000029218074c60601da4"),
    ("float64", "00000000000000023e7922f1134439d1"),
    ("decimal128", "0000000000000001e0ef76a06eae9964"),
    ("decimal256", "00000000000000024bcc9c4de4883357"),
    ("text", "0000000000000001a1df0ba517daea1c"),
    ("bytes", "0000000000000001b8f95cb8184c5340"),
    ("uuid", "00000000000000021471cd53b76f635a"),
    ("date", "0000000000000002003d9d034df35577"),
    ("time", "00000000000000017709d949982f3950"),
    ("stamp", "0000000000000001e5ba33a5a9f101e1"),
    ("zoned", "0000000000000001202cc30aca5d5ca4"),
    ("list", "0000000000000001e018b3a4f090f0d7"),
    ("struct", "000000000000000169fdb3b5af830199"),
    ("map", "000000000000000115a8efe07581e5a8"),
    ("all", "0000000000000000c9395ef88f267858"),
];
