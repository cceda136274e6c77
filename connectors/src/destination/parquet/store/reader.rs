//! One visible file, read by ranges.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use protocol::{Error, FileReader, Result};

use super::blocking::{blocking, names};
use super::{Directory, Objects};
use crate::destination::parquet::error;

/// A file of a directory. It stays readable when its name is removed.
struct LocalReader {
    file: Arc<File>,
    path: PathBuf,
    size: u64,
}

impl Directory {
    pub(super) async fn open_file(&self, key: &str) -> Result<Option<Box<dyn FileReader>>> {
        let path = self.path(key);
        blocking(move || {
            let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
            match opened {
                Ok((size, file)) => Ok(Some(
                    Box::new(LocalReader { file: Arc::new(file), path, size }) as Box<dyn FileReader>
                )),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error::file("can't read", &path, error)),
            }
        })
        .await
    }
}

impl Directory {
    pub(super) async fn files_below(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        let top = self.path(folder);
        blocking(move || {
            let (mut files, mut folders) = (Vec::new(), vec![String::new()]);
            while let Some(folder) = folders.pop() {
                for name in names(&top.join(&folder))? {
                    let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                    // Links are not followed: they can lead round in a circle. A file may be gone by now.
                    match fs::symlink_metadata(top.join(&path)) {
                        Ok(metadata) if metadata.is_dir() => folders.push(path),
                        Ok(metadata) => files.push((path, metadata.len())),
                        Err(_) => {}
                    }
                }
            }
            Ok(files)
        })
        .await
    }
}

impl Objects {
    pub(super) async fn files_below(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        let prefix = self.location(folder)?;
        let objects: Vec<_> = self
            .store()
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|error| error::store("can't list", &self.place(folder), &error))?;
        let path = |location: &Path| {
            let parts: Vec<_> = location.prefix_match(&prefix)?.collect();
            Some(parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/"))
        };
        Ok(objects.iter().filter_map(|object| Some((path(&object.location)?, object.size))).collect())
    }
}

impl FileReader for LocalReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        blocking(move || {
            let place = path.display().to_string();
            let mut bytes = buffer(&place, &range)?;
            match file.read_exact_at(&mut bytes, range.start) {
                Ok(()) => Ok(bytes.into()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ends_early(&place, &range)),
                Err(error) => Err(error::file("can't read", &path, error)),
            }
        })
        .boxed()
    }
}

/// An object.
struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    location: Path,
    place: String,
    size: u64,
}

impl Objects {
    pub(super) async fn open_file(&self, key: &str) -> Result<Option<Box<dyn FileReader>>> {
        let Some(size) = self.size(key).await? else { return Ok(None) };
        let (location, place) = (self.location(key)?, self.place(key));
        Ok(Some(Box::new(ObjectReader { store: self.store(), location, place, size })))
    }
}

impl FileReader for ObjectReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            let bytes = self.store.get_range(&self.location, range.clone()).await;
            let bytes = bytes.map_err(|error| error::store("can't read", &self.place, &error))?;
            if bytes.len() as u64 == range.end - range.start {
                return Ok(bytes);
            }
            Err(ends_early(&self.place, &range))
        }
        .boxed()
    }
}

fn buffer(place: &str, range: &Range<u64>) -> Result<Vec<u8>> {
    let length = usize::try_from(range.end.saturating_sub(range.start));
    Ok(vec![0; length.map_err(|_| ends_early(place, range))?])
}

fn ends_early(place: &str, range: &Range<u64>) -> Error {
    Error::data(format!("{place} ends before byte {}", range.end))
}
