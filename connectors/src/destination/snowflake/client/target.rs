//! Where a file of a stage goes or comes from: what `PUT` and `GET` answer.

use protocol::Secret;

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
