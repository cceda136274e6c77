//! What readers see of a target: the files that its commits name.

use std::collections::HashSet;

use futures::TryStreamExt;
use protocol::{Audit, CommittedFile, Digest, Result, Totals};

use super::layout::{Layout, checked, manifest_sequence};
use super::manifest::Manifest;
use super::store::Store;
use super::{checkpoint, head};

/// The files of all visible commits of the generation that stands, in their order.
pub(super) async fn visible(store: &Store, layout: &Layout) -> Result<Vec<CommittedFile>> {
    match head::find(store, layout).await?.head {
        Some(last) => checkpoint::files(store, layout, &last).await,
        None => Ok(Vec::new()),
    }
}

/// The files that a commit makes visible.
fn files_of(commit: Manifest) -> Result<Vec<CommittedFile>> {
    if !commit.is_visible() {
        return Ok(Vec::new());
    }
    commit.files.iter().try_for_each(|file| checked(&file.path).map(drop))?;
    let sequence = commit.sequence;
    Ok(commit.files.into_iter().map(|file| CommittedFile::new(file, sequence)).collect())
}

/// Reads every commit that is there, up to the last, and looks for files that none of them names.
pub(super) async fn audit(store: &Store, layout: &Layout) -> Result<Audit> {
    // Before the commits are read: what is published meanwhile is not taken for unexpected.
    let listed = store.files_below(layout.data()).await?;
    let known = head::find(store, layout).await?;
    let mut audit = Audit { is_settled: known.finished, ..Audit::default() };
    if let Some(last) = &known.head {
        read_commits(store, layout, last, &mut audit).await?;
        check_totals(last, &mut audit);
    }
    let named: HashSet<&str> = audit.files.iter().map(|file| file.path.as_str()).collect();
    let mut unexpected = Vec::new();
    for (path, bytes) in listed {
        // What a reader of `**/*.parquet` finds.
        let is_data = path.rsplit('/').next().is_some_and(|name| name.ends_with(".parquet"));
        // A file of a generation that was overwritten meanwhile is gone by now.
        if is_data && !named.contains(path.as_str()) && store.open_file(&layout.file(&path)).await?.is_some()
        {
            unexpected.push((path, bytes));
        }
    }
    unexpected.sort_unstable();
    audit.unexpected = Some(unexpected);
    Ok(audit)
}

async fn read_commits(store: &Store, layout: &Layout, last: &Manifest, audit: &mut Audit) -> Result<()> {
    let names = store.list(&layout.manifests(), None).await?;
    let first = names.iter().filter_map(|name| manifest_sequence(name)).min().unwrap_or(last.sequence);
    let first = first.min(last.generation_start);
    let mut commits = std::pin::pin!(head::commits(store, layout, first, last.sequence));
    let mut before = None;
    while let Some(commit) = commits.try_next().await? {
        if let Some(before) = &before {
            commit.follows(before, &store.place(&layout.manifest(commit.sequence)))?;
        }
        before = Some(commit.as_parent());
        audit.commits += 1;
        if commit.sequence >= last.generation_start {
            audit.files.extend(files_of(commit)?);
        }
    }
    audit.sequence = last.sequence;
    Ok(())
}

/// What the last commit says of all that is visible must be the sum of what each said of its files.
fn check_totals(last: &Manifest, audit: &mut Audit) {
    let files = audit.files.iter();
    let content = files
        .clone()
        .try_fold(Digest::default(), |sum, file| file.receipt.as_ref().map(|receipt| sum + receipt.content));
    let sum = Totals {
        files: audit.files.len() as u64,
        rows: files.clone().map(|file| file.rows).sum(),
        bytes: files.map(|file| file.bytes).sum(),
        content: content.filter(|_| last.totals.content.is_some()),
    };
    if sum != last.totals {
        let told = |totals: &Totals| {
            let content = totals.content.map(|content| format!(", content {content}")).unwrap_or_default();
            format!("{} files, {} rows, {} bytes{content}", totals.files, totals.rows, totals.bytes)
        };
        audit.problems.push(format!(
            "commit {} says that the target holds {}; its files add up to {}",
            last.sequence,
            told(&last.totals),
            told(&sum)
        ));
    }
}
