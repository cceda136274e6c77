//! Does what a commit promises once it stands: makes its files visible, removes those it makes void.
//!
//! Each step can be repeated, by any process, at once. Invariant: a commit is made only when all that
//! the one before it promises is done.

use std::collections::HashSet;

use futures::TryStreamExt;
use protocol::{Error, Result};

use super::head;
use super::layout::Layout;
use super::manifest::{Manifest, Void};
use super::store::{Freshness, Store};
use super::target::{Known, Target};

/// Times that another process may commit while this one looks.
const ATTEMPTS: usize = 8;
/// Files that are removed together, at least.
const REMOVED_AT_ONCE: usize = 1_000;
/// Files that a message names.
const NAMED: usize = 3;

/// How far a commit is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Finished,
    /// Another process finished it and committed after it.
    Overtaken,
}

/// The last commit, with all that it promises done.
pub(super) async fn settle(store: &Store, target: &Target, mut known: Known) -> Result<Known> {
    for _ in 0..ATTEMPTS {
        let Some(head) = known.head.clone().filter(|_| !known.finished) else {
            target.learn(known.clone());
            return Ok(known);
        };
        protocol::point!("forward.begun");
        match carry_out(store, &target.layout, &head, Freshness::Unknown).await? {
            Outcome::Finished => known.finished = true,
            Outcome::Overtaken => known = head::find(store, &target.layout).await?,
        }
    }
    Err(Error::conflict(format!(
        "target {:?} is committed to by another sync, again and again",
        target.layout.target
    )))
}

/// Does what `manifest` promises.
pub(super) async fn carry_out(
    store: &Store,
    layout: &Layout,
    manifest: &Manifest,
    freshness: Freshness,
) -> Result<Outcome> {
    if manifest.is_visible() {
        let lost = store.publish(layout, &manifest.files, freshness).await?;
        if !lost.is_empty() {
            if head::last_sequence(store, layout, manifest.sequence).await? > manifest.sequence {
                return Ok(Outcome::Overtaken);
            }
            return Err(gone(store, layout, manifest, &lost));
        }
    }
    protocol::point!("publish.done");
    // Only now: until the new files are visible the old ones are all that readers have.
    remove_void(store, layout, manifest).await?;
    protocol::point!("void.done");
    head::write_hint(store, layout, manifest).await;
    protocol::point!("hint.written");
    Ok(Outcome::Finished)
}

async fn remove_void(store: &Store, layout: &Layout, manifest: &Manifest) -> Result<()> {
    let Some(voids) = manifest.voids else { return Ok(()) };
    let mut removed = Vec::new();
    let kept: HashSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    let mut commits = std::pin::pin!(head::commits(store, layout, voids.first, voids.last));
    while let Some(mut commit) = commits.try_next().await? {
        commit.files.retain(|file| !kept.contains(file.path.as_str()));
        if !commit.is_visible() {
            store.discard(layout, &commit.files).await?;
        } else if voids.what == Void::Generation {
            removed.extend(commit.files.iter().map(|file| layout.file(&file.path)));
        }
        if removed.len() >= REMOVED_AT_ONCE {
            store.remove(std::mem::take(&mut removed)).await?;
        }
    }
    if removed.is_empty() { Ok(()) } else { store.remove(removed).await }
}

fn gone(store: &Store, layout: &Layout, manifest: &Manifest, lost: &[String]) -> Error {
    let rows: u64 =
        manifest.files.iter().filter(|file| lost.contains(&file.path)).map(|file| file.rows).sum();
    let names: Vec<&str> = lost.iter().take(NAMED).map(String::as_str).collect();
    let more = if lost.len() > NAMED { ", …" } else { "" };
    Error::data(format!(
        "commit {} of target {:?} can't be finished: {} of its files with {rows} rows are gone before they \
         became visible: {}{more}",
        manifest.sequence,
        layout.target,
        lost.len(),
        names.join(", ")
    ))
    .hint(format!(
        "something removed uploads or staged files that were not older than the commit {}, such as a rule of \
         the bucket that aborts incomplete uploads: let it wait for 7 days or more; \
         `tidegate state repair` then reads the rows of that commit again",
        store.place(&layout.manifest(manifest.sequence)),
    ))
}
