//! The object store behind an internal stage, as the answer of `PUT` or `GET` describes it.

use std::sync::Arc;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt};
use protocol::{Error, Result};
use url::{Host, Url};

use super::google::Google;
use super::metadata::Metadata;
use super::spool::Spooled;
use super::upload::{self, Failure};
use crate::storage::{Network, error, retries};

use super::super::client::{Credentials, Place, Store};

/// A place that files go to or come from, until its credentials end.
pub(super) struct Remote {
    pub(super) store: Store,
    /// What stands before a key in messages.
    url: String,
    /// What every key begins with.
    prefix: String,
    way: Way,
}

enum Way {
    Objects(Arc<dyn ObjectStore>),
    Google(Google),
}

/// What is in an object: its content, and its metadata by name.
pub(super) struct Object {
    pub(super) content: Bytes,
    pub(super) metadata: Vec<(String, String)>,
}

impl Remote {
    /// Connects to nothing yet.
    pub(super) fn open(place: &Place, network: &Network) -> Result<Self> {
        let (scheme, way) = match place.store {
            Store::S3 => ("s3", Way::Objects(s3(place, network)?)),
            Store::Azure => ("az", Way::Objects(azure(place, network)?)),
            Store::Gcs => ("gs", Way::Google(Google::open(place, network)?)),
            Store::Local => {
                return Err(Error::unsupported("the stage is a folder of the server's machine")
                    .hint("tidegate uploads to stages on S3, Azure and Google Cloud Storage"));
            }
        };
        let url = format!("{scheme}://{}/{}", place.bucket, place.prefix);
        Ok(Self { store: place.store, url, prefix: place.prefix.clone(), way })
    }

    /// A key as people know it.
    pub(super) fn place(&self, key: &str) -> String {
        format!("{}{key}", self.url)
    }

    fn location(&self, key: &str) -> Result<Path> {
        Path::parse(format!("{}{key}", self.prefix))
            .map_err(|error| Error::internal(format!("{key:?} is no name of an object")).with_source(error))
    }

    /// Puts a file, whether or not there is one.
    pub(super) async fn put(&self, key: &str, body: &Spooled, metadata: Metadata) -> Result<()> {
        match &self.way {
            Way::Google(google) => google.put(&self.place(key), key, body, &metadata).await,
            Way::Objects(store) => {
                let attributes = metadata
                    .into_iter()
                    .map(|(name, value)| (Attribute::Metadata(name.into()), value))
                    .chain([(Attribute::ContentType, "application/octet-stream".to_owned())])
                    .collect::<Attributes>();
                match upload::put(store, &self.location(key)?, attributes, body).await {
                    Ok(()) => Ok(()),
                    Err(Failure::Own(error)) => Err(error),
                    Err(Failure::Store(error)) => Err(self.refused("can't upload", key, &error)),
                }
            }
        }
    }

    /// Reads a whole small object; `None` where it is missing.
    pub(super) async fn get(&self, key: &str, most: u64) -> Result<Option<Object>> {
        let store = match &self.way {
            Way::Google(google) => return google.get(&self.place(key), key, most).await,
            Way::Objects(store) => store,
        };
        let got = match store.get(&self.location(key)?).await {
            Ok(got) => got,
            Err(error) if error::is_missing(&error) => return Ok(None),
            Err(error) => return Err(self.refused("can't read", key, &error)),
        };
        refuse_large(&self.place(key), got.meta.size, most)?;
        let metadata = got
            .attributes
            .iter()
            .filter_map(|(attribute, value)| match attribute {
                Attribute::Metadata(name) => Some((name.to_ascii_lowercase(), value.as_ref().to_owned())),
                _ => None,
            })
            .collect();
        let content = got.bytes().await.map_err(|error| self.refused("can't read", key, &error))?;
        Ok(Some(Object { content, metadata }))
    }

    fn refused(&self, action: &str, key: &str, error: &object_store::Error) -> Error {
        advised(error::store(action, &self.place(key), error))
    }
}

pub(super) fn refuse_large(place: &str, bytes: u64, most: u64) -> Result<()> {
    if bytes > most {
        return Err(Error::data(format!("{place} has {bytes} bytes, {most} are the most that it can have")));
    }
    Ok(())
}

/// The hints of a bucket of one's own do not help here.
pub(super) fn advised(error: Error) -> Error {
    match error.kind() {
        protocol::ErrorKind::Auth => error.hint(
            "the credentials are temporary ones that Snowflake gave out: if they are refused again and again, a \
             network policy or a proxy may keep this machine from the stage's storage, or its clock is wrong",
        ),
        protocol::ErrorKind::Transient => error.hint(
            "the stage's storage is on another host than Snowflake: `SELECT SYSTEM$ALLOWLIST()` lists those that a \
             firewall must let through",
        ),
        _ => error,
    }
}

/// An address of the answer, with its scheme. Without TLS only on this machine.
pub(super) fn address(end_point: &str) -> Result<Url> {
    let full = if end_point.contains("://") { end_point.to_owned() } else { format!("https://{end_point}") };
    let refused = || Error::unsupported(format!("the stage's storage has the address {end_point:?}"));
    let url = Url::parse(&full).map_err(|error| refused().with_source(error))?;
    if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) {
        return Ok(url);
    }
    Err(refused().hint("it must be reached with TLS"))
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Address with `name` before its host; an address of a number has no room for names.
fn with_host_prefix(url: &Url, name: &str) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{name}.{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn is_named(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(_)))
}

/// Where a bucket is reached, and whether its name is part of the host's.
fn s3_address(place: &Place) -> Result<(String, bool)> {
    let region = place.region.as_deref().unwrap_or("us-east-1");
    let host = match &place.end_point {
        Some(host) => address(host)?,
        None if region.starts_with("cn-") => address(&format!("s3.{region}.amazonaws.com.cn"))?,
        None => address(&format!("s3.{region}.amazonaws.com"))?,
    };
    // A dot in the bucket's name is a level that the certificate of the host name does not cover.
    if is_named(&host) && !place.bucket.contains('.') && !is_loopback(&host) {
        return Ok((with_host_prefix(&host, &place.bucket), true));
    }
    Ok((String::from(host).trim_end_matches('/').to_owned(), false))
}

fn s3(place: &Place, network: &Network) -> Result<Arc<dyn ObjectStore>> {
    let Credentials::Aws { key_id, secret, token } = &place.credentials else {
        return Err(Error::unsupported("the stage is on S3, but its answer has no credentials for it"));
    };
    let (address, is_virtual) = s3_address(place)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&place.bucket)
        .with_region(place.region.as_deref().unwrap_or("us-east-1"))
        .with_client_options(network.client_options()?.with_allow_http(address.starts_with("http:")))
        .with_endpoint(address)
        .with_virtual_hosted_style_request(is_virtual)
        .with_access_key_id(key_id)
        .with_secret_access_key(secret.reveal())
        .with_retry(retries());
    if let Some(token) = token {
        builder = builder.with_token(token.reveal());
    }
    let store = builder.build().map_err(|error| unusable(place, &error))?;
    Ok(Arc::new(store))
}

fn azure_address(place: &Place, account: &str) -> Result<String> {
    let end_point = place.end_point.as_deref().unwrap_or("blob.core.windows.net");
    let host = address(end_point)?;
    if is_loopback(&host) || !is_named(&host) {
        return Ok(String::from(host).trim_end_matches('/').to_owned());
    }
    let host = host.host_str().unwrap_or_default();
    Ok(format!("https://{account}.blob.{}", host.strip_prefix("blob.").unwrap_or(host)))
}

fn azure(place: &Place, network: &Network) -> Result<Arc<dyn ObjectStore>> {
    let (Credentials::Azure(sas), Some(account)) = (&place.credentials, &place.storage_account) else {
        return Err(Error::unsupported("the stage is on Azure, but its answer has no credentials for it"));
    };
    let address = azure_address(place, account)?;
    let sas = sas.reveal().trim_start_matches('?');
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(sas.as_bytes()).into_owned().collect();
    let store = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(&place.bucket)
        .with_client_options(network.client_options()?.with_allow_http(address.starts_with("http:")))
        .with_endpoint(address)
        .with_sas_authorization(pairs)
        .with_retry(retries())
        .build()
        .map_err(|error| unusable(place, &error))?;
    Ok(Arc::new(store))
}

fn unusable(place: &Place, error: &object_store::Error) -> Error {
    error::store("can't use", &format!("the stage's bucket {:?}", place.bucket), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(end_point: Option<&str>, region: &str) -> Place {
        Place {
            store: Store::S3,
            bucket: "sfc-bucket".into(),
            prefix: "stages/1/".into(),
            region: Some(region.into()),
            storage_account: Some("account".into()),
            end_point: end_point.map(str::to_owned),
            regional_url: false,
            virtual_url: false,
            client_side_encrypted: true,
            presigned_url: None,
            credentials: Credentials::None,
        }
    }

    #[test]
    fn buckets_are_reached_by_region_or_by_the_address_of_the_answer() {
        for (end_point, region, address, is_virtual) in [
            (None, "eu-central-1", "https://sfc-bucket.s3.eu-central-1.amazonaws.com", true),
            (None, "cn-north-1", "https://sfc-bucket.s3.cn-north-1.amazonaws.com.cn", true),
            (
                Some("s3-fips.us-east-1.amazonaws.com"),
                "us-east-1",
                "https://sfc-bucket.s3-fips.us-east-1.amazonaws.com",
                true,
            ),
            (Some("vpce.example.com:8443"), "r", "https://sfc-bucket.vpce.example.com:8443", true),
            (Some("http://127.0.0.1:9000"), "r", "http://127.0.0.1:9000", false),
            (Some("https://10.0.0.1"), "r", "https://10.0.0.1", false),
        ] {
            assert_eq!(s3_address(&place(end_point, region)).unwrap(), (address.to_owned(), is_virtual));
        }
        let dotted = Place { bucket: "a.b".into(), ..place(None, "eu-west-1") };
        assert_eq!(s3_address(&dotted).unwrap(), ("https://s3.eu-west-1.amazonaws.com".to_owned(), false));
    }

    #[test]
    fn nothing_is_sent_without_tls_to_another_machine() {
        for end_point in ["http://10.0.0.1", "http://s3.example.com", "ftp://127.0.0.1", "https://"] {
            assert!(s3_address(&place(Some(end_point), "r")).is_err(), "{end_point}");
        }
    }

    #[test]
    fn azure_accounts_are_part_of_the_host() {
        for (end_point, address) in [
            (None, "https://account.blob.core.windows.net"),
            (Some("blob.core.windows.net"), "https://account.blob.core.windows.net"),
            (Some("core.usgovcloudapi.net"), "https://account.blob.core.usgovcloudapi.net"),
            (Some("http://127.0.0.1:10000"), "http://127.0.0.1:10000"),
        ] {
            assert_eq!(azure_address(&place(end_point, "r"), "account").unwrap(), address);
        }
    }
}
