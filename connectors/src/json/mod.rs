//! JSON pages as records and columns: spans of a page's text go into Arrow columns without a value in between.

mod cell;
mod column;
mod columns;
mod locate;
mod records;
mod scan;
mod schema;
#[cfg(test)]
mod tests;
mod text;
mod time;

pub use crate::source::declarative::{Map, Value};
pub use columns::Columns;
pub use records::{Page, Records};
pub use schema::{EXTRA, Options, arrow_schema};
