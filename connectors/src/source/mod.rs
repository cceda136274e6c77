//! Systems that records are read from.

pub mod postgres;
