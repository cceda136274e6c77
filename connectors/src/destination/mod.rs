//! Systems that files are committed to.
