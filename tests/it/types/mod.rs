//! Values: what PyArrow and DuckDB read from the files is what PostgreSQL prints.

mod case;
mod compare;
mod golden;
