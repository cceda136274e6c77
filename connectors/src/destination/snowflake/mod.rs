//! Typed tables in Snowflake.

#[expect(dead_code, unused_imports, reason = "the destination that uses it is not there yet")]
mod client;
#[expect(dead_code, unused_imports, reason = "the destination that uses it is not there yet")]
mod stage;
