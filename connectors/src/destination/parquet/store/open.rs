//! From the settings to a store: which kind, which bucket, which credentials.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};
use protocol::{Error, Result};
use url::{Host, Url};

use super::{Directory, Objects, Store};
use crate::destination::parquet::config::Config;
use crate::destination::parquet::error;

/// Retries of one request, beyond the first attempt.
const RETRIES: usize = 5;
/// No retry is begun later than this after the first attempt.
const RETRY_TIME: Duration = Duration::from_mins(1);
/// The time-outs that can be meant.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);

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
    let client = client_options(config)?;
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
            let store = s3(config, bucket, client)?;
            Objects::new(Arc::new(store.build().map_err(refused)?), prefix, url, target_bytes)
        }
    }))
}

fn bucket_and_prefix(place: &str) -> Result<(&str, Path)> {
    // Nothing of the address is repeated here: it may hold a secret.
    if place.contains(['@', '?', '#']) {
        return Err(Error::config("`url` must not contain credentials or parameters")
            .hint("write `s3://bucket/prefix`; credentials are settings of their own"));
    }
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bucket.is_empty() || !bucket.chars().all(named) {
        return Err(
            Error::config(format!("`url` names no bucket: {bucket:?}")).hint("write `s3://bucket/prefix`")
        );
    }
    // Parsing would drop it, and an object's name may well begin with it.
    if prefix.starts_with('/') {
        return Err(Error::config("the prefix in `url` begins with a slash of its own"));
    }
    let prefix = Path::parse(prefix)
        .map_err(|error| Error::config("the prefix in `url` can't be used").with_source(error))?;
    Ok((bucket, prefix))
}

fn s3(config: &Config, bucket: &str, client: ClientOptions) -> Result<AmazonS3Builder> {
    let environment = AmazonS3Builder::from_env();
    let from_environment = |key| environment.get_config_value(&key).filter(|value| !value.is_empty());
    let region = config.region.clone().or_else(|| from_environment(AmazonS3ConfigKey::Region));
    let endpoint = config
        .endpoint
        .clone()
        .or_else(|| from_environment(AmazonS3ConfigKey::S3Endpoint))
        .or_else(|| from_environment(AmazonS3ConfigKey::Endpoint));
    let mut builder = match (&config.access_key_id, &config.secret_access_key) {
        // Not mixed with those of the environment: a session token there would belong to another key.
        (Some(id), Some(secret)) => {
            let builder = AmazonS3Builder::new()
                .with_access_key_id(id.reveal())
                .with_secret_access_key(secret.reveal());
            match &config.session_token {
                Some(token) => builder.with_token(token.reveal()),
                None => builder,
            }
        }
        (None, None) if config.session_token.is_none() => environment,
        _ => {
            return Err(Error::config("credentials are incomplete")
                .hint("set both `access_key_id` and `secret_access_key`, or neither"));
        }
    };
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &config.kms_key_id {
        builder = builder.with_sse_kms_encryption(key);
    }
    // A dot in the bucket's name is a level that the certificate of the host name does not cover.
    let path_style = config.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    let mut http = false;
    if let Some(endpoint) = endpoint {
        let (endpoint, plain) = checked_endpoint(&endpoint, config.allow_http)?;
        http = plain;
        let address = if path_style {
            String::from(endpoint).trim_end_matches('/').to_owned()
        } else {
            virtual_host(&endpoint, bucket)
        };
        // The more special of two keys: the environment may have set either.
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, address);
    }
    Ok(builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_virtual_hosted_style_request(!path_style)
        .with_client_options(client.with_allow_http(http))
        .with_retry(retries()))
}

/// The address, and whether it is without TLS, which another machine needs to be allowed.
fn checked_endpoint(endpoint: &str, allow_http: bool) -> Result<(Url, bool)> {
    let refused = |why: &str| {
        Error::config(format!("`endpoint` {why}")).hint("write `https://host` or `http://host:port`")
    };
    // The parser's error is left out together with the text: it may hold a secret.
    let url = Url::parse(endpoint).map_err(|_| refused("is no address"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(refused("must not contain credentials or parameters"));
    }
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(refused("names no host")),
    };
    match url.scheme() {
        "https" => Ok((url, false)),
        "http" if local || allow_http => Ok((url, true)),
        "http" => {
            Err(Error::config("`endpoint` is without TLS: rows and signed requests could be read on the way")
                .hint("write `https://`, or set `allow_http: true` where the network itself is trusted"))
        }
        _ => Err(refused("is no http address")),
    }
}

/// The address with the bucket as part of the host name.
fn virtual_host(endpoint: &Url, bucket: &str) -> String {
    let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{bucket}.{}{port}", endpoint.scheme(), endpoint.host_str().unwrap_or_default())
}

fn client_options(config: &Config) -> Result<ClientOptions> {
    for (name, period) in
        [("connect_timeout", config.connect_timeout), ("request_timeout", config.request_timeout)]
    {
        if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&period.duration()) {
            return Err(Error::config(format!("`{name}` is {period}, it must be between 100ms and 1h")));
        }
    }
    let mut client = ClientOptions::new()
        .with_connect_timeout(config.connect_timeout.duration())
        .with_timeout(config.request_timeout.duration());
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(|error| error::file("can't read `ca_file`", path, error))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| {
                Error::config(format!("`ca_file` {} holds no certificate in PEM", path.display()))
            })?;
        for certificate in certificates {
            client = client.with_root_certificate(certificate);
        }
    }
    Ok(client)
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
            base: 3.0,
        },
        max_retries: RETRIES,
        retry_timeout: RETRY_TIME,
    }
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

    #[test]
    fn the_bucket_can_be_part_of_the_host_name() {
        let url = Url::parse("https://s3.example.com:8443/").unwrap();
        assert_eq!(virtual_host(&url, "b"), "https://b.s3.example.com:8443");
    }
}
