//! Where files wait until Snowflake loads them: an internal stage, which they are encrypted for and uploaded
//! to through what `PUT` answers, or an external one in a bucket of the user's.
//!
//! A path is relative to the stage: `<target>/<sequence>-<run>/<number>.parquet`, see [`run`]. Files are
//! loaded by their exact names, so what nobody commits is never read; it is removed all the same.

mod cipher;
mod external;
mod google;
mod internal;
mod metadata;
mod options;
mod remote;
mod run;
mod spool;
mod sql;
#[cfg(test)]
mod tests;
mod upload;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Error, FileOptions, Result, Stage, StagedFile, StagedWriter};

use external::{External, ExternalWriter};
use internal::Internal;
use run::Entry;
use writer::InternalWriter;

use crate::storage::{Access, Network};

pub(super) use internal::Statements;
pub(super) use options::file_options;
pub(super) use run::{Run, parse_folder, target_folder};
pub(super) use sql::StageName;

/// Most bytes of a small file.
const LARGEST_SMALL: u64 = 32 << 20;

/// A stage of Snowflake, and the way to its files. Cheap to clone.
#[derive(Clone)]
pub(super) struct Area(Kind);

#[derive(Clone)]
enum Kind {
    Internal(Arc<Internal>),
    External(Arc<External>),
}

/// A file in a stage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    /// Its path in the stage.
    pub(super) path: String,
    /// Its bytes, as they are stored.
    pub(super) bytes: u64,
}

impl Area {
    /// An internal stage, whose statements `statements` runs. Files wait in the directory `spool` until
    /// they are whole. Connects to nothing.
    pub(super) fn internal(
        statements: Arc<dyn Statements>,
        name: StageName,
        network: Network,
        spool: &Path,
    ) -> Self {
        Self(Kind::Internal(Arc::new(Internal::new(statements, name, network, spool.into()))))
    }

    /// An external stage that was made with that `URL`. Connects to nothing.
    pub(super) fn external(name: StageName, url: &str, access: &Access) -> Result<Self> {
        Ok(Self(Kind::External(Arc::new(External::open(name, url, access)?))))
    }

    fn name(&self) -> &StageName {
        match &self.0 {
            Kind::Internal(stage) => &stage.name,
            Kind::External(stage) => &stage.name,
        }
    }

    /// Where a target's files are, as `COPY INTO … FROM` has it. Its `FILES` are the paths of staged files.
    pub(super) fn place(&self, target: &str) -> String {
        self.name().place(&folder(target))
    }

    /// Where the engine puts the files of a target that `run` is at work on.
    pub(super) fn stage(&self, target: &str, run: Arc<Run>, options: FileOptions) -> Box<dyn Stage> {
        Box::new(TargetStage { area: self.clone(), folder: folder(target), run, options })
    }

    /// Puts a small file, whether or not there is one. Needs no warehouse.
    pub(super) async fn put(&self, path: &str, content: &Bytes) -> Result<()> {
        match &self.0 {
            Kind::Internal(stage) => stage.put(path, content).await,
            Kind::External(stage) => stage.put(path, content).await,
        }
    }

    /// Reads a small file; `None` where it is missing. Fails with `Data` where it is damaged. Needs no
    /// warehouse.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        match &self.0 {
            Kind::Internal(stage) => stage.get(path, LARGEST_SMALL).await,
            Kind::External(stage) => stage.get(path, LARGEST_SMALL).await,
        }
    }

    /// Lists the files whose paths begin with `path`. Needs no warehouse.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Listed>> {
        match &self.0 {
            Kind::Internal(stage) => stage.list(path).await,
            Kind::External(stage) => stage.list(path).await,
        }
    }

    /// Removes the files whose paths begin with `path`; a folder's ends with a slash. Those that are gone
    /// count as removed. Needs no warehouse.
    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        match &self.0 {
            Kind::Internal(stage) => stage.remove(path).await,
            Kind::External(stage) => stage.remove(path).await,
        }
    }

    /// Removes files of a target that are committed, or never will be. A folder of `run` in which nothing
    /// else is waited for is removed whole.
    pub(super) async fn remove_files(&self, target: &str, run: &Run, files: &[StagedFile]) -> Result<()> {
        run.ended(files);
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        self.remove_paths(&folder(target), run, &paths).await
    }

    async fn remove_paths(&self, target: &str, run: &Run, paths: &[String]) -> Result<()> {
        let mut whole: Vec<&str> = Vec::new();
        for path in paths {
            let folder = path.split_once('/').map_or("", |(folder, _)| folder);
            if whole.contains(&folder) {
                continue;
            }
            if run.is_done_with(folder) {
                whole.push(folder);
                self.remove(&format!("{target}{folder}/")).await?;
            } else {
                self.remove(&format!("{target}{path}")).await?;
            }
        }
        Ok(())
    }
}

/// Where files wait that are too large for memory, unless a setting names another place: a place on a disk,
/// rather than one that may be in memory itself.
pub(super) fn default_spool() -> PathBuf {
    match std::env::var_os("TMPDIR") {
        Some(folder) if !folder.is_empty() => folder.into(),
        _ => Some(PathBuf::from("/var/tmp"))
            .filter(|folder| folder.is_dir())
            .unwrap_or_else(std::env::temp_dir),
    }
}

fn folder(target: &str) -> String {
    format!("{}/", target_folder(target))
}

/// Nothing is removed by a path that names the whole stage.
fn check_path(path: &str) -> Result<()> {
    if path.trim_matches('/').is_empty() {
        return Err(Error::internal("a stage is never emptied as a whole"));
    }
    Ok(())
}

/// The stage of one target.
struct TargetStage {
    area: Area,
    folder: String,
    run: Arc<Run>,
    options: FileOptions,
}

impl Stage for TargetStage {
    fn options(&self) -> &FileOptions {
        &self.options
    }

    fn buffer_bytes(&self) -> usize {
        match &self.area.0 {
            Kind::Internal(_) => writer::BUFFER_BYTES,
            Kind::External(_) => external::BUFFER_BYTES,
        }
    }

    fn create<'a>(&'a self, folder: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn StagedWriter>>> {
        async move {
            if folder.is_some() {
                return Err(Error::internal("files for Snowflake lie in no folders"));
            }
            let (entry, folder) = (Entry::new(Arc::clone(&self.run)), self.folder.clone());
            let writer: Box<dyn StagedWriter> = match &self.area.0 {
                Kind::Internal(stage) => {
                    Box::new(InternalWriter::create(Arc::clone(stage), folder, entry).await?)
                }
                Kind::External(stage) => Box::new(ExternalWriter::new(Arc::clone(stage), folder, entry)),
            };
            Ok(writer)
        }
        .boxed()
    }

    fn discard<'a>(&'a self, files: &'a [StagedFile]) -> BoxFuture<'a, Result<()>> {
        async move {
            // A commit without an answer may stand, or stand soon: it reads the file then.
            if let Some(file) = files.iter().find(|file| self.run.is_in_doubt(&file.path)) {
                return Err(Error::transient(format!(
                    "file {:?} is kept: whether its commit took effect is not known",
                    file.path
                ))
                .hint("the next sync of this stream finds out and cleans up"));
            }
            let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
            self.run.forget(&paths);
            let removed = self.area.remove_paths(&self.folder, &self.run, &paths).await;
            if removed.is_err() {
                // The end of the sync tries again.
                for path in &paths {
                    self.run.sent(path);
                }
            }
            removed
        }
        .boxed()
    }

    fn claim(&self) {
        self.run.claim();
    }

    fn release(&self) -> BoxFuture<'_, ()> {
        async move {
            let left = self.run.left();
            self.run.forget(&left);
            if let Err(error) = self.area.remove_paths(&self.folder, &self.run, &left).await {
                tracing::warn!(
                    stage = %self.area.name(),
                    error = format!("{error:#}"),
                    "not all that was staged could be removed: a later sync does it"
                );
            }
        }
        .boxed()
    }
}
