//! A source and a destination in memory, for tests of the engine: everything that can go wrong does
//! so at a step that the test names.

pub(crate) mod destination;
pub(crate) mod fault;
pub(crate) mod source;
pub(crate) mod world;

pub(crate) use destination::{MemoryDestination, Store};
pub(crate) use fault::{Fault, Faults};
pub(crate) use source::{MemorySource, Table, Tables};
pub(crate) use world::{World, drop_at_poll, settle};
