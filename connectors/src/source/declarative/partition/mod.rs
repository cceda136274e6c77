//! Partitions: what a stream is asked for one by one, be it the items of a list or the records of another stream.
//!
//! A router is walked once. It gives partitions lazily and in order, as parents are read, and tells where its parents
//! stand after each of them: a child's state moves its parents only when all children of their records are done.

mod group;
mod list;
mod parent;
mod path;
mod product;
mod router;
mod slice;
mod substream;
mod union;

pub use parent::{Pages, Parent, Parents};
pub(super) use router::{Part, Router, Walk, overlay};
pub use slice::Slice;
