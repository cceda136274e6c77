//! The text of statements. Each is made in one function, from names that quote themselves, and none holds
//! a value of a row.

pub(super) mod ddl;
pub(super) mod load;
pub(super) mod state;

#[cfg(test)]
mod tests;
