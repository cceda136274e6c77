//! What a sync promises when nothing is wrong: to schedulers, and to those who run its steps apart. What
//! it promises about rows that are written while it runs is in `torture`.

mod detached;
mod scheduler;
mod start;
mod state;
