//! The place that a destination writes to: a few calls on keys, the same for a local directory and
//! an object store. The commit protocol above knows nothing else.

mod blocking;
mod directory;
mod ledger;
mod objects;
mod open;
mod reader;
mod record;
mod run;
mod sweep;

use bytes::Bytes;
use protocol::{FileReader, Result, StagedFile, StagedWriter};

pub(super) use blocking::{blocking, remove_file};
pub(super) use directory::{Directory, Placement};
pub(super) use ledger::BEAT;
pub(super) use objects::{Objects, Upload};
pub(super) use record::{Begun, Record, RecordName};
pub(super) use run::Run;
pub(super) use sweep::{Outline, Sweep};

use super::config::Config;
use super::layout::Layout;

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

/// What one look at a target's metadata shows.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) manifests: Vec<String>,
    pub(super) stage: Vec<String>,
}

/// Another process that may be at work: the name of its note or its folder.
#[derive(Debug)]
pub(super) struct Worker(String);

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

    /// Opens a key to be read by ranges; `None` where it is missing.
    pub(super) async fn open_file(&self, key: &str) -> Result<Option<Box<dyn FileReader>>> {
        match self {
            Self::Directory(store) => store.open_file(key).await,
            Self::Objects(store) => store.open_file(key).await,
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

    /// Names of the commits behind `after`, and of what is in the stage folder where a note can be there.
    pub(super) async fn listing(&self, layout: &Layout, after: &str) -> Result<Listing> {
        match self {
            Self::Directory(store) => {
                let manifests = store.list(&layout.manifests(), Some(after)).await?;
                Ok(Listing { manifests, stage: Vec::new() })
            }
            Self::Objects(store) => store.listing(layout, after).await,
        }
    }

    /// Other processes that may be at work on a target.
    pub(super) async fn workers(&self, layout: &Layout, run: &Run) -> Result<Vec<Worker>> {
        match self {
            Self::Directory(store) => store.workers(layout, run).await,
            Self::Objects(store) => store.workers(layout, run).await,
        }
    }

    /// What such a process says of itself now; `None` where it has left.
    pub(super) async fn worker(&self, layout: &Layout, worker: &Worker) -> Result<Option<Record>> {
        match self {
            Self::Directory(store) => store.worker(layout, worker).await,
            Self::Objects(store) => store.worker(layout, worker).await,
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

    /// All files somewhere below a folder: their paths in it, and their bytes.
    pub(super) async fn files_below(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        match self {
            Self::Directory(store) => store.files_below(folder).await,
            Self::Objects(store) => store.files_below(folder).await,
        }
    }

    /// Removes keys; those that are missing count as removed.
    pub(super) async fn remove(&self, keys: Vec<String>) -> Result<()> {
        match self {
            Self::Directory(store) => store.remove(keys).await,
            Self::Objects(store) => store.remove(keys).await,
        }
    }

    /// Opens a file that nobody sees, to be published as `path` by commit `sequence` or a later one of
    /// this process.
    pub(super) async fn stage(
        &self,
        layout: &Layout,
        run: &Run,
        path: String,
        sequence: u64,
    ) -> Result<Box<dyn StagedWriter>> {
        match self {
            Self::Directory(store) => store.stage(layout, run, path).await,
            Self::Objects(store) => store.stage(layout, run, path, sequence).await,
        }
    }

    /// Gives up what `run` noted of itself. Staged files that are neither committed nor discarded are
    /// removed where a note is all that tells of them, but for those that `keep` names.
    pub(super) async fn release(
        &self,
        layout: &Layout,
        run: &Run,
        keep: impl Fn(&str) -> bool + Send,
    ) -> Result<()> {
        match self {
            Self::Directory(_) => {
                let run = run.clone();
                blocking(move || {
                    run.close();
                    Ok(())
                })
                .await
            }
            Self::Objects(store) => run.ledger.close(store, layout, keep).await,
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
