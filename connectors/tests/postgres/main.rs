//! The PostgreSQL source as an engine uses it, against real servers: what it plans, what it reads, and
//! what it does when things go wrong.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that can't go on ends")]

mod barrier;
mod cost;
mod cursor;
mod durable;
mod fault;
mod harness;
mod load;
mod lookback;
mod relation;
mod repair;
mod seen;
mod skew;
mod standby;
mod sweep;
mod torture;
