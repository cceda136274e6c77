//! Calls to the file system, off the threads that run tasks.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use protocol::{Error, Result};

use super::super::error;

/// Runs `work` on a thread that may wait. It is finished even when the caller is dropped.
pub(in super::super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("a call to the file system did not end").with_source(error))?
}

/// Makes a directory and those above it, and their names durable.
pub(in super::super) fn make_dir(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => match path.parent() {
            Some(parent) if error.kind() == io::ErrorKind::NotFound && parent != Path::new("") => {
                make_dir(parent)?;
                match fs::create_dir(path) {
                    Ok(()) => sync_parent(path),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    Err(error) => Err(error::file("can't make directory", path, error)),
                }
            }
            _ => Err(error::file("can't make directory", path, error)),
        },
    }
}

/// Makes durable which names a directory holds.
pub(in super::super) fn sync_dir(path: &Path) -> Result<()> {
    match File::open(path).and_then(|dir| dir.sync_all()) {
        // Some network file systems know no such call for a directory.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        Err(error) => Err(error::file("can't write directory", path, error)),
        Ok(()) => Ok(()),
    }
}

/// Makes durable that `path` is in its directory.
pub(in super::super) fn sync_parent(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Removes a file; one that is missing counts as removed.
pub(in super::super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error::file("can't remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Bytes of a file; `None` where it is missing.
pub(in super::super) fn file_size(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error::file("can't read", path, error)),
    }
}

/// Names in a directory, in no order; none where it is missing.
pub(in super::super) fn names(path: &Path) -> Result<Vec<String>> {
    let failed = |error| error::file("can't list", path, error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // Names that are not UTF-8 are none of ours.
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}
