//! An internal stage: Snowflake's own storage, reached by what `PUT` and `GET` answer.
//!
//! One answer serves all files of all targets until it is too old: what it holds is good for the whole
//! stage. Where a URL is signed for a single file, each file has an answer of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, Semaphore};

use super::cipher::{self, Encryptor, KeySize, Sealed};
use super::metadata;
use super::remote::{Object, Remote};
use super::spool::Spooled;
use super::sql::StageName;
use super::{Listed, check_path};
use crate::storage::Network;

use super::super::client::{
    Answer, Credentials, Direction, EncryptionMaterial, Session, Statement, UploadTarget,
};

/// An answer is not used for longer. Its credentials are good for about an hour.
const LIFETIME: Duration = Duration::from_mins(30);
/// How often a file's credentials are asked for anew.
const RENEWALS: u32 = 2;
/// How often a whole upload is begun anew where the store can't be reached, which costs less than to read
/// its rows again; and the pause before it, longer each time.
const REPEATS: u32 = 2;
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(5) };
/// Files that are uploaded at once, of all targets.
const UPLOADS: usize = 4;
/// The file that `PUT` is asked about where one answer serves all. Nobody reads it.
const ANY_FILE: &str = "tidegate.parquet";

/// Who answers a stage's statements: a session.
pub(in super::super) trait Statements: Send + Sync + 'static {
    /// Runs one that has rows for an answer.
    fn run(&self, sql: String) -> BoxFuture<'_, Result<Answer>>;

    /// Runs a `PUT` or a `GET`.
    fn target(&self, sql: String) -> BoxFuture<'_, Result<UploadTarget>>;
}

impl Statements for Session {
    fn run(&self, sql: String) -> BoxFuture<'_, Result<Answer>> {
        async move { Session::run(self, &Statement::new(sql)).await }.boxed()
    }

    fn target(&self, sql: String) -> BoxFuture<'_, Result<UploadTarget>> {
        async move { self.upload_target(&sql).await }.boxed()
    }
}

/// An internal stage.
pub(super) struct Internal {
    statements: Arc<dyn Statements>,
    pub(super) name: StageName,
    network: Network,
    /// Where files wait that are too large for memory.
    pub(super) spool: Arc<Path>,
    granted: Mutex<Option<Arc<Granted>>>,
    /// Whether each file has an answer of its own.
    is_single: AtomicBool,
    uploads: Semaphore,
}

/// What `PUT` answered.
pub(super) struct Granted {
    remote: Remote,
    encryption: Option<EncryptionMaterial>,
    asked: Instant,
    /// Whether keys are those of the stage, and not of one file.
    is_whole: bool,
}

impl Granted {
    /// How long the keys of files are, where they are encrypted.
    pub(super) fn key_size(&self) -> Result<Option<KeySize>> {
        self.encryption.as_ref().map(KeySize::of).transpose()
    }
}

impl Internal {
    pub(super) fn new(
        statements: Arc<dyn Statements>,
        name: StageName,
        network: Network,
        spool: Arc<Path>,
    ) -> Self {
        Self {
            statements,
            name,
            network,
            spool,
            granted: Mutex::default(),
            is_single: AtomicBool::default(),
            uploads: Semaphore::new(UPLOADS),
        }
    }

    /// What it takes to upload `key`, by an answer other than the one that is worn out.
    pub(super) async fn grant(&self, key: &str, worn: Option<&Arc<Granted>>) -> Result<Arc<Granted>> {
        if self.is_single.load(Ordering::Relaxed) {
            return Ok(Arc::new(self.ask(key).await?));
        }
        // One asks, and whoever waits takes its answer.
        let mut slot = self.granted.lock().await;
        if let Some(known) = &*slot {
            let is_worn = worn.is_some_and(|worn| Arc::ptr_eq(worn, known));
            if !is_worn && known.asked.elapsed() < LIFETIME {
                return Ok(Arc::clone(known));
            }
        }
        let fresh = self.ask("").await?;
        if !fresh.is_whole {
            drop(slot);
            return Ok(Arc::new(self.ask(key).await?));
        }
        let fresh = Arc::new(fresh);
        *slot = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Asks for what it takes to upload `key`, or any file where it is empty.
    async fn ask(&self, key: &str) -> Result<Granted> {
        let asked = Instant::now();
        let (folder, file) = match key.rsplit_once('/') {
            Some((folder, file)) => (format!("{folder}/"), file),
            None if key.is_empty() => (String::new(), ANY_FILE),
            None => (String::new(), key),
        };
        let target = self.statements.target(self.name.put(&folder, file)).await?;
        if target.direction != Direction::Upload {
            return Err(Error::internal("the answer of PUT is that of a GET"));
        }
        let is_presigned =
            target.place.presigned_url.is_some() && !matches!(target.place.credentials, Credentials::Gcs(_));
        if is_presigned {
            self.is_single.store(true, Ordering::Relaxed);
        }
        let is_whole = !is_presigned && key.is_empty();
        let remote = Remote::open(&target.place, &self.network)?;
        Ok(Granted { remote, encryption: target.encryption, asked, is_whole })
    }

    /// Uploads a file. It is begun anew where the credentials have ended, with fresh ones, and where the store
    /// is away for longer than its requests are repeated.
    pub(super) async fn upload(
        &self,
        key: &str,
        sealed: Option<&Sealed>,
        digest: &str,
        body: &Spooled,
    ) -> Result<()> {
        let _turn = self.uploads.acquire().await.expect("the semaphore is never closed");
        let (mut worn, mut renewals, mut repeats) = (None, 0, 0);
        loop {
            let granted = self.grant(key, worn.as_ref()).await?;
            let Err(error) = send(&granted, key, sealed, digest, body).await else { return Ok(()) };
            if error.kind() == ErrorKind::Auth && renewals < RENEWALS {
                renewals += 1;
                worn = Some(granted);
            } else if error.kind().is_retryable() && repeats < REPEATS {
                repeats += 1;
                let longest = protocol::longest_wait().unwrap_or(Duration::MAX);
                tokio::time::sleep((PAUSE * repeats).min(longest)).await;
            } else {
                return Err(error);
            }
            tracing::debug!(key, error = format!("{error:#}"), "an upload is begun anew");
        }
    }

    /// Puts a small file, whether or not there is one.
    pub(super) async fn put(&self, path: &str, content: &Bytes) -> Result<()> {
        let digest = metadata::digest(aws_lc_rs::digest::digest(&SHA256, content).as_ref());
        let (sealed, body) = match self.grant(path, None).await?.key_size()? {
            Some(size) => {
                let mut encryptor = Encryptor::new(size)?;
                let mut encrypted = BytesMut::new();
                encryptor.update(content, &mut encrypted)?;
                (Some(encryptor.finish(&mut encrypted)?), encrypted.freeze())
            }
            None => (None, content.clone()),
        };
        self.upload(path, sealed.as_ref(), &digest, &body.into()).await
    }

    /// Reads a whole small file; `None` where it is missing.
    pub(super) async fn get(&self, path: &str, most: u64) -> Result<Option<Bytes>> {
        let target = self.statements.target(self.name.get(path)).await?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_it = |known: &str| {
            known == name || known.strip_suffix(name).is_some_and(|folder| folder.ends_with('/'))
        };
        // Others may begin with the same characters.
        let Some(file) = target.files.iter().find(|file| is_it(&file.path)) else { return Ok(None) };
        let mut place = target.place.clone();
        if file.presigned_url.is_some() {
            place.presigned_url.clone_from(&file.presigned_url);
        }
        let remote = Remote::open(&place, &self.network)?;
        // Encryption adds a block at most.
        let Some(object) = remote.get(&file.path, most + 16).await? else { return Ok(None) };
        let content = opened(&remote, object, file.encryption.as_ref());
        content.map(Some).map_err(|error| {
            Error::data(format!("{} can't be read", remote.place(&file.path))).with_source(error)
        })
    }

    /// Lists the files whose paths begin with `path`.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Listed>> {
        let answer = self.statements.run(self.name.list(path)).await?;
        let mut files = Vec::with_capacity(answer.rows.len());
        for row in 0..answer.rows.len() {
            let name = answer.get(row, "name").unwrap_or_default();
            let bytes = answer.get(row, "size").and_then(|size| size.parse().ok());
            // The stage's own name stands before.
            let (Some((_, listed)), Some(bytes)) = (name.split_once('/'), bytes) else {
                return Err(Error::data(format!("stage {} lists a file as {name:?}", self.name)));
            };
            if listed.starts_with(path) {
                files.push(Listed { path: listed.to_owned(), bytes });
            }
        }
        Ok(files)
    }

    /// Removes the files whose paths begin with `path`.
    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        check_path(path)?;
        self.statements.run(self.name.remove(path)).await.map(drop)
    }
}

async fn send(
    granted: &Granted,
    key: &str,
    sealed: Option<&Sealed>,
    digest: &str,
    body: &Spooled,
) -> Result<()> {
    let envelope = match (sealed, &granted.encryption) {
        (Some(sealed), Some(material)) => Some(sealed.envelope(material)?),
        (None, None) => None,
        _ => return Err(Error::transient("how the stage's files are encrypted has changed a moment ago")),
    };
    let metadata = metadata::of(granted.remote.store, digest, envelope.as_ref())?;
    granted.remote.put(key, body, metadata).await
}

/// The plain content of an object, checked against its digest where it has one.
fn opened(remote: &Remote, object: Object, material: Option<&EncryptionMaterial>) -> Result<Bytes> {
    let Object { content, metadata: found } = object;
    let get = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (digest, envelope) = metadata::read(remote.store, get)?;
    let content = match (envelope, material) {
        (Some(envelope), Some(material)) => {
            let mut content = Vec::from(content);
            cipher::decrypt(&envelope, material, &mut content)?;
            Bytes::from(content)
        }
        (None, None) => content,
        (Some(_), None) => {
            return Err(Error::data("it is encrypted, and the answer of GET has no key for it"));
        }
        (None, Some(_)) => {
            return Err(Error::data("it should be encrypted, and its metadata does not say how"));
        }
    };
    let mut sum = Context::new(&SHA256);
    sum.update(&content);
    match digest {
        Some(digest) if digest != metadata::digest(sum.finish().as_ref()) => {
            Err(Error::data("its content is not the one that its digest is of"))
        }
        _ => Ok(content),
    }
}
