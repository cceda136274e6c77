//! Values: what `PyArrow` and `DuckDB` read from the files is what `PostgreSQL` prints.

mod case;
mod compare;
mod dataset;
mod drift;
mod encoding;
mod golden;
mod large;
mod name;
mod policy;
mod property;
mod relation;

pub(crate) use case::{Case, Kind};
pub(crate) use compare::{Column, expected};
pub(crate) use golden::table as golden_table;
