//! What is sent to each kind of store: addresses, headers, metadata.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use protocol::{ErrorKind, Secret};
use serde_json::{Value, json};

use super::recorder::{Recorder, Request, accept, refuse};
use super::scripted::{Scripted, upload_to};
use super::*;
use crate::destination::snowflake::stage::cipher::{Envelope, decrypt};

async fn sent(place: Place, key: Option<EncryptionMaterial>, content: &Bytes) -> (StagedFile, String) {
    let area = Area::internal(Scripted::putting(place, key), name(), network(), &std::env::temp_dir());
    let run = Arc::new(Run::new(0));
    let file = staged(stage(&area, "orders", &run).as_ref(), content).await.unwrap();
    let key = format!("stages/1/orders/{}", file.path);
    (file, key)
}

fn sha256(content: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, content))
}

/// The content, by what the metadata says of its encryption.
fn opened(key: &str, iv: &str, description: &str, material: &EncryptionMaterial, body: &[u8]) -> Vec<u8> {
    let bits = (STANDARD.decode(material.master_key.reveal()).unwrap().len() * 8).to_string();
    let expected = json!({"queryId": material.query_id, "smkId": material.smk_id, "keySize": bits});
    assert_eq!(serde_json::from_str::<Value>(description).unwrap(), expected);
    let envelope = Envelope { key: key.into(), iv: iv.into(), description: description.into() };
    let mut body = body.to_vec();
    decrypt(&envelope, material, &mut body).unwrap();
    body
}

fn opened_s3(request: &Request, material: &EncryptionMaterial, body: &[u8]) -> Vec<u8> {
    let meta = |name: &str| request.header(&format!("x-amz-meta-{name}")).unwrap();
    opened(meta("x-amz-key"), meta("x-amz-iv"), meta("x-amz-matdesc"), material, body)
}

fn opened_json(request: &Request, prefix: &str, material: &EncryptionMaterial, body: &[u8]) -> Vec<u8> {
    let meta = |name: &str| request.header(&format!("{prefix}{name}")).unwrap();
    let data: Value = serde_json::from_str(meta("encryptiondata")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let key = text(&data["WrappedContentKey"]["EncryptedKey"]);
    opened(&key, &text(&data["ContentEncryptionIV"]), meta("matdesc"), material, body)
}

#[tokio::test]
async fn s3_is_sent_key_vector_and_digest_as_metadata() {
    for bits in [16, 32] {
        let (recorder, material, content) = (Recorder::willing().await, material(bits), content(1000));
        let (file, key) = sent(place(Store::S3, &recorder.address), Some(material.clone()), &content).await;
        let [request] = recorder.requests().try_into().unwrap();
        assert_eq!((request.method.as_str(), request.target), ("PUT", format!("/sfc-bucket/{key}")));
        let request = &recorder.requests()[0];
        let names: Vec<&str> = request.headers("x-amz-meta-").iter().map(|(name, _)| *name).collect();
        let expected =
            ["sfc-digest", "x-amz-iv", "x-amz-key", "x-amz-matdesc"].map(|name| format!("x-amz-meta-{name}"));
        assert_eq!(names, expected);
        assert_eq!(request.header("x-amz-meta-sfc-digest"), Some(sha256(&content).as_str()));
        assert_eq!(request.header("content-type"), Some("application/octet-stream"));
        assert_eq!(request.header("x-amz-security-token"), Some("canary-token"));
        let authorization = request.header("authorization").unwrap();
        assert!(authorization.contains("/eu-central-1/s3/aws4_request"), "{authorization}");
        // S3 refuses metadata that is not signed.
        assert!(names.iter().all(|name| authorization.contains(name)), "{authorization}");
        assert_eq!(opened_s3(request, &material, &request.body), content);
        assert_eq!((file.bytes, &file.placement["stored_bytes"]), (1000, &json!(1008)));
        assert_eq!(file.placement["digest"], json!(sha256(&content)));
    }
}

#[tokio::test]
async fn s3_is_sent_the_metadata_of_a_large_file_when_its_upload_begins() {
    let (recorder, material, content) = (Recorder::willing().await, material(16), content((20 << 20) + 5));
    let (_, key) = sent(place(Store::S3, &recorder.address), Some(material.clone()), &content).await;
    let requests = recorder.requests();
    let first = &requests[0];
    assert_eq!(
        (first.method.as_str(), first.target.trim_end_matches('=')),
        ("POST", format!("/sfc-bucket/{key}?uploads").as_str())
    );
    assert_eq!(first.header("x-amz-meta-sfc-digest"), Some(sha256(&content).as_str()));
    let number = |request: &Request| {
        let (_, rest) = request.target.split_once("partNumber=")?;
        rest.split('&').next()?.parse::<usize>().ok()
    };
    let mut parts: Vec<&Request> = requests.iter().filter(|request| request.method == "PUT").collect();
    parts.sort_by_key(|request| number(request));
    assert_eq!(
        parts.iter().map(|part| part.body.len()).collect::<Vec<_>>(),
        [8 << 20, 8 << 20, (4 << 20) + 16]
    );
    assert!(parts.iter().all(|part| part.headers("x-amz-meta-").is_empty()));
    let body: Vec<u8> = parts.iter().flat_map(|part| part.body.clone()).collect();
    assert!(opened_s3(first, &material, &body) == content);
    assert!(recorder.most_at_once() <= 3, "{} parts at once", recorder.most_at_once());
}

#[tokio::test]
async fn azure_is_sent_its_metadata_with_the_blob_or_with_the_list_of_its_blocks() {
    for size in [17, (8 << 20) + 1] {
        let (recorder, material, content) = (Recorder::willing().await, material(16), content(size));
        let (_, key) = sent(place(Store::Azure, &recorder.address), Some(material.clone()), &content).await;
        let requests = recorder.requests();
        for request in &requests {
            assert!(request.target.starts_with(&format!("/sfc-bucket/{key}?")), "{}", request.target);
            // Signed by the query, and by nothing else.
            assert!(
                request.target.contains("sig=canary%2Bsig%3D") && request.header("authorization").is_none()
            );
        }
        let (last, blocks) = requests.split_last().unwrap();
        let names: Vec<&str> = last.headers("x-ms-meta-").iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["x-ms-meta-encryptiondata", "x-ms-meta-matdesc", "x-ms-meta-sfcdigest"]);
        assert_eq!(last.header("x-ms-meta-sfcdigest"), Some(sha256(&content).as_str()));
        let body: Vec<u8> = if blocks.is_empty() {
            assert_eq!(last.header("x-ms-blob-type"), Some("BlockBlob"));
            last.body.clone()
        } else {
            assert!(last.target.contains("comp=blocklist"));
            // The list says in which order they are.
            let order = String::from_utf8(last.body.clone()).unwrap();
            let mut blocks: Vec<&Request> = blocks.iter().collect();
            blocks.sort_by_key(|block| {
                let pairs = url::form_urlencoded::parse(block.target.split_once('?').unwrap().1.as_bytes());
                let id = pairs.into_owned().find(|(name, _)| name == "blockid").unwrap().1;
                order.find(&id).expect("the block is listed")
            });
            blocks.iter().flat_map(|block| block.body.clone()).collect()
        };
        assert!(opened_json(last, "x-ms-meta-", &material, &body) == content, "{size}");
    }
}

#[tokio::test]
async fn google_is_sent_everything_in_one_request() {
    for size in [0, (20 << 20) + 5] {
        let (recorder, material, content) = (Recorder::willing().await, material(32), content(size));
        let (_, key) = sent(place(Store::Gcs, &recorder.address), Some(material.clone()), &content).await;
        let [request] = <[Request; 1]>::try_from(recorder.requests()).unwrap();
        assert_eq!((request.method.as_str(), &request.target), ("PUT", &format!("/sfc-bucket/{key}")));
        assert_eq!(request.header("authorization"), Some("Bearer canary-token"));
        let names: Vec<&str> = request.headers("x-goog-meta-").iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["x-goog-meta-encryptiondata", "x-goog-meta-matdesc", "x-goog-meta-sfc-digest"]);
        assert_eq!(request.header("x-goog-meta-sfc-digest"), Some(sha256(&content).as_str()));
        assert!(opened_json(&request, "x-goog-meta-", &material, &request.body) == content, "{size}");
    }
}

#[tokio::test]
async fn a_url_signed_beforehand_is_used_once_as_it_is() {
    let (recorder, material) = (Recorder::willing().await, material(16));
    let (address, key) = (recorder.address.clone(), material.clone());
    let statements = Scripted::new(move |number, _| {
        let mut place = Place { credentials: Credentials::None, ..place(Store::Gcs, &address) };
        place.presigned_url = Some(Secret::new(format!("{address}/x/{number}?X-Goog-Signature=canary")));
        Ok(upload_to(&place, Some(&key)))
    });
    let area = Area::internal(statements.clone(), name(), network(), &std::env::temp_dir());
    let (run, content) = (Arc::new(Run::new(0)), content(100));
    let stage = stage(&area, "orders", &run);
    let files =
        [staged(stage.as_ref(), &content).await.unwrap(), staged(stage.as_ref(), &content).await.unwrap()];
    let requests = recorder.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(request.target.starts_with("/x/") && request.target.ends_with("?X-Goog-Signature=canary"));
        assert_eq!(request.header("authorization"), None);
        assert_eq!(opened_json(request, "x-goog-meta-", &material, &request.body), content);
    }
    assert_ne!(requests[0].target, requests[1].target, "a URL is for one file");
    for file in &files {
        let (folder, name) = file.path.split_once('/').unwrap();
        let put = format!("PUT 'file:///tmp/{name}' '@\"RAW\".\"PUBLIC\".\"_LOAD\"/orders/{folder}/'");
        assert!(statements.asked().last().is_some_and(|sql| sql.starts_with("PUT")));
        assert!(statements.asked().iter().any(|sql| sql.starts_with(&put)), "{:?}", statements.asked());
    }
}

#[tokio::test]
async fn stages_that_encrypt_themselves_get_the_file_as_it_is() {
    for (store, digest_name) in [
        (Store::S3, "x-amz-meta-sfc-digest"),
        (Store::Azure, "x-ms-meta-sfcdigest"),
        (Store::Gcs, "x-goog-meta-sfc-digest"),
    ] {
        let (recorder, content) = (Recorder::willing().await, content(100));
        let (file, _) = sent(place(store, &recorder.address), None, &content).await;
        let [request] = <[Request; 1]>::try_from(recorder.requests()).unwrap();
        let prefix = digest_name.trim_end_matches("sfc-digest").trim_end_matches("sfcdigest");
        assert_eq!(request.headers(prefix), [(digest_name, sha256(&content).as_str())]);
        assert_eq!(request.body, content);
        assert_eq!(file.placement["stored_bytes"], json!(100));
    }
}

#[tokio::test]
async fn an_upload_is_sent_again_in_full_where_a_store_is_busy() {
    for store in [Store::S3, Store::Azure, Store::Gcs] {
        let recorder = Recorder::start(
            |number, request| {
                if number < 2 { refuse(503, "SlowDown") } else { accept(request) }
            },
        );
        let (recorder, content) = (recorder.await, content(3_000_000));
        sent(place(store, &recorder.address), None, &content).await;
        let requests = recorder.requests();
        assert_eq!(requests.len(), 3, "{store:?}");
        assert!(requests.iter().all(|request| request.body == content), "{store:?}");
    }
}

#[tokio::test]
async fn refusals_name_the_place_and_no_secret() {
    for (store, status) in [(Store::S3, 404), (Store::Azure, 400), (Store::Gcs, 412)] {
        let recorder = Recorder::start(move |_, _| refuse(status, "Canary")).await;
        let statements = Scripted::putting(place(store, &recorder.address), Some(material(16)));
        let area = Area::internal(statements, name(), network(), &std::env::temp_dir());
        let run = Arc::new(Run::new(0));
        let error = staged(stage(&area, "orders", &run).as_ref(), &content(10)).await.unwrap_err();
        let shown = format!("{error:?} {:?}", error.advice());
        assert!(shown.contains("sfc-bucket/stages/1/orders/"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
        assert_ne!(error.kind(), ErrorKind::Auth);
    }
}

#[tokio::test]
async fn a_folder_of_the_server_is_no_stage_for_us() {
    let statements = Scripted::putting(place(Store::Local, "http://127.0.0.1:1"), None);
    let area = Area::internal(statements, name(), network(), &std::env::temp_dir());
    let error = area.put("a/b", &content(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
