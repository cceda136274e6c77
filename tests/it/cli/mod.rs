//! The command line: what it prints where, and how it exits.

mod arguments;
mod configuration;
mod init;
mod run;
