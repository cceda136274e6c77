//! Systems that files are committed to.

pub mod parquet;
pub mod snowflake;
