//! The S3 server keeps what it is given, from those who may give it.

use lab::{Bucket, S3, python};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};

fn open(bucket: &Bucket) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_endpoint(&bucket.endpoint)
        .with_allow_http(true)
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(&bucket.access_key)
        .with_secret_access_key(&bucket.secret_key)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
        .expect("the bucket says all that is needed")
}

#[tokio::test]
async fn keeps_an_object_and_refuses_to_create_it_twice() {
    let store = open(&S3::shared().bucket());
    let path = Path::from("folder/object");
    let create = || PutOptions::from(PutMode::Create);
    store.put_opts(&path, "first".into(), create()).await.unwrap();
    let second = store.put_opts(&path, "second".into(), create()).await;
    assert!(matches!(second, Err(Error::AlreadyExists { .. })), "{second:?}");
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "first");
}

#[tokio::test]
async fn buckets_are_apart() {
    let [one, two] = [0, 1].map(|_| open(&S3::shared().bucket()));
    let path = Path::from("object");
    one.put(&path, "x".into()).await.unwrap();
    assert!(matches!(two.head(&path).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn the_read_only_key_reads_and_cannot_write() {
    let bucket = S3::shared().bucket();
    let path = Path::from("object");
    open(&bucket).put(&path, "x".into()).await.unwrap();
    let reader = open(&bucket.with_key(&S3::shared().read_only_key()));
    assert_eq!(reader.get(&path).await.unwrap().bytes().await.unwrap(), "x");
    let listed = reader.list_with_delimiter(None).await.unwrap();
    assert_eq!(listed.objects.len(), 1);
    let written = reader.put(&path, "y".into()).await;
    assert!(matches!(written, Err(Error::PermissionDenied { .. })), "{written:?}");
    let deleted = reader.delete(&path).await;
    assert!(deleted.is_err_and(|error| error.to_string().contains("AccessDenied")));
    assert!(reader.head(&path).await.is_ok());
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let mut bucket = S3::shared().bucket();
    bucket.secret_key.push('x');
    let written = open(&bucket).put(&Path::from("object"), "x".into()).await;
    assert!(matches!(written, Err(Error::PermissionDenied { .. })), "{written:?}");
}

#[tokio::test]
async fn python_reads_parquet_from_a_bucket_and_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("a.parquet");
    let sql = format!(
        "COPY (SELECT 1::INTEGER AS id, 1.50::DECIMAL(9, 2) AS price, NULL::TEXT AS name,
                      TIMESTAMPTZ '2026-01-02 03:04:05.000006+00' AS at) TO '{0}' (FORMAT parquet);
         SELECT count(*) FROM '{0}'",
        local.display()
    );
    assert_eq!(python("duckdb_query.py", &[&sql]), serde_json::json!([["1"]]));

    let bucket = S3::shared().bucket();
    let content = std::fs::read(&local).unwrap();
    open(&bucket).put(&Path::from("t/a.parquet"), content.into()).await.unwrap();
    let sql = format!("SELECT * FROM '{}'", bucket.url("t/*.parquet"));
    let access = ["--s3", &bucket.endpoint, &bucket.access_key, &bucket.secret_key];
    let rows = python("duckdb_query.py", &[&[sql.as_str()], access.as_slice()].concat());
    let expected = serde_json::json!([["1", "1.50", null, "2026-01-02 03:04:05.000006+00"]]);
    assert_eq!(rows, expected);

    for place in [folder.path().to_str().unwrap(), &bucket.url("t")] {
        let read = python("read_parquet.py", &[&[place], access.as_slice()].concat());
        assert_eq!(read["num_rows"], 1);
        assert_eq!(read["schema"][1]["type"], "decimal128(9, 2)");
        assert_eq!(read["parquet"][3]["physical"], "INT64");
        assert_eq!(read["duckdb_rows"], expected);
        let row = serde_json::json!([["1", "1.50", null, "2026-01-02T03:04:05.000006+00:00"]]);
        assert_eq!(read["rows"], row);
    }
}
