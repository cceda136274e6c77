//! What an answer means: error handlers of a manifest, their filters and how long they wait.

mod handler;
mod verdict;

pub use handler::ErrorHandler;
pub use verdict::{Tries, Verdict};
