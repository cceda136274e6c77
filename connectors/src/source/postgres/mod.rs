//! PostgreSQL, and what speaks its protocol: tables, partitioned tables, views, materialized views and
//! foreign tables.

mod config;
mod connect;
#[allow(dead_code, reason = "called by `read`, which follows")]
mod copy;
#[doc(hidden)]
pub mod decode;
mod discover;
mod error;
mod identifier;
#[doc(hidden)]
pub mod types;

pub use config::{ChannelBinding, Config, Hosts, ReadFrom, SslMode, SslNegotiation};
pub(crate) use identifier::quote_identifier;
