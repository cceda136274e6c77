//! The flow of a sync: plan, read, stage, commit. Knows no connector.
//!
//! [`Sync`] is the one way in. Everything here works on the traits and nouns of [`protocol`].
//!
//! # How a stream flows
//!
//! ```text
//!  source.read ──batches──▶ conform ──▶ file writers ──bytes──▶ stage      (a lane, several at once)
//!                                            │ clean cut
//!                                            ▼
//!                                  Staged ──▶ committer ──▶ destination.commit
//! ```
//!
//! A lane reads partitions of one stream, one after the other, into files. Where a file ends
//! together with a partition (a clean cut), files and partitions are handed to the committer as one
//! [`protocol::Staged`]. A failure throws away what the lane wrote since its last clean cut and
//! reads those partitions again; so a row is in exactly one committed file.
//!
//! # Invariants
//!
//! - Only the committer commits, in turn for each stream; and [`Sync::reconcile`], which runs apart from it.
//! - The clock is read in `clock.rs` alone, and no decision about correctness rests on it.
//! - Buffers are charged to one [budget](ConnectionConfig::memory).

mod bench;
mod budget;
mod clock;
mod committer;
mod config;
mod conform;
mod lane;
mod mark;
mod panic;
mod plan;
mod progress;
mod readback;
mod receipt;
mod reconcile;
mod report;
mod resolve;
mod retry;
mod stop;
mod stream;
mod sync;
mod verify;
mod write;

pub use bench::{
    Advice, BENCH_VERSION, BenchReport, Judgement, Knob, Nowhere, Part, PartReport, Sample, StreamBench,
    Subject, Task, Wall,
};
pub use config::{ConnectionConfig, MetadataColumns, StreamConfig, StreamDefaults};
pub use plan::{PLAN_VERSION, StreamPlan};
pub use progress::{Count, Progress, Step, StreamProgress};
pub use readback::{Batches, ParquetFile};
pub use receipt::content_of;
pub use reconcile::{
    Compared, KeyOf, RECONCILE_VERSION, Reconcile, ReconcileOutcome, ReconcileReport, StreamReconciliation,
    WrongKeys,
};
pub use report::{
    CursorReport, ErrorReport, Outcome, REPORT_VERSION, Report, ReportTotals, SecondsReport, StreamReport,
};
pub use stop::Stop;
pub use sync::Sync;
pub use verify::{Finding, Problem, SourceVerdict, StreamVerdict, VERIFY_VERSION, Verdict, VerifyReport};
