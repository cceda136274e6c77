//! A panic is a bug of one part; it ends what that part was doing and nothing else.

use std::panic::AssertUnwindSafe;

use futures::{Future, FutureExt};
use protocol::{Error, Result};

/// Runs `future`; fails with [`protocol::ErrorKind::Internal`] when it panics. The panic's own message
/// may hold values of rows and goes to the process's panic hook alone.
pub(crate) async fn caught<T>(what: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    // Nothing that a panic left half done is looked at afterwards: who called ends as well.
    AssertUnwindSafe(future).catch_unwind().await.unwrap_or_else(|_| {
        Err(Error::internal(format!("{what} panicked"))
            .hint("this is a bug: please report it with the lines that the program printed before"))
    })
}
