//! Where files of a stage go, as `PUT` and `GET` answer.

use protocol::{ErrorKind, Secret};
use serde_json::{Value, json};

use super::super::{Credentials, Direction, EncryptionMaterial, Store, UploadTarget};
use super::server::{QUERY, Say, Server};

fn read(data: &Value) -> UploadTarget {
    UploadTarget::read(&data.to_string()).unwrap()
}

#[tokio::test]
async fn a_put_is_asked_and_answered_like_any_statement() {
    let server = Server::start(|seen, _| {
        (seen.path == QUERY).then(|| {
            Say::data(json!({
                "queryId": "q-put",
                "command": "UPLOAD",
                "src_locations": ["/etc/passwd"],
                "encryptionMaterial": { "queryStageMasterKey": "Y2FuYXJ5", "queryId": "q-key", "smkId": 92_019_681_909_886_i64 },
                "stageInfo": {
                    "locationType": "S3", "location": "bucket/stages/x", "region": "eu-west-1",
                    "endPoint": null, "isClientSideEncrypted": true, "useS3RegionalUrl": true,
                    "creds": { "AWS_KEY_ID": "id", "AWS_SECRET_KEY": "canary", "AWS_TOKEN": "canary" },
                },
            }))
        })
    })
    .await;
    let target = server.session().upload_target("PUT file:///x '@s'").await.unwrap();
    assert_eq!(server.statements(), ["PUT file:///x '@s'"]);
    assert_eq!((target.direction, target.query_id.as_deref()), (Direction::Upload, Some("q-put")));
    assert!(target.files.is_empty(), "which file is read is not the server's choice");
    let place = &target.place;
    assert_eq!(
        (place.store, place.bucket.as_str(), place.prefix.as_str()),
        (Store::S3, "bucket", "stages/x/")
    );
    assert!(place.regional_url && place.client_side_encrypted && place.end_point.is_none());
    assert_eq!(
        target.encryption,
        Some(EncryptionMaterial {
            master_key: Secret::new("Y2FuYXJ5"),
            query_id: "q-key".to_owned(),
            smk_id: "92019681909886".to_owned(),
        })
    );
    assert!(!format!("{target:?}").contains("canary") && !format!("{target:?}").contains("Y2FuYXJ5"));
}

#[test]
fn every_store_is_read() {
    let azure = read(&json!({
        "command": "UPLOAD",
        "stageInfo": { "locationType": "AZURE", "location": "container/", "storageAccount": "acc",
            "endPoint": "blob.core.windows.net", "creds": { "AZURE_SAS_TOKEN": "?sas" } },
    }));
    assert_eq!((azure.place.bucket.as_str(), azure.place.prefix.as_str()), ("container", ""));
    assert_eq!(azure.place.credentials, Credentials::Azure(Secret::new("?sas")));
    assert_eq!(azure.encryption, None);

    let gcs = read(&json!({
        "command": "UPLOAD", "encryptionMaterial": null,
        "stageInfo": { "locationType": "GCS", "location": "bucket/a/b/", "useVirtualUrl": true,
            "useRegionalUrl": true, "creds": { "GCS_ACCESS_TOKEN": "token" } },
    }));
    assert_eq!(gcs.place.prefix, "a/b/");
    assert!(gcs.place.virtual_url && gcs.place.regional_url);
    assert_eq!(gcs.place.credentials, Credentials::Gcs(Secret::new("token")));

    let presigned = read(&json!({
        "command": "UPLOAD",
        "encryptionMaterial": { "queryStageMasterKey": null, "queryId": null, "smkId": null },
        "stageInfo": { "locationType": "GCS", "location": "bucket", "creds": {}, "isClientSideEncrypted": false,
            "presignedUrl": "https://storage.googleapis.com/x?signature=y" },
    }));
    assert_eq!(presigned.place.credentials, Credentials::None);
    assert!(presigned.place.presigned_url.is_some() && !presigned.place.client_side_encrypted);
    assert_eq!(presigned.encryption, None, "a stage that encrypts by itself has no key");

    let old = read(&json!({
        "command": "UPLOAD",
        "stageInfo": { "locationType": "S3", "location": "b/p", "creds": { "AWS_ID": "id", "AWS_KEY": "key" } },
    }));
    let aws = Credentials::Aws { key_id: "id".to_owned(), secret: Secret::new("key"), token: None };
    assert_eq!(old.place.credentials, aws);

    let local = read(&json!({
        "command": "UPLOAD", "stageInfo": { "locationType": "LOCAL_FS", "location": "/tmp/stage" },
    }));
    assert_eq!((local.place.store, local.place.prefix.as_str()), (Store::Local, "/tmp/stage/"));
}

#[test]
fn a_get_names_its_files_with_a_key_each() {
    let target = read(&json!({
        "command": "DOWNLOAD",
        "src_locations": ["a/1", "a/2"],
        "presignedUrls": ["https://one", null],
        "encryptionMaterial": [
            { "queryStageMasterKey": "k1", "queryId": "q1", "smkId": "1" }, null,
        ],
        "stageInfo": { "locationType": "S3", "location": "b/p/", "creds": { "AWS_KEY_ID": "i", "AWS_SECRET_KEY": "s" } },
    }));
    assert_eq!(target.direction, Direction::Download);
    let files: Vec<_> = target
        .files
        .iter()
        .map(|file| {
            let key = file.encryption.as_ref().map(|key| key.smk_id.as_str());
            (file.path.as_str(), key, file.presigned_url.is_some())
        })
        .collect();
    assert_eq!(files, [("a/1", Some("1"), true), ("a/2", None, false)]);
}

#[test]
fn what_is_no_transfer_is_an_error_without_its_text() {
    for (data, kind) in [
        (json!({ "rowset": [["canary"]] }), ErrorKind::Transient),
        (
            json!({ "command": "X", "stageInfo": { "locationType": "S3", "location": "canary" } }),
            ErrorKind::Internal,
        ),
        (
            json!({ "command": "UPLOAD", "stageInfo": { "locationType": "TAPE", "location": "canary" } }),
            ErrorKind::Unsupported,
        ),
        (Value::Null, ErrorKind::Transient),
    ] {
        let error = UploadTarget::read(&data.to_string()).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(!format!("{error:?}").contains("canary"));
    }
}
