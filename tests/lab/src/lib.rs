//! Real parts for tests, benches and the demonstration: `PostgreSQL` clusters of every major on the
//! machine, an S3 server, a stand-in for Snowflake, Python readers and sample data.
//!
//! `tests/setup` brings what this crate starts. A part that is missing ends the test with a message
//! that says so; nothing is skipped in silence. Whatever is started dies with the process that
//! started it, however that process ends ([`process`]).

#![allow(clippy::missing_panics_doc, reason = "a lab that cannot start its parts ends the test at once")]
#![allow(clippy::must_use_candidate, reason = "starting a part for its effect alone is meaningful")]

mod account;
mod blocking;
pub mod bulk;
mod http;
pub mod manifest;
pub mod port;
pub mod postgres;
pub mod process;
mod python;
mod root;
pub mod s3;
pub mod sample;
pub mod service;
pub mod snowflake;

pub use postgres::{Binaries, Cluster, Database, Options, Role};
pub use python::{python, python_command};
pub use root::root;
pub use s3::{Bucket, S3};
pub use snowflake::Snowflake;
