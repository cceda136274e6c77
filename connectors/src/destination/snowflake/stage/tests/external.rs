//! An external stage: a bucket on a real S3 server.

use protocol::ErrorKind;

use super::*;
use crate::storage::Access;

fn world() -> (Area, lab::Bucket) {
    let bucket = lab::S3::shared().bucket();
    let access = Access {
        endpoint: Some(bucket.endpoint.clone()),
        region: Some(bucket.region.clone()),
        access_key_id: Some(Secret::new(&bucket.access_key)),
        secret_access_key: Some(Secret::new(&bucket.secret_key)),
        network: network(),
        ..Access::default()
    };
    (Area::external(name(), &bucket.url("load/"), &access).unwrap(), bucket)
}

#[tokio::test]
async fn files_have_their_names_once_they_are_whole() {
    let (area, bucket) = world();
    let run = Arc::new(Run::new(0));
    let stage = stage(&area, "orders", &run);
    for size in [0, 1, 8 << 20, (20 << 20) + 5] {
        let content = content(size);
        let mut writer = stage.create(None).await.unwrap();
        writer.write(content.clone()).await.unwrap();
        assert_eq!(area.list("orders/").await.unwrap(), [], "nothing before it is finished");
        let file = writer.finish().await.unwrap();
        let listed = area.list("orders/").await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].path.as_str(), listed[0].bytes),
            (format!("orders/{}", file.path).as_str(), size as u64)
        );
        assert_eq!(file.placement["stored_bytes"], size);
        assert!(area.get(&listed[0].path).await.unwrap().unwrap() == content);
        area.remove_files("orders", &run, &[file]).await.unwrap();
        assert_eq!(area.list("orders/").await.unwrap(), []);
    }
    assert_eq!(bucket.open_uploads(), 0);
}

#[tokio::test]
async fn a_file_that_is_thrown_away_leaves_nothing() {
    let (area, bucket) = world();
    let run = Arc::new(Run::new(0));
    let stage = stage(&area, "orders", &run);
    let mut writer = stage.create(None).await.unwrap();
    writer.write(content(20 << 20)).await.unwrap();
    assert_eq!(bucket.open_uploads(), 1);
    writer.abandon().await.unwrap();
    assert_eq!(bucket.open_uploads(), 0);
    stage.release().await;
    assert_eq!(area.list("").await.unwrap(), []);
}

#[tokio::test]
async fn small_files_are_put_read_listed_and_removed() {
    let (area, _bucket) = world();
    assert_eq!(area.get("_heads/a.json").await.unwrap(), None);
    area.put("_heads/a.json", &"{}".into()).await.unwrap();
    area.put("_heads/a.json", &"{1}".into()).await.unwrap();
    area.put("_heads/ab.json", &"{2}".into()).await.unwrap();
    assert_eq!(area.get("_heads/a.json").await.unwrap().unwrap(), "{1}");
    assert_eq!(area.list("_heads/a").await.unwrap().len(), 2);
    area.remove("_heads/a.json").await.unwrap();
    assert_eq!(area.list("").await.unwrap()[0].path, "_heads/ab.json");
    assert_eq!(area.remove("").await.unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn the_place_is_that_of_the_stage_object() {
    let access = Access::default();
    let area = Area::external(name(), "s3://bucket/a/b", &access).unwrap();
    assert_eq!(area.place("orders"), r#"'@"RAW"."PUBLIC"."_LOAD"/orders/'"#);
    for url in ["gcs://bucket/a", "/srv/lake", "s3://canary@bucket"] {
        let Err(error) = Area::external(name(), url, &access) else { panic!("{url} was not refused") };
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}
