//! Systems that records are read from.
