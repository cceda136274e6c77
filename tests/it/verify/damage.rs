//! Files and commits that something happened to.

use arrow_array::RecordBatch;
use lab::S3;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::{ROWS, project, stream, tables, verified};
use crate::support::{Lake, Project};

/// The one thing that is wrong with `public.events`.
#[track_caller]
fn finding(project: &Project) -> Value {
    let document = verified(project, 65, &[]);
    let events = stream(&document, "public.events");
    assert_eq!(events["outcome"], "different", "{document:#}");
    let findings = events["findings"].as_array().expect("a list");
    assert_eq!(findings.len(), 1, "{document:#}");
    assert_eq!(stream(&document, "public.countries")["outcome"], "ok", "{document:#}");
    findings[0].clone()
}

/// A project in a directory with one file of events, its path and its bytes.
async fn synced(compression: &str) -> (Project, Lake, String, Vec<u8>) {
    let database = tables().await;
    let project = project(&database).destination("compression", compression);
    project.sync();
    let lake = Lake::in_directory(&project.path("lake"), "public.events");
    let path = lake.files().await.into_keys().next().expect("there is a file");
    let bytes = lake.read(&path).await;
    (project, lake, path, bytes)
}

#[tokio::test]
async fn a_flipped_bit_is_found_wherever_it_is() {
    for compression in ["zstd", "none"] {
        let (project, lake, path, good) = synced(compression).await;
        let footer = good.len() - 200;
        // The magic number, a page's header, pages, the footer, its length, and what lies between.
        let mut places = vec![0, 6, footer, good.len() - 6, good.len() - 1];
        places.extend((1..8).map(|part| good.len() * part / 8));
        let mut by_column = 0;
        for at in places {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            lake.write(&path, bytes).await;
            let found = finding(&project);
            assert_eq!(found["file"], path.as_str(), "{compression}, byte {at}: {found:#}");
            assert_eq!(found["commit"], 1);
            by_column += usize::from(found["column"].is_string());
        }
        assert!(by_column >= 4, "{compression}: {by_column} are located by column");
        lake.write(&path, good).await;
        verified(&project, 0, &[]);
    }
}

#[tokio::test]
async fn a_changed_value_names_row_group_and_column() {
    let (project, lake, path, good) = synced("none").await;
    let note = b"n2998";
    let at = good.windows(note.len()).rposition(|bytes| bytes == note).expect("the note is stored as it is");
    let mut bytes = good.clone();
    bytes[at + 4] = b'9';
    lake.write(&path, bytes).await;
    let found = finding(&project);
    assert_eq!(
        (found["problem"].as_str(), found["column"].as_str()),
        (Some("content"), Some("note")),
        "{found:#}"
    );
    assert_eq!(found["row_group"], 0);
    project.run(&["verify"]).exits(65).prints(&path).prints("row group 0, column \"note\"");
}

#[tokio::test]
async fn a_file_that_is_gone_cut_rewritten_or_one_too_many_is_found() {
    let (project, lake, path, good) = synced("zstd").await;
    lake.write(&path, good[..good.len() / 2].to_vec()).await;
    assert_eq!(finding(&project)["problem"], "size");
    lake.remove(&path).await;
    assert_eq!(finding(&project)["problem"], "missing");
    lake.write(&path, without_a_row(&good)).await;
    let found = finding(&project);
    assert!(["size", "rows"].contains(&found["problem"].as_str().expect("a word")), "{found:#}");
    lake.write(&path, good.clone()).await;
    verified(&project, 0, &[]);
    for extra in ["part-0.parquet", "day=2026-01-01/00000009-00000000000070008000000000000000.parquet"] {
        lake.write(extra, good.clone()).await;
        let found = finding(&project);
        assert_eq!((&found["problem"], &found["file"]), (&"unexpected".into(), &extra.into()), "{found:#}");
        lake.remove(extra).await;
    }
    // No reader of Parquet takes these for data.
    lake.write("_SUCCESS", Vec::new()).await;
    verified(&project, 0, &[]);
}

/// The same file, its second row left out.
fn without_a_row(file: &[u8]) -> Vec<u8> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(file));
    let reader = reader.expect("it is Parquet").with_batch_size(10_000);
    let mut writer =
        ArrowWriter::try_new(Vec::new(), reader.schema().clone(), None).expect("it has a schema");
    let mut batches: Vec<RecordBatch> = reader.build().expect("it can be read").map(Result::unwrap).collect();
    let first = batches.remove(0);
    writer.write(&first.slice(0, 1)).expect("rows are written");
    for batch in [first.slice(2, first.num_rows() - 2)].iter().chain(&batches) {
        writer.write(batch).expect("rows are written");
    }
    writer.into_inner().expect("it can be finished")
}

#[tokio::test]
async fn files_in_each_others_place_are_found() {
    let database = tables().await;
    let project = project(&database).destination("compression", "none");
    project.sync();
    for first in [10_000, 20_000] {
        database
            .execute(&format!(
                "INSERT INTO events (id, at) SELECT i, clock_timestamp() FROM generate_series({first}, {first} + 99) i"
            ))
            .await;
        project.sync();
    }
    let lake = Lake::in_directory(&project.path("lake"), "public.events");
    let paths: Vec<String> = lake.files().await.into_keys().skip(1).collect();
    let [one, two] = [lake.read(&paths[0]).await, lake.read(&paths[1]).await];
    lake.write(&paths[0], two).await;
    lake.write(&paths[1], one).await;
    let document = verified(&project, 65, &[]);
    let findings = stream(&document, "public.events")["findings"].as_array().expect("a list").clone();
    let files: Vec<_> = findings.iter().map(|finding| finding["file"].as_str().expect("a path")).collect();
    assert_eq!(files, paths, "{document:#}");
}

#[tokio::test]
async fn a_commit_that_was_changed_is_found() {
    let (project, _, _, _) = synced("zstd").await;
    let path = project.path("lake/_tidegate/public.events/manifest/00000001.json");
    let right = std::fs::read_to_string(&path).expect("the commit is there");
    std::fs::write(&path, right.replacen(&format!("\"rows\":{ROWS}"), "\"rows\":2999", 1))
        .expect("it is a file");
    let found = finding(&project);
    assert_eq!(found["problem"], "commits", "{found:#}");
    assert!(found["message"].as_str().expect("words").contains("00000001.json is damaged"), "{found:#}");
}

#[tokio::test]
async fn damage_in_a_bucket_is_found() {
    let (database, bucket) = (tables().await, S3::shared().bucket());
    let project = project(&database).in_bucket(&bucket);
    project.sync();
    let document = verified(&project, 0, &[]);
    assert_eq!(stream(&document, "public.events")["rows"], ROWS);
    let lake = Lake::in_bucket(&bucket, "public.events");
    let path = lake.files().await.into_keys().next().expect("there is a file");
    let good = lake.read(&path).await;
    let mut bytes = good.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    lake.write(&path, bytes).await;
    assert_eq!(finding(&project)["file"], path.as_str());
    lake.remove(&path).await;
    assert_eq!(finding(&project)["problem"], "missing");
    lake.write(&path, good.clone()).await;
    lake.write("copy.parquet", good).await;
    let found = finding(&project);
    assert_eq!((&found["problem"], &found["file"]), (&"unexpected".into(), &"copy.parquet".into()));
}
