//! A stand-in for Snowflake: a [`Snowflake`] server, an [`Account`] of one test on it, [`Fault`]s that the
//! test orders for it and what the account was [`Asked`].
//!
//! The server is a Python program of ours (`tests/lab/python/snowflake_double`) over `fakesnow`, which
//! turns Snowflake's SQL into `DuckDB`'s. It speaks the drivers' session protocol: logins that are
//! checked, tokens that end and are renewed, request ids that are answered once. Stages are folders of
//! the lab's S3 server behind an endpoint that checks the credentials which `PUT` lends; `COPY` fetches
//! what was staged and decrypts it with the official Python driver's own code.
//!
//! What it adds to fakesnow: everything of stages and of `COPY` from Parquet, `MERGE` with its refusal of
//! doubled rows, read-committed transactions in which an error undoes one statement and DDL commits,
//! locks that writers of one table wait for, primary keys that nobody enforces, names of any characters and
//! such that differ in case only, all digits of numbers, declared types and their widening, `ALTER SESSION`,
//! `SWAP WITH`, the `CURRENT_…` functions, grants, results in parts, and the service's error codes.
//!
//! What it is not: a proof of how the service behaves. It refuses Parquet columns that the service is known
//! to misread, but it can't know of others. `TIMESTAMP_TZ` loses its offset, and `TIMESTAMP_LTZ` is the same
//! type; no `VARCHAR` is too short; `information_schema` shows fakesnow's types, only `DESCRIBE TABLE` the
//! declared ones. There are no streams, tasks, pipes, procedures, fully qualified temporary tables,
//! multi-statement requests or stages outside of S3. A transaction that is left alone stays open, nothing
//! costs anything, and no warehouse is ever slow or full. Privileges are checked by the kind of statement,
//! for the account as a whole, and not for each object.
//!
//! By hand: `cargo run -p tidegate-lab -- snowflake`.

mod account;
mod fault;
mod server;

pub use account::{Account, Asked};
pub use fault::Fault;
pub use server::Snowflake;
