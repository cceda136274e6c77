//! The folder that one process stages its files in, and the lock that says it still runs.
//!
//! The lock is a courtesy: it keeps another process's clean-up from taking away work that goes on.
//! Safety never rests on it, see [`Directory::adopt`](super::Directory).

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::Result;
use uuid::Uuid;

use super::blocking::{make_dir, remove_file};
use crate::destination::parquet::error;

/// Start of the names of such folders.
pub(super) const PREFIX: &str = "run-";
/// Name of the lock in the folder.
const LOCK: &str = "lock";

/// A process's own folder in a target's stage folder. Made when the first file is staged; removed
/// with the last reference where it is empty by then.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Run(Arc<Mutex<Option<Open>>>);

#[derive(Debug)]
struct Open {
    name: String,
    folder: PathBuf,
    /// Locked for as long as it is open: the system lets go of it when the process ends.
    _lock: File,
}

impl Run {
    /// Name of the folder in `stage`, which is made where it is missing. Waits for the file system.
    pub(super) fn open(&self, stage: &Path) -> Result<String> {
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*run {
            return Ok(open.name.clone());
        }
        let name = format!("{PREFIX}{}", Uuid::now_v7().simple());
        let folder = stage.join(&name);
        make_dir(&folder)?;
        // Locked before it has its name: nobody finds it unlocked.
        let (unnamed, named) = (folder.join("lock.new"), folder.join(LOCK));
        let locked = File::create_new(&unnamed).and_then(|lock| {
            match lock.try_lock() {
                // A file system without locks: its clean-up will find none either.
                Ok(()) | Err(TryLockError::Error(_) | TryLockError::WouldBlock) => {}
            }
            fs::rename(&unnamed, &named)?;
            Ok(lock)
        });
        let lock = locked.map_err(|error| error::file("can't write", &named, error))?;
        *run = Some(Open { name: name.clone(), folder, _lock: lock });
        Ok(name)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Best effort: what stays is swept when the lock is free. Fails while files wait there.
        let empty = fs::read_dir(&self.folder)
            .is_ok_and(|entries| entries.flatten().all(|entry| entry.file_name() == LOCK));
        if empty {
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// The lock of a run that ended; `None` while it goes on.
pub(super) struct Ended {
    folder: PathBuf,
    _lock: File,
}

impl Ended {
    pub(super) fn of(folder: PathBuf) -> Option<Self> {
        let lock = File::open(folder.join(LOCK)).ok()?;
        lock.try_lock().ok()?;
        Some(Self { folder, _lock: lock })
    }

    /// Removes the files for which `garbage` holds, and the folder once it is empty.
    pub(super) fn clear(self, mut garbage: impl FnMut(&str, &Path) -> bool) -> Result<()> {
        let mut empty = true;
        for name in super::blocking::names(&self.folder)? {
            let path = self.folder.join(&name);
            if name == LOCK {
                continue;
            }
            if garbage(&name, &path) {
                remove_file(&path)?;
            } else {
                empty = false;
            }
        }
        if empty {
            remove_file(&self.folder.join(LOCK))?;
            // Somebody else may have been faster.
            let _ = fs::remove_dir(&self.folder);
        }
        Ok(())
    }
}
