//! Damaged, missing, foreign and mixed-up metadata: named, and never taken for a fresh start.

use arrow_schema::DataType;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use protocol::{Destination, Error, ErrorKind, StreamState, WriteMode};

use super::bench::{InMemory, Process, refused, rows, schema, stream};

const MANIFESTS: &str = "lake/_tidegate/public.orders/manifest";
const HINT: &str = "lake/_tidegate/public.orders/head.json";

/// A place with three commits.
async fn loaded() -> InMemory {
    let place = InMemory::new();
    for id in 1..=3 {
        Process::start(place.destination()).await.load(&[id]).await;
    }
    place
}

async fn get(place: &InMemory, key: &str) -> Vec<u8> {
    place.0.inner.get(&key.into()).await.unwrap().bytes().await.unwrap().to_vec()
}

async fn put(place: &InMemory, key: &str, bytes: impl Into<Vec<u8>>) {
    place.0.inner.put(&key.into(), bytes.into().into()).await.unwrap();
}

async fn delete(place: &InMemory, key: &str) {
    place.0.inner.delete(&Path::from(key)).await.unwrap();
}

/// What both those who look and those who write are told.
async fn told(place: &InMemory) -> Error {
    let looked = refused(place.destination().head("public.orders").await);
    let prepared = refused(Process::started(place.destination(), WriteMode::Append).await);
    assert_eq!(looked.kind(), prepared.kind());
    assert!(prepared.advice().is_some(), "{prepared:?}");
    prepared
}

#[tokio::test]
async fn a_damaged_commit_is_never_taken_for_a_fresh_start() {
    let key = format!("{MANIFESTS}/00000003.json");
    let whole = get(&loaded().await, &key).await;
    let place = loaded().await;
    for length in (0..whole.len()).step_by(64) {
        put(&place, &key, &whole[..length]).await;
        assert_eq!(told(&place).await.kind(), ErrorKind::Data, "{length} bytes of it");
    }
    for at in (0..whole.len()).step_by(41) {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        put(&place, &key, flipped).await;
        assert!(matches!(told(&place).await.kind(), ErrorKind::Data | ErrorKind::Config), "byte {at}");
    }
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_left_alone() {
    let place = loaded().await;
    put(&place, &format!("{MANIFESTS}/00000004.json"), r#"{"format": 99}"#).await;
    let error = told(&place).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("a newer tidegate wrote it"), "{error:?}");
}

#[tokio::test]
async fn a_missing_commit_is_named() {
    for (missing, hint) in [(1, false), (2, false), (2, true), (3, true)] {
        let place = loaded().await;
        delete(&place, &format!("{MANIFESTS}/{missing:08}.json")).await;
        if !hint {
            delete(&place, HINT).await;
        }
        let error = told(&place).await;
        assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
        assert!(error.message().contains(&format!("commit {missing} of target")), "{error:?}");
    }
}

#[tokio::test]
async fn commits_of_two_histories_are_seen() {
    let (place, other) = (loaded().await, loaded().await);
    let key = format!("{MANIFESTS}/00000003.json");
    put(&place, &key, get(&other, &key).await).await;
    let error = told(&place).await;
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.message().contains("not made after"), "{error:?}");
}

#[tokio::test]
async fn another_targets_commit_is_refused() {
    let place = loaded().await;
    let commit = get(&place, &format!("{MANIFESTS}/00000001.json")).await;
    put(&place, "lake/_tidegate/public.copy/manifest/00000001.json", commit).await;
    let error = refused(place.destination().head("public.copy").await);
    assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
}

#[tokio::test]
async fn the_hint_is_not_believed() {
    for hint in [
        None,
        Some(""),
        Some("{}"),
        Some("\0"),
        Some(r#"{"sequence":1,"id":"0192f0c0-0000-7000-8000-000000000000"}"#),
    ] {
        let place = loaded().await;
        match hint {
            Some(hint) => put(&place, HINT, hint).await,
            None => delete(&place, HINT).await,
        }
        let mut process = Process::start(place.destination()).await;
        assert_eq!(process.prepared.head.sequence, 3, "{hint:?}");
        process.load(&[4]).await;
        assert_eq!(rows(place.0.as_ref(), "lake/public.orders").await.len(), 4, "{hint:?}");
    }
}

#[tokio::test]
async fn files_without_their_commits_are_not_loaded_twice() {
    let place = loaded().await;
    for sequence in 1..=3 {
        delete(&place, &format!("{MANIFESTS}/{sequence:08}.json")).await;
    }
    delete(&place, HINT).await;
    let error = refused(Process::started(place.destination(), WriteMode::Append).await);
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains("the commits in memory://lake/_tidegate/public.orders are gone"));
}

#[tokio::test]
async fn foreign_files_do_not_disturb() {
    let place = loaded().await;
    put(&place, &format!("{MANIFESTS}/README.txt"), "hello").await;
    put(&place, "lake/public.customers/mine.parquet", "hello").await;
    let mut process = Process::start(place.destination()).await;
    process.load(&[4]).await;
    assert_eq!(place.destination().head("public.orders").await.unwrap().sequence, 4);
    let mut other = stream(WriteMode::Append);
    other.target = "public.customers".into();
    let prepared = place.destination().prepare(&other, &schema(DataType::Int64)).await.unwrap();
    assert_eq!(prepared.head.sequence, 0);
}

#[tokio::test]
async fn a_reset_target_may_be_overwritten_with_another_meaning() {
    let place = loaded().await;
    let text = schema(DataType::Utf8);
    let destination = place.destination();
    let overwrite = stream(WriteMode::Overwrite);
    assert_eq!(refused(destination.prepare(&overwrite, &text).await).kind(), ErrorKind::Schema);
    let mut process = Process::start(place.destination()).await;
    let reset = protocol::Commit { state: StreamState::default(), ..process.next(vec![]) };
    process.commit(&reset).await.unwrap();
    assert_eq!(destination.prepare(&overwrite, &text).await.unwrap().schema, text);
    let append = stream(WriteMode::Append);
    assert_eq!(refused(destination.prepare(&append, &text).await).kind(), ErrorKind::Schema);
}

#[tokio::test]
async fn readers_of_the_prefix_see_data_and_no_metadata() {
    let place = loaded().await;
    let keys = place.keys().await;
    let (metadata, data): (Vec<_>, Vec<_>) =
        keys.iter().partition(|key| key.starts_with("lake/_tidegate/public.orders/"));
    assert_eq!(metadata.len(), 4, "three commits and the hint: {metadata:?}");
    assert_eq!(data.len(), 3, "{data:?}");
    assert!(
        data.iter().all(|key| key.starts_with("lake/public.orders/0000000") && key.ends_with(".parquet"))
    );
    assert!(place.0.list(Some(&"lake".into())).size_hint().0 > 0);
}
