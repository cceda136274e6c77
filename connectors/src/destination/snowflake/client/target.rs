//! Where a file of a stage goes or comes from: what `PUT` and `GET` answer.

use protocol::{Error, Result, Secret};
use serde::Deserialize;

use super::reply::Cell;

/// The answer of `PUT` or `GET`. Its credentials last an hour at most: it is asked for again then.
#[derive(Debug, Clone)]
pub(in super::super) struct UploadTarget {
    /// Which of the two was asked for.
    pub(in super::super) direction: Direction,
    /// Where the stage's files are.
    pub(in super::super) place: Place,
    /// What files that are put are encrypted with; `None` where the stage does it itself.
    pub(in super::super) encryption: Option<EncryptionMaterial>,
    /// The files to get, of which a `PUT` has none.
    pub(in super::super) files: Vec<RemoteFile>,
    /// The statement's id in the query history, where told.
    pub(in super::super) query_id: Option<String>,
}

/// Which way files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Direction {
    /// `PUT`.
    Upload,
    /// `GET`.
    Download,
}

/// The object store behind a stage.
#[derive(Debug, Clone)]
pub(in super::super) struct Place {
    /// Whose it is.
    pub(in super::super) store: Store,
    /// The bucket or container.
    pub(in super::super) bucket: String,
    /// What every key begins with; empty or with a slash at its end.
    pub(in super::super) prefix: String,
    /// The bucket's region.
    pub(in super::super) region: Option<String>,
    /// The account of an Azure container.
    pub(in super::super) storage_account: Option<String>,
    /// The store's host or URL, where it is not the usual one.
    pub(in super::super) end_point: Option<String>,
    /// Whether the regional name of the store is to be used.
    pub(in super::super) regional_url: bool,
    /// Whether the bucket is a part of the host's name (GCS).
    pub(in super::super) virtual_url: bool,
    /// Whether files are to be encrypted before they go out.
    pub(in super::super) client_side_encrypted: bool,
    /// The one URL that the one file goes to, where the store has no credentials.
    pub(in super::super) presigned_url: Option<Secret>,
    /// What the store is to be shown.
    pub(in super::super) credentials: Credentials,
}

/// Whose object store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Store {
    /// Amazon S3 or what speaks like it.
    S3,
    /// Azure Blob Storage.
    Azure,
    /// Google Cloud Storage.
    Gcs,
    /// A folder of the server's machine: a stand-in for tests.
    Local,
}

/// What an object store is shown, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Credentials {
    /// A temporary key.
    Aws {
        /// Its id.
        key_id: String,
        /// Its secret.
        secret: Secret,
        /// Its session token; stand-ins may do without.
        token: Option<Secret>,
    },
    /// A shared access signature.
    Azure(Secret),
    /// A bearer token.
    Gcs(Secret),
    /// Nothing: the URL is presigned, or the folder local.
    None,
}

/// What the key of a file is wrapped with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct EncryptionMaterial {
    /// The stage's master key, 16 or 32 bytes in base64.
    pub(in super::super) master_key: Secret,
    /// The query that handed it out.
    pub(in super::super) query_id: String,
    /// Which master key it is.
    pub(in super::super) smk_id: String,
}

/// A file to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct RemoteFile {
    /// Its path below the bucket's prefix, as the server names it.
    pub(in super::super) path: String,
    /// What it is encrypted with.
    pub(in super::super) encryption: Option<EncryptionMaterial>,
    /// The URL to get it from, where the store has no credentials.
    pub(in super::super) presigned_url: Option<Secret>,
}

/// `data` of the answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TransferData {
    command: String,
    #[serde(default)]
    query_id: Option<String>,
    stage_info: StageInfo,
    #[serde(default)]
    encryption_material: Option<Materials>,
    #[serde(default, rename = "src_locations")]
    src_locations: Option<Vec<String>>,
    #[serde(default)]
    presigned_urls: Option<Vec<Option<String>>>,
}

/// One for a `PUT`, one per file for a `GET`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Materials {
    One(Material),
    Several(Vec<Option<Material>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default)]
    query_stage_master_key: Option<String>,
    #[serde(default)]
    query_id: Option<String>,
    #[serde(default)]
    smk_id: Cell,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StageInfo {
    location_type: String,
    location: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    storage_account: Option<String>,
    #[serde(default)]
    end_point: Option<String>,
    #[serde(default)]
    use_s3_regional_url: Option<bool>,
    #[serde(default)]
    use_regional_url: Option<bool>,
    #[serde(default)]
    use_virtual_url: Option<bool>,
    #[serde(default)]
    is_client_side_encrypted: Option<bool>,
    #[serde(default)]
    presigned_url: Option<String>,
    #[serde(default)]
    creds: Option<Creds>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", default)]
struct Creds {
    aws_key_id: Option<String>,
    aws_secret_key: Option<String>,
    aws_token: Option<String>,
    /// What older servers call them.
    aws_id: Option<String>,
    aws_key: Option<String>,
    azure_sas_token: Option<String>,
    gcs_access_token: Option<String>,
}

impl UploadTarget {
    /// Reads the answer of a `PUT` or a `GET`.
    pub(super) fn read(data: &str) -> Result<Self> {
        // The text of what can't be read may be of a key.
        let data: TransferData = serde_json::from_str(data)
            .map_err(|_| Error::transient("the answer does not say where the stage's files are"))?;
        let direction = match data.command.to_ascii_uppercase().as_str() {
            "UPLOAD" => Direction::Upload,
            "DOWNLOAD" => Direction::Download,
            _ => return Err(Error::internal("the statement is neither PUT nor GET")),
        };
        let place = Place::read(data.stage_info)?;
        let (encryption, materials) = match data.encryption_material {
            None => (None, Vec::new()),
            Some(Materials::One(one)) => (one.read(), Vec::new()),
            Some(Materials::Several(several)) => {
                (None, several.into_iter().map(|material| material.and_then(Material::read)).collect())
            }
        };
        let files = match direction {
            // The server repeats what the statement said; which file is read is not its choice.
            Direction::Upload => Vec::new(),
            Direction::Download => {
                let mut materials = materials.into_iter();
                let mut urls = data.presigned_urls.unwrap_or_default().into_iter();
                let files = data.src_locations.unwrap_or_default().into_iter();
                files
                    .map(|path| RemoteFile {
                        path,
                        encryption: materials.next().flatten().or_else(|| encryption.clone()),
                        presigned_url: urls.next().flatten().and_then(secret),
                    })
                    .collect()
            }
        };
        Ok(Self { direction, place, encryption, files, query_id: filled(data.query_id) })
    }
}

impl Place {
    fn read(info: StageInfo) -> Result<Self> {
        let store = match info.location_type.to_ascii_uppercase().as_str() {
            "S3" => Store::S3,
            "AZURE" => Store::Azure,
            "GCS" => Store::Gcs,
            "LOCAL_FS" => Store::Local,
            other => return Err(Error::unsupported(format!("the stage is in a store of kind {other:?}"))),
        };
        let (bucket, prefix) = match (store, info.location.split_once('/')) {
            (Store::Local, _) => (String::new(), info.location.as_str()),
            (_, Some((bucket, prefix))) => (bucket.to_owned(), prefix),
            (_, None) => (info.location.clone(), ""),
        };
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Ok(Self {
            store,
            bucket,
            prefix: format!("{prefix}{slash}"),
            region: filled(info.region),
            storage_account: filled(info.storage_account),
            end_point: filled(info.end_point),
            regional_url: info.use_s3_regional_url.or(info.use_regional_url).unwrap_or(false),
            virtual_url: info.use_virtual_url.unwrap_or(false),
            // Servers that do not say so mean it.
            client_side_encrypted: info.is_client_side_encrypted.unwrap_or(true),
            presigned_url: info.presigned_url.and_then(secret),
            credentials: info.creds.unwrap_or_default().read(store),
        })
    }
}

impl Creds {
    fn read(self, store: Store) -> Credentials {
        let found = match store {
            Store::S3 => (|| {
                Some(Credentials::Aws {
                    key_id: filled(self.aws_key_id).or_else(|| filled(self.aws_id))?,
                    secret: self.aws_secret_key.and_then(secret).or_else(|| self.aws_key.and_then(secret))?,
                    token: self.aws_token.and_then(secret),
                })
            })(),
            Store::Azure => self.azure_sas_token.and_then(secret).map(Credentials::Azure),
            Store::Gcs => self.gcs_access_token.and_then(secret).map(Credentials::Gcs),
            Store::Local => None,
        };
        found.unwrap_or(Credentials::None)
    }
}

impl Material {
    fn read(self) -> Option<EncryptionMaterial> {
        Some(EncryptionMaterial {
            master_key: self.query_stage_master_key.and_then(secret)?,
            query_id: self.query_id.unwrap_or_default(),
            smk_id: self.smk_id.0.unwrap_or_default(),
        })
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn secret(text: String) -> Option<Secret> {
    (!text.is_empty()).then(|| Secret::new(text))
}
