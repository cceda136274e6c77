//! Finds the last commit of a target.
//!
//! The commits alone are the truth: each is one object that is never changed or deleted, and their
//! numbers have no gap. `head.json` says where the last one was, so that one need not list them all.

use futures::{StreamExt, TryStreamExt, future, stream};
use protocol::{CommitId, Error, Result, StagedFile};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

use super::checkpoint;
use super::layout::{Layout, manifest_name, manifest_sequence};
use super::manifest::Manifest;
use super::store::{Listing, Store};
use super::target::Known;

/// Commits that are read at once.
const PARALLEL: usize = 16;

/// The content of `head.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Hint {
    /// A commit of which all is done. Later ones may stand.
    sequence: u64,
    id: CommitId,
}

/// Finds the last commit. Reads only.
pub(super) async fn find(store: &Store, layout: &Layout) -> Result<Known> {
    look(store, layout).await.map(|(known, _)| known)
}

/// Finds the last commit, and names in the stage folder of an object store: both with one request.
pub(super) async fn look(store: &Store, layout: &Layout) -> Result<(Known, Vec<String>)> {
    let hint = hint(store, layout).await?;
    let from = match hint {
        Some(hint) => hint.sequence,
        None => checkpoint::last_sequence(store, layout).await?,
    };
    let listed = async {
        let listing = listing(store, layout, from).await?;
        last_of(store, layout, from, &listing.manifests).map(|last| (last, listing.stage))
    };
    let ((last, notes), guess) = future::try_join(listed, with_parent(store, layout, from)).await?;
    let head = if last == from { guess } else { with_parent(store, layout, last).await? };
    let finished = match (&head, hint) {
        (Some(head), Some(hint)) => (head.sequence, head.id) == (hint.sequence, hint.id),
        (Some(_), None) => false,
        (None, _) => true,
    };
    Ok((Known { head: head.map(Arc::new), finished }, notes))
}

async fn listing(store: &Store, layout: &Layout, from: u64) -> Result<Listing> {
    store.listing(layout, &manifest_name(from)).await
}

/// The number of the last commit, which is `from` or a later one. Fails with `Data` at a gap.
pub(super) async fn last_sequence(store: &Store, layout: &Layout, from: u64) -> Result<u64> {
    let listing = listing(store, layout, from).await?;
    last_of(store, layout, from, &listing.manifests)
}

fn last_of(store: &Store, layout: &Layout, from: u64, names: &[String]) -> Result<u64> {
    let mut sequences: Vec<u64> = names.iter().filter_map(|name| manifest_sequence(name)).collect();
    sequences.sort_unstable();
    let mut last = from;
    for sequence in sequences.into_iter().filter(|sequence| *sequence > from) {
        if sequence != last + 1 {
            return Err(missing(store, layout, last + 1));
        }
        last = sequence;
    }
    Ok(last)
}

/// Reads one commit.
pub(super) async fn commit(store: &Store, layout: &Layout, sequence: u64) -> Result<Manifest> {
    find_commit(store, layout, sequence).await?.ok_or_else(|| missing(store, layout, sequence))
}

/// Reads one commit, where it stands.
pub(super) async fn find_commit(store: &Store, layout: &Layout, sequence: u64) -> Result<Option<Manifest>> {
    let key = layout.manifest(sequence);
    match store.read(&key).await? {
        Some(bytes) => Manifest::read(&bytes, &layout.target, sequence, &store.place(&key)).map(Some),
        None => Ok(None),
    }
}

/// Reads several commits, in order.
pub(super) fn commits<'a>(
    store: &'a Store,
    layout: &'a Layout,
    first: u64,
    last: u64,
) -> impl stream::Stream<Item = Result<Manifest>> + 'a {
    stream::iter(first..=last).map(move |sequence| commit(store, layout, sequence)).buffered(PARALLEL)
}

/// Files of a sync that goes on.
#[derive(Debug, Default)]
pub(super) struct SyncFiles {
    pub(super) visible: Vec<StagedFile>,
    /// Waiting for the end of the sync.
    pub(super) pending: Vec<StagedFile>,
}

/// The files of the sync that made `head`, which may have changed its write mode on the way.
pub(super) async fn sync_files(store: &Store, layout: &Layout, head: &Manifest) -> Result<SyncFiles> {
    let commits: Vec<Manifest> = commits(store, layout, head.sync_start, head.sequence).try_collect().await?;
    let (visible, hidden): (Vec<_>, Vec<_>) = commits.into_iter().partition(Manifest::is_visible);
    let mut seen = HashSet::new();
    let mut unseen = |commits: Vec<Manifest>| -> Vec<StagedFile> {
        let files = commits.into_iter().flat_map(|commit| commit.files);
        files.filter(|file| seen.insert(file.path.clone())).collect()
    };
    Ok(SyncFiles { visible: unseen(visible), pending: unseen(hidden) })
}

/// Notes that all of a commit is done. What fails here costs the next sync some requests.
pub(super) async fn write_hint(store: &Store, layout: &Layout, manifest: &Manifest) {
    let hint = Hint { sequence: manifest.sequence, id: manifest.id };
    let json = serde_json::to_vec(&hint).expect("a number and an id serialise");
    if let Err(error) = store.replace(&layout.head(), json.into()).await {
        tracing::warn!(target_name = layout.target, error = format!("{error:#}"), "the hint was not written");
    }
}

/// What `head.json` says. One that can't be read says nothing.
async fn hint(store: &Store, layout: &Layout) -> Result<Option<Hint>> {
    let bytes = store.read(&layout.head()).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// A commit that was made after the one that stands before it; `None` for number 0.
async fn with_parent(store: &Store, layout: &Layout, sequence: u64) -> Result<Option<Manifest>> {
    if sequence == 0 {
        return Ok(None);
    }
    let before =
        async { if sequence == 1 { Ok(None) } else { commit(store, layout, sequence - 1).await.map(Some) } };
    let (last, before) = future::try_join(commit(store, layout, sequence), before).await?;
    if let Some(before) = before {
        last.follows(&before.as_parent(), &store.place(&layout.manifest(sequence)))?;
    }
    Ok(Some(last))
}

fn missing(store: &Store, layout: &Layout, sequence: u64) -> Error {
    Error::data(format!(
        "commit {sequence} of target {:?} is missing: {}",
        layout.target,
        store.place(&layout.manifest(sequence))
    ))
    .hint(
        "commits are never deleted: restore it from a version or backup of the bucket or directory, or give \
         the stream a new `target`",
    )
}
