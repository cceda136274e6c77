//! The PostgreSQL source as an engine uses it, against real servers: what it plans, what it reads, and
//! what it does when things go wrong.

mod barrier;
mod cursor;
mod fault;
mod harness;
mod relation;
mod standby;
mod torture;
