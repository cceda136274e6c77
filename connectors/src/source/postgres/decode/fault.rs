//! What can be wrong with a value, in two bytes: most values are right, and the rest get their words later.

use protocol::{Error, ErrorKind};

use crate::source::postgres::types::Column;

/// Why a value was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes are not a value of the type.
    Malformed,
    /// The column's Arrow type has no such value.
    Unfit(Reason),
    /// The offsets of one batch end at 2 GiB.
    TooLong,
}

/// What kind of value a type does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// An infinite date, timestamp or numeric.
    Infinity,
    /// A numeric that is not a number.
    Nan,
    /// More digits before the point, a later or an earlier time than the type has.
    OutOfRange,
    /// More digits after the point than the decimal has.
    Inexact,
    /// An array of more than one dimension.
    Multidimensional,
}

impl Reason {
    pub(super) const ALL: [Self; 5] =
        [Self::Infinity, Self::Nan, Self::OutOfRange, Self::Inexact, Self::Multidimensional];

    /// As it stands in [`Adjustment::reason`](protocol::Adjustment::reason).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Infinity => "infinity",
            Self::Nan => "nan",
            Self::OutOfRange => "out_of_range",
            Self::Inexact => "inexact",
            Self::Multidimensional => "multidimensional",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Infinity => "an infinite value",
            Self::Nan => "a value that is not a number",
            Self::OutOfRange => "a value out of the range",
            Self::Inexact => "a value with more digits after the point than the scale",
            Self::Multidimensional => "an array of more than one dimension, unlike the lists",
        }
    }
}

impl Fault {
    /// The error that names the column, and never the value.
    #[cold]
    pub(super) fn error(self, column: &Column) -> Error {
        let name = column.name();
        let error = match self {
            Self::Malformed => Error::new(
                ErrorKind::Schema,
                format!("column {name:?}: the server sent bytes that are not of type {}", column.native()),
            )
            .hint("the table may have been altered while it was read: run again"),
            Self::Unfit(reason) => Error::data(format!(
                "column {name:?}: {} holds {} of {}",
                column.native(),
                reason.words(),
                column.field().data_type()
            ))
            .hint("set the stream's `on_unfit` to `null` or `clamp`, or leave the column out by `exclude`"),
            Self::TooLong => Error::data(format!("column {name:?}: a value of 2 GiB or more as Arrow")),
        };
        error.context("column", name)
    }
}
