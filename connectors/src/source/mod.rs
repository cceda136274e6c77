//! Systems that records are read from.

pub mod declarative;
pub mod postgres;
