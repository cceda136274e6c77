//! What a verification finds: whatever became of a file, it is named.

use std::collections::BTreeMap;

use arrow_schema::DataType;
use bytes::Bytes;
use engine::{Finding, Problem, StreamVerdict, Verdict};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use crate::memory::world::within;
use crate::memory::{Faults, Table, World};

/// 60 rows in several files, with columns that tidegate adds.
async fn synced() -> World {
    let columns = [("id", DataType::Int64), ("label", DataType::Utf8), ("count", DataType::Int32)];
    let world = World::new(Table::new(60).columns(columns).cut(20, 20))
        .files_of(1)
        .set("metadata", json!({"extracted_at": "_at", "row_id": "_row"}));
    world.run_well().await;
    world
}

async fn verify(world: &World) -> StreamVerdict {
    let report = within(world.sync(&Faults::none()).verify(false)).await.unwrap();
    assert_eq!(report.outcome, report.streams[0].outcome);
    let different = if report.outcome == Verdict::Different { 65 } else { 0 };
    assert_eq!(report.exit_code, different, "{report:#?}");
    report.streams.into_iter().next().unwrap()
}

/// The only thing that is wrong.
async fn finding(world: &World, context: &str) -> Finding {
    let verdict = verify(world).await;
    assert_eq!(verdict.findings.len(), 1, "{context}: {verdict:#?}");
    verdict.findings.into_iter().next().unwrap()
}

fn files(world: &World) -> BTreeMap<String, Bytes> {
    world.store.target("numbers", |target| target.visible.clone())
}

fn put(world: &World, path: &str, bytes: Bytes) {
    world.store.change("numbers", |target| drop(target.visible.insert(path.to_owned(), bytes)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_what_is_found() {
    let world = synced().await;
    let verdict = verify(&world).await;
    assert_eq!(verdict.outcome, Verdict::Ok, "{verdict:#?}");
    assert_eq!((verdict.files, verdict.files_verified, verdict.rows, verdict.commits), (3, 3, 60, 3));
    let head = world.store.head("numbers");
    assert_eq!(verdict.content, head.totals.content);
    assert!(verdict.content.is_some());
    let report = world.run_well().await;
    assert_eq!(report.streams[0].content, None, "nothing was written");
    let empty = World::new(Table::new(0));
    assert_eq!(verify(&empty).await.outcome, Verdict::Ok, "of a target that is not there");
    empty.run_well().await;
    assert_eq!(verify(&empty).await.outcome, Verdict::Ok, "of a target without rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flipped_bit_of_a_file_is_found() {
    let world = synced().await;
    let (path, good) = files(&world).into_iter().next().unwrap();
    let mut located = 0;
    // All bytes times all bits take minutes.
    for at in (0..good.len()).step_by(3) {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1 << (at % 8);
        put(&world, &path, bytes.into());
        let found = finding(&world, &format!("byte {at}")).await;
        assert_eq!(found.file.as_deref(), Some(path.as_str()), "byte {at}");
        assert!(
            matches!(found.problem, Problem::Unreadable | Problem::Rows | Problem::Content | Problem::Bytes),
            "byte {at}: {found:?}"
        );
        located += usize::from(found.column.is_some());
    }
    assert!(located * 12 > good.len(), "{located} flips are located by column");
    put(&world, &path, good);
    assert_eq!(verify(&world).await.outcome, Verdict::Ok);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_value_is_located_by_row_group_and_column() {
    let world = synced().await;
    let (path, good) = files(&world).into_iter().next().unwrap();
    // Files are not compressed: the value lies there as it is.
    let value = 7_i64.to_le_bytes();
    let at = good.windows(8).position(|bytes| bytes == value).expect("row 7 is in the first file");
    let mut bytes = good.to_vec();
    bytes[at] = 70;
    put(&world, &path, bytes.into());
    let found = finding(&world, "a value").await;
    assert_eq!(found.problem, Problem::Content, "{found:?}");
    assert_eq!((found.row_group, found.column.as_deref()), (Some(0), Some("id")));
    assert!(found.message.contains("row group 0, column \"id\""), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_gone_cut_exchanged_or_rewritten_is_found() {
    let world = synced().await;
    let all: Vec<(String, Bytes)> = files(&world).into_iter().collect();
    let (path, good) = all[0].clone();
    for length in [0, 1, good.len() / 2, good.len() - 1] {
        put(&world, &path, good.slice(..length));
        assert_eq!(finding(&world, "cut").await.problem, Problem::Size);
    }
    world.store.change("numbers", |target| drop(target.visible.remove(&path)));
    world.store.change("numbers", |target| target.lost.extend([path.clone()]));
    assert_eq!(finding(&world, "gone").await.problem, Problem::Missing);
    world.store.change("numbers", |target| target.lost.clear());
    put(&world, &path, good.clone());

    // Two files of one size, each in the other's place.
    let [(second, two), (third, three)] = &all[1..] else { panic!("there are three files") };
    assert_eq!(two.len(), three.len());
    put(&world, second, three.clone());
    put(&world, third, two.clone());
    let verdict = verify(&world).await;
    let problems: Vec<_> = verdict.findings.iter().map(|finding| finding.problem).collect();
    assert_eq!(problems, [Problem::Content, Problem::Content], "{verdict:#?}");
    put(&world, second, two.clone());
    put(&world, third, three.clone());

    // A row less; padded, so that not the size but the rows tell.
    let reader = ParquetRecordBatchReaderBuilder::try_new(good.clone()).unwrap();
    let schema = reader.schema().clone();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        writer.write(&batch.slice(1, batch.num_rows() - 1)).unwrap();
    }
    put(&world, &path, writer.into_inner().unwrap().into());
    let found = finding(&world, "a row less").await;
    assert!(matches!(found.problem, Problem::Size | Problem::Rows), "{found:?}");
    put(&world, &path, good);

    put(&world, "extra.parquet", Bytes::from_static(b"PAR1"));
    let found = finding(&world, "one too many").await;
    assert_eq!((found.problem, found.file.as_deref()), (Problem::Unexpected, Some("extra.parquet")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_without_a_receipt_are_read_and_not_called_right() {
    let world = synced().await;
    world.store.change("numbers", |target| {
        target.commits[0].files.iter_mut().for_each(|file| file.receipt = None);
    });
    let verdict = verify(&world).await;
    assert_eq!(verdict.outcome, Verdict::Unverified, "{verdict:#?}");
    assert_eq!((verdict.files_verified, verdict.files_unverified, verdict.rows), (2, 1, 60));
    assert_eq!(verdict.content, world.store.head("numbers").totals.content, "they are read all the same");
    let (path, good) = files(&world).into_iter().next().unwrap();
    put(&world, &path, good.slice(..good.len() - 1));
    assert_eq!(finding(&world, "cut").await.problem, Problem::Size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_refresh_is_compared_with_the_source() {
    let world = World::new(Table::new(50).cut(8, 3)).set("streams", json!([{"name": "numbers"}]));
    let world = world.set("metadata", json!({"sync_id": "_sync"})).set("parallelism", 4);
    world.run_well().await;
    let verify = async || within(world.sync(&Faults::none()).verify(true)).await.unwrap();
    let report = verify().await;
    assert_eq!((report.outcome, report.exit_code), (Verdict::Ok, 0), "{report:#?}");
    assert!(report.streams[0].source.as_ref().unwrap().is_equal);
    let mut table = world.tables.get("numbers");
    table.rows = 51;
    world.tables.put("numbers", table);
    let report = verify().await;
    assert_eq!((report.outcome, report.exit_code), (Verdict::Different, 65), "{report:#?}");
    assert_eq!(report.streams[0].findings[0].problem, Problem::Source);
    world.run_well().await;
    assert_eq!(verify().await.outcome, Verdict::Ok);

    let appended = synced().await;
    let report = within(appended.sync(&Faults::none()).verify(true)).await.unwrap();
    assert_eq!(report.outcome, Verdict::Ok);
    assert!(report.streams[0].notes[0].contains("tidegate reconcile"), "{report:#?}");
}
