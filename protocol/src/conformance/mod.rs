//! What every source and destination must pass. Called by the tests of each connector.

pub mod destination;
pub mod source;
