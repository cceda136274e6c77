//! The systems that tidegate reads from and writes to. One folder and one line in [`registry`] each.

pub mod destination;
pub mod http;
pub mod json;
mod pbes2;
pub mod registry;
pub mod source;
mod storage;
