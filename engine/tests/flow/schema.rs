//! Columns that come, go and change, columns that tidegate adds, and folders.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use protocol::{FolderBy, FolderGrain};
use serde_json::json;

use crate::memory::source::{schema, timestamp};
use crate::memory::{Faults, Table, World};

/// Values of one column of all visible rows, in the order of their ids.
fn values(world: &World, column: &str) -> Vec<(i64, Option<String>)> {
    let mut values = Vec::new();
    for (_, batches) in world.store.files("numbers") {
        for batch in batches {
            let ids = cast(batch.column_by_name("id").unwrap(), &DataType::Int64).unwrap();
            let ids = ids.as_primitive::<arrow_array::types::Int64Type>();
            let options = FormatOptions::default();
            let found = batch.column_by_name(column);
            let shown = found.map(|array| (array, ArrayFormatter::try_new(array, &options).unwrap()));
            for row in 0..batch.num_rows() {
                let value = shown
                    .as_ref()
                    .filter(|(array, _)| !array.is_null(row))
                    .map(|(_, shown)| shown.value(row).to_string());
                values.push((ids.value(row), value));
            }
        }
    }
    values.sort();
    values
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.fields().iter().map(|field| field.name().as_str()).collect()
}

fn last_schema(world: &World) -> SchemaRef {
    world.store.head("numbers").schema.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_come_go_and_widen() {
    let world = World::new(Table::new(10).columns([("id", DataType::Int32), ("label", DataType::Utf8)]));
    world.run_well().await;
    world.tables.change("numbers", |table| {
        table.rows = 20;
        table.schema = schema([("id", DataType::Int64), ("extra", DataType::Int64)]);
    });
    let report = world.run_well().await;
    assert_eq!(report.streams[0].schema_changes.len(), 3, "{:?}", report.streams[0].schema_changes);
    assert_eq!(names(&last_schema(&world)), ["id", "label", "extra"]);
    assert_eq!(last_schema(&world).field(0).data_type(), &DataType::Int64);
    world.tables.change("numbers", |table| {
        table.rows = 30;
        table.schema = schema([("label", DataType::Utf8), ("id", DataType::Int32)]);
    });
    world.run_well().await;
    world.assert_whole("numbers", "drifted");
    for (id, label) in values(&world, "label") {
        let expected = (!(10..20).contains(&id)).then(|| format!("row {id}"));
        assert_eq!(label, expected);
    }
    for (id, extra) in values(&world, "extra") {
        assert_eq!(extra, (10..20).contains(&id).then(|| id.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_schema_stops_the_stream() {
    let world = World::new(Table::new(10)).set_stream("on_drift", "freeze");
    world.run_well().await;
    world.tables.change("numbers", |table| {
        table.rows = 20;
        table.schema = schema([("id", DataType::Int64), ("extra", DataType::Int64)]);
    });
    let report = world.run(&Faults::none()).await;
    assert_eq!(report.exit_code, 65);
    let message = &report.streams[0].error.as_ref().unwrap().message;
    assert!(message.contains("\"label\" is gone") && message.contains("\"extra\" is new"), "{message}");
    assert_eq!(world.ids("numbers"), (0..10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_not_what_was_planned_is_refused() {
    let planned = [("id", DataType::Int64), ("label", DataType::Utf8)];
    for (lies, column) in [
        (schema([("id", DataType::Int64)]), None),
        (schema([("id", DataType::Int64), ("label", DataType::Utf8), ("x", DataType::Utf8)]), None),
        (schema([("id", DataType::Int32), ("label", DataType::Utf8)]), Some("id")),
        (schema([("id", DataType::Int64), ("name", DataType::Utf8)]), Some("label")),
        (schema([("label", DataType::Utf8), ("id", DataType::Int64)]), Some("id")),
    ] {
        let mut table = Table::new(10).columns(planned.clone());
        table.lies = Some(lies);
        let world = World::new(table).set("retries", 3);
        let report = world.run(&Faults::none()).await;
        assert_eq!((report.exit_code, report.totals.retries), (65, 0));
        let error = report.streams[0].error.as_ref().unwrap();
        assert_eq!(error.kind, "schema");
        assert_eq!(error.context.get("column").map(String::as_str), column, "{error:?}");
        assert_eq!(error.context["stream"], "numbers");
        assert_eq!(world.store.head("numbers").sequence, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_null_where_none_may_be_stops_the_stream_naming_the_column() {
    let mut table = Table::new(10);
    table.schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("label", DataType::Utf8, false),
    ]));
    table.null_row = Some(7);
    let world = World::new(table);
    let report = world.run(&Faults::none()).await;
    assert_eq!(report.exit_code, 65);
    assert_eq!(report.streams[0].error.as_ref().unwrap().context["column"], "label");
    // The policies that change values make the column nullable.
    world.clone().set_stream("on_unfit", "null").run_well().await;
    world.assert_whole("numbers", "nullable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_columns_say_when_and_by_whom() {
    let metadata = json!({"extracted_at": "_at", "sync_id": "_sync", "row_id": "_row"});
    let world = World::new(Table::new(40)).set("metadata", metadata).set("parallelism", 3);
    let report = world.run_well().await;
    assert_eq!(names(&last_schema(&world)), ["id", "label", "_at", "_sync", "_row"]);
    let rows: Vec<RecordBatch> =
        world.store.files("numbers").into_iter().flat_map(|(_, batches)| batches).collect();
    let mut row_ids = BTreeSet::new();
    for batch in &rows {
        let at = batch.column_by_name("_at").unwrap().as_primitive::<TimestampMicrosecondType>();
        assert!(at.iter().all(|at| at == Some(report.started_at.timestamp_micros())));
        let sync = batch.column_by_name("_sync").unwrap().as_string::<i32>();
        assert!(sync.iter().all(|id| id == Some(&report.streams[0].sync.unwrap().to_string())));
        let ids = batch.column_by_name("_row").unwrap().as_fixed_size_binary();
        row_ids.extend((0..ids.len()).map(|row| ids.value(row).to_vec()));
    }
    assert_eq!(row_ids.len(), 40, "each row has an id of its own");
    // Left out later, they stay, NULL from then on.
    world.tables.change("numbers", |table| table.rows = 60);
    let world = world.set("metadata", json!({}));
    world.run_well().await;
    world.assert_whole("numbers", "without metadata");
    assert!(values(&world, "_sync").iter().all(|(id, sync)| sync.is_some() == (*id < 40)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metadata_column_never_takes_a_columns_name() {
    let world = World::new(Table::new(40)).set("metadata", json!({"sync_id": "label"}));
    let report = world.run(&Faults::none()).await;
    assert_eq!(report.exit_code, 78);
    let world = World::new(Table::new(40)).set("metadata", json!({"sync_id": "_x", "row_id": "_x"}));
    let report = world.run(&Faults::none()).await;
    assert_eq!(report.exit_code, 78, "{report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_is_written_once_into_its_folder() {
    for (grain, days) in [(FolderGrain::Day, 30), (FolderGrain::Month, 1), (FolderGrain::Year, 1)] {
        for checkpoints in [false, true] {
            for file_bytes in [1, 3_000, 64 << 20] {
                let table = Table::new(120).cut(50, 21).checkpoints(checkpoints);
                let table = table.columns([("id", DataType::Int64), ("at", timestamp())]);
                let world = World::new(table).files_of(file_bytes).set("parallelism", 2);
                world.store.options.lock().unwrap().folder_by =
                    Some(FolderBy { column: Some("at".into()), grain });
                world.run_well().await;
                world.assert_whole("numbers", "folders");
                let mut folders = BTreeSet::new();
                for (path, batches) in world.store.files("numbers") {
                    let (_, value) = path.split('/').nth(2).unwrap().split_once('=').unwrap();
                    folders.insert(value.to_owned());
                    for batch in batches {
                        let at = batch.column_by_name("at").unwrap();
                        for micros in at.as_primitive::<TimestampMicrosecondType>().values() {
                            let day = chrono::DateTime::from_timestamp_micros(*micros).unwrap().date_naive();
                            assert!(day.to_string().starts_with(value), "{path}");
                        }
                    }
                }
                assert_eq!(folders.len(), days, "{folders:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_among_folders_loses_and_doubles_nothing() {
    for step in 1.. {
        let table = Table::new(40).cut(20, 9).columns([("id", DataType::Int64), ("at", timestamp())]);
        let world = World::new(table).set("retries", 1);
        world.store.options.lock().unwrap().folder_by =
            Some(FolderBy { column: Some("at".into()), grain: FolderGrain::Day });
        let faults = Faults::at(step, crate::memory::Fault::Error(protocol::ErrorKind::Transient));
        let report = world.run(&faults).await;
        assert_eq!(report.exit_code, 0, "step {step}: {report:#?}");
        world.assert_whole("numbers", &format!("step {step}"));
        if faults.fired() == 0 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_by_a_column_that_is_not_there_are_refused() {
    let world = World::new(Table::new(10));
    for column in ["nothing", "label"] {
        world.store.options.lock().unwrap().folder_by =
            Some(FolderBy { column: Some(column.into()), grain: FolderGrain::Day });
        let report = world.run(&Faults::none()).await;
        assert_eq!(report.exit_code, 78, "{column}");
    }
}
