//! A real S3 server: the conformance suite, rights and addresses.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use lab::s3::{Bucket, S3};
use object_store::ObjectStoreExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use protocol::conformance::destination::{self, DestinationFixture};
use protocol::{CommitId, Destination, ErrorKind, Result, WriteMode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::bench::{Process, encoded, keys, opened, refused, rows};
use crate::destination::parquet::layout::{Layout, segment};
use crate::destination::parquet::manifest::{Manifest, Parent};
use crate::destination::parquet::store::Creation;
use crate::destination::parquet::{Parquet, head};

struct Place {
    bucket: Bucket,
    client: Arc<AmazonS3>,
}

impl Place {
    fn new() -> Self {
        let bucket = S3::shared().bucket();
        let client = AmazonS3Builder::new()
            .with_endpoint(&bucket.endpoint)
            .with_allow_http(true)
            .with_region(&bucket.region)
            .with_bucket_name(&bucket.name)
            .with_access_key_id(&bucket.access_key)
            .with_secret_access_key(&bucket.secret_key);
        Self { client: Arc::new(client.build().unwrap()), bucket }
    }
}

fn config(bucket: &Bucket) -> Value {
    json!({
        "url": bucket.url("lake/house"),
        "endpoint": bucket.endpoint,
        "region": bucket.region,
        "access_key_id": bucket.access_key,
        "secret_access_key": bucket.secret_key,
    })
}

impl DestinationFixture for Place {
    type Destination = Parquet;

    async fn open(&self) -> Result<Parquet> {
        opened(config(&self.bucket)).await
    }

    fn encode(&self, ids: &[i64]) -> Bytes {
        encoded(ids)
    }

    async fn read(&self, target: &str) -> Vec<i64> {
        rows(self.client.as_ref(), &format!("lake/house/{}", segment(target))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_on_s3() {
    destination::destination(&Place::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_leaves_no_trace() {
    let place = Place::new();
    place.open().await.unwrap().check().await.unwrap();
    assert_eq!(keys(place.client.as_ref(), "").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_may_not_write_are_named_so() {
    let place = Place::new();
    Process::start(place.open().await.unwrap()).await.load(&[1]).await;
    let reader = place.bucket.with_key(&S3::shared().read_only_key());
    let parquet = opened(config(&reader)).await.unwrap();
    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, 1);
    let error = refused(parquet.check().await);
    assert_eq!((error.kind(), error.context_value("step")), (ErrorKind::Auth, Some("staging")), "{error:?}");
    let process = Process::started(parquet, WriteMode::Append).await.unwrap();
    let error = refused(process.stage(&[2]).await);
    assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
    assert!(error.advice().unwrap().contains("s3:PutObject"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secrets_are_refused_and_not_repeated() {
    let place = Place::new();
    for (field, hint) in [("access_key_id", "access_key_id"), ("secret_access_key", "secret_access_key")] {
        let mut config = config(&place.bucket);
        config[field] = "canarycanarycanary00".into();
        let error = refused(opened(config).await.unwrap().head("public.orders").await);
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        assert!(error.advice().unwrap().contains(hint), "{error:?}");
        let shown = format!("{error:?} {:?}", error.advice());
        assert!(!shown.contains("canary") && !shown.contains(&place.bucket.secret_key), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_a_mistake_in_the_configuration() {
    let place = Place::new();
    let mut config = config(&place.bucket);
    config["url"] = "s3://no-such-bucket/lake".into();
    let parquet = opened(config).await.unwrap();
    for error in [refused(parquet.head("public.orders").await), refused(parquet.check().await)] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.message().contains("the bucket does not exist"), "{error:?}");
    }
}

/// The second commit of `public.orders` as a process leaves it that is killed right after the manifest.
async fn killed_after_the_manifest(place: &Place) -> (Parquet, Layout, Manifest) {
    let parquet = place.open().await.unwrap();
    let mut process = Process::start(place.open().await.unwrap()).await;
    process.load(&[1]).await;
    let files = vec![process.stage(&[2]).await.unwrap(), process.stage(&[3, 4]).await.unwrap()];
    let layout = Layout::new("public.orders").unwrap();
    let before = head::commit(&parquet.store, &layout, 1).await.unwrap();
    let parent = Some(Parent { sequence: 1, sha256: before.checksum.clone() });
    let mut manifest = Manifest { sequence: 2, parent, id: CommitId::new(), files, ..before };
    let document = manifest.seal().unwrap();
    parquet.store.create(&layout.manifest(2), document).await.unwrap();
    (parquet, layout, manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_roll_one_commit_forward_at_once() {
    let place = Place::new();
    killed_after_the_manifest(&place).await;
    assert_eq!(place.read("public.orders").await, [1]);
    let starts = (0..4).map(|_| async { Process::start(place.open().await.unwrap()).await });
    for process in futures::future::join_all(starts).await {
        assert_eq!(process.prepared.head.sequence, 2);
    }
    let mut seen = place.read("public.orders").await;
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_a_rule_of_the_bucket_aborted_are_named() {
    let place = Place::new();
    let (parquet, layout, manifest) = killed_after_the_manifest(&place).await;
    let lost = &manifest.files[1];
    parquet.store.discard(&layout, std::slice::from_ref(lost)).await.unwrap();
    let error = refused(Process::started(parquet, WriteMode::Append).await);
    assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
    assert!(error.message().contains(&lost.path) && error.message().contains("with 2 rows"), "{error:?}");
    assert_eq!(place.open().await.unwrap().head("public.orders").await.unwrap().sequence, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_is_found_behind_many_commits() {
    const MANY: u64 = 1_203;
    let place = Place::new();
    let parquet = place.open().await.unwrap();
    let mut process = Process::start(place.open().await.unwrap()).await;
    process.load(&[1]).await;
    let layout = Layout::new("public.orders").unwrap();
    let mut before = head::commit(&parquet.store, &layout, 1).await.unwrap();
    let mut documents = Vec::new();
    for sequence in 2..=MANY {
        let parent = Some(Parent { sequence: sequence - 1, sha256: before.checksum.clone() });
        let mut manifest = Manifest { sequence, parent, id: CommitId::new(), files: vec![], ..before };
        documents.push((layout.manifest(sequence), manifest.seal().unwrap()));
        before = manifest;
    }
    let store = &parquet.store;
    let writes =
        documents.into_iter().map(|(key, document)| async move { store.create(&key, document).await });
    let written: Vec<_> = futures::stream::iter(writes).buffer_unordered(32).try_collect().await.unwrap();
    assert!(written.iter().all(|creation| *creation == Creation::Created));

    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, MANY, "behind an old hint");
    store.remove(vec![layout.head()]).await.unwrap();
    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, MANY, "without a hint");
    Process::start(place.open().await.unwrap()).await.load(&[2]).await;
    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, MANY + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_foreign_objects_beside_ours_are_left_alone() {
    const PAGES: usize = 2_300;
    let place = Place::new();
    let client = &place.client;
    let folders = [
        "public.orders",
        "public.orders/2026",
        "_tidegate/public.orders/manifest",
        "_tidegate/public.orders/stage",
    ];
    let foreign: Vec<_> = folders
        .iter()
        .flat_map(|folder| (0..PAGES).map(move |number| format!("lake/house/{folder}/{number:07}.parquet")))
        .collect();
    let puts = foreign.iter().map(|key| async move {
        client.put(&key.as_str().into(), Bytes::from_static(b"not ours").into()).await
    });
    let put: Vec<_> = futures::stream::iter(puts).buffer_unordered(32).try_collect().await.unwrap();
    assert_eq!(put.len(), folders.len() * PAGES);
    let mut process = Process::start(place.open().await.unwrap()).await;
    process.load(&[1, 2]).await;
    let mut process = Process::start(place.open().await.unwrap()).await;
    process.load(&[3]).await;
    let parquet = place.open().await.unwrap();
    assert_eq!(parquet.head("public.orders").await.unwrap().sequence, 2);
    let visible = parquet.visible("public.orders").await.unwrap();
    assert_eq!(visible.iter().map(|file| file.rows).sum::<u64>(), 3, "{visible:?}");
    let keys = keys(client.as_ref(), "").await;
    assert!(foreign.iter().all(|key| keys.contains(key)), "some are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_nobody_can_commit_any_more_are_aborted() {
    let place = Place::new();
    for id in 1..=3 {
        let ended = Process::start(place.open().await.unwrap()).await;
        for _ in 0..2 {
            ended.stage(&[666]).await.unwrap();
        }
        assert_eq!(place.bucket.open_uploads(), 2);
        Process::start(place.open().await.unwrap()).await.load(&[id]).await;
        Process::start(place.open().await.unwrap()).await;
        assert_eq!(place.bucket.open_uploads(), 0);
    }
    let left = keys(place.client.as_ref(), "lake/house/_tidegate/public.orders/stage").await;
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(place.read("public.orders").await, [1, 2, 3]);
}

/// Runs in a process of its own, started by the test below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the environment that `credentials_and_endpoint_come_from_the_environment` makes"]
async fn opens_with_nothing_but_an_environment() {
    let url = std::env::var("PARQUET_TEST_URL").unwrap();
    opened(json!({ "url": url })).await.unwrap().check().await.unwrap();
    let endpoint = std::env::var("PARQUET_TEST_ENDPOINT").unwrap();
    // What is configured wins over what is in the environment.
    let error = refused(opened(json!({ "url": url, "endpoint": endpoint })).await.unwrap().head("t").await);
    assert!(format!("{error:?}").contains(&endpoint), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_endpoint_come_from_the_environment() {
    let place = Place::new();
    let test = "destination::parquet::tests::s3::opens_with_nothing_but_an_environment";
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", test]).envs(place.bucket.environment());
    child.env("AWS_ENDPOINT_URL_S3", &place.bucket.endpoint).env("AWS_CONDITIONAL_PUT", "disabled");
    child
        .env("PARQUET_TEST_URL", place.bucket.url("lake"))
        .env("PARQUET_TEST_ENDPOINT", format!("http://{gone}"));
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

/// Time-outs short enough for a test.
fn hasty(endpoint: &str) -> Value {
    json!({
        "url": "s3://bucket/lake",
        "endpoint": endpoint,
        "access_key_id": "a",
        "secret_access_key": "b",
        "connect_timeout": "200ms",
        "request_timeout": "200ms",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_refuses_or_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [silent.local_addr().unwrap(), gone.local_addr().unwrap()];
    drop(gone);
    let started = Instant::now();
    let tries = addresses.map(|address| async move {
        let parquet = opened(hasty(&format!("http://{address}"))).await.unwrap();
        refused(parquet.head("public.orders").await)
    });
    for error in futures::future::join_all(tries).await {
        assert_eq!(error.kind(), ErrorKind::Transient, "{error:?}");
        assert!(error.message().contains("s3://bucket/lake"), "{error:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(90), "took {:?}", started.elapsed());
}
