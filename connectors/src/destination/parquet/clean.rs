//! Aborts what processes left in an object store that were killed. Needs no clock and trusts none.
//!
//! A process that claims commits its uploads itself, one number after the other. Once another process
//! has the number it would need, it can never commit again: what it has begun is garbage, whether it
//! lives or not. Uploads of processes that claim nothing may be committed by others: they are kept as long
//! as the sync goes on that they were read for.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use futures::{StreamExt, TryStreamExt, stream};
use protocol::Result;
use uuid::Uuid;

use super::head;
use super::store::{Objects, Record, RecordName, Store};
use super::target::{Known, Target};

/// Notes that are looked at at once.
const PARALLEL: usize = 16;

/// Cleans up behind those whose notes are in the stage folder.
pub(super) async fn clean(store: &Store, target: &Target, known: &Known, notes: &[String]) -> Result<()> {
    let Store::Objects(objects) = store else { return Ok(()) };
    let own = target.run.id();
    let mut left = false;
    let (due, early): (Vec<&String>, Vec<_>) =
        notes.iter().filter(|name| is_foreign(name, own)).partition(|name| is_due(name, known));
    let removals: Vec<_> = due.iter().map(|name| remove(store, objects, target, known, name)).collect();
    let mut removals = stream::iter(removals).buffer_unordered(PARALLEL);
    left |= !early.is_empty();
    while let Some(removed) = removals.try_next().await? {
        left |= !removed;
    }
    target.others.store(left, Ordering::Relaxed);
    Ok(())
}

fn is_foreign(name: &str, own: Uuid) -> bool {
    RecordName::parse(name).is_some_and(|name| name.run != own)
}

/// Whether the number is taken that its process aimed at first.
fn is_due(name: &str, known: &Known) -> bool {
    RecordName::parse(name).is_some_and(|name| name.sequence <= known.sequence())
}

/// Cleans up again, after commits of our own.
pub(super) async fn again(store: &Store, target: &Target) -> Result<()> {
    let (known, notes) = head::look(store, &target.layout).await?;
    clean(store, target, &known, &notes).await
}

/// Whether nothing of that note is left.
async fn remove(
    store: &Store,
    objects: &Objects,
    target: &Target,
    known: &Known,
    name: &str,
) -> Result<bool> {
    let key = target.layout.staged(name);
    let Some(document) = store.read(&key).await? else { return Ok(true) };
    let Some(record) = Record::read(&document) else { return Ok(false) };
    let Some(named) = named_if_void(store, target, known, &record).await? else { return Ok(false) };
    let garbage = record.uploads.iter().filter(|begun| !named.contains(&begun.path));
    let aborts: Vec<_> = garbage.map(|begun| objects.abort(&target.layout, begun)).collect();
    let aborted = aborts.len();
    objects.all(aborts).await?;
    protocol::point!("clean.aborted");
    store.remove(vec![key]).await?;
    protocol::point!("clean.removed");
    tracing::info!(
        target_name = target.layout.target,
        uploads = aborted,
        "what {} left behind was removed",
        record.holder
    );
    Ok(true)
}

/// The files that commits name, where none can name another upload of this record any more.
async fn named_if_void(
    store: &Store,
    target: &Target,
    known: &Known,
    record: &Record,
) -> Result<Option<HashSet<String>>> {
    let Some(head) = known.head.as_ref().filter(|head| head.sequence >= record.sequence) else {
        return Ok(None);
    };
    if !record.claims && head.state.unfinished.is_some() {
        return Ok(None);
    }
    let mut overtaken = false;
    let mut named = HashSet::new();
    let mut commits =
        std::pin::pin!(head::commits(store, &target.layout, record.sequence.max(1), head.sequence));
    while let Some(commit) = commits.try_next().await? {
        overtaken |= commit.run != Some(record.run);
        named.extend(commit.files.into_iter().map(|file| file.path));
    }
    Ok(overtaken.then_some(named))
}
