//! What one process stages for one target: the names of its files, and what became of them.
//!
//! ```text
//! <target>/<sequence>-<run>/<number>.parquet
//! ```
//!
//! The sequence is that of the first commit that the file can be part of: once another process has made
//! that commit, this one can never commit the file any more, and whoever finds it may remove it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use protocol::StagedFile;
use uuid::Uuid;

/// Longest name of a target that is kept as it is.
const LONGEST_NAME: usize = 120;
/// Bytes of the digest that tells names apart which look the same otherwise.
const DIGEST_BYTES: usize = 8;

/// The folder of a target in a stage: the same in each process, and another for each target.
///
/// Letters, digits and `_` stay. Anything else may mean something in an address, in a pattern or to one of the
/// stores; names that have it are told apart by a digest.
pub(in super::super) fn target_folder(target: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !target.is_empty() && target.len() <= LONGEST_NAME && target.chars().all(is_plain) {
        return target.to_owned();
    }
    let name: String = target.chars().take(LONGEST_NAME).map(|c| if is_plain(c) { c } else { '-' }).collect();
    let digest = digest(&SHA256, target.as_bytes());
    digest.as_ref()[..DIGEST_BYTES].iter().fold(name + "-", |mut name, byte| {
        // Writing to a text does not fail.
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// Whose folder that is: the first commit that its files can be part of, and the run. `None` where no run
/// made it.
pub(in super::super) fn parse_folder(folder: &str) -> Option<(u64, Uuid)> {
    let (sequence, run) = folder.split_once('-')?;
    let run = Uuid::try_parse(run).ok()?;
    let sequence = sequence.parse().ok()?;
    (folder_name(sequence, run) == folder).then_some((sequence, run))
}

fn folder_name(sequence: u64, run: Uuid) -> String {
    format!("{sequence:08}-{}", run.simple())
}

/// One process at work on one target.
#[derive(Debug)]
pub(in super::super) struct Run {
    id: Uuid,
    /// The last commit that this process knows of.
    sequence: AtomicU64,
    number: AtomicU64,
    claims: AtomicBool,
    files: Mutex<HashMap<String, Fate>>,
}

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// On its way to the stage: whether it is there is not known.
    Sent,
    /// In the stage.
    Staged,
    /// A commit of it was sent and has no answer.
    InDoubt,
}

impl Run {
    /// Of a target whose last commit has that number.
    pub(in super::super) fn new(sequence: u64) -> Self {
        Self {
            id: Uuid::now_v7(),
            sequence: sequence.into(),
            number: AtomicU64::default(),
            claims: AtomicBool::default(),
            files: Mutex::default(),
        }
    }

    /// What it calls itself.
    pub(in super::super) fn id(&self) -> Uuid {
        self.id
    }

    /// Notes that a commit with that number stands.
    pub(in super::super) fn reached(&self, sequence: u64) {
        self.sequence.fetch_max(sequence, Ordering::Relaxed);
    }

    /// Notes that a commit of `files` was sent.
    pub(in super::super) fn doubt(&self, files: &[StagedFile]) {
        self.set(files, Fate::InDoubt);
    }

    /// Notes that what became of a commit of `files` is known, and that it did not take effect.
    pub(in super::super) fn resolve(&self, files: &[StagedFile]) {
        self.set(files, Fate::Staged);
    }

    /// Whether a commit of the file was sent and has no answer.
    pub(in super::super) fn is_in_doubt(&self, path: &str) -> bool {
        self.files().get(path) == Some(&Fate::InDoubt)
    }

    /// Notes that files are committed or gone: nobody waits for them any more.
    pub(in super::super) fn ended(&self, files: &[StagedFile]) {
        let mut known = self.files();
        for file in files {
            known.remove(&file.path);
        }
    }

    pub(super) fn claim(&self) {
        self.claims.store(true, Ordering::Relaxed);
    }

    /// Path of a new file, which no other attempt ever gets.
    pub(super) fn next_path(&self) -> String {
        let sequence = self.sequence.load(Ordering::Relaxed) + 1;
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}/{number:05}.parquet", folder_name(sequence, self.id))
    }

    /// Notes that a file may be in the stage from now on.
    pub(super) fn sent(&self, path: &str) {
        self.files().insert(path.to_owned(), Fate::Sent);
    }

    pub(super) fn staged(&self, path: &str) {
        self.files().insert(path.to_owned(), Fate::Staged);
    }

    /// Whether the folder is this run's and nothing in it is waited for.
    pub(super) fn is_done_with(&self, folder: &str) -> bool {
        let is_ours = parse_folder(folder).is_some_and(|(_, run)| run == self.id);
        let is_inside = |path: &String| path.split_once('/').is_some_and(|(known, _)| known == folder);
        is_ours && !self.files().keys().any(is_inside)
    }

    /// The files that may be in the stage and will never be committed: this process is done. Those that it
    /// staged for another to commit stay.
    pub(super) fn left(&self) -> Vec<String> {
        let claims = self.claims.load(Ordering::Relaxed);
        let is_left = |fate: &Fate| *fate == Fate::Sent || (claims && *fate == Fate::Staged);
        let known = self.files();
        known.iter().filter(|(_, fate)| is_left(fate)).map(|(path, _)| path.clone()).collect()
    }

    pub(super) fn forget(&self, paths: &[String]) {
        let mut known = self.files();
        for path in paths {
            known.remove(path);
        }
    }

    fn set(&self, files: &[StagedFile], fate: Fate) {
        self.files().extend(files.iter().map(|file| (file.path.clone(), fate)));
    }

    fn files(&self) -> MutexGuard<'_, HashMap<String, Fate>> {
        // Each entry is replaced whole: a panic leaves none half changed.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is written: what becomes of it is noted.
pub(super) struct Entry {
    run: Arc<Run>,
    pub(super) path: String,
}

impl Entry {
    pub(super) fn new(run: Arc<Run>) -> Self {
        let path = run.next_path();
        Self { run, path }
    }

    pub(super) fn sent(&self) {
        self.run.sent(&self.path);
    }

    pub(super) fn staged(&self) {
        self.run.staged(&self.path);
    }

    pub(super) fn gone(&self) {
        self.run.forget(std::slice::from_ref(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> StagedFile {
        StagedFile { path: path.into(), rows: 1, bytes: 1, placement: serde_json::Value::Null, receipt: None }
    }

    #[test]
    fn names_that_differ_have_folders_that_differ() {
        assert_eq!(target_folder("public_orders"), "public_orders");
        let long = "n".repeat(300);
        let names = ["a.b", "a-b", "a b", "a/b", "", "é", "..", "a'b", &long, &long[1..], "A.B"];
        let mut folders: Vec<String> = names.iter().map(|name| target_folder(name)).collect();
        for folder in &folders {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            assert!(folder.chars().all(plain) && folder.len() < 140, "{folder}");
            // A name that looks like another's folder has another folder.
            assert_ne!(&target_folder(folder), folder);
        }
        folders.sort();
        folders.dedup();
        assert_eq!(folders.len(), names.len());
    }

    #[test]
    fn files_are_named_by_the_commit_they_can_be_part_of() {
        let run = Run::new(6);
        let first = run.next_path();
        assert_eq!(first, format!("00000007-{}/00001.parquet", run.id().simple()));
        run.reached(8);
        run.reached(7);
        let second = run.next_path();
        assert_eq!(second, format!("00000009-{}/00002.parquet", run.id().simple()));
        assert_eq!(parse_folder(second.split_once('/').unwrap().0), Some((9, run.id())));
        for wrong in ["", "7", "00000007-x", "7-0192f0c8d1a57d10a8b6b7f1e6b0a111", "_heads"] {
            assert_eq!(parse_folder(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_left_depends_on_who_commits() {
        let run = Run::new(0);
        let paths = [(); 3].map(|()| run.next_path());
        run.sent(&paths[0]);
        run.staged(&paths[1]);
        run.staged(&paths[2]);
        run.doubt(&[file(&paths[2])]);
        assert_eq!(run.left(), [paths[0].clone()], "staged files are another's to commit");
        run.claim();
        let mut left = run.left();
        left.sort();
        assert_eq!(left, paths[..2], "a commit without an answer may stand");
        let folder = paths[0].split_once('/').unwrap().0;
        assert!(run.is_in_doubt(&paths[2]) && !run.is_done_with(folder));
        run.resolve(&[file(&paths[2])]);
        assert!(!run.is_in_doubt(&paths[2]));
        run.ended(&paths.each_ref().map(|path| file(path)));
        assert!(run.is_done_with(folder));
        assert!(!run.is_done_with(&folder_name(1, Uuid::now_v7())), "another run's folder");
    }
}
