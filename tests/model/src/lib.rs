//! The commit protocol of `connectors/src/destination/parquet`, small enough that every order of its
//! steps can be tried: two syncs of one target, a clean-up, crashes, pauses and lost answers.
//!
//! A step here is what one request does to the bucket, or what a process decides between two of them.
//! A process that is paused is one whose next step comes late; one that crashes begins anew. Claims are
//! left out: safety must not rest on them.
//!
//! [`Flaw`] breaks the protocol on purpose. A checker that finds nothing then would prove nothing.

mod bucket;
mod protocol;
mod run;

pub use bucket::{Bucket, Commit, File, Put, Status};
pub use protocol::{Flaw, Protocol, State, Step};
pub use run::{At, Attempt, Cleaner, Run};
