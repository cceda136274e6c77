//! What an answer means: error handlers of a manifest, their filters and how long they wait.
//!
//! A handler asks its filters, then the table that holds for every manifest. Whoever sends keeps [`Tries`] for each
//! request, does what the [`Verdict`] says and judges the next answer with the same tries: when they are used up the
//! verdict is a failure.

mod answer;
mod backoff;
mod budget;
mod filter;
mod handler;
mod resolution;
#[cfg(test)]
mod tests;
mod verdict;

pub use budget::budget;
pub(in crate::source::declarative) use budget::matcher;
pub use handler::ErrorHandler;
pub use verdict::{Tries, Verdict};
