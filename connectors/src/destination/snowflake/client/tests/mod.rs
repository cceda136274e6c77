//! The session against a server that answers by script, and keeps what it was sent.

mod double;
mod keys;
mod logging_in;
mod renewal;
mod results;
mod secrets;
mod server;
mod statements;
mod transactions;
mod transfer;
mod transport;
