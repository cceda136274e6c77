//! A system that files are committed to.

use arrow_schema::SchemaRef;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::{Future, FutureExt, future};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{
    Audit, Change, Commit, CommittedFile, ConfiguredStream, Error, FileOptions, FileReader, Head, Result,
    StagedFile, StreamState,
};

/// A system that files are committed to. The files are written by the engine.
pub trait Destination: Sized + Send + Sync + 'static {
    /// Name in configuration files, in `snake_case`: `parquet`.
    const NAME: &'static str;
    /// Configuration; its JSON schema is what `tidegate spec` prints.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;
    /// What an administrator runs there so that tidegate may do its work and no more, where the system
    /// has such a language: `tidegate spec NAME --grants` prints it.
    const GRANTS: Option<&'static str> = None;

    /// Builds the destination: parses, connects lazily, writes nothing. Called once per process.
    fn open(config: Self::Config) -> impl Future<Output = Result<Self>> + Send;

    /// Proves that a file can be staged and a commit written, and leaves no trace; returns what a
    /// person should know, one line each.
    fn check(&self) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Where a target stands. Reads only, and repairs nothing. Called by `plan` and `state`.
    fn head(&self, target: &str) -> impl Future<Output = Result<Head>> + Send;

    /// Finishes what a crashed commit left undone, creates or widens the target for `schema` (all
    /// DDL happens here; it is idempotent), tells where the stream stands and where the engine
    /// shall put files.
    ///
    /// `schema` is what the engine will write: the stream's columns and the metadata columns.
    /// Called first, once per stream and process. Fails with
    /// [`ErrorKind::Schema`](crate::ErrorKind::Schema) when the target can't hold the schema, and
    /// with [`ErrorKind::Config`](crate::ErrorKind::Config) when it belongs to another connection.
    fn prepare(
        &self,
        stream: &ConfiguredStream,
        schema: &SchemaRef,
    ) -> impl Future<Output = Result<Prepared>> + Send;

    /// Finishes what a crashed commit left undone or, where its files are gone, tells what that means;
    /// with `apply` it makes a commit of its own then, at `at`, that goes back to the state before the lost
    /// one. `None` where nothing is lost. Never called but by a person's order.
    fn repair(
        &self,
        target: &str,
        apply: bool,
        at: DateTime<Utc>,
    ) -> impl Future<Output = Result<Option<Repair>>> + Send {
        let _ = (target, apply, at);
        future::ready(Ok(None))
    }

    /// Makes `commit.files` visible and `commit.state` current, both or neither.
    ///
    /// Called in turn for one target, at once for different ones. Repeating a commit (same `id`)
    /// that took effect returns the head and changes nothing. Any other fails with
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) unless `commit.sequence` is the head's
    /// plus one: another process has committed, and this one ends. A
    /// [`ErrorKind::Transient`](crate::ErrorKind::Transient) failure may have taken effect or not:
    /// the engine repeats the same commit.
    ///
    /// A commit without files that ends its sync may be left out where it is expensive and readers see no
    /// difference: then the head that stands is returned, whose sequence is below the commit's.
    fn commit(&self, target: &str, commit: &Commit) -> impl Future<Output = Result<Head>> + Send;

    /// What this instance has run there so far, where that costs money. Called once, at the end of a sync.
    fn spent(&self) -> Option<Spent> {
        None
    }

    /// Ends what is open. Called once, at the end; never fails: what is not ended now ends by itself.
    fn close(&self) -> impl Future<Output = ()> + Send {
        future::ready(())
    }

    /// The files that readers see, in the order of their commits: what the last commit says, also
    /// where a crash left a file of it unpublished. None for a target without commits. Reads only,
    /// and repairs nothing.
    ///
    /// The default fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported): not every
    /// system keeps the files that it was given.
    fn visible(&self, target: &str) -> impl Future<Output = Result<Vec<CommittedFile>>> + Send {
        let _ = target;
        async { Err(unreadable(Self::NAME)) }
    }

    /// Reads all commits of a target and lists its files. Reads only, and repairs nothing.
    ///
    /// Fails with [`ErrorKind::Data`](crate::ErrorKind::Data) where a commit is damaged, missing, or
    /// was not made after the one before it. The default fails with
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    fn audit(&self, target: &str) -> impl Future<Output = Result<Audit>> + Send {
        let _ = target;
        async { Err(unreadable(Self::NAME)) }
    }

    /// Opens a file of [`Destination::visible`] by its path; `None` where it is missing. Called at
    /// once for several.
    ///
    /// The default fails with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    fn open_file(
        &self,
        target: &str,
        path: &str,
    ) -> impl Future<Output = Result<Option<Box<dyn FileReader>>>> + Send {
        let _ = (target, path);
        async { Err(unreadable(Self::NAME)) }
    }
}

fn unreadable(name: &str) -> Error {
    Error::unsupported(format!("destination {name:?} can't read committed files back"))
}

/// What a destination had to do, where that costs money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// Statements that were run, those that only look something up included.
    pub statements: u64,
    /// Milliseconds that their answers took together.
    pub server_millis: u64,
    /// Whether a statement ran that needs a warehouse: one that is asleep wakes up, and is billed.
    pub warehouse: bool,
    /// Files that were staged.
    pub staged_files: u64,
    /// Their encoded bytes.
    pub staged_bytes: u64,
    /// The statements that moved rows, in order.
    pub queries: Vec<SpentQuery>,
}

/// A statement that moved rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SpentQuery {
    /// Its id in the system's own history.
    pub id: String,
    /// What it did: `copy`, `insert`, `merge`, `overwrite`, `commit`.
    pub what: String,
    /// For which target.
    pub target: String,
    /// How long its answer took.
    pub server_millis: u64,
}

/// What [`Destination::repair`] finds and does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// The commit whose files are gone.
    pub sequence: u64,
    /// How many of its files are.
    pub lost_files: u64,
    /// Rows in them.
    pub lost_rows: u64,
    /// Rows of its other files, which are removed: they are read again with the lost ones.
    pub removed_rows: u64,
    /// Where the stream stands once it is repaired.
    pub state: StreamState,
}

/// A target that is ready for files.
pub struct Prepared {
    /// Where the stream stands.
    pub head: Head,
    /// Where files go.
    pub stage: Box<dyn Stage>,
    /// The schema that files must have: the head's, widened by the one asked for. Where the target's
    /// files can't hold a type, the column is of one that they can: `Utf8` for UUIDs (with hyphens), times
    /// of day, decimals and nested values (as JSON), `Int64` for `UInt32`. The engine converts.
    pub schema: SchemaRef,
    /// How it differs from the head's.
    pub changes: Vec<Change>,
}

/// A place where files are written aside: seen by nobody until they are committed.
pub trait Stage: Send + Sync {
    /// How files are cut.
    fn options(&self) -> &FileOptions;

    /// Most bytes that one open writer keeps in memory.
    fn buffer_bytes(&self) -> usize;

    /// Starts a file in `folder` (`created_day=2026-11-22`), under a name that no other attempt
    /// ever uses. Called at once for several files.
    fn create<'a>(&'a self, folder: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn StagedWriter>>>;

    /// Removes finished files that will not be committed. Best effort is not enough: what can't be
    /// removed must be said.
    fn discard<'a>(&'a self, files: &'a [StagedFile]) -> BoxFuture<'a, Result<()>>;

    /// Says that this process commits what it stages, alone. Called before the first file of a sync,
    /// and not where files are staged for another process to commit.
    ///
    /// A destination may use it to save double work: [`Stage::create`] then fails with
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) where another process that said so is at
    /// work, and with [`ErrorKind::Stale`](crate::ErrorKind::Stale) where it had to commit first to get
    /// rid of one that is gone. Safety never rests on it: two that commit at once are kept apart by
    /// the commit.
    fn claim(&self) {}

    /// Says that no file of this stage waits any more: all are committed, discarded, or of a commit
    /// whose outcome is not known. Called at the end, also of a sync that failed; gives up the claim
    /// and removes what is left of other processes that can't commit any more. Never fails: what is
    /// not removed now is removed by a later call.
    fn release(&self) -> BoxFuture<'_, ()> {
        future::ready(()).boxed()
    }
}

/// One open file of a [`Stage`]. Dropping it before `finish` leaves nothing visible; what it left
/// aside is removed by [`StagedWriter::abandon`] or by a later clean-up.
pub trait StagedWriter: Send {
    /// Appends bytes. Waits while too much is on its way.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>>;

    /// Makes everything durable and returns the file with its path, its bytes and its placement.
    /// The engine sets `rows` and `receipt`.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<StagedFile>>;

    /// Throws the file away.
    fn abandon(self: Box<Self>) -> BoxFuture<'static, Result<()>>;
}
