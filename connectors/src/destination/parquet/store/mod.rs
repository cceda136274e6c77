//! The place that a destination writes to: a few calls on keys, the same for a local directory and
//! an object store. The commit protocol above knows nothing else.

mod blocking;
mod directory;
mod objects;
mod open;
mod run;
mod sweep;

use bytes::Bytes;
use protocol::{Result, StagedFile, StagedWriter};

pub(super) use blocking::{blocking, remove_file};
pub(super) use directory::{Directory, Placement};
pub(super) use objects::{Objects, Upload};
pub(super) use run::Run;
pub(super) use sweep::{Outline, Sweep};

use super::config::Config;
use super::layout::{Layout, is_file};

/// What became of a key that was to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Creation {
    /// It was not there and is now.
    Created,
    /// It is there already, or another attempt is creating it just now.
    Exists,
}

/// Where a file waits until it is visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// Its commit was made just now, by this process: it still waits.
    Waiting,
    /// It may be visible already.
    Unknown,
}

/// A local directory or an object store.
pub(super) enum Store {
    Directory(Directory),
    Objects(Objects),
}

impl Store {
    /// Parses the settings. Connects to nothing.
    pub(super) fn open(config: &Config) -> Result<Self> {
        open::open(config)
    }

    /// A key as people know it: with the URL or the directory before it.
    pub(super) fn place(&self, key: &str) -> String {
        match self {
            Self::Directory(store) => store.path(key).display().to_string(),
            Self::Objects(store) => store.place(key),
        }
    }

    /// What a key holds; `None` where it is missing.
    pub(super) async fn read(&self, key: &str) -> Result<Option<Bytes>> {
        match self {
            Self::Directory(store) => store.read(key).await,
            Self::Objects(store) => store.read(key).await,
        }
    }

    /// Writes a key that must not be there yet: of many at once, one succeeds. After an error it may
    /// be there or not.
    pub(super) async fn create(&self, key: &str, bytes: Bytes) -> Result<Creation> {
        match self {
            Self::Directory(store) => store.create(key, bytes).await,
            Self::Objects(store) => store.create(key, bytes).await,
        }
    }

    /// Writes a key whether it is there or not.
    pub(super) async fn replace(&self, key: &str, bytes: Bytes) -> Result<()> {
        match self {
            Self::Directory(store) => store.replace(key, bytes).await,
            Self::Objects(store) => store.replace(key, bytes).await,
        }
    }

    /// Whether a file of ours lies directly in a folder, with a name that sorts behind `after`.
    pub(super) async fn any_file_after(&self, folder: &str, after: &str) -> Result<bool> {
        match self {
            Self::Directory(store) => {
                Ok(store.list(folder, Some(after)).await?.iter().any(|name| is_file(name)))
            }
            Self::Objects(store) => store.any_file_after(folder, after).await,
        }
    }

    /// Names directly in a folder that sort behind `after`; none where there is no such folder.
    pub(super) async fn list(&self, folder: &str, after: Option<&str>) -> Result<Vec<String>> {
        match self {
            Self::Directory(store) => store.list(folder, after).await,
            Self::Objects(store) => store.list(folder, after).await,
        }
    }

    /// Whether a file for which `wanted` holds lies somewhere below a folder, as far as one can look.
    pub(super) async fn any_below(&self, folder: &str, wanted: fn(&str) -> bool) -> Result<bool> {
        match self {
            Self::Directory(store) => store.any_below(folder, wanted).await,
            Self::Objects(store) => store.any_below(folder, wanted).await,
        }
    }

    /// Removes keys; those that are missing count as removed.
    pub(super) async fn remove(&self, keys: Vec<String>) -> Result<()> {
        match self {
            Self::Directory(store) => store.remove(keys).await,
            Self::Objects(store) => store.remove(keys).await,
        }
    }

    /// Opens a file that nobody sees, to be published as `path`.
    pub(super) async fn stage(
        &self,
        layout: &Layout,
        run: &Run,
        path: String,
    ) -> Result<Box<dyn StagedWriter>> {
        match self {
            Self::Directory(store) => store.stage(layout, run, path).await,
            Self::Objects(store) => store.stage(layout, path).await,
        }
    }

    /// Takes staged files out of any clean-up's reach, right before commit `sequence` names them.
    /// Repeating it changes nothing. Fails with `Stale` where one is gone.
    pub(super) async fn adopt(
        &self,
        layout: &Layout,
        sequence: u64,
        files: Vec<StagedFile>,
    ) -> Result<Vec<StagedFile>> {
        match self {
            Self::Directory(store) => store.adopt(layout, sequence, files).await,
            Self::Objects(_) => Ok(files),
        }
    }

    /// Makes committed files visible; those that are already count as done. Returns the paths of
    /// those that are neither visible nor waiting.
    pub(super) async fn publish(
        &self,
        layout: &Layout,
        files: &[StagedFile],
        freshness: Freshness,
    ) -> Result<Vec<String>> {
        match self {
            Self::Directory(store) => store.publish(layout, files).await,
            Self::Objects(store) => store.publish(layout, files, freshness).await,
        }
    }

    /// Removes files that wait and will not be committed; those that are gone count as removed.
    pub(super) async fn discard(&self, layout: &Layout, files: &[StagedFile]) -> Result<()> {
        match self {
            Self::Directory(store) => store.discard(layout, files).await,
            Self::Objects(store) => store.discard(layout, files).await,
        }
    }

    /// Whether [`Store::sweep`] does anything.
    pub(super) fn can_sweep(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// Removes what processes that ended left aside. Object stores don't list unfinished uploads to
    /// everyone who may write: there a rule of the bucket does it.
    pub(super) async fn sweep(&self, layout: &Layout, sweep: Sweep) -> Result<()> {
        match self {
            Self::Directory(store) => store.sweep(layout, sweep).await,
            Self::Objects(_) => Ok(()),
        }
    }

    /// What is there already, for [`Store::remove_traces`].
    pub(super) async fn outline(&self) -> Result<Outline> {
        match self {
            Self::Directory(store) => store.outline().await,
            Self::Objects(_) => Ok(Outline::default()),
        }
    }

    /// Removes the folders of a target that was made for a check, and those above that were not
    /// there `before`.
    pub(super) async fn remove_traces(&self, layout: &Layout, before: Outline) -> Result<()> {
        match self {
            Self::Directory(store) => store.remove_traces(layout, before).await,
            Self::Objects(_) => Ok(()),
        }
    }

    /// Most bytes that a staged file of about `target_bytes` keeps in memory while it is written.
    pub(super) fn buffer_bytes(&self, target_bytes: u64) -> usize {
        match self {
            Self::Directory(_) => super::stage::local::BUFFER_BYTES,
            Self::Objects(_) => super::stage::multipart::buffer_bytes(target_bytes),
        }
    }
}
