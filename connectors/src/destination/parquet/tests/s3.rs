//! A real S3 server: the conformance suite, rights and addresses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lab::s3::{Bucket, S3};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use protocol::conformance::destination::{self, DestinationFixture};
use protocol::{Destination, ErrorKind, Result, WriteMode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::bench::{Process, encoded, keys, opened, refused, rows};
use crate::destination::parquet::Parquet;
use crate::destination::parquet::layout::segment;

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
