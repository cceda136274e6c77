//! The command line: what it prints where, and how it exits.

mod arguments;
mod configuration;
mod discover;
mod failures;
mod init;
pub(crate) mod run;
mod shop;
mod signals;
mod state;
mod steps;
mod sweep;
mod sync;
