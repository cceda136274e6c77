//! The contract between tidegate's engine and its connectors: traits and nouns, no I/O.
//!
//! # The life of a sync
//!
//! ```text
//! discover        plan             read               write            commit
//! Catalog ──▶ Partitions ──▶ batches, checkpoints ──▶ StagedFile ──▶ files + state
//!                 ▲                                                     │
//!                 └────────────────── StreamState ◀──────── Head ◀──────┘
//! ```
//!
//! 1. The engine asks the [`Source`] for its [`Catalog`] and joins it with the configuration: a
//!    [`ConfiguredStream`].
//! 2. [`Destination::prepare`] makes the target ready and returns its [`Head`]: the last commit and
//!    the [`StreamState`] that was stored with it.
//! 3. [`Source::plan`] divides what is new since that state into partitions, unless an earlier sync
//!    left some of its own: then those are read first.
//! 4. [`Source::read`] emits each partition as Arrow batches. The engine writes them as Parquet to
//!    the destination's [`Stage`], where nobody sees them.
//! 5. [`Destination::commit`] makes the files visible and the new state current, both or neither,
//!    as a numbered compare-and-set.
//!
//! Every value but the batch serialises, so that the steps can also run in different processes on
//! different machines: a partition travels as JSON, what one read staged comes back as [`Staged`].
//!
//! # Invariants
//!
//! - State moves only together with the files that it accounts for.
//! - A checkpoint is the partition that is left: starting and resuming are the same call.
//! - The engine never looks inside a source's state, partition or learned value.
//! - The [`ErrorKind`] alone decides about retry and exit code.
#![warn(missing_docs)]

mod bytesize;
mod catalog;
mod commit;
mod committed;
#[cfg(feature = "conformance")]
pub mod conformance;
mod destination;
mod drift;
mod emitter;
mod erased;
mod error;
mod file;
#[cfg(feature = "killpoints")]
#[doc(hidden)]
pub mod killpoint;
mod period;
mod receipt;
mod secret;
mod source;
mod state;

pub use bytesize::{ByteSize, InvalidByteSize};
pub use catalog::{
    Catalog, ConfiguredStream, CursorCandidate, DriftPolicy, Stream, StreamFilter, StreamKind, SyncMode,
    UnfitPolicy, WriteMode,
};
pub use commit::{Commit, CommitId, Head, StagedFile, SyncId, Totals};
pub use committed::{Audit, CommittedFile, FileReader};
pub use destination::{Destination, Prepared, Repair, Spent, SpentQuery, Stage, StagedWriter};
pub use drift::{Change, reconcile};
pub use emitter::{Adjustment, Emitter, Event, Outlet};
pub use erased::{
    DestinationFactory, DynDestination, DynPlan, DynSource, InvalidConfig, OpenDestination, OpenSource,
    SourceFactory,
};
pub use error::{Error, ErrorKind, Result};
pub use file::{Compression, FileOptions, FolderBy, FolderGrain};
pub use period::Period;
pub use receipt::{Digest, Receipt, WrittenReceipt};
pub use secret::Secret;
pub use source::{Covered, Drained, Grain, Lifetime, Plan, PlanRequest, Planned, Source, Window};
pub use state::{Done, Staged, StreamState, Unfinished, Versioned};

/// Longest that a wait for another system's patience takes: nothing bounds it but in a build for tests.
#[must_use]
pub fn longest_wait() -> Option<std::time::Duration> {
    #[cfg(feature = "killpoints")]
    return killpoint::longest_wait();
    #[cfg(not(feature = "killpoints"))]
    None
}

/// A place where a test can kill or stop the process: `point!("commit.manifest.sent")`. Nothing at all
/// without the feature `killpoints`, which only tests switch on.
#[cfg(feature = "killpoints")]
#[macro_export]
macro_rules! point {
    ($name:literal) => {
        $crate::killpoint::reach($name)
    };
}

/// A place where a test can kill or stop the process: `point!("commit.manifest.sent")`. Nothing at all
/// without the feature `killpoints`, which only tests switch on.
#[cfg(not(feature = "killpoints"))]
#[macro_export]
macro_rules! point {
    ($name:literal) => {};
}

/// What most connectors need: `use protocol::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Catalog, Commit, ConfiguredStream, Destination, Emitter, Error, ErrorKind, Head, Plan, PlanRequest,
        Planned, Prepared, Result, Secret, Source, Stage, StagedFile, StagedWriter, Stream, StreamFilter,
        StreamState,
    };
}
