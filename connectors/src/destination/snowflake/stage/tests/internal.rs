//! An internal stage on a real S3 server.

use futures::FutureExt;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{Attribute, ObjectStore, ObjectStoreExt, PutOptions};
use protocol::ErrorKind;

use super::scripted::{Scripted, download_from, listing, path_in, upload_to};
use super::*;
use crate::destination::snowflake::client::{Answer, RemoteFile};

/// A bucket of the lab with the statements of a stage in it.
pub(super) struct World {
    pub(super) area: Area,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) statements: Arc<Scripted>,
    pub(super) material: EncryptionMaterial,
    pub(super) bucket: lab::Bucket,
}

const PREFIX: &str = "stages/0c1d/";

pub(super) fn store_of(bucket: &lab::Bucket) -> Arc<dyn ObjectStore> {
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_endpoint(&bucket.endpoint)
        .with_allow_http(true)
        .with_access_key_id(&bucket.access_key)
        .with_secret_access_key(&bucket.secret_key);
    Arc::new(builder.build().unwrap())
}

pub(super) fn place_in(bucket: &lab::Bucket) -> Place {
    Place {
        bucket: bucket.name.clone(),
        prefix: PREFIX.into(),
        region: Some(bucket.region.clone()),
        credentials: Credentials::Aws {
            key_id: bucket.access_key.clone(),
            secret: Secret::new(&bucket.secret_key),
            token: None,
        },
        ..place(Store::S3, &bucket.endpoint)
    }
}

async fn files(store: Arc<dyn ObjectStore>, path: String) -> Vec<(String, u64)> {
    let found: Vec<_> = store.list(Some(&Path::from(PREFIX))).try_collect().await.unwrap();
    let mut files: Vec<(String, u64)> = found
        .into_iter()
        .filter_map(|object| {
            let file = object.location.as_ref().strip_prefix(PREFIX)?;
            file.starts_with(&path).then(|| (file.to_owned(), object.size))
        })
        .collect();
    files.sort();
    files
}

impl World {
    pub(super) fn new(is_encrypted: bool) -> Self {
        let bucket = lab::S3::shared().bucket();
        let (store, key, place) = (store_of(&bucket), material(16), place_in(&bucket));
        let encryption = is_encrypted.then(|| key.clone());
        let served = store.clone();
        let targets = move |_: usize, sql: &str| {
            let (place, encryption, served) = (place.clone(), encryption.clone(), served.clone());
            let sql = sql.to_owned();
            async move {
                if sql.starts_with("PUT") {
                    return Ok(upload_to(&place, encryption.as_ref()));
                }
                let found = files(served, path_in(&sql).to_owned()).await.into_iter();
                let found = found.map(|(path, _)| RemoteFile {
                    path,
                    encryption: encryption.clone(),
                    presigned_url: None,
                });
                Ok(download_from(&place, found.collect()))
            }
            .boxed()
        };
        let listed = store.clone();
        let runs = move |sql: &str| {
            let (store, path, removes) = (listed.clone(), path_in(sql).to_owned(), sql.starts_with("REMOVE"));
            async move {
                let found = files(store.clone(), path).await;
                if !removes {
                    return Ok(listing(&found));
                }
                for (path, _) in found {
                    store.delete(&Path::from(format!("{PREFIX}{path}"))).await.unwrap();
                }
                Ok(Answer::default())
            }
            .boxed()
        };
        let statements = Scripted::with(targets, runs);
        let area = Area::internal(statements.clone(), name(), network(), &std::env::temp_dir());
        Self { area, store, statements, material: key, bucket }
    }

    pub(super) async fn object(&self, path: &str) -> (Bytes, Vec<(String, String)>) {
        let got = self.store.get(&Path::from(format!("{PREFIX}{path}"))).await.unwrap();
        let metadata = got.attributes.iter().filter_map(|(attribute, value)| match attribute {
            Attribute::Metadata(name) => Some((name.to_string(), value.to_string())),
            _ => None,
        });
        let metadata = metadata.collect();
        (got.bytes().await.unwrap(), metadata)
    }

    pub(super) async fn plant(&self, path: &str, content: &[u8], metadata: &[(String, String)]) {
        let attributes = metadata
            .iter()
            .map(|(name, value)| (Attribute::Metadata(name.clone().into()), value.clone()))
            .collect();
        let options = PutOptions { attributes, ..PutOptions::default() };
        let location = Path::from(format!("{PREFIX}{path}"));
        self.store.put_opts(&location, content.to_vec().into(), options).await.unwrap();
    }
}

#[tokio::test]
async fn small_files_are_put_replaced_read_and_removed() {
    for is_encrypted in [true, false] {
        let World { area, .. } = World::new(is_encrypted);
        assert_eq!(area.get("_heads/orders.json").await.unwrap(), None);
        for content in ["first", "", "the second"] {
            area.put("_heads/orders.json", &content.into()).await.unwrap();
            assert_eq!(area.get("_heads/orders.json").await.unwrap().unwrap(), content);
        }
        area.put("_heads/orders.json.old", &"other".into()).await.unwrap();
        assert_eq!(area.get("_heads/orders.json").await.unwrap().unwrap(), "the second");
        assert_eq!(area.get("_heads/orders").await.unwrap(), None, "a part of a name is no name");
        let paths: Vec<String> =
            area.list("_heads/").await.unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["_heads/orders.json", "_heads/orders.json.old"]);
        area.remove("_heads/orders.json.old").await.unwrap();
        assert_eq!(area.list("_heads/").await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn damaged_files_are_not_taken_for_good_ones() {
    let world = World::new(true);
    world.area.put("_heads/a.json", &"a content of some length".into()).await.unwrap();
    let (content, metadata) = world.object("_heads/a.json").await;
    let damaged = |at: usize| {
        let mut content = content.to_vec();
        content[at] ^= 1;
        content
    };
    let without =
        |name: &str| metadata.iter().filter(|(known, _)| known != name).cloned().collect::<Vec<_>>();
    let cases = [
        (damaged(0), metadata.clone()),
        (damaged(content.len() - 1), metadata.clone()),
        (content[..16].to_vec(), metadata.clone()),
        (content.to_vec(), without("x-amz-key")),
    ];
    for (content, metadata) in cases {
        world.plant("_heads/a.json", &content, &metadata).await;
        let error = world.area.get("_heads/a.json").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data, "{error:?}");
        assert!(error.message().contains("_heads/a.json"), "{error:?}");
    }
    // As it was.
    world.plant("_heads/a.json", &content, &metadata).await;
    assert_eq!(world.area.get("_heads/a.json").await.unwrap().unwrap(), "a content of some length");
}

#[tokio::test]
async fn a_large_file_whose_writer_fails_leaves_no_upload() {
    let world = World::new(true);
    let (run, content) = (Arc::new(Run::new(0)), content(20 << 20));
    let stage = stage(&world.area, "orders", &run);
    let writer = {
        let mut writer = stage.create(None).await.unwrap();
        writer.write(content.clone()).await.unwrap();
        writer
    };
    let finishing = tokio::spawn(writer.finish());
    while world.bucket.open_uploads() == 0 && !finishing.is_finished() {
        tokio::task::yield_now().await;
    }
    finishing.abort();
    let _ = finishing.await;
    for _ in 0..500 {
        if world.bucket.open_uploads() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(world.bucket.open_uploads(), 0);
    stage.claim();
    stage.release().await;
    assert_eq!(world.area.list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_stage_is_never_emptied_by_mistake() {
    let world = World::new(true);
    for path in ["", "/"] {
        assert_eq!(world.area.remove(path).await.unwrap_err().kind(), ErrorKind::Internal);
    }
    assert!(world.statements.asked().is_empty());
}
