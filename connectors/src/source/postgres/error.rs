//! What the server or the line said, as an [`Error`] of ours. The only place that maps SQLSTATE.

use protocol::{Error, ErrorKind};

/// What failed, and why. The server's code is in the context as `sqlstate`. Neither DETAIL nor
/// anything else that may hold a row's values is kept, and so the cause is not the driver's error.
pub(crate) fn failed(what: impl AsRef<str>, error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => Error::new(ErrorKind::Transient, format!("{}: {}", what.as_ref(), db.message()))
            .context("sqlstate", db.code().code()),
        None => Error::transient(format!("{}: {error}", what.as_ref())),
    }
}
