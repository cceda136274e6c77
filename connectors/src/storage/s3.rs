//! Buckets of S3 and of what speaks like it: from the settings to a store.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::path::Path;
use protocol::{Error, Result, Secret};
use url::{Host, Url};

use super::network::{Network, retries};

/// How a bucket is reached.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_field_names, reason = "as the settings are called")]
pub(crate) struct Access {
    /// Address of a service other than AWS.
    pub(crate) endpoint: Option<String>,
    /// Region; left out, that of the environment.
    pub(crate) region: Option<String>,
    /// Left out, credentials are those of the environment.
    pub(crate) access_key_id: Option<Secret>,
    pub(crate) secret_access_key: Option<Secret>,
    pub(crate) session_token: Option<Secret>,
    /// Whether the bucket is part of the path; left out, it is where an endpoint is set.
    pub(crate) path_style: Option<bool>,
    /// Allows an endpoint without TLS on another machine.
    pub(crate) allow_http: bool,
    /// Key of AWS KMS that objects are encrypted with.
    pub(crate) kms_key_id: Option<String>,
    pub(crate) network: Network,
}

/// The bucket, and the prefix in it, of what follows the scheme in an address.
pub(crate) fn bucket_and_prefix(place: &str) -> Result<(&str, Path)> {
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

/// A bucket of S3, or of what speaks like it. Credentials that are not given are those of the environment.
pub(crate) fn s3(access: &Access, bucket: &str) -> Result<AmazonS3Builder> {
    let client = access.network.client_options()?;
    let environment = AmazonS3Builder::from_env();
    let from_environment = |key| environment.get_config_value(&key).filter(|value| !value.is_empty());
    let region = access.region.clone().or_else(|| from_environment(AmazonS3ConfigKey::Region));
    let endpoint = access
        .endpoint
        .clone()
        .or_else(|| from_environment(AmazonS3ConfigKey::S3Endpoint))
        .or_else(|| from_environment(AmazonS3ConfigKey::Endpoint));
    let mut builder = match (&access.access_key_id, &access.secret_access_key) {
        // Not mixed with those of the environment: a session token there would belong to another key.
        (Some(id), Some(secret)) => {
            let builder = AmazonS3Builder::new()
                .with_access_key_id(id.reveal())
                .with_secret_access_key(secret.reveal());
            match &access.session_token {
                Some(token) => builder.with_token(token.reveal()),
                None => builder,
            }
        }
        (None, None) if access.session_token.is_none() => environment,
        _ => {
            return Err(Error::config("credentials are incomplete")
                .hint("set both `access_key_id` and `secret_access_key`, or neither"));
        }
    };
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &access.kms_key_id {
        builder = builder.with_sse_kms_encryption(key);
    }
    // A dot in the bucket's name is a level that the certificate of the host name does not cover.
    let path_style = access.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    let mut http = false;
    if let Some(endpoint) = endpoint {
        let (endpoint, plain) = checked_endpoint(&endpoint, access.allow_http)?;
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
pub(crate) fn virtual_host(endpoint: &Url, bucket: &str) -> String {
    let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{bucket}.{}{port}", endpoint.scheme(), endpoint.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_can_be_part_of_the_host_name() {
        let url = Url::parse("https://s3.example.com:8443/").unwrap();
        assert_eq!(virtual_host(&url, "b"), "https://b.s3.example.com:8443");
    }
}
