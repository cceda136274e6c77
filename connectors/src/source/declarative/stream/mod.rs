//! Streams of a manifest: put together from their components, read slice by slice, described for a catalog.

mod engine;
mod sink;

pub use engine::{Engine, StreamInfo};
pub use sink::{Level, Progress, Sink};
