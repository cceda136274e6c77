//! Every hundredth commit lists all files that readers see: who looks for them, or for the last commit,
//! need not read the whole history.
//!
//! `checkpoint/<sequence>.json`, created once and sealed as commits are. It adds nothing: the commits are the
//! truth and all of them stay. One that is missing or damaged costs requests.

use futures::TryStreamExt;
use protocol::{CommittedFile, Error, Result};
use serde::{Deserialize, Serialize};

use super::commit::WRITTEN_BY;
use super::head;
use super::layout::{Layout, checked, manifest_sequence};
use super::manifest::{Manifest, Parent};
use super::seal::{seal, unseal};
use super::store::Store;

/// Version of the document.
const FORMAT: u32 = 1;
/// Commits between two.
const EVERY: u64 = 100;
/// Checkpoints that are looked for, the latest first: a crash may have kept one from being written.
const TRIED: u64 = 5;

/// All that a target holds after one commit.
#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    format: u32,
    target: String,
    /// The commit. Its checksum stands for all commits up to it.
    commit: Parent,
    generation_start: u64,
    files: Vec<CommittedFile>,
    written_by: String,
}

/// Writes the checkpoint of a commit whose turn it is. What fails costs only requests.
pub(super) async fn write(store: &Store, layout: &Layout, manifest: &Manifest) {
    if !manifest.sequence.is_multiple_of(EVERY) {
        return;
    }
    if let Err(error) = try_write(store, layout, manifest).await {
        tracing::warn!(
            target_name = layout.target,
            error = format!("{error:#}"),
            "a checkpoint was not written"
        );
    }
}

async fn try_write(store: &Store, layout: &Layout, manifest: &Manifest) -> Result<()> {
    protocol::point!("checkpoint.begun");
    let checkpoint = Checkpoint {
        format: FORMAT,
        target: layout.target.clone(),
        commit: manifest.as_parent(),
        generation_start: manifest.generation_start,
        files: files(store, layout, manifest).await?,
        written_by: WRITTEN_BY.to_owned(),
    };
    let (document, _) = seal(&checkpoint)?;
    store.create(&layout.checkpoint(manifest.sequence), document).await?;
    protocol::point!("checkpoint.created");
    Ok(())
}

/// The files that readers see after the commit `head`, in the order of their commits.
pub(super) async fn files(store: &Store, layout: &Layout, head: &Manifest) -> Result<Vec<CommittedFile>> {
    let (mut files, mut before) = match latest(store, layout, head).await? {
        Some(checkpoint) => (checkpoint.files, Some(checkpoint.commit)),
        None => (Vec::new(), None),
    };
    let first = before.as_ref().map_or(head.generation_start, |before| before.sequence + 1);
    let mut commits = std::pin::pin!(head::commits(store, layout, first, head.sequence));
    while let Some(commit) = commits.try_next().await? {
        if let Some(before) = &before {
            commit.follows(before, &store.place(&layout.manifest(commit.sequence)))?;
        }
        before = Some(commit.as_parent());
        if commit.is_visible() {
            let sequence = commit.sequence;
            files.extend(commit.files.into_iter().map(|file| CommittedFile::new(file, sequence)));
        }
    }
    if before.is_some_and(|last| last != head.as_parent()) {
        return Err(Error::data(format!(
            "commit {} of target {:?} is not the one that was read before",
            head.sequence, layout.target
        )));
    }
    files.iter().try_for_each(|file| checked(&file.path).map(drop))?;
    Ok(files)
}

/// The latest checkpoint up to `head` that lists files of its generation.
async fn latest(store: &Store, layout: &Layout, head: &Manifest) -> Result<Option<Checkpoint>> {
    let last = head.sequence / EVERY;
    for number in (1..=last).rev().take(usize::try_from(TRIED).unwrap_or(1)) {
        let sequence = number * EVERY;
        if sequence < head.generation_start {
            break;
        }
        let Some(document) = store.read(&layout.checkpoint(sequence)).await? else { continue };
        match read(&document) {
            Some(found) if (&found.target, found.commit.sequence) == (&layout.target, sequence) => {
                let is_ours = found.generation_start == head.generation_start;
                return Ok(is_ours.then_some(found));
            }
            _ => tracing::warn!(
                target_name = layout.target,
                "{} is damaged: commits are read instead",
                store.place(&layout.checkpoint(sequence))
            ),
        }
    }
    Ok(None)
}

fn read(document: &[u8]) -> Option<Checkpoint> {
    unseal(document)?;
    serde_json::from_slice(document).ok().filter(|checkpoint: &Checkpoint| checkpoint.format <= FORMAT)
}

/// The last commit that has a checkpoint: later ones may stand. 0 where none has.
pub(super) async fn last_sequence(store: &Store, layout: &Layout) -> Result<u64> {
    let names = store.list(&layout.checkpoints(), None).await?;
    Ok(names.iter().filter_map(|name| manifest_sequence(name)).max().unwrap_or(0))
}
