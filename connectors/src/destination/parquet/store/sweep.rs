//! What processes that ended left in a directory's stage folder.
//!
//! | left | removed |
//! |---|---|
//! | a file that was being written | once its process has ended |
//! | a finished file of a process that was killed: nobody knows it | at once |
//! | a finished file of one that ended well: a scheduler may know it | once a commit came after it and no sync is unfinished, or after a week |
//! | a file that a commit took, with a sequence up to the head's | unless the head's sync keeps it for its end |
//! | a temporary file of a metadata write | after a week |

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use protocol::{Result, StagedFile};

use super::Directory;
use super::blocking::{blocking, names, remove_file};
use super::directory::{Placement, STAGED, TEMPORARY};
use super::run::{Ended, PREFIX};
use crate::destination::parquet::error;
use crate::destination::parquet::layout::{Layout, metadata_root};

/// As long as buckets keep unfinished uploads.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// What is known of a target whose stage is swept.
#[derive(Debug, Default)]
pub(in super::super) struct Sweep {
    /// The last commit; all its files are visible, or among `pending`.
    pub(in super::super) sequence: u64,
    /// Whether partitions of an earlier plan are left, which another process may have read already.
    pub(in super::super) unfinished: bool,
    /// Files that an unfinished overwrite keeps until it ends.
    pub(in super::super) pending: Vec<StagedFile>,
}

/// Folders that were missing, the innermost first.
#[derive(Debug, Default)]
pub(in super::super) struct Outline {
    missing: Vec<PathBuf>,
}

impl Directory {
    pub(super) async fn outline(&self) -> Result<Outline> {
        let innermost = self.path(metadata_root());
        blocking(move || {
            let missing = innermost.ancestors().take_while(|folder| !folder.exists());
            Ok(Outline { missing: missing.map(Path::to_path_buf).collect() })
        })
        .await
    }

    pub(super) async fn remove_traces(&self, layout: &Layout, before: Outline) -> Result<()> {
        let folders = [self.path(layout.data()), self.path(&layout.metadata())];
        blocking(move || {
            for folder in folders {
                match fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(error::file("can't remove", &folder, error));
                    }
                    _ => {}
                }
            }
            for folder in before.missing {
                // Fails where somebody put something there meanwhile: then it stays.
                let _ = fs::remove_dir(folder);
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn sweep(&self, layout: &Layout, sweep: Sweep) -> Result<()> {
        let stage = self.path(&layout.stage());
        let metadata = [self.path(&layout.manifests()), self.path(&layout.metadata())];
        blocking(move || {
            let pending: HashSet<String> = sweep
                .pending
                .iter()
                .filter_map(|file| serde_json::from_value::<Placement>(file.placement.clone()).ok())
                .map(|placement| placement.temp)
                .collect();
            protocol::point!("sweep.begun");
            for name in names(&stage)? {
                let path = stage.join(&name);
                if name.starts_with(PREFIX) {
                    let Some(ended) = Ended::of(path) else { continue };
                    let handed_over = ended.handed_over;
                    ended.clear(|name, path| {
                        let outdated = is_before(name, sweep.sequence) && !sweep.unfinished;
                        !name.ends_with(STAGED) || !handed_over || outdated || is_old(path)
                    })?;
                } else if is_before(&name, sweep.sequence) && !pending.contains(&name) {
                    remove_file(&path)?;
                    protocol::point!("sweep.removed");
                }
            }
            for folder in metadata {
                for name in names(&folder)? {
                    let path = folder.join(&name);
                    if name.starts_with(TEMPORARY) && is_old(&path) {
                        remove_file(&path)?;
                    }
                }
            }
            Ok(())
        })
        .await
    }
}

/// Whether a staged file of that name was meant for a commit up to `sequence`.
fn is_before(name: &str, sequence: u64) -> bool {
    let meant_for = name.strip_suffix(STAGED).and_then(|name| name.split_once('-')?.0.parse().ok());
    meant_for.is_some_and(|meant_for: u64| meant_for <= sequence)
}

fn is_old(path: &Path) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age > WEEK))
}
