//! Systems that records are read from.

pub mod airbyte;
pub mod declarative;
pub mod manifest;
pub mod postgres;
