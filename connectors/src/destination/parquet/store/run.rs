//! One process at work on a target. In a directory: the folder that it stages its files in, the lock that
//! says it still runs, and the mark that says it ended well and left files for another to commit. In an
//! object store: its [`Ledger`].
//!
//! All are a courtesy: they keep another process's clean-up from taking away work that goes on or is
//! handed over. Safety never rests on them, see [`Directory::adopt`](super::Directory).

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Result, StagedFile};
use uuid::Uuid;

use super::blocking::{make_dir, remove_file};
use super::directory::STAGED;
use super::ledger::Ledger;
use super::record::Record;
use crate::destination::parquet::error;

/// Start of the names of such folders.
pub(super) const PREFIX: &str = "run-";
/// Name of the lock in the folder.
const LOCK: &str = "lock";
/// Name of the mark in the folder.
const HANDED_OVER: &str = "handed-over";

/// A process at work on a target, or one that may be soon.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Run {
    claims: Arc<AtomicBool>,
    folder: Arc<Mutex<Option<Open>>>,
    pub(super) ledger: Ledger,
}

/// A process's own folder in a target's stage folder. Made when the first file is staged. With the
/// last reference it is removed where it is empty, and marked where finished files wait.
#[derive(Debug)]
struct Open {
    id: Uuid,
    name: String,
    folder: PathBuf,
    /// Locked for as long as it is open: the system lets go of it when the process ends.
    _lock: File,
}

impl Run {
    /// What it calls itself, in commits and notes.
    pub(in super::super) fn id(&self) -> Uuid {
        self.folder().as_ref().map_or_else(|| self.ledger.run(), |open| open.id)
    }

    /// Says that this process is known to be alone.
    pub(in super::super) fn hold(&self) {
        self.ledger.hold();
    }

    /// Files that are staged from now on are committed by this process and no other.
    pub(in super::super) fn claim(&self) {
        self.claims.store(true, Ordering::Relaxed);
    }

    pub(in super::super) fn claims(&self) -> bool {
        self.claims.load(Ordering::Relaxed)
    }

    /// The commit that a file can be part of at the earliest which this process has noted.
    pub(in super::super) fn sequence(&self, path: &str) -> Option<u64> {
        self.ledger.sequence(path)
    }

    /// Notes that files are committed or gone.
    pub(in super::super) fn ended(&self, files: &[StagedFile]) {
        for file in files {
            self.end(&file.path);
        }
    }

    /// Notes that a file is committed or gone.
    pub(in super::super) fn end(&self, path: &str) {
        self.ledger.end(path);
    }

    fn folder(&self) -> MutexGuard<'_, Option<Open>> {
        // Replaced whole: a panic leaves it as it was.
        self.folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Name of its folder, once it has one.
    pub(super) fn name(&self) -> Option<String> {
        self.folder().as_ref().map(|open| open.name.clone())
    }

    /// Leaves the folder to others. Waits for the file system.
    pub(super) fn close(&self) {
        let open = self.folder().take();
        drop(open);
    }

    /// Name of the folder in `stage`, which is made where it is missing. Waits for the file system.
    pub(super) fn open(&self, stage: &Path) -> Result<String> {
        let mut run = self.folder();
        if let Some(open) = &*run {
            return Ok(open.name.clone());
        }
        let id = Uuid::now_v7();
        let name = format!("{PREFIX}{}", id.simple());
        let folder = stage.join(&name);
        make_dir(&folder)?;
        // Locked before it has its name: nobody finds it unlocked.
        protocol::point!("run.opened");
        let (unnamed, named) = (folder.join("lock.new"), folder.join(LOCK));
        let note = Record::new(id, 0, self.claims(), 0, Vec::new()).encode();
        let locked = File::create_new(&unnamed).and_then(|mut lock| {
            lock.write_all(&note)?;
            match lock.try_lock() {
                // A file system without locks: its clean-up will find none either.
                Ok(()) | Err(TryLockError::Error(_) | TryLockError::WouldBlock) => {}
            }
            fs::rename(&unnamed, &named)?;
            Ok(lock)
        });
        let lock = locked.map_err(|error| error::file("can't write", &named, error))?;
        *run = Some(Open { id, name: name.clone(), folder, _lock: lock });
        Ok(name)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Best effort: a folder that stays without a mark is taken for one of a process that was killed.
        let Ok(names) = super::blocking::names(&self.folder) else { return };
        if names.iter().any(|name| name.ends_with(STAGED)) {
            let _ = File::create(self.folder.join(HANDED_OVER));
        } else if names.iter().all(|name| name == LOCK) {
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Who works in a folder: `None` where its process has ended, claims nothing, or can't be known.
pub(super) fn claimant(folder: &Path) -> Option<Record> {
    let lock = File::open(folder.join(LOCK)).ok()?;
    if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let note = Record::read(&fs::read(folder.join(LOCK)).ok()?)?;
    note.claims.then_some(note)
}

/// The folder of a process that ended.
pub(super) struct Ended {
    folder: PathBuf,
    /// Whether it ended well, so that others may know its finished files.
    pub(super) handed_over: bool,
    _lock: File,
}

impl Ended {
    /// `None` while the process goes on.
    pub(super) fn of(folder: PathBuf) -> Option<Self> {
        let lock = File::open(folder.join(LOCK)).ok()?;
        lock.try_lock().ok()?;
        let handed_over = folder.join(HANDED_OVER).exists();
        Some(Self { folder, handed_over, _lock: lock })
    }

    /// Removes the files for which `garbage` holds, and the folder once it is empty.
    pub(super) fn clear(self, mut garbage: impl FnMut(&str, &Path) -> bool) -> Result<()> {
        let mut empty = true;
        for name in super::blocking::names(&self.folder)? {
            let path = self.folder.join(&name);
            if name == LOCK || name == HANDED_OVER {
                continue;
            }
            if garbage(&name, &path) {
                remove_file(&path)?;
                protocol::point!("sweep.cleared");
            } else {
                empty = false;
            }
        }
        if empty {
            remove_file(&self.folder.join(HANDED_OVER))?;
            remove_file(&self.folder.join(LOCK))?;
            // Somebody else may have been faster.
            let _ = fs::remove_dir(&self.folder);
        }
        Ok(())
    }
}
