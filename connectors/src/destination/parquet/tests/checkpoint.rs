//! Checkpoints: what is visible is found without the whole history, and they are never the truth.

use object_store::ObjectStoreExt;
use object_store::path::Path;
use protocol::{Destination, WriteMode};

use super::bench::{InMemory, Process, refused};

const METADATA: &str = "lake/_tidegate/public.orders";

/// A place with so many commits of one row each.
async fn loaded(commits: i64) -> InMemory {
    let place = InMemory::new();
    let mut process = Process::start(place.destination()).await;
    for id in 1..=commits {
        process.load(&[id]).await;
    }
    place
}

fn checkpoint(sequence: u64) -> Path {
    Path::from(format!("{METADATA}/checkpoint/{sequence:08}.json"))
}

async fn visible(place: &InMemory) -> (Vec<u64>, usize) {
    place.0.requests();
    let files = place.destination().visible("public.orders").await.unwrap();
    (files.iter().map(|file| file.sequence).collect(), place.0.requests())
}

#[tokio::test]
async fn what_is_visible_is_found_without_the_whole_history() {
    let place = loaded(230).await;
    let checkpoints: Vec<String> =
        place.keys().await.into_iter().filter(|key| key.contains("/checkpoint/")).collect();
    assert_eq!(checkpoints, [checkpoint(100), checkpoint(200)].map(String::from));
    let (sequences, requests) = visible(&place).await;
    assert_eq!(sequences, (1..=230).collect::<Vec<_>>());
    assert!(requests < 40, "{requests} requests");
    // Without it, the one before serves, or all commits are read.
    for missing in [200, 100] {
        place.0.inner.delete(&checkpoint(missing)).await.unwrap();
        assert_eq!(visible(&place).await.0.len(), 230);
    }
}

#[tokio::test]
async fn the_head_is_found_without_a_hint() {
    let place = loaded(101).await;
    place.0.inner.delete(&Path::from(format!("{METADATA}/head.json"))).await.unwrap();
    // The listing begins behind the checkpoint: what is missing before it is not looked at.
    place.0.inner.delete(&Path::from(format!("{METADATA}/manifest/00000050.json"))).await.unwrap();
    assert_eq!(place.destination().head("public.orders").await.unwrap().sequence, 101);
}

#[tokio::test]
async fn a_damaged_checkpoint_is_not_believed() {
    let place = loaded(100).await;
    let whole = place.0.inner.get(&checkpoint(100)).await.unwrap().bytes().await.unwrap();
    for at in (0..whole.len()).step_by(997) {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 4;
        place.0.inner.put(&checkpoint(100), flipped.into()).await.unwrap();
        let (sequences, requests) = visible(&place).await;
        assert_eq!((sequences.len(), requests > 100), (100, true), "byte {at}");
    }
}

#[tokio::test]
async fn a_checkpoint_of_another_history_is_noticed() {
    let (place, other) = (loaded(101).await, loaded(101).await);
    let strange = other.0.inner.get(&checkpoint(100)).await.unwrap().bytes().await.unwrap();
    place.0.inner.put(&checkpoint(100), strange.into()).await.unwrap();
    let error = refused(place.destination().visible("public.orders").await);
    assert!(error.message().contains("not made after"), "{error:?}");
}

#[tokio::test]
async fn a_checkpoint_before_an_overwrite_lists_nothing_that_is_visible() {
    let place = loaded(100).await;
    Process::started(place.destination(), WriteMode::Overwrite).await.unwrap().load(&[7]).await;
    assert_eq!(visible(&place).await.0, [101]);
}
