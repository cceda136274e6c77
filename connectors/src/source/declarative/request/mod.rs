//! Requests of a manifest: what components add to them, how they are put together, how they are sent.

mod cache;
mod input;
mod option;
mod parts;
mod requester;
mod url;

pub use cache::Cache;
pub use option::{Place, RequestOption};
pub use parts::{Data, Parts};
pub use requester::{Call, Outcome, Requester};
pub(in crate::source::declarative) use url::python_text;
