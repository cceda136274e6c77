//! Requests of a manifest: what components add to them, how they are put together, how they are sent.

mod option;
mod parts;
mod requester;

pub use option::{Place, RequestOption};
pub use parts::{Data, Parts};
pub use requester::{Call, Outcome, Requester};
