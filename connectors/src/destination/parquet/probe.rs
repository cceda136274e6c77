//! Proves what the commit protocol rests on: of two that create one key, one fails.
//!
//! Some stores that speak S3 take `If-None-Match` and ignore it: there, two syncs at once would
//! overwrite each other's commits.

use bytes::Bytes;
use futures::future;
use protocol::{Error, Result};
use uuid::Uuid;

use super::layout::Layout;
use super::store::{Creation, Store};

/// Creators of one key at once.
const RACERS: u8 = 4;

/// Creates a key twice, one after the other.
pub(super) async fn conditional_create(store: &Store, layout: &Layout) -> Result<()> {
    let key = format!("{}/probe-{}", layout.metadata(), Uuid::now_v7().simple());
    let tried = create_twice(store, &key).await;
    let removed = store.remove(vec![key]).await;
    tried.and(removed)
}

async fn create_twice(store: &Store, key: &str) -> Result<()> {
    let first = Bytes::from_static(b"first");
    // An answer that was lost and asked for again says that the key exists.
    if store.create(key, first.clone()).await? == Creation::Exists
        && store.read(key).await?.as_ref() != Some(&first)
    {
        return Err(refusal(store, key, "a new key is said to exist"));
    }
    protocol::point!("probe.created");
    if store.create(key, Bytes::from_static(b"second")).await? == Creation::Created {
        return Err(refusal(store, key, "a key that exists can be created once more"));
    }
    match store.read(key).await? {
        Some(found) if found == first => Ok(()),
        Some(_) => Err(refusal(store, key, "a key was overwritten by a creation that was refused")),
        None => Err(refusal(store, key, "a key that was created can't be read")),
    }
}

/// Lets several create one key at once.
pub(super) async fn race(store: &Store, layout: &Layout) -> Result<()> {
    let key = format!("{}/probe-{}", layout.metadata(), Uuid::now_v7().simple());
    let racers = (0..RACERS).map(|racer| {
        let key = &key;
        async move { (racer, store.create(key, Bytes::from(vec![racer])).await) }
    });
    let results = future::join_all(racers).await;
    let found = store.read(&key).await;
    store.remove(vec![key.clone()]).await?;
    let winners: Vec<u8> = results
        .iter()
        .filter(|(_, result)| matches!(result, Ok(Creation::Created)))
        .map(|(racer, _)| *racer)
        .collect();
    match (winners.as_slice(), found?) {
        ([winner], Some(found)) if found.as_ref() == [*winner] => Ok(()),
        // The winner's answer may be lost: then nobody knows that it won.
        ([], Some(_)) => Ok(()),
        ([], None) => match results.into_iter().find_map(|(_, result)| result.err()) {
            Some(error) => Err(error),
            None => Err(refusal(store, &key, "a key that several create at once is created by none")),
        },
        _ => Err(refusal(store, &key, "a key that several create at once is created more than once")),
    }
}

fn refusal(store: &Store, key: &str, what: &str) -> Error {
    Error::config(format!("this store can't keep commits apart: {what} ({})", store.place(key))).hint(
        "tidegate needs conditional writes (`If-None-Match: *`), as AWS S3, SeaweedFS, MinIO, R2 and local \
         file systems offer them",
    )
}
