//! Walks once through all that a sync does with the store, under a name of its own, and leaves no trace.

use bytes::Bytes;
use protocol::{Error, Result, StagedFile};
use uuid::Uuid;

use super::Parquet;
use super::layout::{Layout, new_file};
use super::probe;
use super::store::{Freshness, Store};
use super::target::Target;

const CONTENT: &[u8] = b"written by tidegate to check this destination; it can be removed";

pub(super) async fn check(parquet: &Parquet) -> Result<Vec<String>> {
    let store = &parquet.store;
    let target = Target::new(&format!("check-{}", Uuid::now_v7().simple()))?;
    let before = store.outline().await?;
    // Not named as data is, so that no reader of the whole place takes it for some.
    let path = new_file(None, 1)?.replace(".parquet", ".check");
    let key = target.layout.file(&path);
    let tried = walk(store, &target, path).await;
    let removed = store.remove(vec![key]).await;
    let released = store.release(&target.layout, &target.run, |_| false).await;
    let cleaned = store.remove_traces(&target.layout, before).await;
    // What failed first says more.
    tried.map_err(named)?;
    removed.and(released).and(cleaned).map_err(|error| named(("removing", error)))?;
    let mut lines = vec![
        format!("{}: a file was staged, committed, read and removed", store.place("").trim_end_matches('/')),
        "two commits with one number are kept apart".to_owned(),
    ];
    if matches!(**store, Store::Objects(_)) {
        lines.push(
            "a rule of the bucket that aborts incomplete uploads must wait for 7 days or more; none is needed \
             for what crashed syncs leave, which later ones remove"
                .to_owned(),
        );
    }
    Ok(lines)
}

/// What was done when a check failed.
type Step = &'static str;

fn named((step, error): (Step, Error)) -> Error {
    error.context("step", step)
}

fn at(step: Step) -> impl Fn(Error) -> (Step, Error) {
    move |error| (step, error)
}

async fn walk(store: &Store, target: &Target, path: String) -> Result<(), (Step, Error)> {
    let layout = &target.layout;
    store.list(&layout.manifests(), None).await.map_err(at("listing"))?;
    let file = stage(store, target, path).await.map_err(at("staging"))?;
    let walked = commit(store, layout, &file).await;
    if walked.is_err() {
        // What failed is what the person must know; this may fail for the same reason.
        let _ = store.discard(layout, std::slice::from_ref(&file)).await;
    }
    target.run.ended(&[file]);
    walked
}

async fn stage(store: &Store, target: &Target, path: String) -> Result<StagedFile> {
    let mut writer = store.stage(&target.layout, &target.run, path, 1).await?;
    writer.write(Bytes::from_static(CONTENT)).await?;
    writer.finish().await
}

async fn commit(store: &Store, layout: &Layout, file: &StagedFile) -> Result<(), (Step, Error)> {
    probe::conditional_create(store, layout).await.map_err(at("committing"))?;
    probe::race(store, layout).await.map_err(at("committing at once"))?;
    let files = store.adopt(layout, 1, vec![file.clone()]).await.map_err(at("publishing"))?;
    let key = layout.file(&file.path);
    if store.read(&key).await.map_err(at("reading"))?.is_some() {
        let error = Error::config(format!("{} is visible before it is committed", store.place(&key)));
        return Err(("staging", error));
    }
    let lost = store.publish(layout, &files, Freshness::Waiting).await.map_err(at("publishing"))?;
    let found = store.read(&key).await.map_err(at("reading"))?;
    if !lost.is_empty() || found.as_deref() != Some(CONTENT) {
        let error = Error::config(format!("{} is not what was written", store.place(&key)));
        return Err(("reading", error));
    }
    Ok(())
}
