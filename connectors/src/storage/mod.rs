//! Object stores, as more than one connector uses them: how they are reached, and what their failures mean.

pub(crate) mod error;
mod network;
mod s3;

pub(crate) use network::{Network, retries};
pub(crate) use s3::{Access, bucket_and_prefix, s3};
