//! What a sync promises when nothing is wrong: to schedulers, to those who run its steps apart, and
//! about rows that are written while it runs.

mod detached;
mod scheduler;
mod start;
mod state;
mod truth;
