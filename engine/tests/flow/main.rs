//! The engine between a source and a destination in memory: whatever goes wrong, no row is lost and
//! none doubled.

#[path = "../memory/mod.rs"]
mod memory;

mod crash;
