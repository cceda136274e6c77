//! What the server or the line said, as an [`Error`] of ours: the only place that knows SQLSTATE.
//!
//! The driver's error is never the cause of ours: printing it prints the server's DETAIL, which
//! holds values of rows. Where the message itself may hold some, it is replaced.

use std::error::Error as StdError;
use std::io;

use protocol::{Error, ErrorKind};

/// The key of the server's error code in an error's context: `error.context_value(SQLSTATE)`.
pub(crate) const SQLSTATE: &str = "sqlstate";

/// `what` failed, and why: `could not read public.orders: permission denied for table orders`.
pub(crate) fn failed(what: impl AsRef<str>, error: &tokio_postgres::Error) -> Error {
    let what = what.as_ref();
    if let Some(answer) = error.as_db_error() {
        return refused(what, answer.code().code(), answer.message());
    }
    let cause = error.source();
    if let Some(cause) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return broken(what, cause);
    }
    if error.is_closed() {
        return Error::transient(format!("{what}: the connection was lost"));
    }
    // The driver keeps its kind to itself, but for its text.
    let because = cause.map_or_else(|| error.to_string(), ToString::to_string);
    let because = format!("{what}: {because}");
    match error.to_string().as_str() {
        "authentication error" => Error::new(ErrorKind::Auth, because),
        "invalid configuration" => Error::new(ErrorKind::Auth, because)
            .hint("give the password in `password`, in `url`, in PGPASSWORD or in the password file"),
        "timeout waiting for server" => Error::transient(because),
        _ => Error::internal(because),
    }
}

/// The server refused `what` with an error of this code and message.
pub(crate) fn refused(what: &str, code: &str, message: &str) -> Error {
    let (kind, hint) = meaning(code, message);
    let message = harmless(code).unwrap_or(message);
    let error = Error::new(kind, format!("{what}: {message}")).context(SQLSTATE, code);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The line broke in the middle of `what`.
pub(crate) fn broken(what: &str, cause: &io::Error) -> Error {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => Error::transient(format!("{what}: the server closed the connection")),
        io::ErrorKind::TimedOut => Error::transient(format!("{what}: no answer in time")),
        kind => Error::transient(what).with_source(io::Error::new(kind, cause.to_string())),
    }
}

/// What stands for the server's message where that may hold a value of a row: data exceptions and what
/// functions raise.
fn harmless(code: &str) -> Option<&'static str> {
    Some(match code {
        "22003" => "a number is out of its type's range",
        "22007" | "22008" => "a date or time is not valid or out of range",
        "22012" => "division by zero",
        "22021" | "22P05" => "a text holds characters that can't be converted to UTF-8",
        "22P02" => "a text is not valid for the type it is cast to",
        "22023" => "an invalid parameter value",
        _ => match code.get(..2)? {
            "22" => "a value is not valid for what is done with it",
            "38" | "39" | "P0" => "a function raised an error",
            _ => return None,
        },
    })
}

/// What an error code means for a sync, and what the person can do.
fn meaning(code: &str, message: &str) -> (ErrorKind, Option<&'static str>) {
    use ErrorKind::{Auth, Config, Data, Internal, Transient, Unsupported};
    match code {
        "28000" if message.contains("no encryption") || message.contains("SSL off") => (
            Auth,
            Some("the server takes encrypted connections only from here: set `sslmode: require` or more"),
        ),
        "28P01" | "28000" => (Auth, Some("check `user` and `password`, and pg_hba.conf on the server")),
        "42501" => (
            Auth,
            Some(
                "the role needs GRANT SELECT on the table and GRANT USAGE on its schema; `check` names the role",
            ),
        ),
        "3D000" => (Config, Some("check `database`")),
        "55000" if message.contains("populated") => (Config, Some("run REFRESH MATERIALIZED VIEW first")),
        "57014" => (
            Transient,
            Some("raise `statement_timeout` if the statement needs longer, or see who cancelled it"),
        ),
        "55P03" => {
            (Transient, Some("someone holds a lock on the table: raise `lock_timeout`, or sync later"))
        }
        "53300" => (
            Transient,
            Some("the server is out of connections: lower `connections`, or raise max_connections"),
        ),
        "40001" if message.contains("recovery") => (
            Transient,
            Some("set hot_standby_feedback = on or a longer max_standby_streaming_delay on the replica"),
        ),
        "25P03" => (Transient, Some("reading waited too long for the destination")),
        "25006" => (Unsupported, Some("what is read writes when it is read, and tidegate only reads")),
        "XX001" | "XX002" => (Data, Some("the server found its own data damaged")),
        "XX000" | "54000" if is_over_a_gigabyte(message) => {
            (Data, Some("the server can't send a row over 1 GB: leave a column out, or cut it in a view"))
        }
        // An old snapshot was removed to let vacuum proceed.
        "72000" => (Transient, None),
        _ => match code.get(..2).unwrap_or_default() {
            "28" => (Auth, None),
            "0A" => (Unsupported, None),
            "22" | "38" | "39" | "P0" => (Data, Some("the server's log has the whole message")),
            "3D" | "3F" | "42" | "2B" | "2F" => (Config, None),
            "08" | "40" | "53" | "55" | "57" | "58" | "XX" | "HV" => (Transient, None),
            // The statements are ours, and so would be a mistake in their order.
            "25" | "26" | "34" => (Internal, None),
            _ => (Data, None),
        },
    }
}

/// What servers say of a row that does not fit into a message.
fn is_over_a_gigabyte(message: &str) -> bool {
    ["memory alloc", "out of memory", "string buffer"].iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str) -> ErrorKind {
        refused("reading", code, "message").kind()
    }

    #[test]
    fn codes_decide_about_retry_and_exit() {
        for code in ["28P01", "28000", "42501"] {
            assert_eq!(kind(code), ErrorKind::Auth, "{code}");
        }
        for code in ["3D000", "42P01", "42703", "3F000", "42601", "42883"] {
            assert_eq!(kind(code), ErrorKind::Config, "{code}");
        }
        for code in [
            "08006", "57P01", "57P02", "57P03", "40001", "40P01", "53300", "53200", "57014", "55P03", "58030",
        ] {
            assert_eq!(kind(code), ErrorKind::Transient, "{code}");
        }
        for code in ["22P02", "22003", "54000", "XX001", "P0001"] {
            assert_eq!(kind(code), ErrorKind::Data, "{code}");
        }
        assert_eq!(kind("0A000"), ErrorKind::Unsupported);
        assert_eq!(kind(""), ErrorKind::Data);
    }

    #[test]
    fn says_what_failed_and_why_with_the_code() {
        let error = refused("could not read public.t", "42P01", "relation \"t\" does not exist");
        assert_eq!(
            error.to_string(),
            "could not read public.t: relation \"t\" does not exist (sqlstate \"42P01\")"
        );
        assert_eq!(error.context_value(SQLSTATE), Some("42P01"));
    }

    #[test]
    fn values_of_rows_are_not_told() {
        for code in ["22P02", "22003", "22XXX", "P0001", "38000"] {
            let error = refused("reading", code, "invalid input syntax for type integer: \"canary\"");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
