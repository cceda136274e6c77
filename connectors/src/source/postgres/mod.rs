//! PostgreSQL, and what speaks its protocol.

#[allow(dead_code, reason = "called by `read`, which follows")]
mod copy;
#[doc(hidden)]
pub mod decode;
mod identifier;
#[doc(hidden)]
pub mod types;

pub(crate) use identifier::quote_identifier;
