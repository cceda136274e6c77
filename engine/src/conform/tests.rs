use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{Array, Decimal128Array, Int32Array, Int64Array, UInt32Array};
use protocol::{DriftPolicy, ErrorKind, SyncMode, UnfitPolicy, WriteMode, reconcile};

use super::*;

fn stream(fields: Vec<Field>) -> ConfiguredStream {
    ConfiguredStream {
        connection: "c".into(),
        name: "s".into(),
        target: "t".into(),
        schema: Arc::new(Schema::new(fields)),
        primary_key: Vec::new(),
        sync_mode: SyncMode::FullRefresh,
        write_mode: WriteMode::Append,
        cursor: None,
        soft_delete: None,
        lag: None,
        filter: None,
        on_unfit: UnfitPolicy::Error,
        on_drift: DriftPolicy::Evolve,
        options: std::collections::BTreeMap::default(),
    }
}

fn all_metadata() -> MetadataColumns {
    MetadataColumns {
        extracted_at: Some("_at".into()),
        sync_id: Some("_sync".into()),
        row_id: Some("_row".into()),
        deleted_at: None,
    }
}

/// Conforms to a target that had `before`.
fn conform(stream: &ConfiguredStream, metadata: &MetadataColumns, before: Vec<Field>) -> Conform {
    let written = written_schema(stream, metadata).unwrap();
    let (target, _) = reconcile(&Schema::new(before), &written, DriftPolicy::Evolve).unwrap();
    Conform::new(stream, metadata, target, SyncId::new(), DateTime::UNIX_EPOCH)
}

fn int(name: &str) -> Field {
    Field::new(name, DataType::Int64, false)
}

fn ints(schema: Vec<Field>, values: &[i64]) -> RecordBatch {
    let columns = schema.iter().map(|_| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef).collect();
    RecordBatch::try_new(Arc::new(Schema::new(schema)), columns).unwrap()
}

#[test]
fn columns_take_the_targets_order_and_what_is_gone_is_null() {
    let stream = stream(vec![int("b"), int("a")]);
    let conform = conform(&stream, &MetadataColumns::default(), vec![int("a"), int("gone"), int("b")]);
    let batch = conform.apply(&ints(vec![int("b"), int("a")], &[1, 2])).unwrap();
    assert_eq!(batch.schema_ref(), conform.target());
    assert_eq!(batch.column(1).null_count(), 2);
    assert_eq!(batch.column(2).as_primitive::<Int64Type>().values(), &[1, 2]);
}

#[test]
fn narrow_values_are_widened_unchanged() {
    let fields = |number: DataType, unsigned: DataType, decimal: DataType| {
        vec![Field::new("n", number, true), Field::new("u", unsigned, true), Field::new("d", decimal, true)]
    };
    let stream = stream(fields(DataType::Int32, DataType::UInt32, DataType::Decimal128(10, 2)));
    let before = fields(DataType::Int64, DataType::Int64, DataType::Decimal128(38, 6));
    let conform = conform(&stream, &MetadataColumns::default(), before);
    let decimals = Decimal128Array::from(vec![Some(9_999_999_999), None]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None])),
        Arc::new(UInt32Array::from(vec![Some(u32::MAX), None])),
        Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
    ];
    let batch = conform.apply(&RecordBatch::try_new(stream.schema.clone(), columns).unwrap()).unwrap();
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().value(0), i64::from(i32::MIN));
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().value(0), i64::from(u32::MAX));
    assert_eq!(batch.column(2).as_primitive::<Decimal128Type>().value(0), 99_999_999_990_000);
    assert!(batch.columns().iter().all(|column| column.is_null(1)));
}

#[test]
fn a_value_that_the_target_can_not_hold_is_an_error_and_never_null() {
    // No destination that reconciles gives such a target.
    let target = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    let stream = stream(vec![int("n")]);
    let conform =
        Conform::new(&stream, &MetadataColumns::default(), target, SyncId::new(), DateTime::UNIX_EPOCH);
    let error = conform.apply(&ints(vec![int("n")], &[i64::MAX])).unwrap_err();
    assert_eq!((error.kind(), error.context_value("column")), (ErrorKind::Schema, Some("n")));
}

#[test]
fn metadata_is_added_to_each_row() {
    let stream = stream(vec![int("a")]);
    let conform = conform(&stream, &all_metadata(), Vec::new());
    let batch = conform.apply(&ints(vec![int("a")], &[1, 2, 3])).unwrap();
    let names: Vec<_> = batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["a", "_at", "_sync", "_row"]);
    assert_eq!(batch.column(2).as_string::<i32>().value(2), conform.sync.to_string());
    let ids = batch.column(3).as_fixed_size_binary();
    assert!(ids.value(0) != ids.value(1) && ids.value(1) != ids.value(2));
    // Rows without any column of their own have metadata too.
    let none = self::stream(Vec::new());
    let options = RecordBatchOptions::new().with_row_count(Some(2));
    let rows = RecordBatch::try_new_with_options(none.schema.clone(), Vec::new(), &options).unwrap();
    let batch = self::conform(&none, &all_metadata(), Vec::new()).apply(&rows).unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (2, 3));
}

#[test]
fn a_name_is_given_once() {
    let stream = stream(vec![int("_row")]);
    let error = written_schema(&stream, &all_metadata()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.to_string(), "metadata column \"_row\" has the name of another column (stream \"s\")");
    let twice = MetadataColumns { sync_id: Some("_at".into()), ..all_metadata() };
    assert!(written_schema(&self::stream(vec![int("a")]), &twice).is_err());
}

#[test]
fn a_batch_that_differs_from_the_plan_is_refused_naming_the_column() {
    let conform = conform(&stream(vec![int("a"), int("b")]), &MetadataColumns::default(), Vec::new());
    let message = |batch| {
        let error = conform.apply(&batch).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        error.to_string()
    };
    assert_eq!(message(ints(vec![int("a")], &[1])), "the source sent 1 columns, 2 were planned");
    assert_eq!(
        message(ints(vec![int("a"), int("c")], &[1])),
        "the source sent column \"c\" as Int64, planned was \"b\" as Int64 (column \"b\")"
    );
    let schema = Schema::new(vec![int("a"), Field::new("b", DataType::Int32, false)]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![1])), Arc::new(Int32Array::from(vec![1]))];
    assert_eq!(
        message(RecordBatch::try_new(Arc::new(schema), columns).unwrap()),
        "the source sent column \"b\" as Int32, planned was \"b\" as Int64 (column \"b\")"
    );
}

#[test]
fn null_where_none_may_be_is_refused_naming_the_column() {
    let conform = conform(&stream(vec![int("a")]), &MetadataColumns::default(), Vec::new());
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    let column: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let error = conform.apply(&RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(error.to_string(), "column \"a\" is NULL and must not be (column \"a\")");
}
