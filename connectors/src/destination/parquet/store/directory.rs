//! A local directory as a store. Files wait in the target's stage folder and are renamed when their
//! commit stands; a commit is created by a hard link, which fails where the name is taken.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use protocol::{Error, ErrorKind, Result, StagedFile, StagedWriter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::blocking::{blocking, file_size, make_dir, names, remove_file, sync_dir, sync_parent};
use super::{Creation, Record, Run, Worker, run};
use crate::destination::parquet::layout::{Layout, checked};
use crate::destination::parquet::{error, stage};

/// Start of the name of a file that becomes something else by a link or a rename.
pub(super) const TEMPORARY: &str = ".tmp-";

/// End of the name of a file that is finished and waits: no reader takes it for data, not even one that
/// reads every folder.
pub(super) const STAGED: &str = ".staged";

/// A local directory.
#[derive(Debug, Clone)]
pub(in super::super) struct Directory {
    root: Arc<Path>,
}

/// What a [`StagedFile`] of a directory carries: its place in the stage folder.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Placement {
    pub(in super::super) temp: String,
}

impl Placement {
    /// Fails with `Data` where it is none, or one that leads out of the stage folder.
    fn of(file: &StagedFile) -> Result<Self> {
        let placement: Self = serde_json::from_value(file.placement.clone()).map_err(|error| {
            Error::data(format!("file {:?} was not staged in a directory", file.path)).with_source(error)
        })?;
        checked(&placement.temp)?;
        Ok(placement)
    }

    /// Name that no other staged file shares, wherever in the stage folder the file lies.
    fn base(&self) -> &str {
        let name = self.temp.rsplit('/').next().unwrap_or(&self.temp);
        name.rsplit('-').next().unwrap_or(name)
    }
}

impl Directory {
    pub(in super::super) fn new(root: &Path) -> Self {
        Self { root: root.into() }
    }

    pub(in super::super) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Bytes>> {
        let path = self.path(key);
        blocking(move || match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error::file("can't read", &path, error)),
        })
        .await
    }

    pub(super) async fn create(&self, key: &str, bytes: Bytes) -> Result<Creation> {
        let path = self.path(key);
        blocking(move || {
            let temp = write_aside(&path, &bytes, true)?;
            protocol::point!("link.aside");
            let linked = fs::hard_link(&temp, &path);
            protocol::point!("link.made");
            // What can't be removed now is swept later; whether the link stands matters more.
            let _ = fs::remove_file(&temp);
            match linked {
                Ok(()) => sync_parent(&path).map(|()| Creation::Created),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Creation::Exists),
                // Without the right to link, or on a file system that knows no links.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    let error = io::Error::new(io::ErrorKind::Unsupported, error);
                    Err(error::file("can't link", &path, error))
                }
                Err(error) => Err(error::file("can't create", &path, error)),
            }
        })
        .await
    }

    pub(super) async fn replace(&self, key: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(key);
        blocking(move || {
            let temp = write_aside(&path, &bytes, false)?;
            protocol::point!("hint.aside");
            fs::rename(&temp, &path).map_err(|error| error::file("can't write", &path, error))
        })
        .await
    }

    pub(super) async fn list(&self, folder: &str, after: Option<&str>) -> Result<Vec<String>> {
        let path = self.path(folder);
        let after = after.map(str::to_owned);
        blocking(move || {
            let mut names = names(&path)?;
            names.retain(|name| after.as_ref().is_none_or(|after| name > after));
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    pub(super) async fn workers(&self, layout: &Layout, run: &Run) -> Result<Vec<Worker>> {
        let (stage, own) = (self.path(&layout.stage()), run.name());
        blocking(move || {
            let mut names = names(&stage)?;
            names.retain(|name| {
                name.starts_with(run::PREFIX)
                    && Some(name) != own.as_ref()
                    && run::claimant(&stage.join(name)).is_some()
            });
            Ok(names.into_iter().map(Worker).collect())
        })
        .await
    }

    pub(super) async fn worker(&self, layout: &Layout, worker: &Worker) -> Result<Option<Record>> {
        let folder = self.path(&layout.staged(&worker.0));
        blocking(move || Ok(run::claimant(&folder))).await
    }

    pub(super) async fn any_below(&self, folder: &str, wanted: fn(&str) -> bool) -> Result<bool> {
        let top = self.path(folder);
        blocking(move || {
            let mut folders = vec![top];
            while let Some(folder) = folders.pop() {
                for name in names(&folder)? {
                    if wanted(&name) {
                        return Ok(true);
                    }
                    let path = folder.join(name);
                    // Links are not followed: they can lead round in a circle.
                    if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
                        folders.push(path);
                    }
                }
            }
            Ok(false)
        })
        .await
    }

    pub(super) async fn remove(&self, keys: Vec<String>) -> Result<()> {
        let paths: Vec<PathBuf> = keys.iter().map(|key| self.path(key)).collect();
        blocking(move || {
            paths.iter().try_for_each(|path| {
                remove_file(path)?;
                protocol::point!("directory.removed");
                Ok(())
            })
        })
        .await
    }

    pub(super) async fn stage(
        &self,
        layout: &Layout,
        run: &Run,
        path: String,
    ) -> Result<Box<dyn StagedWriter>> {
        let folder = self.path(&layout.stage());
        let run = run.clone();
        let name = blocking(move || run.open(&folder)).await?;
        // The same sequence and random number as the file will be seen by.
        let file = path.rsplit('/').next().unwrap_or(&path);
        let temp = format!("{name}/{}{STAGED}", file.strip_suffix(".parquet").unwrap_or(file));
        let place = self.path(&format!("{}/{temp}", layout.stage()));
        stage::local::LocalWriter::create(path, temp, place).await
    }

    /// Moves staged files from the folder of the run that wrote them to names that say which commit
    /// takes them. A clean-up that read an older head passes these by, and one that took a file
    /// before makes this fail before the commit is made.
    pub(super) async fn adopt(
        &self,
        layout: &Layout,
        sequence: u64,
        mut files: Vec<StagedFile>,
    ) -> Result<Vec<StagedFile>> {
        if files.is_empty() {
            return Ok(files);
        }
        let folder = self.path(&layout.stage());
        blocking(move || {
            for file in &mut files {
                let old = Placement::of(file)?;
                let new = Placement { temp: format!("{sequence:08}-{}", old.base()) };
                let to = folder.join(&new.temp);
                if old.temp != new.temp {
                    match fs::rename(folder.join(&old.temp), &to) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => {
                            return Err(error::file("can't move staged file to", &to, error));
                        }
                        _ => {}
                    }
                    protocol::point!("adopt.moved");
                }
                match file_size(&to)? {
                    Some(size) if size == file.bytes => {}
                    Some(size) => return Err(wrong_size(&to.display().to_string(), size, file.bytes)),
                    None => {
                        return Err(Error::new(
                            ErrorKind::Stale,
                            format!("staged file {:?} is gone", file.path),
                        )
                        .hint("its rows are read again; staged files must not be removed by others"));
                    }
                }
                file.placement = serde_json::json!(new);
            }
            sync_dir(&folder)?;
            Ok(files)
        })
        .await
    }

    pub(super) async fn publish(&self, layout: &Layout, files: &[StagedFile]) -> Result<Vec<String>> {
        let stage = self.path(&layout.stage());
        let mut moves = Vec::with_capacity(files.len());
        for file in files {
            let from = stage.join(Placement::of(file)?.temp);
            moves.push((from, self.path(&layout.file(checked(&file.path)?)), file.bytes, file.path.clone()));
        }
        blocking(move || {
            let mut folders: Vec<PathBuf> =
                moves.iter().filter_map(|(_, to, ..)| to.parent().map(Path::to_path_buf)).collect();
            folders.sort_unstable();
            folders.dedup();
            folders.iter().try_for_each(|folder| make_dir(folder))?;
            let mut lost = Vec::new();
            for (from, to, bytes, path) in moves {
                match fs::rename(&from, &to) {
                    Ok(()) => {
                        protocol::point!("publish.renamed");
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => match file_size(&to)? {
                        Some(size) if size == bytes => {}
                        Some(size) => return Err(wrong_size(&to.display().to_string(), size, bytes)),
                        None => lost.push(path),
                    },
                    Err(error) => return Err(error::file("can't publish", &to, error)),
                }
            }
            // Durable before anybody writes down that this commit is finished.
            folders.iter().try_for_each(|folder| sync_dir(folder))?;
            Ok(lost)
        })
        .await
    }

    pub(super) async fn discard(&self, layout: &Layout, files: &[StagedFile]) -> Result<()> {
        let folder = self.path(&layout.stage());
        let placements = files.iter().map(Placement::of).collect::<Result<Vec<_>>>()?;
        blocking(move || {
            let mut moved = Vec::new();
            for placement in placements {
                match fs::remove_file(folder.join(&placement.temp)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => moved.push(placement),
                    Err(error) => {
                        return Err(error::file("can't remove", &folder.join(placement.temp), error));
                    }
                }
            }
            if moved.is_empty() {
                return Ok(());
            }
            // A commit that failed had adopted them.
            for name in names(&folder)? {
                let base = name.rsplit('-').next().unwrap_or_default();
                if moved.iter().any(|placement| placement.base() == base) {
                    remove_file(&folder.join(name))?;
                }
            }
            Ok(())
        })
        .await
    }
}

/// The failure of a file that is not what its commit says.
pub(super) fn wrong_size(place: &str, size: u64, expected: u64) -> Error {
    Error::data(format!("{place} has {size} bytes, its commit says {expected}"))
        .hint("somebody else wrote or cut this file: restore it, or give the stream a new `target`")
}

/// Writes a file beside `path`, for a rename or a link to it.
fn write_aside(path: &Path, bytes: &[u8], durable: bool) -> Result<PathBuf> {
    let folder = path.parent().unwrap_or(path);
    make_dir(folder)?;
    let temp = folder.join(format!("{TEMPORARY}{}", Uuid::now_v7().simple()));
    let written = File::create_new(&temp).and_then(|mut file| {
        file.write_all(bytes)?;
        if durable { file.sync_all() } else { Ok(()) }
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&temp);
        error::file("can't write", &temp, error)
    })?;
    Ok(temp)
}
