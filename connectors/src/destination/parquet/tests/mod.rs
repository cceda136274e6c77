//! The destination on every kind of store, judged by the conformance suite and by faults.

mod bench;
mod chaos;
mod check;
mod checkpoint;
mod disk;
mod faults;
mod history;
mod local;
mod memory;
mod s3;
mod works;
