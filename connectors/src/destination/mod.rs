//! Systems that files are committed to.

pub mod parquet;
mod snowflake;
