//! Streams of a manifest: put together from their components, read slice by slice, described for a catalog.

mod check;
mod definition;
mod delegate;
mod dynamic;
mod engine;
mod family;
mod path;
mod plain;
mod properties;
mod read;
mod recall;
mod report;
mod retriever;
mod room;
mod schema;
mod shrink;
mod sink;

pub use engine::{Engine, StreamInfo};
pub use recall::{Memory, Recall};
pub use sink::{Level, Progress, Sink};
