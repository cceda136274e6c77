//! File systems that are full, read-only or no directories.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use protocol::{Destination, ErrorKind, WriteMode};
use serde_json::json;

use super::bench::{Directory, Process, opened, refused, tree};

/// A file system of its own, in memory.
struct Mount(PathBuf);

impl Mount {
    /// `None`, said aloud, where this user may not mount.
    fn new(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("SKIPPED: mounting a file system takes root");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_nothing_is_lost() {
    let place = Directory::new();
    let Some(_mount) = Mount::new(&place.path().join("small"), "size=4m") else { return };
    let lake = place.path().join("small/lake");
    let mut process = Process::start(opened(json!({ "url": lake })).await.unwrap()).await;
    process.load(&[1]).await;
    let many: Vec<i64> = (0..2_000_000).collect();
    let error = refused(process.stage(&many).await);
    assert_eq!(error.kind(), ErrorKind::Storage, "{error:?}");
    assert!(error.message().contains(lake.to_str().unwrap()) && error.advice().is_some(), "{error:?}");
    // What was written of it goes in the background.
    while tree(&lake).iter().any(|file| file.contains(".part")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let filler = place.path().join("small/filler");
    // As much as fits; that it ends with an error is the point.
    let _ = std::fs::write(&filler, vec![0; 5 << 20]);
    let commit = process.next(vec![]);
    let error = refused(process.commit(&commit).await);
    assert_eq!(error.kind(), ErrorKind::Storage, "{error:?}");
    let parquet = opened(json!({ "url": lake })).await.unwrap();
    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, 1);
    let error = refused(parquet.check().await);
    assert_eq!(
        (error.kind(), error.context_value("step")),
        (ErrorKind::Storage, Some("staging")),
        "{error:?}"
    );

    std::fs::remove_file(filler).unwrap();
    process.commit(&commit).await.unwrap();
    process.load(&[2]).await;
    assert_eq!(parquet.head("public.orders").await.unwrap().totals.rows, 2);
    drop(process);
}

#[tokio::test]
async fn a_read_only_file_system_is_said_to_be_one() {
    let place = Directory::new();
    let Some(_mount) = Mount::new(&place.path().join("ro"), "size=1m,ro") else { return };
    let parquet = opened(json!({ "url": place.path().join("ro/lake") })).await.unwrap();
    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, 0);
    for error in [refused(parquet.check().await), refused(Process::started(parquet, WriteMode::Append).await)]
    {
        assert_eq!(error.kind(), ErrorKind::Storage, "{error:?}");
        assert!(error.advice().unwrap().contains("writable"), "{error:?}");
    }
}

#[tokio::test]
async fn a_file_is_no_place_for_files() {
    let place = Directory::new();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    let parquet = opened(json!({ "url": file.join("lake") })).await.unwrap();
    for error in [refused(parquet.check().await), refused(parquet.head("public.orders").await)] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.message().contains(file.to_str().unwrap()), "{error:?}");
    }
}
