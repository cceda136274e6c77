use serde_json::json;

use super::super::client::Column;
use super::*;

fn answer(columns: &[&str], rows: &[&[&str]]) -> Answer {
    Answer {
        columns: columns
            .iter()
            .map(|name| Column { name: (*name).to_owned(), ..Column::default() })
            .collect(),
        rows: rows.iter().map(|row| row.iter().map(|value| Some((*value).to_owned())).collect()).collect(),
        ..Answer::default()
    }
}

fn file(path: &str, rows: u64) -> StagedFile {
    StagedFile { path: path.into(), rows, bytes: 1, placement: json!(null), receipt: None }
}

#[test]
fn each_file_must_be_loaded_whole() {
    let columns = ["file", "status", "rows_loaded"];
    let files = [file("1-a/1.parquet", 5), file("1-a/2.parquet", 7)];
    let good =
        answer(&columns, &[&["load/k/1-a/2.parquet", "LOADED", "7"], &["k/1-a/1.parquet", "LOADED", "5"]]);
    check_copied(&good, &files).unwrap();
    for rows in [
        &[["k/1-a/1.parquet", "LOADED", "5"], ["k/1-a/2.parquet", "LOADED", "6"]][..],
        &[["k/1-a/1.parquet", "LOADED", "5"], ["k/1-a/2.parquet", "PARTIALLY_LOADED", "7"]],
        &[["k/1-a/1.parquet", "LOADED", "5"], ["k/1-a/2.parquet", "LOAD_SKIPPED", "0"]],
        &[["k/1-a/1.parquet", "LOADED", "5"]],
    ] {
        let rows: Vec<&[&str]> = rows.iter().map(<[&str; 3]>::as_slice).collect();
        let error = check_copied(&answer(&columns, &rows), &files).unwrap_err();
        assert_eq!(error.kind(), protocol::ErrorKind::Data);
        assert!(error.message().contains("1-a/2.parquet"), "{error}");
    }
    assert!(
        check_copied(&answer(&["status"], &[&["Copy executed with 0 files processed."]]), &files).is_err()
    );
}
