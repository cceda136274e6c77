//! The destination's settings.

use std::path::PathBuf;

use protocol::{ByteSize, Compression, Error, FileOptions, FolderBy, Period, Result, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::storage::{Access, Network};

/// Most bytes of one file: what S3 takes as one object.
const LARGEST_FILE: ByteSize = ByteSize::mib(5 << 20);

/// Parquet files in a local directory or an object store.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the files go: a local directory (`./lake`, `file:///srv/lake`) or a bucket and a prefix
    /// (`s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`).
    #[schemars(extend("format" = "path"))]
    pub(super) url: String,
    /// Address of an S3 service other than AWS: `https://s3.example.com`.
    #[serde(default)]
    pub(super) endpoint: Option<String>,
    /// Region of the bucket; left out, that of the environment (`AWS_REGION`), else `us-east-1`.
    #[serde(default)]
    pub(super) region: Option<String>,
    /// Access key. Left out, credentials are taken from the environment (`AWS_ACCESS_KEY_ID`), a web
    /// identity, the container or the instance, in this order.
    #[serde(default)]
    pub(super) access_key_id: Option<Secret>,
    /// Secret of the access key.
    #[serde(default)]
    pub(super) secret_access_key: Option<Secret>,
    /// Session token of temporary credentials.
    #[serde(default)]
    pub(super) session_token: Option<Secret>,
    /// Whether the bucket is part of the path rather than of the host name; left out, it is where an
    /// `endpoint` is set.
    #[serde(default)]
    pub(super) path_style: Option<bool>,
    /// Allows an `endpoint` without TLS on another machine.
    #[serde(default)]
    pub(super) allow_http: bool,
    /// Certificates (PEM) of authorities to trust besides those of the system.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub(super) ca_file: Option<PathBuf>,
    /// Key of AWS KMS that objects are encrypted with (SSE-KMS); left out, what the bucket does by default.
    #[serde(default)]
    pub(super) kms_key_id: Option<String>,
    /// How long to wait for a connection.
    #[serde(default = "Config::connect_timeout")]
    pub(super) connect_timeout: Period,
    /// How long one request may take, its body included. It is retried a few times.
    #[serde(default = "Config::request_timeout")]
    pub(super) request_timeout: Period,
    /// Close a file at about this size.
    #[serde(default = "Config::file_size")]
    pub(super) file_size: ByteSize,
    /// Close a row group at about this size; it is closed earlier when memory is short.
    #[serde(default = "Config::row_group_size")]
    pub(super) row_group_size: ByteSize,
    /// How pages are compressed.
    #[serde(default)]
    pub(super) compression: Compression,
    /// Puts files into folders by date, `created_at_day=2026-11-22`; left out, all lie side by side.
    #[serde(default)]
    pub(super) folders: Option<FolderBy>,
}

impl Config {
    fn connect_timeout() -> Period {
        Period::from_secs(5)
    }

    fn request_timeout() -> Period {
        Period::from_secs(60)
    }

    fn file_size() -> ByteSize {
        ByteSize::mib(128)
    }

    fn row_group_size() -> ByteSize {
        ByteSize::mib(64)
    }

    /// How files are cut. Fails with `Config` where the numbers can't be meant.
    pub(super) fn file_options(&self) -> Result<FileOptions> {
        let smallest = ByteSize::mib(1);
        for (name, size) in [("file_size", self.file_size), ("row_group_size", self.row_group_size)] {
            if size < smallest || size > LARGEST_FILE {
                return Err(Error::config(format!(
                    "`{name}` is {size}, it must be between {smallest} and {LARGEST_FILE}"
                )));
            }
        }
        Ok(FileOptions {
            target_bytes: self.file_size.get(),
            row_group_bytes: self.row_group_size.min(self.file_size).get(),
            compression: self.compression,
            folder_by: self.folders.clone(),
        })
    }

    /// How a bucket is reached.
    pub(super) fn access(&self) -> Access {
        Access {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
            path_style: self.path_style,
            allow_http: self.allow_http,
            kms_key_id: self.kms_key_id.clone(),
            network: Network {
                connect_timeout: self.connect_timeout,
                request_timeout: self.request_timeout,
                ca_file: self.ca_file.clone(),
                proxy: None,
            },
        }
    }

    /// The settings that only mean something for S3 and are set, by name.
    pub(super) fn s3_settings(&self) -> Vec<&'static str> {
        [
            ("endpoint", self.endpoint.is_some()),
            ("region", self.region.is_some()),
            ("access_key_id", self.access_key_id.is_some()),
            ("secret_access_key", self.secret_access_key.is_some()),
            ("session_token", self.session_token.is_some()),
            ("path_style", self.path_style.is_some()),
            ("allow_http", self.allow_http),
            ("kms_key_id", self.kms_key_id.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_url_is_needed() {
        let config: Config = serde_json::from_value(json!({ "url": "./lake" })).unwrap();
        let options = config.file_options().unwrap();
        assert_eq!((options.target_bytes, options.row_group_bytes), (128 << 20, 64 << 20));
        assert_eq!(options.compression, Compression::Zstd);
        assert_eq!(config.s3_settings(), Vec::<&str>::new());
    }

    #[test]
    fn refuses_unknown_settings_and_senseless_sizes() {
        assert!(serde_json::from_value::<Config>(json!({ "url": "./lake", "file_sise": "1MiB" })).is_err());
        for size in ["0", "1kB", "6TiB"] {
            let config: Config = serde_json::from_value(json!({ "url": ".", "file_size": size })).unwrap();
            assert!(config.file_options().unwrap_err().message().contains("file_size"), "{size}");
        }
    }

    #[test]
    fn a_row_group_is_never_larger_than_its_file() {
        let config: Config = serde_json::from_value(json!({ "url": ".", "file_size": "8MiB" })).unwrap();
        assert_eq!(config.file_options().unwrap().row_group_bytes, 8 << 20);
    }

    #[test]
    fn the_schema_describes_every_setting() {
        let schema = serde_json::to_string(&schemars::schema_for!(Config)).unwrap();
        assert!(schema.contains("row_group_size") && schema.contains("grain"), "{schema}");
    }
}
