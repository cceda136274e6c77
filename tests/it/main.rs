//! Tests of the built binary against real parts: one file or folder for each matter.

mod airbyte;
mod bench;
mod cli;
mod faults;
mod kill;
mod manifest;
mod reconcile;
mod snowflake;
mod support;
mod sync;
mod tidy;
mod torture;
mod types;
mod verify;
