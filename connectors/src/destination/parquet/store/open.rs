//! From the settings to a store: which kind, which bucket, which credentials.

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use protocol::{Error, Result};
use url::Url;

use super::{Directory, Objects, Store};
use crate::destination::parquet::config::Config;
use crate::storage::{bucket_and_prefix, error, retries, s3};

pub(super) fn open(config: &Config) -> Result<Store> {
    let url = config.url.trim();
    match url.split_once("://") {
        None => directory(config, FilePath::new(url)),
        Some(("file", _)) => directory(config, &file_url(url)?),
        Some((scheme @ ("s3" | "s3a" | "gs" | "az"), place)) => objects(config, scheme, place),
        Some((scheme, _)) => Err(Error::config(format!("`url` has the unknown scheme {scheme:?}"))
            .hint("write `./folder`, `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`")),
    }
}

fn directory(config: &Config, path: &FilePath) -> Result<Store> {
    if path.as_os_str().is_empty() {
        return Err(Error::config("`url` is empty").hint("name a directory or a bucket"));
    }
    only_for_s3(config, "a directory")?;
    let path =
        std::path::absolute(path).map_err(|error| error::file("can't find the directory", path, error))?;
    Ok(Store::Directory(Directory::new(&path)))
}

fn file_url(url: &str) -> Result<std::path::PathBuf> {
    let refused =
        || Error::config("`url` is no address of a local directory").hint("write `file:///srv/lake`");
    Url::parse(url).map_err(|error| refused().with_source(error))?.to_file_path().map_err(|()| refused())
}

fn only_for_s3(config: &Config, what: &str) -> Result<()> {
    match config.s3_settings().first() {
        Some(setting) => Err(Error::config(format!("`{setting}` means nothing for {what}"))
            .hint("remove it, or write `url: s3://bucket/prefix`")),
        None => Ok(()),
    }
}

fn objects(config: &Config, scheme: &str, place: &str) -> Result<Store> {
    let (bucket, prefix) = bucket_and_prefix(place)?;
    let scheme = if scheme == "s3a" { "s3" } else { scheme };
    let url = format!("{scheme}://{bucket}/{prefix}");
    let url = url.trim_end_matches('/');
    let target_bytes = config.file_size.get();
    let refused = |error: object_store::Error| error::store("can't use", url, &error);
    let access = config.access();
    let client = access.network.client_options()?;
    Ok(Store::Objects(match scheme {
        "gs" => {
            only_for_s3(config, "gs://")?;
            let store = GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .with_client_options(client)
                .with_retry(retries());
            Objects::new(Arc::new(store.build().map_err(refused)?), prefix, url, target_bytes)
        }
        "az" => {
            only_for_s3(config, "az://")?;
            let store = MicrosoftAzureBuilder::from_env()
                .with_container_name(bucket)
                .with_client_options(client)
                .with_retry(retries());
            Objects::new(Arc::new(store.build().map_err(refused)?), prefix, url, target_bytes)
        }
        _ => {
            let store = s3(&access, bucket)?;
            Objects::new(Arc::new(store.build().map_err(refused)?), prefix, url, target_bytes)
        }
    }))
}

#[cfg(test)]
mod tests {
    use protocol::ErrorKind;
    use serde_json::{Value, json};

    use super::*;

    fn opened(config: Value) -> Result<Store> {
        open(&serde_json::from_value(config).unwrap())
    }

    fn refusal(config: Value) -> Error {
        match opened(config) {
            Ok(_) => panic!("was not refused"),
            Err(error) => error,
        }
    }

    #[test]
    fn urls_name_directories_and_buckets() {
        for (url, place) in [
            ("/srv/lake", "/srv/lake/k"),
            ("file:///srv/my%20lake", "/srv/my lake/k"),
            ("s3://bucket", "s3://bucket/k"),
            ("s3://bucket/", "s3://bucket/k"),
            ("s3a://bucket/pre fix/é/", "s3://bucket/pre fix/é/k"),
        ] {
            assert_eq!(opened(json!({ "url": url })).unwrap().place("k"), place, "{url}");
        }
        let relative = opened(json!({ "url": "./lake" })).unwrap().place("k");
        assert!(relative.starts_with('/') && relative.ends_with("/lake/k"), "{relative}");
    }

    #[test]
    fn refuses_urls_that_can_t_work_without_repeating_secrets() {
        for url in [
            "",
            "ftp://host/x",
            "s3://",
            "s3:///prefix",
            "s3://canary:canary@bucket/x",
            "s3://b/x?token=canary",
            "s3://b/../x",
            "s3://b//x",
            "file://host/x",
            "s3://buc ket",
        ] {
            let error = refusal(json!({ "url": url }));
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(!format!("{error:?} {:?}", error.advice()).contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_or_by_consent() {
        let endpoint = |endpoint: &str, allow: bool| {
            opened(json!({ "url": "s3://b", "endpoint": endpoint, "allow_http": allow, "region": "eu" }))
        };
        for local in
            ["http://localhost:9000", "http://127.0.0.1:1", "http://[::1]:1", "https://s3.example.com"]
        {
            assert!(endpoint(local, false).is_ok(), "{local}");
        }
        assert!(endpoint("http://s3.example.com", false).is_err());
        assert!(endpoint("http://s3.example.com", true).is_ok());
        for wrong in ["s3.example.com", "ftp://x", "https://canary:canary@x", "https://x?canary"] {
            let Err(error) = endpoint(wrong, true) else { panic!("{wrong} was not refused") };
            assert!(!format!("{error:?} {:?}", error.advice()).contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn credentials_come_whole() {
        assert!(opened(json!({ "url": "s3://b", "access_key_id": "a", "secret_access_key": "b" })).is_ok());
        for half in [
            json!({ "access_key_id": "a" }),
            json!({ "secret_access_key": "a" }),
            json!({ "session_token": "a" }),
        ] {
            let mut config = half.clone();
            config["url"] = "s3://b".into();
            assert!(refusal(config).message().contains("incomplete"), "{half}");
        }
    }

    #[test]
    fn settings_of_s3_are_refused_elsewhere() {
        assert!(refusal(json!({ "url": "./lake", "region": "eu" })).message().contains("`region`"));
        assert!(
            refusal(json!({ "url": "gs://b", "endpoint": "https://x" })).message().contains("`endpoint`")
        );
    }

    #[test]
    fn a_ca_file_holds_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for content in [None, Some(""), Some("no certificate")] {
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let error = refusal(json!({ "url": "s3://b", "ca_file": path }));
            assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
            assert!(error.message().contains("`ca_file`"), "{error:?}");
        }
    }

    #[test]
    fn time_outs_are_neither_nothing_nor_endless() {
        for (name, period) in [("connect_timeout", "0s"), ("request_timeout", "2h")] {
            assert!(refusal(json!({ "url": "s3://b", name: period })).message().contains(name));
        }
    }
}
