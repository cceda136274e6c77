//! Rows that are missing or differ, by an old stamp at the source or by damage at the destination.

use std::fs::File;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, Int64Array, RecordBatch};
use lab::{Cluster, Database};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::{counts, keys, reconciled};
use crate::support::Project;

async fn synced() -> (Database, Project) {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, n bigint, tags text[], updated_at timestamptz); \
             INSERT INTO t SELECT i, i, ARRAY['x', NULL, i::text], timestamptz '2025-01-01' + i * interval '1 day' \
               FROM generate_series(1, 10) i",
        )
        .await;
    let project = Project::new(&database).stream(
        json!({ "name": "public.t", "cursor": "updated_at", "lag": "0s", "options": { "sweep": "never" } }),
    );
    project.sync();
    (database, project)
}

#[tokio::test]
async fn what_was_written_with_an_old_stamp_is_missing_or_differs() {
    let (database, project) = synced().await;
    database
        .execute(
            "INSERT INTO t VALUES (11, 11, NULL, '2025-01-05'); \
             UPDATE t SET n = 0 WHERE id = 3; \
             UPDATE t SET tags = ARRAY['x', '', '4'] WHERE id = 4; \
             UPDATE t SET updated_at = '2024-01-01' WHERE id = 5; \
             UPDATE t SET n = 0, updated_at = now() WHERE id = 6; \
             INSERT INTO t VALUES (12, 12, NULL, now())",
        )
        .await;
    let by_key = reconciled(&project, &[], 65);
    assert_eq!(counts(&by_key), [8, 2, 1, 1, 0]);
    assert_eq!((keys(&by_key, "missing"), keys(&by_key, "differing")), (vec!["11"], vec!["5"]));
    let by_all = reconciled(&project, &["--columns", "all"], 65);
    assert_eq!(counts(&by_all), [6, 2, 1, 3, 0]);
    assert_eq!(keys(&by_all, "differing"), ["3", "4", "5"]);
    assert_eq!(by_all["columns"], json!(["id", "n", "tags", "updated_at"]));
    // What can't be put right exactly is left, and said.
    let applied = reconciled(&project, &["--columns", "all", "--apply"], 65);
    assert_eq!(counts(&applied), [6, 2, 1, 3, 0]);
    assert!(applied["notes"][0].as_str().is_some_and(|note| note.contains("state reset")), "{applied:#}");
    // The ones that were pending come.
    crate::support::until("the rows with new stamps", || {
        project.sync();
        counts(&reconciled(&project, &["--columns", "all"], 65)) == [8, 0, 1, 3, 0]
    });
}

/// Writes the target's only file anew, without the row of one id and with another `n` in another's.
fn tamper(project: &Project, lost: i64, changed: i64) {
    let folder = project.path("lake/public.t");
    let mut files = std::fs::read_dir(&folder).expect("a sync was committed");
    let path = files.next().expect("it has a file").expect("it can be listed").path();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).expect("it is there"));
    let reader = reader.and_then(ParquetRecordBatchReaderBuilder::build).expect("it is Parquet");
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("it is whole")).collect();
    let file = File::create(&path).expect("it can be written");
    let mut writer = ArrowWriter::try_new(file, batches[0].schema(), None).expect("Parquet takes the schema");
    for batch in &batches {
        let numbers = |name: &str| {
            batch.column_by_name(name).expect("it is a column").as_primitive::<Int64Type>().clone()
        };
        let (ids, numbers) = (numbers("id"), numbers("n"));
        let altered = ids.values().iter().zip(numbers.values());
        let altered: Int64Array = altered.map(|(id, n)| if *id == changed { n + 1 } else { *n }).collect();
        let mut columns = batch.columns().to_vec();
        columns[batch.schema().index_of("n").expect("it is a column")] = Arc::new(altered);
        let batch = RecordBatch::try_new(batch.schema(), columns).expect("the columns are as they were");
        let keep: BooleanArray = ids.iter().map(|id| Some(id != Some(lost))).collect();
        let rest = arrow_select::filter::filter_record_batch(&batch, &keep).expect("a mask fits");
        writer.write(&rest).expect("it can be written");
    }
    writer.close().expect("it can be written");
}

#[tokio::test]
async fn a_row_that_was_lost_or_altered_in_a_file_is_found() {
    let (_database, project) = synced().await;
    tamper(&project, 7, 8);
    let found = reconciled(&project, &["--columns", "all"], 65);
    assert_eq!(counts(&found), [8, 0, 1, 1, 0]);
    assert_eq!((keys(&found, "missing"), keys(&found, "differing")), (vec!["7"], vec!["8"]));
}

#[tokio::test]
async fn a_file_that_is_gone_is_damage_and_no_difference() {
    let (_database, project) = synced().await;
    std::fs::remove_dir_all(project.path("lake/public.t")).expect("it is the test's own");
    let found = reconciled(&project, &[], 65);
    assert_eq!((&found["outcome"], &found["error"]["kind"]), (&json!("failed"), &json!("data")));
}
