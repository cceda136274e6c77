//! The engine between a source and a destination in memory: whatever goes wrong, no row is lost and
//! none doubled.

#![cfg(test)]

#[path = "../memory/mod.rs"]
mod memory;

mod budget;
mod conformance;
mod crash;
mod detached;
mod outcome;
mod retry;
mod rival;
mod round;
mod schema;
mod stop;
mod verify;
