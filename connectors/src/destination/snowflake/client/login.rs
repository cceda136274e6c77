//! Logging in, and what keeps a login alive: the bodies, and what is read of the answers.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use protocol::{Error, Result, Secret};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::account::Account;
use super::reply::Reply;

pub(super) const LOGIN: &str = "/session/v1/login-request";
pub(super) const RENEW: &str = "/session/token-request";
pub(super) const HEARTBEAT: &str = "/session/heartbeat";
pub(super) const LOGOUT: &str = "/session";

/// What the server takes us for. It refuses names that it does not know, and chooses the form of results
/// by the name and by the parameter that belongs to it: JSON is asked for by `GO_QUERY_RESULT_FORMAT`. Who
/// we are stands in `APPLICATION`.
const CLIENT: (&str, &str) = ("Go", "1.17.0");

/// Longest time that a statement may run, unless set.
const STATEMENT_TIMEOUT: Duration = Duration::from_hours(4);
/// Longest time to wait for a lock, unless set.
const LOCK_TIMEOUT: Duration = Duration::from_mins(10);

/// What a session is with, fixed for its life.
pub(super) struct Terms {
    /// What follows the address: warehouse, database, schema, role.
    pub(super) query: Vec<(&'static str, String)>,
    parameters: BTreeMap<&'static str, Value>,
}

/// The tokens of a login.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// What statements are authorised with.
    pub(super) session: Secret,
    /// What renews it. Stand-ins may give none.
    pub(super) master: Option<Secret>,
    /// How long the master token is valid.
    pub(super) valid: Option<Duration>,
    /// Which login of this process it is: a renewal keeps it.
    pub(super) number: u64,
}

impl Terms {
    pub(super) fn of(account: &Account, tag: &str) -> Self {
        let named = [
            ("warehouse", &account.warehouse),
            ("databaseName", &account.database),
            ("schemaName", &account.schema),
            ("roleName", &account.role),
        ];
        let set = |value: &&Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
        let query = named.into_iter().filter(|(_, value)| set(value));
        let seconds = |set: Option<protocol::Period>, usual: Duration| {
            let millis = set.map_or(usual, protocol::Period::duration).as_millis();
            Value::from(u64::try_from(millis.div_ceil(1000)).unwrap_or(u64::MAX))
        };
        // Whatever an administrator has set for the account or the user, statements mean the same here.
        let parameters = BTreeMap::from([
            ("ABORT_DETACHED_QUERY", Value::from(true)),
            ("AUTOCOMMIT", Value::from(true)),
            ("CLIENT_SESSION_KEEP_ALIVE", Value::from(true)),
            ("ERROR_ON_NONDETERMINISTIC_MERGE", Value::from(true)),
            ("GO_QUERY_RESULT_FORMAT", Value::from("JSON")),
            ("LOCK_TIMEOUT", seconds(account.lock_timeout, LOCK_TIMEOUT)),
            ("QUERY_TAG", Value::from(tag)),
            ("QUOTED_IDENTIFIERS_IGNORE_CASE", Value::from(false)),
            ("ROWS_PER_RESULTSET", Value::from(0)),
            ("STATEMENT_TIMEOUT_IN_SECONDS", seconds(account.statement_timeout, STATEMENT_TIMEOUT)),
            ("TIMESTAMP_INPUT_FORMAT", Value::from("AUTO")),
            ("TIMEZONE", Value::from("UTC")),
            ("TIME_INPUT_FORMAT", Value::from("AUTO")),
        ]);
        Self { query: query.filter_map(|(name, value)| Some((name, value.clone()?))).collect(), parameters }
    }

    /// The body of a login; `claims` say who it is.
    pub(super) fn body(&self, mut claims: Map<String, Value>) -> Bytes {
        let (id, version) = CLIENT;
        claims.insert("CLIENT_APP_ID".to_owned(), id.into());
        claims.insert("CLIENT_APP_VERSION".to_owned(), version.into());
        claims.insert("SESSION_PARAMETERS".to_owned(), json!(self.parameters));
        claims.insert(
            "CLIENT_ENVIRONMENT".to_owned(),
            json!({
                "APPLICATION": "tidegate",
                "APPLICATION_VERSION": env!("CARGO_PKG_VERSION"),
                "OS": std::env::consts::OS,
                "OS_VERSION": std::env::consts::ARCH,
            }),
        );
        Bytes::from(json!({ "data": claims }).to_string())
    }
}

/// The body of a renewal.
pub(super) fn renewal(login: &Login) -> Bytes {
    Bytes::from(json!({ "oldSessionToken": login.session.reveal(), "requestType": "RENEW" }).to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoggedIn {
    token: String,
    #[serde(default)]
    master_token: Option<String>,
    #[serde(default)]
    master_validity_in_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renewed {
    session_token: String,
    #[serde(default)]
    master_token: Option<String>,
    #[serde(default, rename = "validityInSecondsMT")]
    valid: Option<u64>,
}

impl Login {
    /// What the answer of a login holds.
    pub(super) fn read(reply: &Reply, number: u64) -> Result<Self> {
        let found: LoggedIn =
            reply.data().ok_or_else(|| Error::transient("the answer of the login holds no token"))?;
        Ok(Self {
            session: Secret::new(found.token),
            master: found.master_token.filter(|token| !token.is_empty()).map(Secret::new),
            valid: found.master_validity_in_seconds.map(Duration::from_secs),
            number,
        })
    }

    /// The same login with what the answer of a renewal holds.
    pub(super) fn renewed(&self, reply: &Reply) -> Result<Self> {
        let found: Renewed =
            reply.data().ok_or_else(|| Error::transient("the answer of the renewal holds no token"))?;
        let master = found.master_token.filter(|token| !token.is_empty()).map(Secret::new);
        Ok(Self {
            session: Secret::new(found.session_token),
            master: master.or_else(|| self.master.clone()),
            valid: found.valid.map(Duration::from_secs).or(self.valid),
            number: self.number,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_says_who_and_on_what_terms() {
        let account = Account {
            role: Some("LOADER".to_owned()),
            warehouse: Some("WH".to_owned()),
            lock_timeout: Some(protocol::Period::from_secs(30)),
            ..Account::default()
        };
        let terms = Terms::of(&account, "tag");
        assert_eq!(terms.query, [("warehouse", "WH".to_owned()), ("roleName", "LOADER".to_owned())]);
        let claims = Map::from_iter([
            ("ACCOUNT_NAME".to_owned(), "ACC".into()),
            ("LOGIN_NAME".to_owned(), "ME".into()),
            ("PASSWORD".to_owned(), "pw".into()),
        ]);
        let body: Value = serde_json::from_slice(&terms.body(claims)).unwrap();
        assert_eq!(
            body,
            json!({ "data": {
                "ACCOUNT_NAME": "ACC",
                "LOGIN_NAME": "ME",
                "PASSWORD": "pw",
                "CLIENT_APP_ID": "Go",
                "CLIENT_APP_VERSION": "1.17.0",
                "CLIENT_ENVIRONMENT": {
                    "APPLICATION": "tidegate",
                    "APPLICATION_VERSION": env!("CARGO_PKG_VERSION"),
                    "OS": std::env::consts::OS,
                    "OS_VERSION": std::env::consts::ARCH,
                },
                "SESSION_PARAMETERS": {
                    "ABORT_DETACHED_QUERY": true,
                    "AUTOCOMMIT": true,
                    "CLIENT_SESSION_KEEP_ALIVE": true,
                    "ERROR_ON_NONDETERMINISTIC_MERGE": true,
                    "GO_QUERY_RESULT_FORMAT": "JSON",
                    "LOCK_TIMEOUT": 30,
                    "QUERY_TAG": "tag",
                    "QUOTED_IDENTIFIERS_IGNORE_CASE": false,
                    "ROWS_PER_RESULTSET": 0,
                    "STATEMENT_TIMEOUT_IN_SECONDS": 14400,
                    "TIMESTAMP_INPUT_FORMAT": "AUTO",
                    "TIMEZONE": "UTC",
                    "TIME_INPUT_FORMAT": "AUTO",
                },
            }})
        );
    }
}
