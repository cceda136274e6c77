//! What a code of Snowflake's means: the class of failure, and what a person can do about it.
//!
//! Codes of logins and tokens are as in the official drivers (`network.py`, `restful.go`, `errors.go`);
//! those of statements as Snowflake's knowledge base, and threads of loaders, show them. A code that
//! is not listed is judged by its first digits.

use protocol::{Error, ErrorKind, Secret};
use serde::Deserialize;

use super::reply::Reply;

/// The server works on it still.
pub(super) const IN_PROGRESS: [&str; 2] = ["333333", "333334"];
/// The session's token has expired; the master token renews it.
pub(super) const SESSION_EXPIRED: &str = "390112";
/// The session is gone, and a login must make another.
pub(super) const SESSION_LOST: [&str; 6] = ["390104", "390111", "390113", "390114", "390115", "390110"];
/// The statement that is to be aborted does not run (yet, or any more).
pub(super) const NOT_RUNNING: &str = "000605";
/// The token that a key pair signed is not taken.
const JWT_INVALID: &str = "390144";

const AUTH: ErrorKind = ErrorKind::Auth;
const CONFIG: ErrorKind = ErrorKind::Config;
const DATA: ErrorKind = ErrorKind::Data;
const INTERNAL: ErrorKind = ErrorKind::Internal;
const SCHEMA: ErrorKind = ErrorKind::Schema;
const STORAGE: ErrorKind = ErrorKind::Storage;
const TRANSIENT: ErrorKind = ErrorKind::Transient;

const NO_HINT: &str = "";

/// Code, class, hint.
const KNOWN: &[(&str, ErrorKind, &str)] = &[
    (
        "390100",
        AUTH,
        "check `user` and its proof; Snowflake says the same of a wrong user and of a wrong password",
    ),
    ("390101", AUTH, "the user is disabled: `ALTER USER … SET DISABLED = FALSE`"),
    (
        "390102",
        AUTH,
        "the user is locked after too many failures: wait a quarter of an hour, or `ALTER USER … SET MINS_TO_UNLOCK = 0`",
    ),
    (
        JWT_INVALID,
        AUTH,
        "the key pair's public half must be set at the user (`DESCRIBE USER`, RSA_PUBLIC_KEY_FP or RSA_PUBLIC_KEY_2_FP), `account` and `user` must be right, and this machine's clock too",
    ),
    ("390186", AUTH, "the role is not granted to the user: `GRANT ROLE … TO USER …`"),
    (
        "390189",
        AUTH,
        "there is no such role, or it is not granted to the user: check `role`, or `GRANT ROLE … TO USER …`",
    ),
    ("390201", CONFIG, "check `warehouse`, and `GRANT USAGE ON WAREHOUSE … TO ROLE …`"),
    ("390303", AUTH, "the OAuth token is not valid: for another account, user or role, or damaged"),
    ("390318", AUTH, "the OAuth token has expired: keep a fresh one in `oauth_token_file`"),
    ("390422", AUTH, "a network policy does not let this machine's address in"),
    (
        "390432",
        AUTH,
        "a user with an access token needs a network policy, and it must let this machine's address in",
    ),
    ("394400", AUTH, "the access token is not valid, or was taken back"),
    ("394401", AUTH, "the access token has expired"),
    ("000603", TRANSIENT, NO_HINT),
    ("000604", TRANSIENT, "someone, or a time-out, cancelled the statement"),
    (
        "000606",
        CONFIG,
        "set `warehouse`, and `GRANT USAGE ON WAREHOUSE … TO ROLE …`; a warehouse that is not set to resume by itself needs OPERATE, too",
    ),
    ("000625", TRANSIENT, "others hold or wait for a lock of the table"),
    (
        "000630",
        CONFIG,
        "raise `statement_timeout`, or use a larger warehouse; the warehouse may have a time-out of its own",
    ),
    ("000666", AUTH, "the account is suspended"),
    ("000904", SCHEMA, NO_HINT),
    ("001003", INTERNAL, NO_HINT),
    ("001007", SCHEMA, NO_HINT),
    ("001044", INTERNAL, NO_HINT),
    (
        "002003",
        CONFIG,
        "it does not exist, or the role may not see it: check names and letters' case, and the role's USAGE on database and schema",
    ),
    ("002023", SCHEMA, NO_HINT),
    (
        "002043",
        CONFIG,
        "it does not exist, or the role may not see it: check names and letters' case, and the role's USAGE on database and schema",
    ),
    ("003001", AUTH, "the role lacks a right"),
    ("003540", AUTH, "the role lacks a right"),
    (
        "090073",
        STORAGE,
        "a resource monitor's quota is used up, and the warehouse stays suspended until it is raised or begins anew",
    ),
    ("090105", CONFIG, "set `database`, and `GRANT USAGE ON DATABASE … TO ROLE …`"),
    ("090106", CONFIG, "set `schema`, and `GRANT USAGE ON SCHEMA … TO ROLE …`"),
];

/// By the first digits, longest first.
const CLASSES: &[(&str, ErrorKind)] = &[
    ("39", AUTH),
    ("1000", DATA),
    ("1001", DATA),
    ("1002", DATA),
    ("30", TRANSIENT),
    ("37", TRANSIENT),
    ("60", TRANSIENT),
    ("00", CONFIG),
    ("09", CONFIG),
];

/// What was refused.
pub(super) struct Refused<'a> {
    /// What was wanted, for the message: `log in`, `run COPY INTO`.
    pub(super) what: &'a str,
    /// The role at work, for hints.
    pub(super) role: Option<&'a str>,
    /// What must not be shown, whoever says it.
    pub(super) secrets: &'a [&'a Secret],
    /// The query's id, where it was told before.
    pub(super) query: Option<&'a str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Detail {
    query_id: Option<String>,
    sql_state: Option<String>,
}

/// The class of a code.
pub(super) fn kind(code: &str) -> ErrorKind {
    let known = KNOWN.iter().find(|(known, ..)| *known == code).map(|(_, kind, _)| *kind);
    let by_class = || CLASSES.iter().find(|(start, _)| code.starts_with(start)).map(|(_, kind)| *kind);
    known.or_else(by_class).unwrap_or(CONFIG)
}

/// The error that a refusal is.
pub(super) fn error(refused: &Refused<'_>, reply: &Reply) -> Error {
    let code = padded(reply.code());
    let kind = kind(&code);
    let mut said = reply.message().split_whitespace().collect::<Vec<_>>().join(" ");
    for secret in refused.secrets.iter().map(|secret| secret.reveal()).filter(|secret| secret.len() > 3) {
        said = said.replace(secret, "•••");
    }
    let hint = hint(&code, &said, refused.role, reply);
    if kind == DATA {
        said = without_values(&said);
    }
    let detail: Detail = reply.data().unwrap_or_default();
    let said = if said.is_empty() { "no reason given" } else { said.trim_end_matches('.') };
    let mut error = Error::new(kind, format!("Snowflake can't {}: {said}", refused.what));
    if let Some(hint) = hint {
        error = error.hint(hint);
    }
    if !code.is_empty() {
        error = error.context("code", code);
    }
    if let Some(query) = detail.query_id.as_deref().filter(|id| !id.is_empty()).or(refused.query) {
        error = error.context("query", query);
    }
    match detail.sql_state.filter(|state| !state.is_empty()) {
        Some(state) => error.context("sqlstate", state),
        None => error,
    }
}

/// Some write the zeros that a code begins with, and some do not.
fn padded(code: &str) -> String {
    if code.is_empty() || !code.bytes().all(|b| b.is_ascii_digit()) {
        return code.to_owned();
    }
    format!("{code:0>6}")
}

fn hint(code: &str, said: &str, role: Option<&str>, reply: &Reply) -> Option<String> {
    let known = KNOWN.iter().find(|(known, ..)| *known == code).map(|(.., hint)| *hint);
    let known = known.filter(|hint| !hint.is_empty());
    match code {
        JWT_INVALID => {
            let skew = reply.clock.map(|clock| (chrono::Utc::now() - clock).num_seconds());
            match skew.filter(|seconds| seconds.abs() > 30) {
                Some(ahead @ 1..) => {
                    Some(format!("this machine's clock is {ahead} seconds ahead of Snowflake's"))
                }
                Some(behind) => {
                    Some(format!("this machine's clock is {} seconds behind Snowflake's", -behind))
                }
                None => known.map(str::to_owned),
            }
        }
        "003001" | "003540" => grant(said, role).or_else(|| known.map(str::to_owned)),
        _ => known.map(str::to_owned),
    }
}

/// `Insufficient privileges to operate on schema 'X'`: the grant that would help.
fn grant(said: &str, role: Option<&str>) -> Option<String> {
    let (_, rest) = said.split_once("operate on ")?;
    let (object, rest) = rest.split_once(" '")?;
    let (name, _) = rest.split_once('\'')?;
    let object = object.to_ascii_uppercase();
    let rights = match object.as_str() {
        "WAREHOUSE" | "INTEGRATION" => "USAGE",
        "DATABASE" => "USAGE, CREATE SCHEMA",
        "SCHEMA" => "USAGE, CREATE TABLE, CREATE STAGE",
        "TABLE" => "SELECT, INSERT, UPDATE, DELETE, TRUNCATE",
        "STAGE" => "READ, WRITE",
        _ => return Some(format!("the role {} lacks a right on {object} {name}", role.unwrap_or("in use"))),
    };
    let grantee = role.unwrap_or("…");
    Some(format!(
        "`GRANT {rights} ON {object} {name} TO ROLE {grantee}`, or what of it is missing; changing a table that another role made needs OWNERSHIP of it"
    ))
}

/// The message without what stands in quotes, except for the file's name: values of rows are not shown.
fn without_values(said: &str) -> String {
    const FILE: &str = "File '";
    let Some(at) = said.rfind(FILE) else { return masked(said) };
    let (before, after) = (&said[..at], &said[at + FILE.len()..]);
    match after.split_once('\'') {
        Some((name, after)) => format!("{}{FILE}{name}'{}", masked(before), masked(after)),
        None => masked(said),
    }
}

/// The same text without what is between the first quote and the last: a value may hold quotes itself.
fn masked(said: &str) -> String {
    match (said.find('\''), said.rfind('\'')) {
        (Some(first), Some(last)) if first < last => format!("{}'…'{}", &said[..first], &said[last + 1..]),
        (Some(first), _) => format!("{}'…'", &said[..first]),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(code: &str, message: &str) -> Error {
        let body = serde_json::json!({ "code": code, "message": message, "success": false,
            "data": { "queryId": "01b2-q", "sqlState": "22000" } });
        let reply = Reply::read(body.to_string().as_bytes(), None).unwrap();
        let secret = Secret::new("AKIA-canary");
        error(
            &Refused { what: "run COPY INTO", role: Some("LOADER"), secrets: &[&secret], query: None },
            &reply,
        )
    }

    #[test]
    fn the_message_names_statement_code_and_query() {
        let error =
            refuse("002003", "SQL compilation error:\nTable 'RAW.X' does not exist or not authorized.");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(
            error.to_string(),
            "Snowflake can't run COPY INTO: SQL compilation error: Table 'RAW.X' does not exist or not authorized \
             (code \"002003\", query \"01b2-q\", sqlstate \"22000\")"
        );
    }

    #[test]
    fn classes_follow_the_codes() {
        for (code, kind) in [
            ("390100", ErrorKind::Auth),
            ("390499", ErrorKind::Auth),
            ("394400", ErrorKind::Auth),
            ("100038", ErrorKind::Data),
            ("100090", ErrorKind::Data),
            ("000625", ErrorKind::Transient),
            ("300002", ErrorKind::Transient),
            ("370001", ErrorKind::Transient),
            ("604", ErrorKind::Transient),
            ("2003", ErrorKind::Config),
            ("090073", ErrorKind::Storage),
            ("001003", ErrorKind::Internal),
            ("", ErrorKind::Config),
        ] {
            assert_eq!(refuse(code, "x").kind(), kind, "{code}");
        }
    }

    #[test]
    fn a_missing_right_is_told_as_a_grant() {
        let error =
            refuse("003001", "SQL access control error: Insufficient privileges to operate on schema 'RAW'.");
        assert_eq!(error.kind(), ErrorKind::Auth);
        let hint = error.advice().unwrap();
        assert!(
            hint.starts_with("`GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA RAW TO ROLE LOADER`"),
            "{hint}"
        );
        assert!(refuse("003001", "Insufficient privileges").advice().is_some());
    }

    #[test]
    fn values_of_rows_and_secrets_are_not_repeated() {
        for (said, shown) in [
            ("Numeric value 'canary' is not recognized", "Numeric value '…' is not recognized"),
            (
                "String 'it''s a canary' is too long. File 'orders/1.parquet', row 3",
                "String '…' is too long. File 'orders/1.parquet', row 3",
            ),
            (
                "Error parsing JSON: 'canary' File 'a/1.parquet', row 3, column \"T\"[\"c\":1]",
                "Error parsing JSON: '…' File 'a/1.parquet', row 3, column \"T\"[\"c\":1]",
            ),
            ("File 'a/1.parquet': value 'canary'", "File 'a/1.parquet': value '…'"),
            ("unfinished 'canary", "unfinished '…'"),
        ] {
            assert_eq!(without_values(said), shown);
        }
        let error = refuse("001003", "unexpected 'AKIA-canary'");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }

    #[test]
    fn a_clock_that_is_wrong_is_named() {
        let body = br#"{"code":"390144","message":"JWT token is invalid.","success":false,"data":null}"#;
        for (seconds, word) in [(-600, "ahead"), (600, "behind"), (0, "RSA_PUBLIC_KEY_FP")] {
            let clock = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
            let reply = Reply::read(body, Some(clock)).unwrap();
            let refused = Refused { what: "log in", role: None, secrets: &[], query: None };
            let error = error(&refused, &reply);
            assert!(error.advice().unwrap().contains(word), "{seconds}: {error:?}");
            assert_eq!(error.kind(), ErrorKind::Auth);
        }
    }
}
