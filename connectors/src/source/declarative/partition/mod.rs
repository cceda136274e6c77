//! Partitions: what a stream is asked for one by one, be it the items of a list or the records of another stream.

mod parent;
mod slice;

pub use parent::{Pages, Parent, Parents};
pub use slice::Slice;
